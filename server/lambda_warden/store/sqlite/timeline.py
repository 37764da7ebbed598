"""The store's own time, by which windows, leases, cool-downs and keys go: seconds that nobody can set or step.

It begins as the time of day and goes on at the rate of a clock that nobody can set, for as long as the machine is not
started again. Then it begins anew: with the time of day, or where it had come to, whichever is later.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from lambda_warden.store.clock import Clock

SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS timeline (boot_id TEXT NOT NULL PRIMARY KEY, begins REAL NOT NULL) STRICT",
)

_LATEST: Final = """SELECT max(
    coalesce((SELECT max(at) FROM admissions), 0) / 1e6,
    coalesce((SELECT max(began_at) FROM calls), 0),
    coalesce((SELECT max(failed_at) FROM failure_runs), 0),
    coalesce((SELECT max(asked_at) FROM approvals), 0),
    coalesce((SELECT max(asked_at) FROM approval_requests), 0))"""


class Timeline:
    """Tells the store's time. Made within a write transaction, so that all who share a file agree on it.

    Where nothing can be written (`read_only`), it tells the time that a server would agree on that began now.
    """

    def __init__(self, db: sqlite3.Connection, clock: Clock, *, read_only: bool = False) -> None:
        self._clock = clock
        row = db.execute("SELECT begins FROM timeline WHERE boot_id = ?", (clock.boot_id,)).fetchone()
        if row is None:
            row = (max(clock.time_of_day(), db.execute(_LATEST).fetchone()[0]) - clock.elapsed(),)
            if not read_only:
                db.execute("INSERT INTO timeline (boot_id, begins) VALUES (?, ?)", (clock.boot_id, *row))
        self._begins: float = row[0]

    def now(self) -> float:
        """Seconds."""
        return self._begins + self._clock.elapsed()
