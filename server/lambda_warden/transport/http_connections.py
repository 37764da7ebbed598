"""One connection over HTTP, bounded in time and number: who is slow, or many, takes no room from others."""

from __future__ import annotations

import asyncio
import sys
from typing import Final, Literal

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if sys.platform != "win32":
    import resource

HEADER_BYTES: Final = 32 * 1024
"""Of a request's first line and headers. An access token that lists many groups has some 8 KB."""
_CONNECTIONS: Final = 2_048
"""Open at once; each session of 2025-11-25 keeps one open to listen."""
_TOLD: Final = 64
"""So many more are told that there are too many. What comes then is closed unheard."""


class BoundedConnection(H11Protocol):
    """A connection of uvicorn's that is cut off where its client is too slow.

    Attributes:
        head_seconds: for the first line and the headers of a request, from its first byte or the connection's begin.
        body_seconds: for the body, from the end of the headers, also of what was answered before it was read.
        write_seconds: until the client has taken something of an answer that waits for it.
    """

    head_seconds = 20.0
    body_seconds = 60.0
    write_seconds = 60.0

    _waits_for: Literal["head", "body"] | None = None
    _reading: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; close at once if there are too many."""
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency + _TOLD:
            transport.abort()
            return
        transport.set_write_buffer_limits(high=0)  # or else a client that takes nothing would not be noticed
        self._wait_for("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        for timer in (self._reading, self._writing):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Wait until the client takes what there is for it."""
        super().pause_writing()
        self._writing = self.loop.call_later(self.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken that."""
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()

    def _watch(self) -> None:
        """Set the time for what the client has begun to send and not ended. Idle connections have uvicorn's."""
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._wait_for("body")
        elif state is h11.IDLE and (self._waits_for == "head" or self.conn.trailing_data[0]):
            self._wait_for("head")
        else:
            self._wait_for(None)

    def _wait_for(self, part: Literal["head", "body"] | None) -> None:
        if part == self._waits_for:
            return
        self._waits_for = part
        if self._reading is not None:
            self._reading.cancel()
        if part is not None:
            seconds = self.head_seconds if part == "head" else self.body_seconds
            self._reading = self.loop.call_later(seconds, self.transport.abort)


def connection_limit() -> int:
    """How many connections may be open: half of the files that may be, since each call to AWS needs one, too.

    Raises how many files this process may have open, where the system allows that.
    """
    if sys.platform == "win32":  # which has no such limit
        return _CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return _CONNECTIONS if soft == resource.RLIM_INFINITY else min(_CONNECTIONS, soft // 2)
