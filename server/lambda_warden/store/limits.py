"""Limits: what was admitted, one row a call and bucket, for as long as it counts.

Every function runs inside the caller's write transaction. Times are whole microseconds since the epoch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from lambda_warden.store.records import Bucket, Busy, Limit

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


def take(db: sqlite3.Connection, now: int, invocation_id: str, buckets: Sequence[Bucket], lease: int) -> Busy | None:
    """Take a unit of every bucket, or none: then what had no room is returned.

    Raises:
        sqlite3.Error: also if the invocation was admitted before.
    """
    limited = {bucket.key: bucket for bucket in buckets if _is_limited(bucket)}
    for key in limited:
        # A clock that stepped back: what it calls the future was taken just now. So no unit is ever counted for less
        # than its time, nor held back for longer than that because the clock was wrong for a while.
        db.execute("UPDATE admissions SET at = ? WHERE key = ? AND at > ?", (now, key, now))
        db.execute(f"DELETE FROM admissions WHERE key = :key AND {_OLD}", {"key": key, "now": now, "day": DAY})  # noqa: S608
    following = {key: _following(db, key) for key in limited}
    full = [busy for bucket in buckets for busy in _without_room(db, now, bucket, following.get(bucket.key, 1))]
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


def prune(db: sqlite3.Connection, now: int) -> None:
    """Forget what counts no longer, also of buckets that nobody asks for any more."""
    db.execute(f"DELETE FROM admissions WHERE {_OLD}", {"now": now, "day": DAY})  # noqa: S608


def _is_limited(bucket: Bucket) -> bool:
    return (bucket.per_minute, bucket.per_day, bucket.concurrent) != (None, None, None)


def _following(db: sqlite3.Connection, key: str) -> int:
    """The n of the next row."""
    row = db.execute("SELECT n FROM admissions WHERE key = ? ORDER BY at DESC, n DESC LIMIT 1", (key,)).fetchone()
    return row[0] + 1 if row else 1


def _without_room(db: sqlite3.Connection, now: int, bucket: Bucket, following: int) -> Iterator[Busy]:
    windows: tuple[tuple[Limit, int | None, int], ...] = (
        ("per_minute", bucket.per_minute, MINUTE),
        ("per_day", bucket.per_day, DAY),
    )
    for limit, allowed, length in windows:
        if allowed is not None and not _surely_has_room(db, now - length, bucket.key, allowed, following):
            if allowed < 1:
                yield Busy(bucket.key, limit, allowed, None)
            elif (blocking := _blocking(db, now - length, bucket.key, allowed)) is not None:
                yield Busy(bucket.key, limit, allowed, (blocking + length - now) / SECOND)
    if bucket.concurrent is not None and _under_way(db, now, bucket.key) >= bucket.concurrent:
        yield Busy(bucket.key, "concurrent", bucket.concurrent, None)


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


def _under_way(db: sqlite3.Connection, now: int, key: str) -> int:
    held = "SELECT count(*) FROM admissions WHERE key = ? AND lease IS NOT NULL AND at + lease > ?"
    count: int = db.execute(held, (key, now)).fetchone()[0]
    return count


def _wait(busy: Busy) -> float:
    if busy.retry_after_seconds is not None:
        return busy.retry_after_seconds
    return 0 if busy.allowed > 0 else float("inf")
