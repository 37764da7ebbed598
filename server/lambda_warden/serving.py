"""Serving a warden over stdio or HTTP until its client leaves or a signal stops it, and ending gracefully.

The SDK cancels whatever is under way as soon as its input ends. Here the requests that were read are answered first,
for as long as the settings allow: so that a client that closes its end, or an operator who stops the server, loses
nothing that could have been known. What has not ended then is given up, and that is its answer.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

if TYPE_CHECKING:
    from lambda_warden.app import Warden

HOST: Final = "127.0.0.1"
"""HTTP has no authentication here, so it is for this machine alone."""
_FLUSH_SECONDS: Final = 0.1
_STREAMS_SECONDS: Final = 1.0
"""For answers on their way over HTTP. Then the streams end that clients keep open, which never would by themselves."""
_CLOSE_SECONDS: Final = 3
"""When connections over HTTP are cut that have not ended by then."""
_POLL_SECONDS: Final = 0.02

_Self = TypeVar("_Self")


async def serve_stdio(warden: Warden) -> None:
    """Serve on stdin and stdout until stdin ends, or SIGTERM or SIGINT comes; a second signal ends it at once."""
    async with _stdio_streams() as (read_stream, write_stream), anyio.create_task_group() as group:
        unanswered = _Unanswered(warden)
        stopped_by: list[int] = []

        async def stop_on_signal() -> None:
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for number in signals:
                    stopped_by.append(number)
                    break
            _end_at_once_by_signals()
            unanswered.stop()

        group.start_soon(stop_on_signal)
        # MCPServer.run_stdio_async does just this, and lets nobody put anything between it and its streams.
        server = warden.server._lowlevel_server
        await server.run(
            _Reading(read_stream, unanswered),
            _Writing(write_stream, unanswered),
            server.create_initialization_options(),
        )
        group.cancel_scope.cancel()
        if stopped_by:
            await _end_by(stopped_by[0])


@asynccontextmanager
async def _stdio_streams() -> AsyncIterator[tuple[Any, Any]]:
    if sys.platform == "win32":
        async with stdio_server() as streams:
            yield streams
        return
    from lambda_warden.stdio import standard_streams

    with standard_streams() as own:
        stdin, stdout = own or (None, None)
        async with stdio_server(cast("Any", stdin), cast("Any", stdout)) as streams:
            yield streams


async def serve_http(warden: Warden, port: int) -> None:
    """Serve streamable HTTP on 127.0.0.1 until a signal comes; requests under way have their time to end."""
    import uvicorn
    from sse_starlette.sse import AppStatus

    # It would end the streams that answers go out by as soon as the signal comes.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            _end_at_once_by_signals()
            await warden.drain(warden.shutdown_grace)
            async with anyio.create_task_group() as group:
                group.start_soon(end_streams)
                await super().shutdown(sockets)
                group.cancel_scope.cancel()

    async def end_streams() -> None:
        await anyio.sleep(_STREAMS_SECONDS)
        AppStatus.should_exit = True

    config = uvicorn.Config(
        warden.server.streamable_http_app(host=HOST),
        host=HOST,
        port=port,
        log_level=warden.log_level.lower(),
        timeout_graceful_shutdown=_CLOSE_SECONDS,
    )
    await Server(config).serve()


def _end_at_once_by_signals() -> None:
    """From now on SIGTERM and SIGINT end the process: its end was asked for before."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


async def _end_by(number: int) -> None:
    """End as the signal would have ended the process. What reads stdin can't be stopped otherwise."""
    with anyio.CancelScope(shield=True):
        await anyio.sleep(_FLUSH_SECONDS)
    os.kill(os.getpid(), number)


class _Unanswered:
    """The requests that were read and not answered, and when to wait for them no longer."""

    def __init__(self, warden: Warden) -> None:
        self._ids: set[str | int] = set()
        self._warden = warden
        self._stopped = False
        self._reading: anyio.CancelScope | None = None

    @property
    def stopped(self) -> bool:
        return self._stopped

    def stop(self) -> None:
        """Read nothing more."""
        self._stopped = True
        if self._reading is not None:
            self._reading.cancel()

    async def next_of(self, stream: Any) -> SessionMessage | Exception | None:
        """The next message, or None when there is none, or none is wanted."""
        with anyio.CancelScope() as self._reading:
            if self._stopped:
                return None
            try:
                item: SessionMessage | Exception = await stream.receive()
            except anyio.EndOfStream:
                return None
            return item
        return None

    def was_read(self, item: SessionMessage | Exception) -> None:
        match item:
            case SessionMessage(message=JSONRPCRequest(id=request_id)):
                self._ids.add(request_id)
            case SessionMessage(message=JSONRPCNotification(method="notifications/cancelled", params=params)):
                self._ids.discard((params or {}).get("requestId", ""))  # it gets no answer

    def was_written(self, item: SessionMessage) -> None:
        match item.message:
            case JSONRPCResponse(id=request_id) | JSONRPCError(id=request_id) if request_id is not None:
                self._ids.discard(request_id)

    async def wait(self) -> None:
        """Until everything is answered: with what comes in time, and then with what is known."""
        with anyio.move_on_after(self._warden.shutdown_grace):
            await self._until_answered()
        if self._ids:
            await self._warden.drain(0)
            with anyio.move_on_after(_FLUSH_SECONDS):
                await self._until_answered()

    async def _until_answered(self) -> None:
        while self._ids:
            await anyio.sleep(_POLL_SECONDS)


class _Stream:
    """What the SDK's streams have in common."""

    def __init__(self, inner: Any, unanswered: _Unanswered) -> None:
        self._inner = inner
        self._unanswered = unanswered

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class _Reading(_Stream):
    """Ends when its stream ends or the server is stopped, and everything that was read has been answered."""

    @property
    def last_context(self) -> Any:
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        item = await self._unanswered.next_of(self._inner)
        if item is None:
            await self._unanswered.wait()
            raise anyio.EndOfStream
        self._unanswered.was_read(item)
        return item

    def __aiter__(self) -> _Reading:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class _Writing(_Stream):
    """Notes which requests are answered."""

    async def send(self, item: SessionMessage, /) -> None:
        await self._inner.send(item)
        self._unanswered.was_written(item)
