"""Reading of kept results, in ranges of bytes: what has expired or is somebody else's is not there."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from lambda_warden.store.clock import Clock, SystemClock
from lambda_warden.store.results import About, Part, PartName, ResultError, chunk_size, is_result_id
from lambda_warden.store.seal import Seal
from lambda_warden.store.sqlite.database import Memory
from lambda_warden.store.sqlite.place import MovedError
from lambda_warden.store.sqlite.results.layout import RESULTS, about_place, chunk_place, key_id_of

_DAMAGED = "the kept result is damaged, so it is not shown"
_FIND = "SELECT seq, expires_at, key_id, about FROM results WHERE id = ? AND principal = ? AND expires_at > ?"


@dataclass(frozen=True, slots=True)
class SqliteKeptResult:
    """A result that can be read, until the `with` that gave it ends."""

    id: str
    expires_at: float
    about: About
    _seq: int
    _db: sqlite3.Connection
    _seal: Seal | None

    def read(self, name: PartName, start: int, length: int) -> bytes:
        """Bytes of a part; see `KeptResult.read`."""
        return b"".join(self._ranges(name, start, length))

    def chunks(self, name: PartName) -> Iterator[bytes]:
        """All bytes of a part; see `KeptResult.chunks`."""
        return self._ranges(name, 0, self.about.parts[name].size)

    def _ranges(self, name: PartName, start: int, length: int) -> Iterator[bytes]:
        part, size = self.about.parts[name], self.about.chunk_bytes
        end = min(start + length, part.size)
        for index in range(start // size, -(-end // size)):
            first = index * size
            yield self._chunk(name, part, index)[max(start - first, 0) : end - first]

    def _chunk(self, name: PartName, part: Part, index: int) -> bytes:
        select = "SELECT data FROM chunks WHERE result = ? AND part = ? AND n = ?"
        try:
            found = self._db.execute(select, (self._seq, name, index)).fetchone()
        except sqlite3.Error as error:
            raise ResultError(f"{_DAMAGED}: {error}") from error
        data: bytes = found[0] if found else b""
        if self._seal:
            data = self._seal.open(data, chunk_place(self.id, name, index))
        if len(data) != chunk_size(part, index, self.about.chunk_bytes):
            raise ResultError(_DAMAGED)
        return data


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
    def reading(self, result_id: str, principal: str) -> Iterator[SqliteKeptResult | None]:
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

    def _find(self, result_id: str, principal: str) -> SqliteKeptResult | None:
        if not is_result_id(result_id):
            return None
        row = self._db.execute(_FIND, (result_id, principal, self._clock.time_of_day())).fetchone()
        if row is None:
            return None
        seq, expires_at, key_id, about = row
        if key_id != key_id_of(self._seal):
            raise ResultError(_other_key(key_id, self._seal))
        if self._seal:
            about = self._seal.open(about, about_place(result_id, principal, expires_at))
        try:
            return SqliteKeptResult(result_id, expires_at, About.model_validate_json(about), seq, self._db, self._seal)
        except ValidationError:
            raise ResultError(_DAMAGED) from None


def _other_key(key_id: str | None, seal: Seal | None) -> str:
    if key_id is None:
        return "the kept result is not encrypted, and with a key only what was encrypted with it is read"
    if seal is None:
        return "the kept result is encrypted: its key is needed (--results-key-file)"
    return "the kept result was encrypted with another key"
