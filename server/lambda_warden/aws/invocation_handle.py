"""The state of one call on its way to AWS, shared by the worker thread that sends it and whoever waits for it.

It answers two questions for certain: may it still be sent, and how much of it has left this machine. The second is
the evidence that tells `refused` from `unknown`: a request whose last byte did not leave can't have started anything.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, Literal

Reason = Literal["cancelled", "deadline", "shutdown"]
"""Why a call was given up: its client wanted no more of it, its time was up, or the server ends."""

Sent = Literal["no", "partly", "whole", "untracked"]
"""How much of a request has left. untracked: it went out over a connection that reports nothing."""

NEVER: Final = float("inf")


class GivenUpError(Exception):
    """Raised in the worker thread instead of sending a call that was given up."""


class InvocationHandle:
    """One call. Safe to use from any thread.

    Attributes:
        parameters: what botocore has to send, whatever else in this process reaches into its calls.
    """

    def __init__(self) -> None:
        self._limit = self._attempt_at = NEVER
        self._lock = threading.Lock()
        self._given_up = threading.Event()
        self._reason: Reason | None = None
        self._socket: socket.socket | None = None
        self._sent: Sent = "no"
        self.parameters: Mapping[str, object] | None = None

    @property
    def reason(self) -> Reason | None:
        """Why it was given up, or None."""
        return self._reason

    @property
    def sent(self) -> Sent:
        """How much of the request of this attempt has left."""
        return self._sent

    @property
    def deadline(self) -> float:
        """When it has to be given up, on the clock of `time.monotonic`. It moves when an attempt begins."""
        return self._attempt_at + self._limit

    def remaining(self) -> float:
        """Seconds until the deadline; never less than a moment, so that it can be a socket's timeout."""
        return max(0.001, self.deadline - time.monotonic())

    def allow(self, seconds: float) -> None:
        """An attempt may take no longer than this. May be said again, of one that is under way."""
        self._limit = seconds

    def give_up(self, reason: Reason) -> None:
        """Send nothing more, and break the connection if there is one: a thread that waits on it wakes up at once."""
        with self._lock:
            if self._reason is None:
                self._reason = reason
            self._given_up.set()
            self._break()

    def check(self) -> None:
        """Raise GivenUpError if nobody wants it any more."""
        if self._given_up.is_set():
            raise GivenUpError(self._reason)

    def wait(self, seconds: float) -> None:
        """Pause, and no longer than until it is given up."""
        self._given_up.wait(seconds)

    def begin_attempt(self) -> None:
        """Nothing of the attempt that begins has left yet."""
        self._attempt_at = time.monotonic()
        self._sent = "no"

    def goes_out(self) -> None:
        """The request is handed to a connection. Until a tracked connection speaks of it, nothing is known."""
        self.check()
        self._sent = "untracked"

    def connects(self) -> None:
        """A tracked connection has taken the request, and nothing of it has left."""
        self._sent = "partly"
        self.check()

    def uses(self, sock: socket.socket | None) -> None:
        """From now on this socket is broken when the call is given up."""
        with self._lock:
            self._socket = sock
            if self._given_up.is_set():
                self._break()

    def has_left(self) -> None:
        """The last byte of the request was handed to the operating system."""
        self._sent = "whole"

    @contextmanager
    def on_this_thread(self) -> Iterator[None]:
        """What this thread sends meanwhile belongs to this call."""
        _current.handle = self
        try:
            yield
        finally:
            del _current.handle
            with self._lock:
                self._socket = None

    def _break(self) -> None:
        # The socket's own method: a TLS socket's would take its TLS layer away under the reading thread.
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Current(threading.local):
    handle: InvocationHandle | None = None


_current = _Current()


def current() -> InvocationHandle | None:
    """The call that this thread is sending, if any."""
    return _current.handle
