"""Reads files without waiting: what is no file, such as a named pipe, could keep its reader for ever."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path


def read_regular(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a regular file, or of one that a link leads to.

    Raises:
        OSError: if it can't be read, and for pipes, sockets and devices.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        return file.read(limit)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file. A named pipe would wait for its writer, and a terminal would become this process's."""
    if sys.platform == "win32":  # where they do not
        return os.open(path, flags)
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
