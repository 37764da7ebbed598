"""Whether what a server writes stands where the next one will look for it, behind all that it wrote before."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.sqlite import layout
from lambda_warden.store.sqlite.database import Memory, roll_back
from lambda_warden.store.sqlite.place import MovedError, Place

_LAST: Final = "SELECT position, hash FROM events ORDER BY position DESC LIMIT 1"
_COUNTED: Final = """SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0), max(position)
    FROM events"""
_OWN: Final = "SELECT seq, hash FROM events WHERE writer = ? ORDER BY seq DESC LIMIT 1"


class FileCheck:
    """Checks the file that a server writes to, before and after each transaction.

    Args:
        db: the server's connection.
        where: what that has open stands.
        writer: the server, as its events name it.
    """

    def __init__(self, db: sqlite3.Connection, where: Path | Memory, writer: str) -> None:
        self._db = db
        self._where = where
        self._writer = writer
        self._place: Place | None = None

    def watch(self, path: Path) -> None:
        """Check from now on that the file, which was written to, stands at its path. Raises `OSError` if it doesn't."""
        self._place = Place(path)

    def check_end(self, seq: int, head: str) -> None:
        """Refuse to go on behind an end that was cut off or changed: in time, that would hide it.

        Args:
            seq: number of the last event that the server wrote; 0 if it wrote none.
            head: hash of that event.

        Raises:
            RecordError: if it is not the server's last one in the file any more.
        """
        if seq == 0:
            return
        counted, last = self._db.execute(_COUNTED).fetchone()
        if counted != last:
            raise RecordError(
                f"the records' file has counted {counted} records, but its last is number {last}: it was tampered "
                "with. Move it away, keep it, and start with a new one"
            )
        if self._db.execute(_OWN, (self._writer,)).fetchone() != (seq, head):
            raise RecordError("the last record of this server is not in the records' file any more")

    def check_place(self) -> None:
        """Make sure that what is written stands where the next server will look for it.

        Raises:
            RecordError: if it does not. What is under way is rolled back where the records written before can be saved.
        """
        if self._place is None:
            return
        try:
            if self._place.check():
                self._look_under_lock(self._place)
        except MovedError as error:
            if error.rescuable:
                # What was committed last is in the open log alone. In the open file it is found, wherever that is now.
                roll_back(self._db)
                with suppress(sqlite3.Error):
                    self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            if error.log_damaged:
                with suppress(OSError):
                    self._place.mark_lost()
            repaired = "it is put back, or the server is started again"
            way_out = "a person has looked at it" if error.log_damaged else repaired
            raise RecordError(
                f"the records' file {self._where} is not what it was: {error}. Nothing is sent until {way_out}"
            ) from error

    def look_afresh(self) -> None:
        """Hold what the connection knows against what somebody who opens the path now will find.

        Raises:
            MovedError: if that is something else.
        """
        try:
            with closing(layout.RECORDS.open_to_read(self._where)) as other:
                found = other.execute(_LAST).fetchone(), other.execute(_OWN, (self._writer,)).fetchone()
        except (sqlite3.Error, RecordError) as error:
            raise MovedError(f"it can't be read any more ({error})") from error
        here = self._db.execute(_LAST).fetchone(), self._db.execute(_OWN, (self._writer,)).fetchone()
        if found != here:
            raise MovedError("it was overwritten")

    def _look_under_lock(self, place: Place) -> None:
        """Look afresh while nobody else can write: what is found is then what the connection knows."""
        began = not self._db.in_transaction
        if began:
            self._db.execute("BEGIN IMMEDIATE")
        try:
            self.look_afresh()
            place.seen()
        except MovedError as error:
            error.log_damaged = place.is_log_shorter
            raise
        finally:
            if began:
                roll_back(self._db)
