"""Writers: the servers that write to a file, and which of them are still there.

A server holds a lock on a file of its own for as long as it lives. The system releases it, however the server ends: so
whoever looks knows at once what no clock could tell.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from lambda_warden.store.file_lock import lock

# noted: the seq of the writer's last event that a later start follows. settled: it has ended, and all of it is noted.
SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS writers (
        writer TEXT NOT NULL PRIMARY KEY,
        locked INTEGER NOT NULL,
        noted INTEGER NOT NULL DEFAULT 0,
        ended INTEGER NOT NULL DEFAULT 0,
        settled INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS writers_living ON writers (writer) WHERE ended = 0",
    "CREATE INDEX IF NOT EXISTS writers_unsettled ON writers (writer) WHERE settled = 0",
)


class WriterLocks:
    """The locks of the servers of one file.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path.with_name(f"{path.name}-servers")
        self._held: dict[str, int] = {}

    def hold(self, writer: str) -> bool:
        """Hold a writer's lock until `release`, or until this process ends. False: the file system has no locks."""
        self._folder.mkdir(exist_ok=True, mode=0o700)
        fd = os.open(self._file(writer), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            lock(fd)
        except OSError:
            os.close(fd)
            self.forget(writer)
            return False
        self._held[writer] = fd
        return True

    def is_held(self, writer: str) -> bool:
        """Whether the server still lives."""
        try:
            fd = os.open(self._file(writer), os.O_RDWR)
        except FileNotFoundError:
            return False
        except OSError:  # it may not be looked at: nobody knows
            return True
        try:
            lock(fd)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False

    def release(self, writer: str) -> None:
        """Let go of a writer's lock."""
        if (fd := self._held.pop(writer, None)) is not None:
            os.close(fd)
            self.forget(writer)

    def forget(self, writer: str) -> None:
        """Remove what is left of a writer that has ended."""
        with suppress(OSError):
            self._file(writer).unlink()

    def _file(self, writer: str) -> Path:
        return self._folder / f"{writer}.lock"


def add(db: sqlite3.Connection, writer: str, *, locked: bool) -> str:
    """Note a new writer.

    Returns:
        The last hashes of the chains that no start follows yet, with spaces in between.
    """
    ends = db.execute(
        """SELECT w.writer, w.noted, w.ended, e.seq, e.hash FROM writers w JOIN events e ON e.writer = w.writer
            AND e.seq = (SELECT max(seq) FROM events WHERE writer = w.writer) WHERE w.settled = 0 ORDER BY e.position"""
    ).fetchall()
    db.executemany("UPDATE writers SET noted = ?, settled = ended WHERE writer = ?", [(row[3], row[0]) for row in ends])
    db.execute("INSERT INTO writers (writer, locked) VALUES (?, ?)", (writer, locked))
    return " ".join(head for _, noted, _, seq, head in ends if seq > noted)


def dead(db: sqlite3.Connection, locks: WriterLocks, own: str) -> list[str]:
    """The writers that ended without a word."""
    found = db.execute("SELECT writer FROM writers WHERE ended = 0 AND locked AND writer != ?", (own,)).fetchall()
    return [writer for (writer,) in found if not locks.is_held(writer)]


def end(db: sqlite3.Connection, writer: str) -> None:
    """Note that a writer writes no more."""
    db.execute("UPDATE writers SET ended = 1 WHERE writer = ?", (writer,))
