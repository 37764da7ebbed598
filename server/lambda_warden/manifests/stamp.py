"""Tells whether a file was changed, by what can be seen without reading it."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int, int]
"""Inode, size in bytes, and time of the last change in nanoseconds; zeros where there is no file."""


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file or folder. Raises nothing."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns
