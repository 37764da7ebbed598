"""A lock on an open file, which the system releases when its holder ends, however it ends."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import msvcrt

    def lock(fd: int, *, wait: bool = False) -> None:
        """Lock a file whose position is at its start, until it is closed.

        Args:
            fd: its descriptor.
            wait: until whoever has the lock lets go of it; on Windows, for ten seconds.

        Raises:
            OSError: if another has it, or the file system has no locks.
        """
        msvcrt.locking(fd, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def lock(fd: int, *, wait: bool = False) -> None:
        """Lock a file: as on Windows, but that it is waited for as long as it takes."""
        fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
