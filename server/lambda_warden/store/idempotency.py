"""Idempotency keys: which call was the first with a key, and what came of it.

Every function runs inside the caller's write transaction. Times are seconds since the epoch.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from lambda_warden.store.records import First, FirstState, Reservation

# under_way_until: when a call without a result can be under way no longer, so that nobody knows how it ended.
SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS idempotency (
        principal TEXT NOT NULL,
        key TEXT NOT NULL,
        binding TEXT NOT NULL,
        invocation_id TEXT NOT NULL,
        under_way_until REAL NOT NULL,
        expires_at REAL NOT NULL,
        result TEXT,
        PRIMARY KEY (principal, key)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS idempotency_by_invocation ON idempotency (invocation_id)",
    "CREATE INDEX IF NOT EXISTS idempotency_by_expiry ON idempotency (expires_at)",
)


def find(db: sqlite3.Connection, now: float, reservation: Reservation) -> First | None:
    """The call that has the key, if there is one and it is not too long ago."""
    row = db.execute(
        "SELECT binding, invocation_id, under_way_until, result FROM idempotency"
        " WHERE principal = ? AND key = ? AND expires_at > ?",
        (reservation.principal, reservation.key, now),
    ).fetchone()
    if row is None:
        return None
    binding, invocation_id, under_way_until, result = row
    state: FirstState
    if binding != reservation.binding:
        state, result = "another_request", None
    elif result is not None:
        state = "ended"
    else:
        state = "in_progress" if now < under_way_until else "lost"
    return First(invocation_id, state, result)


def keep(db: sqlite3.Connection, now: float, invocation_id: str, reservation: Reservation, lease: float) -> None:
    """Give the key to a call; `find` found nobody who has it."""
    prune(db, now)
    row = (reservation.principal, reservation.key, reservation.binding, invocation_id, now + lease)
    db.execute(
        "INSERT INTO idempotency (principal, key, binding, invocation_id, under_way_until, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (*row, now + reservation.kept_seconds),
    )


def end(db: sqlite3.Connection, invocation_id: str, result: str | None, *, ran: bool) -> None:
    """Keep what came of a call; or free its key, if it did not run."""
    if ran:
        db.execute("UPDATE idempotency SET result = ? WHERE invocation_id = ?", (result, invocation_id))
    else:
        db.execute("DELETE FROM idempotency WHERE invocation_id = ?", (invocation_id,))


def prune(db: sqlite3.Connection, now: float) -> None:
    """Forget the keys whose time is over."""
    db.execute("DELETE FROM idempotency WHERE expires_at <= ?", (now,))
