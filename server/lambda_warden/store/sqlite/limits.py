"""Limits: what was admitted, one row a call and limit, for as long as it counts.

Every function runs inside the caller's write transaction. Times are whole microseconds of the store's timeline.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from lambda_warden.store.audit_log import Limit, LimitExceeded, LimitName

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND

# n: rises with every row of a key, as `at` does, so that few rows need to be looked at to know that there is room.
# lease: how long the call may hold its slot. NULL once it has ended.
SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS admissions (
        invocation_id TEXT NOT NULL,
        key TEXT NOT NULL,
        at INTEGER NOT NULL,
        n INTEGER NOT NULL,
        lease INTEGER,
        PRIMARY KEY (invocation_id, key)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS admissions_by_time ON admissions (key, at, n)",
    "CREATE INDEX IF NOT EXISTS admissions_under_way ON admissions (key, at, lease) WHERE lease IS NOT NULL",
)

_OLD = "at <= :now - :day AND (lease IS NULL OR at + lease <= :now)"


def take(
    db: sqlite3.Connection, now: int, invocation_id: str, limits: Sequence[Limit], lease: int
) -> LimitExceeded | None:
    """Take a unit of every limit, or none: then what had no room is returned.

    Raises:
        sqlite3.Error: also if the invocation was admitted before.
    """
    limited = {limit.key: limit for limit in limits if _is_limited(limit)}
    for key in limited:
        db.execute(f"DELETE FROM admissions WHERE key = :key AND {_OLD}", {"key": key, "now": now, "day": DAY})  # noqa: S608
    following = {key: _following(db, key) for key in limited}
    full = [found for limit in limits for found in _exceeded(db, now, limit, following.get(limit.key, 1))]
    if full:
        return max(full, key=_wait)
    rows = [(invocation_id, key, now, n, lease) for key, n in following.items()]
    db.executemany("INSERT INTO admissions (invocation_id, key, at, n, lease) VALUES (?, ?, ?, ?, ?)", rows)
    return None


def release(db: sqlite3.Connection, invocation_id: str, *, ran: bool) -> None:
    """Free the slots of a call that ended and, if it did not run, its other units too."""
    if ran:
        db.execute("UPDATE admissions SET lease = NULL WHERE invocation_id = ?", (invocation_id,))
    else:
        db.execute("DELETE FROM admissions WHERE invocation_id = ?", (invocation_id,))


def counted(db: sqlite3.Connection, now: float) -> dict[str, int]:
    """How many calls count in each limit within the last day. `now` is in seconds."""
    found = "SELECT key, count(*) FROM admissions WHERE at > ? GROUP BY key"
    return dict(db.execute(found, (round(now * SECOND) - DAY,)).fetchall())


def prune(db: sqlite3.Connection, now: int) -> None:
    """Forget what counts no longer, also of limits that nobody asks for any more."""
    db.execute(f"DELETE FROM admissions WHERE {_OLD}", {"now": now, "day": DAY})  # noqa: S608


def _is_limited(limit: Limit) -> bool:
    return (limit.per_minute, limit.per_day, limit.concurrent) != (None, None, None)


def _following(db: sqlite3.Connection, key: str) -> int:
    """The n of the next row."""
    row = db.execute("SELECT n FROM admissions WHERE key = ? ORDER BY at DESC, n DESC LIMIT 1", (key,)).fetchone()
    return row[0] + 1 if row else 1


def _exceeded(db: sqlite3.Connection, now: int, limit: Limit, following: int) -> Iterator[LimitExceeded]:
    windows: tuple[tuple[LimitName, int | None, int], ...] = (
        ("per_minute", limit.per_minute, MINUTE),
        ("per_day", limit.per_day, DAY),
    )
    for name, allowed, length in windows:
        if allowed is not None and not _surely_has_room(db, now - length, limit.key, allowed, following):
            if allowed < 1:
                yield LimitExceeded(limit.key, name, allowed, None)
            elif (blocking := _blocking(db, now - length, limit.key, allowed)) is not None:
                yield LimitExceeded(limit.key, name, allowed, (blocking + length - now) / SECOND)
    if limit.concurrent is not None:
        ends = _ends_of_leases(db, now, limit.key)
        if len(ends) >= limit.concurrent:
            at_the_latest = (ends[-limit.concurrent] - now) / SECOND if limit.concurrent > 0 else None
            yield LimitExceeded(limit.key, "concurrent", limit.concurrent, at_the_latest)


def _surely_has_room(db: sqlite3.Connection, start: int, key: str, allowed: int, following: int) -> bool:
    """Whether a window has room even if no unit in it was given back. Saves the count of a window that is not full."""
    oldest = "SELECT n FROM admissions WHERE key = ? AND at > ? ORDER BY at, n LIMIT 1"
    row = db.execute(oldest, (key, start)).fetchone()
    return following - (row[0] if row else following) < allowed


def _blocking(db: sqlite3.Connection, start: int, key: str, allowed: int) -> int | None:
    """The time of the unit that must leave a window before there is room. None: there is room."""
    newest = "SELECT at FROM admissions WHERE key = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?"
    row = db.execute(newest, (key, start, allowed - 1)).fetchone()
    return row[0] if row else None


def _ends_of_leases(db: sqlite3.Connection, now: int, key: str) -> list[int]:
    """When the calls that are under way will be so no longer, in order."""
    held = (
        "SELECT at + lease FROM admissions WHERE key = ? AND lease IS NOT NULL AND at + lease > ? ORDER BY at + lease"
    )
    return [row[0] for row in db.execute(held, (key, now))]


def _wait(exceeded: LimitExceeded) -> float:
    if exceeded.allowed < 1:
        return float("inf")
    # A call may end at any moment.
    return 0 if exceeded.limit == "concurrent" else exceeded.retry_after_seconds or 0
