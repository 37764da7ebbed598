"""Whether a SQLite file that is open still stands at its path, whole.

SQLite writes on into a file that was moved or deleted, as any program does, and what it writes is gone for whoever
opens the path next. The operating system tells: a path that names another inode names another file. While the file is
open its inode is not given to another.
"""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path
from typing import Final

_SIDES: Final = ("-wal", "-shm")
"""The write-ahead log, which holds what was committed last, and the index of it, which holds the locks."""


_MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_HEADER_BYTES: Final = 32
"""The head of a log (https://sqlite.org/fileformat2.html#walformat): without it, SQLite throws the log away."""


_LOST: Final = "-lost"
"""Stands beside a file of which a part is lost."""


class MovedError(Exception):
    """What is open no longer stands at its path. The message says what became of it.

    Attributes:
        rescuable: whether what stands in the open write-ahead log can still be moved into the open file: nobody else
            has put another log in its place.
        whole: whether the file itself is elsewhere, and not a part of it: then the path can be opened anew.
        log_damaged: whether the file is where it was, and its log is not what was written to it: what was committed
            last may be lost.
    """

    def __init__(
        self, message: str, *, rescuable: bool = False, whole: bool = False, log_damaged: bool = False
    ) -> None:
        super().__init__(message)
        self.rescuable = rescuable
        self.whole = whole
        self.log_damaged = log_damaged


class Place:
    """The path of an open file, and which files stood there when it was opened.

    Args:
        path: of the file, which is open in write-ahead mode, and was written to or read from.

    Raises:
        OSError: if it isn't there.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._real = os.path.realpath(path)
        self._is_linked = self._real != os.path.abspath(path)  # noqa: PTH100 - links are not to be followed
        main = os.lstat(self._real)
        self._main = main.st_dev, main.st_ino
        self._size = main.st_size
        self._written: int | None = main.st_mtime_ns
        self._sides = {side: _inode(self._real + side) for side in _SIDES}
        self._log = _log(self._real + "-wal")

    def check(self) -> bool:
        """Whether it has to be looked at afresh, since it is not as it was last `seen`.

        Somebody wrote to the file itself, as a checkpoint does, or a copy; or the log begins anew, or is empty.

        Raises:
            MovedError: if the file or a part of it no longer stands at the path, or was cut.
        """
        sides = {side: _inode(self._real + side) for side in _SIDES}
        # What was put there by somebody else may be another program's by now.
        rescuable = all(self._sides[side] and found in (None, self._sides[side]) for side, found in sides.items())
        try:
            main = os.lstat(self._real)
            linked_elsewhere = self._is_linked and os.path.realpath(self._path) != self._real
        except OSError as error:
            problem = f"it was moved or deleted ({error.strerror})"
            raise MovedError(problem, rescuable=rescuable, whole=True) from error
        if linked_elsewhere or stat.S_ISLNK(main.st_mode):
            raise MovedError("a link in its path leads elsewhere now", rescuable=rescuable, whole=True)
        if (main.st_dev, main.st_ino) != self._main:
            raise MovedError("another file stands in its place", rescuable=rescuable, whole=True)
        for side, found in sides.items():
            if self._sides[side] is None:  # made since then
                self._sides[side] = found
            elif found is None:
                raise MovedError(f"its {side} was deleted", rescuable=rescuable)
            elif found != self._sides[side]:
                raise MovedError(f"its {side} was replaced")
        if main.st_size < self._size:
            raise MovedError("it was cut")
        self._size = main.st_size
        return self._check_log() or main.st_mtime_ns != self._written

    def seen(self) -> None:
        """Note that the file was looked at just now, and is as it should be."""
        self._written = os.lstat(self._real).st_mtime_ns
        self._log = _log(self._real + "-wal")

    @property
    def is_log_shorter(self) -> bool:
        """Whether the log is shorter than it was last `seen`."""
        return _log(self._real + "-wal")[0] < self._log[0]

    def mark_lost(self) -> None:
        """Leave word that some of what was committed is lost: see `refuse_cut`."""
        Path(self._real + _LOST).touch(mode=0o600)

    def _check_log(self) -> bool:
        """Whether the log begins anew: all of it is in the file, if it was a checkpoint that emptied it.

        Raises:
            MovedError: if no checkpoint leaves it so.
        """
        try:
            size, header = _log(self._real + "-wal")
        except OSError as error:
            raise MovedError(f"its -wal can't be read ({error.strerror})") from error
        seen_size, seen_header = self._log
        if len(header) == _HEADER_BYTES and header[:4] not in _MAGIC:
            raise MovedError("its -wal was overwritten", log_damaged=True)
        # A checkpoint cuts it to nothing, if at all.
        if (header == seen_header and size < seen_size) or 0 < size < _HEADER_BYTES:
            raise MovedError("its -wal was cut", log_damaged=True)
        if header != seen_header:
            return True
        self._log = size, header
        return False


def refuse_cut(path: Path) -> None:
    """Refuse an empty file with a log that is not, which SQLite would throw away; and one of which a part is lost.

    Raises:
        OSError: if it is so.
    """
    lost = os.path.realpath(path) + _LOST
    if os.path.lexists(lost):
        raise OSError(
            f"its -wal was cut or overwritten, so that records and idempotency keys are lost, and a call could be made "
            f"twice. Put a copy in its place or move it away; then, or if that does not matter, delete {lost}"
        )
    try:
        # The log first: who makes a new file writes into that before there is anything in the log.
        was_cut = Path(os.path.realpath(path) + "-wal").stat().st_size > 0 and path.stat().st_size == 0
    except FileNotFoundError:
        return
    if was_cut:
        raise OSError("it was cut to nothing, and its -wal was not: put a copy in its place, or move both away")


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _log(path: str) -> tuple[int, bytes]:
    """How long a log is, in bytes, and its head, as far as there is one."""
    try:
        with FileIO(path) as log:  # SQLite holds no lock on it, which would end
            # The size first: a log that another process begins meanwhile is not one without a head.
            return os.fstat(log.fileno()).st_size, log.read(_HEADER_BYTES)
    except FileNotFoundError:
        return 0, b""
