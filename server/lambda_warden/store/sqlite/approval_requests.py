"""Requests for approval out of band, in SQLite.

What writes runs inside the caller's write transaction. Times are seconds of the store's timeline.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import asdict
from typing import Any, Final

from lambda_warden.store import approvals
from lambda_warden.store.approvals import (
    KEPT_SECONDS,
    OPEN_LIMIT,
    ApprovalAsk,
    ApprovalGone,
    ApprovalRuling,
    ApprovalState,
    PendingApproval,
)

# ask: JSON. ruling: a JSON list of all rulings. state: as it was written; a request expires without anybody writing
# that.
SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS approval_requests (
        approval_id TEXT NOT NULL PRIMARY KEY,
        principal TEXT NOT NULL,
        request_digest TEXT NOT NULL,
        ask TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'used', 'void')),
        asked_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        ruling TEXT,
        decided_at REAL
    ) STRICT""",
    "CREATE INDEX IF NOT EXISTS approval_requests_by_request ON approval_requests (principal, request_digest)",
    "CREATE INDEX IF NOT EXISTS approval_requests_by_expiry ON approval_requests (expires_at)",
)

_SELECT: Final = "SELECT ask, state, asked_at, expires_at, ruling, decided_at FROM approval_requests"
_OPEN: Final = "state IN ('pending', 'approved', 'denied') AND expires_at > ?"


def open_for(db: sqlite3.Connection, now: float, ask: ApprovalAsk) -> list[PendingApproval]:
    """The open requests of the same principal for the same request, whatever it would have run."""
    where = f"{_SELECT} WHERE principal = ? AND request_digest = ? AND {_OPEN}"
    return [_read(row, now) for row in db.execute(where, (ask.principal, ask.request_digest, now))]


def has_room(db: sqlite3.Connection, now: float, principal: str) -> bool:
    """Whether a principal may have one more request that nobody has decided on."""
    where = "SELECT count(*) FROM approval_requests WHERE principal = ? AND state = 'pending' AND expires_at > ?"
    found: int = db.execute(where, (principal, now)).fetchone()[0]
    return found < OPEN_LIMIT


def add(db: sqlite3.Connection, now: float, ask: ApprovalAsk) -> PendingApproval:
    """Keep a new request.

    Raises:
        sqlite3.IntegrityError: if there is one with its id.
    """
    prune(db, now)
    expires_at = now + ask.expires_seconds
    db.execute(
        "INSERT INTO approval_requests (approval_id, principal, request_digest, ask, state, asked_at, expires_at)"
        " VALUES (?, ?, ?, ?, 'pending', ?, ?)",
        (ask.approval_id, ask.principal, ask.request_digest, json.dumps(asdict(ask)), now, expires_at),
    )
    return PendingApproval(ask, "pending", now, expires_at, expires_at - now)


def void(db: sqlite3.Connection, approval_id: str) -> None:
    """Take a request back."""
    db.execute("UPDATE approval_requests SET state = 'void' WHERE approval_id = ?", (approval_id,))


def decide(db: sqlite3.Connection, now: float, approval_id: str, ruling: ApprovalRuling) -> bool:
    """Keep a decision, if it counts."""
    found = find(db, now, approval_id)
    ruled = None if found is None else found.ruled(ruling)
    if ruled is None:
        return False
    db.execute(
        "UPDATE approval_requests SET state = ?, ruling = ?, decided_at = ? WHERE approval_id = ?",
        (ruled.state, json.dumps([asdict(each) for each in ruled.rulings]), now, approval_id),
    )
    return True


def gone(db: sqlite3.Connection, now: float, approved: PendingApproval) -> ApprovalGone | None:
    """Why what was approved is good no longer; None if it is, and just as it was found."""
    return approvals.gone(find(db, now, approved.ask.approval_id), approved)


def use(db: sqlite3.Connection, approval_id: str) -> None:
    """Use up what was approved: `gone` found in the same transaction that it is good."""
    db.execute("UPDATE approval_requests SET state = 'used' WHERE approval_id = ?", (approval_id,))


def prune(db: sqlite3.Connection, now: float) -> None:
    """Forget the requests whose time was over long ago."""
    db.execute("DELETE FROM approval_requests WHERE expires_at <= ?", (now - KEPT_SECONDS,))


def find(db: sqlite3.Connection, now: float, approval_id: str) -> PendingApproval | None:
    """One request."""
    row = db.execute(f"{_SELECT} WHERE approval_id = ?", (approval_id,)).fetchone()
    return None if row is None else _read(row, now)


def newest(db: sqlite3.Connection, now: float, states: Collection[ApprovalState], limit: int) -> list[PendingApproval]:
    """The newest requests in some states, the newest first; in any, if none is given."""
    rows = db.execute(f"{_SELECT} ORDER BY asked_at DESC, rowid DESC")
    found = (read for row in rows if (read := _read(row, now)).state in states or not states)
    return [read for read, _ in zip(found, range(limit), strict=False)]


def _read(row: tuple[Any, ...], now: float) -> PendingApproval:
    ask, state, asked_at, expires_at, rulings, decided_at = row
    if state in ("pending", "approved") and now >= expires_at:
        state = "expired"
    try:
        asked = ApprovalAsk(**json.loads(ask))
        found = [] if rulings is None else json.loads(rulings)
        # Earlier versions wrote the only one there was.
        ruled = tuple(ApprovalRuling(**each) for each in (found if isinstance(found, list) else [found]))
        if rulings is not None and not ruled:
            raise ValueError("nobody decided on it")
    except (ValueError, TypeError) as error:
        raise sqlite3.DataError("a request for approval is not as it was written") from error
    return PendingApproval(asked, state, asked_at, expires_at, expires_at - now, ruled, decided_at)
