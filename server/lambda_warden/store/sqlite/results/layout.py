"""The tables of kept results."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from lambda_warden.store.results import ResultError
from lambda_warden.store.sqlite.database import Memory, Tables

RESULTS: Final = Tables(
    what="results",
    table="results",
    columns=("seq", "id", "principal", "expires_at", "bytes", "key_id", "about"),
    error=ResultError,
)

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


def connect_to_write(where: Path | Memory) -> sqlite3.Connection:
    """Open it for writing, and make it if it isn't there. Raises `ResultError` if that can't be done."""
    db = RESULTS.open(where)
    try:
        # A crash of the machine may lose the newest results, and never damages older ones.
        db.execute("PRAGMA synchronous = NORMAL")
        # What has expired leaves no bytes behind.
        db.execute("PRAGMA secure_delete = ON")
        db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            db.execute(statement)
        db.execute("COMMIT")
    except sqlite3.Error as error:
        db.close()
        raise RESULTS.cannot(where, f"be used: {error}") from error
    return db
