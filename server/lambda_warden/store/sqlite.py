"""Records in a SQLite file: one table, append-only, committed to disk record by record."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from lambda_warden.store.records import Field, Kind, RecordError

_BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('denial', 'intent', 'outcome')),
    invocation_id TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS records_by_invocation ON records (invocation_id);
CREATE TRIGGER IF NOT EXISTS records_no_replace BEFORE INSERT ON records
    WHEN EXISTS (SELECT 1 FROM records WHERE seq = NEW.seq)
    BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
CREATE TRIGGER IF NOT EXISTS records_no_update BEFORE UPDATE ON records
    BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
CREATE TRIGGER IF NOT EXISTS records_no_delete BEFORE DELETE ON records
    BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
"""


class SqliteRecords:
    """The default store. Several processes may share one file.

    Raises:
        RecordError: if the file can't be opened or is not a store of records.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            path.chmod(0o600)
            self._db = _open(path)
        except (OSError, sqlite3.Error) as error:
            raise RecordError(f"the records' file {path} can't be used: {error}") from error

    def append(self, kind: Kind, invocation_id: str, body: Mapping[str, Field]) -> None:
        """Write one record; see `Records.append`."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = json.dumps({key: value for key, value in body.items() if value is not None}, separators=(",", ":"))
        try:
            with self._lock:
                self._db.execute(
                    "INSERT INTO records (at, kind, invocation_id, body) VALUES (?, ?, ?, ?)",
                    (at, kind, invocation_id, text),
                )
        except sqlite3.Error as error:
            raise RecordError(f"a record could not be written: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _open(path: Path) -> sqlite3.Connection:
    # Autocommit: each record is a transaction of its own.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a commit is on disk before it returns
        db.executescript(_SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db
