"""Reading of kept results, in ranges of bytes: what has expired or is somebody else's is not there."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lambda_warden.store.clock import Clock, SystemClock
from lambda_warden.store.kept_result import DAMAGED, KeptChunks, open_about
from lambda_warden.store.results import PartName, ResultError, is_result_id
from lambda_warden.store.seal import Seal
from lambda_warden.store.sqlite.database import Memory
from lambda_warden.store.sqlite.place import MovedError
from lambda_warden.store.sqlite.results.layout import RESULTS

_FIND = "SELECT seq, expires_at, key_id, about FROM results WHERE id = ? AND principal = ? AND expires_at > ?"


class SqliteResultReader:
    """Reads what servers may be writing; see `ResultReader`. For use from any thread; one result is read at a time.

    Args:
        where: it stands.
        seal: opens what is encrypted.
        clock: what time it is.

    Raises:
        ResultError: if it can't be read or holds no results.
    """

    def __init__(self, where: Path | Memory, seal: Seal | None = None, clock: Clock | None = None) -> None:
        self._seal = seal
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._where = where
        self._db = RESULTS.open_to_read(where)
        self._place = RESULTS.place(where)

    @contextmanager
    def reading(self, result_id: str, principal: str) -> Iterator[KeptChunks | None]:
        """A result, as it is at this moment; see `ResultReader.reading`."""
        with self._lock:
            self._stay()
            try:
                self._db.execute("BEGIN")
                try:
                    yield self._find(result_id, principal)
                finally:
                    self._db.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise ResultError(f"the kept results can't be read: {error}") from error

    def close(self) -> None:
        """Close the file, once nobody reads."""
        with self._lock:
            self._db.close()

    def _stay(self) -> None:
        try:
            if self._place is not None:
                self._place.check()
        except MovedError as error:
            if not error.whole:
                raise ResultError(f"the kept results can't be read: {error}") from error
            moved, self._db = self._db, RESULTS.open_to_read(self._where)
            self._place = RESULTS.place(self._where)
            moved.close()

    def _find(self, result_id: str, principal: str) -> KeptChunks | None:
        if not is_result_id(result_id):
            return None
        row = self._db.execute(_FIND, (result_id, principal, self._clock.time_of_day())).fetchone()
        if row is None:
            return None
        seq, expires_at, key_id, stored = row
        about = open_about(stored, result_id, principal, expires_at, key_id, self._seal)
        return KeptChunks(result_id, expires_at, about, partial(self._chunk, seq), self._seal)

    def _chunk(self, seq: int, name: PartName, index: int) -> bytes:
        select = "SELECT data FROM chunks WHERE result = ? AND part = ? AND n = ?"
        try:
            found = self._db.execute(select, (seq, name, index)).fetchone()
        except sqlite3.Error as error:
            raise ResultError(f"{DAMAGED}: {error}") from error
        data: bytes = found[0] if found else b""
        return data
