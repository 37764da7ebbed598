"""Questions to a person through the client, each of which takes one answer. Out of band: `approval_requests`.

Every function runs inside the caller's write transaction. Times are seconds of the store's timeline.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from lambda_warden.store.audit_log import ApprovalUse

KEPT_SECONDS: Final = 86_400
"""How long an expired question is still told from one that was never asked."""

SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS approvals (
        approval_id TEXT NOT NULL PRIMARY KEY,
        request_digest TEXT NOT NULL,
        asked_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        used INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS approvals_by_expiry ON approvals (expires_at)",
)


def keep(db: sqlite3.Connection, now: float, approval_id: str, request_digest: str, timeout_seconds: float) -> None:
    """Keep a question.

    Raises:
        sqlite3.IntegrityError: if it was asked before.
    """
    prune(db, now)
    db.execute(
        "INSERT INTO approvals (approval_id, request_digest, asked_at, expires_at) VALUES (?, ?, ?, ?)",
        (approval_id, request_digest, now, now + timeout_seconds),
    )


def use(db: sqlite3.Connection, now: float, approval_id: str, request_digest: str) -> ApprovalUse:
    """Use up a question, whatever comes of it."""
    row = db.execute(
        "SELECT request_digest, expires_at, used FROM approvals WHERE approval_id = ?", (approval_id,)
    ).fetchone()
    if row is None:
        return "unknown"
    asked, expires_at, used = row
    if used:
        return "used"
    db.execute("UPDATE approvals SET used = 1 WHERE approval_id = ?", (approval_id,))
    if now >= expires_at:
        return "expired"
    return "valid" if request_digest == asked else "changed"


def prune(db: sqlite3.Connection, now: float) -> None:
    """Forget the questions that expired long ago."""
    db.execute("DELETE FROM approvals WHERE expires_at <= ?", (now - KEPT_SECONDS,))
