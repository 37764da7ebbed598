"""stdin and stdout, read and written by the event loop itself: pipes, sockets, terminals and files.

The SDK's own transport does each read, write and flush in a worker thread: three changes of threads for a call, which
cost as much as a third of a call that does nothing, and a thread that waits for stdin and can't be stopped.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_READ_BYTES: Final = 1 << 18


@contextmanager
def standard_streams(line_bytes: int) -> Iterator[tuple[Reader, Writer]]:
    """Take stdin and stdout over until the end of the context.

    Meanwhile descriptor 0 is at its end and descriptor 1 is stderr, as the SDK has it too: what a library prints does
    not get among the messages.

    Args:
        line_bytes: how much of a line is kept, at the most and one byte more.
    """
    stdin, stdout = (fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3) for number in (0, 1))
    writer = Writer(stdout)
    try:
        with Path(os.devnull).open("r+b") as nothing:
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
        self._poll = _poll_for(descriptor, select.POLLIN)
        self._read = bytearray()
        self._searched = 0
        self._ended = False

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> bytes:
        while (end := self._read.find(b"\n", self._searched) + 1) == 0 and not self._ended:
            del self._read[self._line_bytes + 1 :]
            self._searched = len(self._read)
            if not self._poll.poll(0):
                loop = asyncio.get_running_loop()
                await _until(self._descriptor, loop.add_reader, loop.remove_reader)
            try:
                part = os.read(self._descriptor, _READ_BYTES)  # there is something, so this does not wait
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
        self._poll = _poll_for(descriptor, select.POLLOUT)
        self._socket = socket.socket(fileno=os.dup(descriptor)) if _is_socket(descriptor) else None

    async def write(self, text: str) -> None:
        """Write a text. Only one at a time can be written.

        Raises:
            OSError: if nobody reads any more.
        """
        rest = memoryview(text.encode())
        while rest:
            if not self._poll.poll(0):
                loop = asyncio.get_running_loop()
                await _until(self._descriptor, loop.add_writer, loop.remove_writer)
            rest = rest[self._write_some(rest) :]

    def close(self) -> None:
        """Let go of what was made for writing. The descriptor stays open."""
        if self._socket is not None:
            self._socket.close()

    def _write_some(self, rest: memoryview) -> int:
        """Write what goes without waiting."""
        if self._socket is None:
            # A pipe that is ready takes at least so much (POSIX, select).
            return os.write(self._descriptor, rest[: select.PIPE_BUF])
        try:
            return self._socket.send(rest, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0


def _poll_for(descriptor: int, events: int) -> select.poll:
    poll = select.poll()
    poll.register(descriptor, events)
    return poll


def _is_socket(descriptor: int) -> bool:
    return stat.S_ISSOCK(os.fstat(descriptor).st_mode)


async def _until(
    descriptor: int,
    watch: Callable[[int, Callable[[], None]], None],
    watch_no_more: Callable[[int], bool],
) -> None:
    """Wait until a descriptor is ready."""
    ready = asyncio.Event()
    watch(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        watch_no_more(descriptor)
