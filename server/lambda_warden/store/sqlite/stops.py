"""What keeps calls from being admitted: a pause, and functions that failed too often in a row.

Every function runs inside the caller's transaction. Times are seconds of the store's timeline; those of day, in ISO
8601, are for people.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from lambda_warden.store.audit_log import CircuitBreaker, CircuitOpen, FailureRun, Pause

_FAILED: Final = ("function_error", "unknown")

# pauses: one row, or none. failed_at: of the last failure.
SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS pauses (
        only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
        paused_by TEXT NOT NULL,
        since TEXT NOT NULL,
        reason TEXT
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS failure_runs (
        function TEXT NOT NULL PRIMARY KEY,
        failures INTEGER NOT NULL,
        failed_at REAL NOT NULL,
        time_of_day TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
)


def stopped_by(db: sqlite3.Connection, now: float, breaker: CircuitBreaker | None) -> Pause | CircuitOpen | None:
    """What keeps a call from being admitted now."""
    if pause := paused(db):
        return pause
    if breaker is None:
        return None
    found = "SELECT failures, failed_at FROM failure_runs WHERE function = ?"
    failures, failed_at = db.execute(found, (breaker.function,)).fetchone() or (0, now)
    wait = breaker.wait_seconds(failures, now - failed_at)
    return CircuitOpen(breaker.function, failures, wait) if wait > 0 else None


def paused(db: sqlite3.Connection) -> Pause | None:
    """The pause, if calls are paused."""
    row = db.execute("SELECT paused_by, since, reason FROM pauses").fetchone()
    return Pause(*row) if row else None


def pause(db: sqlite3.Connection, begun: Pause) -> None:
    """Pause calls, which are not paused yet."""
    row = (begun.by, begun.since, begun.reason)
    db.execute("INSERT INTO pauses (only, paused_by, since, reason) VALUES (1, ?, ?, ?)", row)


def resume(db: sqlite3.Connection) -> None:
    """End the pause."""
    db.execute("DELETE FROM pauses")


def count(db: sqlite3.Connection, now: float, time_of_day: str, function: str, outcome: object) -> None:
    """Count how a call ended. What says neither that the function failed nor that it works changes nothing."""
    if outcome == "succeeded":
        forget(db, function)
    elif outcome in _FAILED:
        db.execute(
            "INSERT INTO failure_runs (function, failures, failed_at, time_of_day) VALUES (?, 1, ?, ?)"
            " ON CONFLICT DO UPDATE SET failures = failures + 1,"
            " failed_at = excluded.failed_at, time_of_day = excluded.time_of_day",
            (function, now, time_of_day),
        )


def forget(db: sqlite3.Connection, function: str) -> bool:
    """End a function's run of failures. Returns whether there was one."""
    return db.execute("DELETE FROM failure_runs WHERE function = ?", (function,)).rowcount > 0


def runs(db: sqlite3.Connection) -> list[FailureRun]:
    """Every run of failures."""
    found = db.execute("SELECT function, failures, time_of_day FROM failure_runs ORDER BY function")
    return [FailureRun(*row) for row in found]
