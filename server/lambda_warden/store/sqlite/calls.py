"""Calls that were admitted: how far each is, who has its idempotency key, and whether its answer reached anybody.

A call is deleted once its answer has reached its caller, unless a later one has to know of it: for its key, or because
it may have run without anybody knowing how it ended. Every function runs inside the caller's write transaction. Times
are seconds of the store's timeline.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lambda_warden.store.audit_log import HitState, IdempotencyClaim, IdempotencyHit, Takes
from lambda_warden.store.same_call import KeptCall, Waits, hit_of, sealed, stands_against

if TYPE_CHECKING:
    from lambda_warden.store.seal import Seal

# circuit: the function that a call's failure counts for, if it was admitted under a breaker.
# under_way_until: when a call without an outcome can be under way no longer, so that nobody knows how it ended.
# waiter: the writer whose client waits for the answer. asked_again: the same call came meanwhile, so that nobody knows
# which of the two clients still listens. adopt_until: when an answer that reached nobody is no longer given to the next
# same call. settled: a later call has named this one, whose outcome is unknown. key_id: of the key that the result is
# sealed with, if it is.
SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS calls (
        invocation_id TEXT NOT NULL PRIMARY KEY,
        writer TEXT NOT NULL,
        circuit TEXT,
        principal TEXT,
        request_digest TEXT,
        key TEXT,
        began_at REAL NOT NULL,
        under_way_until REAL NOT NULL,
        adopt_seconds REAL NOT NULL,
        expires_at REAL NOT NULL,
        waiter TEXT,
        asked_again INTEGER NOT NULL DEFAULT 0,
        delivered INTEGER NOT NULL DEFAULT 0,
        adopt_until REAL,
        settled INTEGER NOT NULL DEFAULT 0,
        outcome TEXT,
        result BLOB,
        key_id TEXT
    ) STRICT""",
    "CREATE INDEX IF NOT EXISTS calls_by_request ON calls (principal, request_digest)",
    "CREATE UNIQUE INDEX IF NOT EXISTS calls_by_key ON calls (principal, key) WHERE key IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS calls_by_expiry ON calls (expires_at)",
)

# A function may run for longer than its key is kept: the call is known until then, and its end for as long as others'.
_OVER: Final = "expires_at <= ?1 AND (outcome IS NOT NULL OR under_way_until <= ?1)"
_LATE_END: Final = "expires_at = iif(expires_at <= ?1 AND under_way_until > ?1, ?1 + adopt_seconds, expires_at)"
_SELECT: Final = f"""SELECT invocation_id, request_digest, key, began_at, under_way_until, adopt_seconds, waiter,
    asked_again, delivered, adopt_until, settled, outcome, result, key_id FROM calls
    WHERE principal = ?2 AND NOT ({_OVER}) AND """  # noqa: S608
_SAME: Final = _SELECT + "request_digest = ? ORDER BY began_at DESC"
_SAME_OR_KEY: Final = _SELECT + "(request_digest = ? OR key = ?) ORDER BY key IS NOT ?, began_at DESC"
_BY_ID: Final = _SELECT + "invocation_id = ? AND (outcome IS NULL OR result IS NOT NULL)"
# What is said for a call that was lost, or has ended, does not count again.
_END: Final = """SELECT key, asked_again, iif(outcome IS NULL AND writer != '', circuit, NULL) FROM calls
    WHERE invocation_id = ?"""


def add(
    db: sqlite3.Connection,
    now: float,
    writer: str,
    invocation_id: str,
    lease: float,
    claim: IdempotencyClaim | None,
    circuit: str | None = None,
) -> None:
    """Note a call that is admitted; `find` found no other that stands against it.

    Args:
        db: to write to.
        now: the time.
        writer: the server that carries it out.
        invocation_id: of the call.
        lease: seconds that it can be under way at the most.
        claim: what makes another one the same, if anything does.
        circuit: what a failure of it counts for, if it counts.
    """
    same: tuple[str | float | None, ...] = (None, None, None, 0, now + lease)
    if claim is not None:
        same = claim.principal, claim.request_digest, claim.key, claim.adopt_seconds, now + claim.kept_seconds
        if claim.after_unknown is not None:
            db.execute(
                "UPDATE calls SET settled = 1 WHERE invocation_id = ? AND principal = ? AND request_digest = ?",
                (claim.after_unknown, claim.principal, claim.request_digest),
            )
    db.execute(
        "INSERT INTO calls (invocation_id, writer, waiter, circuit, began_at, under_way_until, principal,"
        " request_digest, key, adopt_seconds, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (invocation_id, writer, writer, circuit, now, now + lease, *same),
    )


def find(
    db: sqlite3.Connection,
    now: float,
    claim: IdempotencyClaim,
    writer: str,
    waits: Waits,
    takes: Takes,
    seal: Seal | None,
) -> IdempotencyHit | None:
    """The earlier call that stands against a new one; whoever asks has its answer, or waits for it, from now on."""
    values = (now, claim.principal, claim.request_digest)
    if claim.key is None:
        rows = db.execute(_SAME, values).fetchall()
    else:
        # Its time may be over without its having been forgotten yet.
        db.execute(f"DELETE FROM calls WHERE principal = ?2 AND key = ?3 AND {_OVER}", (*values[:2], claim.key))  # noqa: S608
        rows = db.execute(_SAME_OR_KEY, (*values, claim.key, claim.key)).fetchall()
    for row in rows:
        call = KeptCall(*row)
        state = stands_against(call, claim, now, waits)
        if state is None:
            continue
        _take(db, call, state, writer, takes, key=claim.key)
        return hit_of(call, state, seal, adopted=claim.key is None or call.key != claim.key)
    return None


def fetch(
    db: sqlite3.Connection,
    now: float,
    invocation_id: str,
    principal: str,
    writer: str,
    takes: Takes,
    seal: Seal | None,
) -> IdempotencyHit | None:
    """One call, for who waits for its end; None where nothing of it is kept."""
    row = db.execute(_BY_ID, (now, principal, invocation_id)).fetchone()
    if row is None:
        return None
    call = KeptCall(*row)
    state: HitState = "left" if call.is_under_way(now) else "lost" if call.outcome is None else "ended"
    _take(db, call, state, writer, takes)
    return hit_of(call, "in_progress" if state == "left" else state, seal, adopted=False)


def keeps(db: sqlite3.Connection, now: float, invocation_id: str, principal: str) -> bool:
    """Whether `fetch` would give a call."""
    return db.execute(_BY_ID, (now, principal, invocation_id)).fetchone() is not None


def end(
    db: sqlite3.Connection,
    now: float,
    invocation_id: str,
    outcome: str | None,
    result: Callable[[], str] | None,
    seal: Seal | None,
    *,
    ran: bool,
    delivered: bool,
) -> str | None:
    """Keep what came of a call, as far as a later one may want it.

    Args:
        db: to write to.
        now: the time.
        invocation_id: of the call.
        outcome: in one word.
        result: gives what is kept, if it has to be: for its key, for who did not get it, or for who has to find out
            what an unknown call did before the same one may follow.
        seal: encrypts it.
        ran: False only if it certainly did not run. Then it stands against no other call.
        delivered: whether its caller gets the answer.

    Returns:
        What its end counts for; None if it does not count, or has come before.
    """
    row = db.execute(_END, (invocation_id,)).fetchone()
    if row is None:
        return None
    key, asked_again = row[:2]
    circuit: str | None = row[2]
    delivered = delivered and not asked_again
    if delivered and (not ran or (key is None and outcome != "unknown")):
        db.execute("DELETE FROM calls WHERE invocation_id = ?", (invocation_id,))
        return circuit
    if not ran:
        db.execute("UPDATE calls SET key = NULL, request_digest = NULL WHERE invocation_id = ?", (invocation_id,))
    kept = None
    if result is not None and (key is not None or not delivered or outcome == "unknown"):
        kept = sealed(result(), invocation_id, seal)
    db.execute(
        f"UPDATE calls SET adopt_until = ?1 + adopt_seconds, {_LATE_END}, outcome = ?2, result = ?3, key_id = ?4,"  # noqa: S608
        " delivered = ?5 WHERE invocation_id = ?6",
        (now, outcome or "unknown", kept, seal.key_id if seal else None, delivered, invocation_id),
    )
    return circuit


def leave(db: sqlite3.Connection, now: float, invocation_id: str) -> None:
    """Nobody waits for its answer any more; and if it was about to be given, it was not."""
    db.execute(
        "UPDATE calls SET waiter = NULL, delivered = 0, adopt_until = ? + adopt_seconds WHERE invocation_id = ?",
        (now, invocation_id),
    )


def bring_back(
    db: sqlite3.Connection,
    now: float,
    writer: str,
    invocation_id: str,
    claim: IdempotencyClaim,
    outcome: str,
    result: str,
    seal: Seal | None,
    *,
    ran: bool,
) -> None:
    """Keep an answer that did not reach its caller although it was ready: who calls again gets it, if it ran."""
    if db.execute("SELECT 1 FROM calls WHERE invocation_id = ?", (invocation_id,)).fetchone() is None:
        # The key of one that did not run may be another's by now.
        add(db, now, writer, invocation_id, 0, claim if ran else replace(claim, key=None))
    end(db, now, invocation_id, outcome, lambda: result, seal, ran=ran, delivered=False)
    leave(db, now, invocation_id)


def lose(db: sqlite3.Connection, now: float, invocation_id: str) -> str | None:
    """The server that made a call has ended without a word of how the call did. Returns what `end` does."""
    row = db.execute(_END, (invocation_id,)).fetchone()
    circuit: str | None = row[2] if row else None
    db.execute(
        f"UPDATE calls SET adopt_until = ?1 + adopt_seconds, {_LATE_END}, under_way_until = 0, waiter = NULL,"  # noqa: S608
        " writer = '' WHERE invocation_id = ?2",
        (now, invocation_id),
    )
    return circuit


def under_way(db: sqlite3.Connection, writer: str) -> Iterator[str]:
    """The calls of a writer that have no outcome."""
    found = db.execute("SELECT invocation_id FROM calls WHERE writer = ? AND outcome IS NULL", (writer,)).fetchall()
    return (invocation_id for (invocation_id,) in found)


def prune(db: sqlite3.Connection, now: float) -> None:
    """Forget the calls whose time is over, and which can't be under way."""
    db.execute(f"DELETE FROM calls WHERE {_OVER}", (now,))  # noqa: S608


def _take(
    db: sqlite3.Connection, call: KeptCall, state: HitState, writer: str, takes: Takes, key: str | None = None
) -> None:
    """Note what becomes of a call by somebody's asking for it."""
    if state in ("left", "ended", "lost") and not takes(call.invocation_id):
        return
    of_call = (call.invocation_id,)
    match state:
        case "left":
            waits = "UPDATE calls SET waiter = ?, asked_again = 1 WHERE invocation_id = ?"
            if call.waiter != writer or not call.asked_again:
                db.execute(waits, (writer, *of_call))
        case "ended" | "lost" if not call.delivered:
            db.execute("UPDATE calls SET delivered = 1 WHERE invocation_id = ?", of_call)
        case "in_progress":
            db.execute("UPDATE calls SET asked_again = 1 WHERE invocation_id = ?", of_call)
    if state in ("left", "ended", "lost") and key is not None and call.key is None:
        db.execute("UPDATE calls SET key = ? WHERE invocation_id = ?", (key, *of_call))
