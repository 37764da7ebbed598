"""stdin and stdout, read and written by the event loop itself: pipes, sockets, terminals and files.

The SDK's own transport does each read, write and flush in a worker thread: three changes of threads for a call, which
cost as much as a third of a call that does nothing, and a thread that waits for stdin and can't be stopped. Windows
knows no other way, so there it is done here, too.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from anyio import CapacityLimiter, to_thread

if sys.platform != "win32":
    import fcntl

_READ_BYTES: Final = 1 << 18
_PIPE_BYTES: Final = getattr(select, "PIPE_BUF", 1 << 16)
"""A pipe that is ready takes at least so much (POSIX, select). Windows is not asked, so there any size will do."""

_T = TypeVar("_T")


@contextmanager
def standard_streams(line_bytes: int) -> Iterator[tuple[Reader, Writer]]:
    """Take stdin and stdout over until the end of the context.

    Meanwhile descriptor 0 is at its end and descriptor 1 is stderr, as the SDK has it too: what a library prints does
    not get among the messages.

    Args:
        line_bytes: how much of a line is kept, at the most and one byte more.
    """
    stdin, stdout = _duplicate(0), _duplicate(1)
    writer = Writer(stdout)
    try:
        with Path(os.devnull).open("r+b", buffering=0) as nothing:
            os.dup2(nothing.fileno(), 0)
            # Where there was no stderr at the start, its number may be another file's by now.
            os.dup2(2 if sys.stderr is not None else nothing.fileno(), 1)
        yield Reader(stdin, line_bytes), writer
    finally:
        writer.close()
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        os.close(stdin)
        os.close(stdout)


class Reader:
    """Reads lines, with the bytes that end them. A last line needs no end.

    Args:
        descriptor: that nobody else reads.
        line_bytes: of a longer line, its first bytes are kept, one more than these, and those that came with its end.
    """

    def __init__(self, descriptor: int, line_bytes: int) -> None:
        self._descriptor = descriptor
        self._line_bytes = line_bytes
        self._watch = _Watch(descriptor, reading=True)
        self._read = bytearray()
        self._searched = 0
        self._ended = False

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> bytes:
        while (end := self._read.find(b"\n", self._searched) + 1) == 0 and not self._ended:
            del self._read[self._line_bytes + 1 :]
            self._searched = len(self._read)
            try:
                part = await self._watch.when_ready(partial(os.read, self._descriptor, _READ_BYTES))
            except OSError:  # a reset connection, a terminal that was closed
                part = b""
            self._ended = not part
            self._read += part
        if not self._read:
            raise StopAsyncIteration
        line, self._searched = self._read, 0
        if 0 < end < len(line):
            line = line[:end]
            del self._read[:end]
        else:  # nothing is behind it, so it is not copied
            self._read = bytearray()
        return bytes(line)


class Writer:
    """Writes text, and lets others go on while its reader is slow.

    The descriptor is not made non-blocking: whoever else has it would find it so.

    Args:
        descriptor: that nobody else writes to.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._watch = _Watch(descriptor, reading=False)
        self._socket = socket.socket(fileno=os.dup(descriptor)) if _is_socket(descriptor) else None

    async def write(self, text: str) -> None:
        """Write a text. Only one at a time can be written.

        Raises:
            OSError: if nobody reads any more.
        """
        rest = memoryview(text.encode())
        while rest:
            rest = rest[await self._watch.when_ready(partial(self._write_some, rest)) :]

    def close(self) -> None:
        """Let go of what was made for writing. The descriptor stays open."""
        if self._socket is not None:
            self._socket.close()

    def _write_some(self, rest: memoryview) -> int:
        """Write what goes without waiting."""
        if self._socket is None:
            return os.write(self._descriptor, rest[:_PIPE_BYTES])
        try:
            return self._socket.send(rest, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0


class _Watch:
    """Tells when a descriptor can be read or written without waiting.

    Args:
        descriptor: that nobody else reads, or writes to.
        reading: or writing.
    """

    def __init__(self, descriptor: int, *, reading: bool) -> None:
        self._descriptor = descriptor
        self._reading = reading
        if sys.platform == "win32":
            self._threads = CapacityLimiter(1)
        else:
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLIN if reading else select.POLLOUT)

    async def when_ready(self, work: Callable[[], _T]) -> _T:
        """Do what would wait before. On Windows it waits, in a thread that goes on if nobody wants that any more."""
        if sys.platform == "win32":
            return await to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)
        if not self._poll.poll(0):
            await self._until_ready()
        return work()

    async def _until_ready(self) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        (loop.add_reader if self._reading else loop.add_writer)(self._descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            (loop.remove_reader if self._reading else loop.remove_writer)(self._descriptor)


def _duplicate(descriptor: int) -> int:
    """Another descriptor of the same file, which no child inherits, and none of 0 to 2, even where these are closed."""
    if sys.platform == "win32":
        return os.dup(descriptor)
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


def _is_socket(descriptor: int) -> bool:
    return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
