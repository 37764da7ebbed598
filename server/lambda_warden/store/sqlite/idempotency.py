"""Idempotency keys: which call was the first with a key, and what came of it.

Every function runs inside the caller's write transaction. Times are seconds of the store's timeline.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Final

from lambda_warden.store.audit_log import HitState, IdempotencyClaim, IdempotencyHit
from lambda_warden.store.results import ResultError

_PURPOSE: Final = "lambda-warden idempotency 1"

# under_way_until: when a call without a result can be under way no longer, so that nobody knows how it ended.
# key_id: of the key that the result is sealed with, if it is.
SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS idempotency (
        principal TEXT NOT NULL,
        key TEXT NOT NULL,
        request_digest TEXT NOT NULL,
        invocation_id TEXT NOT NULL,
        claimed_at REAL NOT NULL,
        under_way_until REAL NOT NULL,
        expires_at REAL NOT NULL,
        outcome TEXT,
        result BLOB,
        key_id TEXT,
        PRIMARY KEY (principal, key)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS idempotency_by_invocation ON idempotency (invocation_id)",
    "CREATE INDEX IF NOT EXISTS idempotency_by_expiry ON idempotency (expires_at)",
)

if TYPE_CHECKING:
    from lambda_warden.store.seal import Seal


def find(db: sqlite3.Connection, now: float, claim: IdempotencyClaim, seal: Seal | None) -> IdempotencyHit | None:
    """The call that has the key, if there is one and it is not too long ago."""
    row = db.execute(
        "SELECT request_digest, invocation_id, under_way_until, outcome, result, key_id FROM idempotency"
        " WHERE principal = ? AND key = ? AND expires_at > ?",
        (claim.principal, claim.key, now),
    ).fetchone()
    if row is None:
        return None
    request_digest, invocation_id, under_way_until, outcome, kept, key_id = row
    if request_digest != claim.request_digest:
        return IdempotencyHit(invocation_id, "another_request")
    if kept is None:
        state: HitState = "in_progress" if now < under_way_until else "lost"
        return IdempotencyHit(invocation_id, state)
    result = _unsealed(kept, key_id, invocation_id, seal)
    return IdempotencyHit(invocation_id, "unreadable" if result is None else "ended", result, outcome)


def keep(db: sqlite3.Connection, now: float, invocation_id: str, claim: IdempotencyClaim, lease: float) -> None:
    """Give the key to a call; `find` found nobody who has it."""
    prune(db, now)
    row = (claim.principal, claim.key, claim.request_digest, invocation_id, now, now + lease, now + claim.kept_seconds)
    db.execute(
        "INSERT INTO idempotency"
        " (principal, key, request_digest, invocation_id, claimed_at, under_way_until, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        row,
    )


def end(
    db: sqlite3.Connection, invocation_id: str, outcome: str | None, result: str | None, seal: Seal | None, *, ran: bool
) -> None:
    """Keep what came of a call; or free its key, if it did not run."""
    if not ran:
        db.execute("DELETE FROM idempotency WHERE invocation_id = ?", (invocation_id,))
        return
    kept = None if result is None else result.encode()
    if kept is not None and seal is not None:
        kept = seal.close(kept, _place(invocation_id))
    db.execute(
        "UPDATE idempotency SET outcome = ?, result = ?, key_id = ? WHERE invocation_id = ?",
        (outcome, kept, seal.key_id if seal else None, invocation_id),
    )


def lose(db: sqlite3.Connection, invocation_id: str) -> None:
    """The server that made a call has ended without a word of how the call did."""
    db.execute("UPDATE idempotency SET under_way_until = 0 WHERE invocation_id = ?", (invocation_id,))


def prune(db: sqlite3.Connection, now: float) -> None:
    """Forget the keys whose time is over."""
    db.execute("DELETE FROM idempotency WHERE expires_at <= ?", (now,))


def _unsealed(kept: bytes, key_id: str | None, invocation_id: str, seal: Seal | None) -> str | None:
    """A result, or None if it can't be read: it was sealed with another key, with none, or is not as it was written."""
    if key_id != (seal.key_id if seal else None):
        return None
    try:
        return (seal.open(kept, _place(invocation_id)) if seal else kept).decode()
    except (ResultError, UnicodeDecodeError):
        return None


def _place(invocation_id: str) -> bytes:
    """Where a sealed result belongs."""
    return json.dumps([_PURPOSE, invocation_id]).encode()
