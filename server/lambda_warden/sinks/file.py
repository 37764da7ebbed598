"""A file of JSON lines, for the agent of a SIEM to follow."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lambda_warden.errors import SinkError
from lambda_warden.model.sink_entry import SinkEntry, last_record


class FileSink:
    """Appends to a file, which may be moved away and replaced at any time, as logrotate does. See `Sink`.

    Args:
        path: of the file. It is made, readable by its owner alone, where it isn't there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def write(self, entries: Sequence[SinkEntry]) -> None:
        """Append lines and wait until they are on the disk; see `Sink.write`."""
        with self._problems("written to"):
            fd = self._open()
            # What was cut off by a full disk or a crash stays a line of its own.
            size = os.fstat(fd).st_size
            if size > 0:
                os.lseek(fd, size - 1, os.SEEK_SET)  # what is written goes to its end all the same
            torn = size > 0 and os.read(fd, 1) != b"\n"
            data = memoryview(("\n" * torn + "".join(f"{entry.line}\n" for entry in entries)).encode())
            while data:
                data = data[os.write(fd, data) :]
            os.fsync(fd)

    def last_seq(self, writer: str) -> int:
        """The last record of a writer in the file as it is now; see `Sink.last_seq`."""
        return last_record(self.lines(), writer)

    def lines(self) -> Iterator[str]:
        """The lines of the file as it is now, without those that were rotated away; see `Sink.lines`."""
        with self._problems("read"):
            if self._path.exists():
                with self._path.open(encoding="utf-8", errors="replace") as file:
                    yield from file

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> int:
        """The file that stands at the path now."""
        if self._fd is not None:
            try:
                if os.path.samestat(os.fstat(self._fd), self._path.stat()):
                    return self._fd
            except FileNotFoundError:
                pass
            self.close()
        self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        if sys.platform != "win32":  # which opens no folder
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # so that a new file's name is on the disk, too
            finally:
                os.close(folder)
        return self._fd

    @contextmanager
    def _problems(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SinkError(f"{self._path} can't be {done}: {error}") from error
