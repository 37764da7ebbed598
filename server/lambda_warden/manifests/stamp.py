"""Tells whether a file was changed, by what can be seen without reading it."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, ...]
"""Inode, size in bytes, and times of the last change in nanoseconds; empty where there is no file."""


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file or folder. Raises nothing."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ()
    # mtime can be set back, as rsync and tar do; ctime can't.
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
