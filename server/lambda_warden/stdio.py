"""stdin and stdout as files for the SDK's stdio transport, read and written by the event loop itself.

The SDK's own do each read, write and flush in a worker thread: three changes of threads for a call, which cost as much
as a third of a call that does nothing, and a thread that waits for stdin and can't be stopped.
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
def standard_streams() -> Iterator[tuple[Reader, Writer] | None]:
    """Take stdin and stdout over until the end of the context.

    Meanwhile descriptor 0 is at its end and descriptor 1 is stderr, as the SDK has it too: what a library prints does
    not get among the messages.

    Yields:
        What reads and what writes; or None where the event loop can't wait for these (files, terminals): then they
        are left as they are.
    """
    if not (_can_be_waited_for(0) and _can_be_waited_for(1)):
        yield None
        return
    stdin, stdout = (fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3) for number in (0, 1))
    writer = Writer(stdout)
    try:
        with Path(os.devnull).open("r+b") as nothing:
            os.dup2(nothing.fileno(), 0)
            # Where there was no stderr at the start, its number may be another file's by now.
            os.dup2(2 if sys.stderr is not None else nothing.fileno(), 1)
        yield Reader(stdin), writer
    finally:
        writer.close()
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        os.close(stdin)
        os.close(stdout)


class Reader:
    """Reads lines. What is not UTF-8 in them becomes U+FFFD, and a last line needs no end.

    Args:
        descriptor: of a pipe or socket that nobody else reads.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = _poll_for(descriptor, select.POLLIN)
        self._read = bytearray()
        self._searched = 0
        self._ended = False

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> str:
        while (end := self._read.find(b"\n", self._searched) + 1) == 0 and not self._ended:
            self._searched = len(self._read)
            if not self._poll.poll(0):
                loop = asyncio.get_running_loop()
                await _until(self._descriptor, loop.add_reader, loop.remove_reader)
            part = os.read(self._descriptor, _READ_BYTES)  # there is something, so this does not wait
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
        return line.decode(errors="replace")


class Writer:
    """Writes text, and lets others go on while its reader is slow.

    The descriptor is not made non-blocking: whoever else has it would find it so.

    Args:
        descriptor: of a pipe or socket that nobody else writes to.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = _poll_for(descriptor, select.POLLOUT)
        self._socket = socket.socket(fileno=os.dup(descriptor)) if _is_socket(descriptor) else None
        self._left = b""

    async def write(self, text: str) -> None:
        """Take text, to be written by `flush`."""
        self._left += text.encode()

    async def flush(self) -> None:
        """Write what was taken.

        Raises:
            OSError: if nobody reads any more.
        """
        rest = memoryview(self._left)
        self._left = b""
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


def _can_be_waited_for(descriptor: int) -> bool:
    """Whether it is open, and a pipe or socket."""
    try:
        return _is_socket(descriptor) or stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError:
        return False


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
