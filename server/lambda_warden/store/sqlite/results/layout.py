"""The SQLite file of kept results: its tables, and how it is opened."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Final

from lambda_warden.store.results import PartName, ResultError
from lambda_warden.store.seal import Seal
from lambda_warden.store.sqlite.layout import write_ahead
from lambda_warden.store.sqlite.place import Place

COLUMNS: Final = ("seq", "id", "principal", "expires_at", "bytes", "key_id", "about")

BUSY_SECONDS: Final = 10.0
_PURPOSE: Final = "lambda-warden result 1"

# The total is kept by triggers, so that no write has to add it all up.
_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS results (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        principal TEXT NOT NULL,
        expires_at REAL NOT NULL,
        bytes INTEGER NOT NULL,
        key_id TEXT,
        about BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX IF NOT EXISTS results_by_expiry ON results (expires_at)",
    """CREATE TABLE IF NOT EXISTS chunks (
        result INTEGER NOT NULL,
        part TEXT NOT NULL,
        n INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (result, part, n)
    ) STRICT""",
    "CREATE TABLE IF NOT EXISTS total (bytes INTEGER NOT NULL) STRICT",
    "INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM total)",
    """CREATE TRIGGER IF NOT EXISTS results_added AFTER INSERT ON results
        BEGIN UPDATE total SET bytes = bytes + NEW.bytes; END""",
    """CREATE TRIGGER IF NOT EXISTS results_removed AFTER DELETE ON results
        BEGIN UPDATE total SET bytes = bytes - OLD.bytes; DELETE FROM chunks WHERE result = OLD.seq; END""",
)


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open the file for writing, and make it, readable by its owner alone, if it isn't there.

    Raises:
        ResultError: if it can't be opened or holds something else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.chmod(0o600)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
        try:
            _check_layout(db, path)
            write_ahead(db)
            # A crash of the machine may lose the newest results, and never damages older ones.
            db.execute("PRAGMA synchronous = NORMAL")
            # What has expired leaves no bytes behind.
            db.execute("PRAGMA secure_delete = ON")
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("COMMIT")
        except (sqlite3.Error, ResultError):
            db.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise ResultError(f"the results' file {path} can't be used: {error}") from error
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the file for reading alone. Servers may be writing to it.

    Raises:
        ResultError: if it can't be opened or holds no results.
    """
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
        try:
            if not _check_layout(db, path):
                raise ResultError(f"the results' file {path} is empty: no server has written to it yet")
        except (sqlite3.Error, ResultError):
            db.close()
            raise
    except sqlite3.Error as error:
        raise ResultError(f"the results' file {path} can't be read: {error}") from error
    return db


def place_of(path: Path) -> Place:
    """Where an open file stands."""
    try:
        return Place(path)
    except OSError as error:
        raise ResultError(f"the results' file {path} can't be used: {error}") from error


def key_id_of(seal: Seal | None) -> str | None:
    """What a result says of the key that it is sealed with."""
    return seal.key_id if seal else None


def chunk_place(result_id: str, part: PartName, index: int) -> bytes:
    """Where a sealed chunk belongs."""
    return json.dumps([_PURPOSE, "chunk", result_id, part, index]).encode()


def about_place(result_id: str, principal: str, expires_at: float) -> bytes:
    """Where the sealed description of a result belongs, with what stands beside it unsealed."""
    return json.dumps([_PURPOSE, "about", result_id, principal, expires_at]).encode()


def _check_layout(db: sqlite3.Connection, path: Path) -> bool:
    """Whether there are results' tables; if not, the file is empty. Anything else is refused."""
    # One snapshot: another process may be making the tables.
    db.execute("BEGIN")
    try:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return False
        about = db.execute("SELECT * FROM results LIMIT 0").description if "results" in tables else ()
    finally:
        db.execute("ROLLBACK")
    if tuple(column[0] for column in about) == COLUMNS:
        return True
    what = "has results of another version of lambda-warden" if about else "is another program's database"
    raise ResultError(f"the results' file {path} {what}: move it away, or name another file with --results")
