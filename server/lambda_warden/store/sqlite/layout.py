"""The SQLite file of the audit log: its tables, and how it is opened."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final, get_args

from lambda_warden.store.audit_log import Kind, RecordError
from lambda_warden.store.sqlite import approvals, idempotency, limits, timeline, writers

COLUMNS: Final = ("position", "writer", "seq", "at", "kind", "invocation_id", "body", "hash")

LAYOUT: Final = 3
"""The version of these tables, kept as SQLite's user_version."""

BUSY_SECONDS: Final = 10.0

_KINDS = ", ".join(f"'{kind}'" for kind in get_args(Kind))
_REFUSE = "BEGIN SELECT RAISE(ABORT, 'records are append-only'); END"
_NOT_NEXT = """NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events)
    OR NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM events WHERE writer = NEW.writer)"""
SCHEMA: Final = (
    f"""CREATE TABLE IF NOT EXISTS events (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        writer TEXT NOT NULL,
        seq INTEGER NOT NULL,
        at TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ({_KINDS})),
        invocation_id TEXT NOT NULL,
        body TEXT NOT NULL,
        hash TEXT NOT NULL,
        UNIQUE (writer, seq)
    ) STRICT""",
    "CREATE INDEX IF NOT EXISTS events_by_invocation ON events (invocation_id)",
    f"CREATE TRIGGER IF NOT EXISTS events_only_append BEFORE INSERT ON events WHEN {_NOT_NEXT} {_REFUSE}",
    f"CREATE TRIGGER IF NOT EXISTS events_no_update BEFORE UPDATE ON events {_REFUSE}",
    f"CREATE TRIGGER IF NOT EXISTS events_no_delete BEFORE DELETE ON events {_REFUSE}",
    *limits.SCHEMA,
    *approvals.SCHEMA,
    *idempotency.SCHEMA,
    *writers.SCHEMA,
    *timeline.SCHEMA,
    f"PRAGMA user_version = {LAYOUT}",
)


def connect(path: Path | None) -> sqlite3.Connection:
    """Open a file for writing, or memory.

    Raises:
        RecordError: if it holds something else.
        sqlite3.Error: if it can't be opened.
    """
    db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
    try:
        if path is not None:
            _check(db, path)
            write_ahead(db)
    except (sqlite3.Error, RecordError):
        db.close()
        raise
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a file for reading alone. Servers may be writing to it.

    Raises:
        RecordError: if it can't be opened or holds no records.
    """
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
        # What is no UTF-8 was put there by somebody else. It must not stop the reading of the rest.
        db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        try:
            if not _check(db, path):
                raise RecordError(f"the records' file {path} is empty: no server has written to it yet")
        except (sqlite3.Error, RecordError):
            db.close()
            raise
    except sqlite3.Error as error:
        raise RecordError(f"the records' file {path} can't be read: {error}") from error
    return db


def write_ahead(db: sqlite3.Connection) -> None:
    """Turn on the write-ahead log, which lasts. SQLite does not wait for the lock that this takes."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _check(db: sqlite3.Connection, path: Path) -> bool:
    """Whether there are records' tables; if not, the file is empty. Anything else is refused."""
    # One snapshot: another process may be making the tables.
    db.execute("BEGIN")
    try:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return False
        layout = db.execute("PRAGMA user_version").fetchone()[0]
        about = db.execute("SELECT * FROM events LIMIT 0").description if "events" in tables else ()
        # Up to layout 2, they stood in a table `records`.
        older = db.execute("SELECT * FROM records LIMIT 0").description if "records" in tables else ()
    finally:
        db.execute("ROLLBACK")
    if tuple(column[0] for column in about) == COLUMNS and layout == LAYOUT:
        return True
    what = "has records of another version of lambda-warden" if about or older else "is another program's database"
    raise RecordError(f"the records' file {path} {what}: move it away, or name another file with --records")
