"""Reading of the audit log, which servers may be writing to."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lambda_warden.store.approvals import ApprovalState, PendingApproval
from lambda_warden.store.audit_log import (
    AuditEntry,
    CircuitBreaker,
    CircuitOpen,
    FailureRun,
    Kind,
    Pause,
    StateBesideChains,
)
from lambda_warden.store.clock import Clock, SystemClock
from lambda_warden.store.hash_chain import AuditEvent, Verification, follow, missing
from lambda_warden.store.sqlite import approval_requests, layout, limits, stops, writers
from lambda_warden.store.sqlite.database import Memory
from lambda_warden.store.sqlite.timeline import Timeline

_SELECT: Final = "SELECT position, writer, seq, at, kind, invocation_id, body, hash FROM events"
_ENDING: Final = "WHERE invocation_id = ? AND kind = 'outcome' AND position > ? ORDER BY position DESC LIMIT 1"


class SqliteAuditReader:
    """Reads records and never writes to them; see `AuditReader`. Not for several threads at once.

    Args:
        where: they stand.
        clock: what time it is; this machine's, if not given.

    Raises:
        RecordError: if they can't be opened, or there are none.
    """

    def __init__(self, where: Path | Memory, clock: Clock | None = None) -> None:
        self._where = where
        self._clock = clock or SystemClock()
        self._db = layout.RECORDS.open_to_read(where)
        # What is no UTF-8 was put there by somebody else. It must not stop the reading of the rest.
        self._db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        self._locks = writers.WriterLocks(where) if isinstance(where, Path) else None

    def events(self, after: int = 0) -> Iterator[AuditEvent]:
        """All events above a position; see `AuditReader.events`."""
        return self._select("WHERE position > ? ORDER BY position", after)

    def chain(self, writer: str, after: int = 0, limit: int = 1000) -> Iterator[AuditEvent]:
        """The events of one writer; see `AuditReader.chain`."""
        return self._select("WHERE writer = ? AND seq > ? ORDER BY seq LIMIT ?", writer, after, limit)

    def last(self) -> int:
        """The position of the last event; see `AuditReader.last`."""
        return next((event.position for event in self._select("ORDER BY position DESC LIMIT 1")), 0)

    def entries(self, kinds: Collection[Kind], since: datetime | None = None) -> Iterator[AuditEntry]:
        """The events of some kinds; see `AuditReader.entries`."""
        wanted = [f"kind IN ({', '.join('?' * len(kinds))})"]
        values: list[str] = list(kinds)
        if since is not None:
            wanted.append("at >= ?")
            values.append(since.astimezone(UTC).isoformat(timespec="milliseconds"))
        living: dict[str, bool] = {}
        for event in self._select(f"WHERE {' AND '.join(wanted)} ORDER BY position DESC", *values):
            if event.kind != "intent":
                yield AuditEntry(event)
                continue
            ending = next(self._select(_ENDING, event.invocation_id, event.position), None)
            if ending is None and event.writer not in living:
                living[event.writer] = self._lives(event.writer)
            yield AuditEntry(event, ending, server_lost=ending is None and not living[event.writer])

    def find_invocation(self, invocation_id: str) -> list[AuditEvent]:
        """All events of one call; see `AuditReader.find_invocation`."""
        try:
            return list(self._select("WHERE invocation_id = ? ORDER BY position", invocation_id))
        except UnicodeEncodeError:  # a lone surrogate, which no id has
            return []

    def stopped_by(self, breaker: CircuitBreaker | None = None) -> Pause | CircuitOpen | None:
        """What would keep a call from being admitted; see `AuditReader.stopped_by`."""
        with self._problems():
            return stops.stopped_by(self._db, self._now(), breaker)

    def failure_runs(self) -> list[FailureRun]:
        """The runs of failures; see `AuditReader.failure_runs`."""
        with self._problems():
            return stops.runs(self._db)

    def find_approval(self, approval_id: str) -> PendingApproval | None:
        """One request for approval; see `ApprovalReader.find_approval`."""
        with self._problems():
            return approval_requests.find(self._db, self._now(), approval_id)

    def approvals(self, states: Collection[ApprovalState] = (), limit: int = 50) -> list[PendingApproval]:
        """The newest requests for approval; see `ApprovalReader.approvals`."""
        with self._problems():
            return approval_requests.newest(self._db, self._now(), states, limit)

    def state(self) -> StateBesideChains:
        """What stands beside the chains; see `AuditReader.state`."""
        with self._problems():
            now = self._now()
            calls = self._db.execute("SELECT invocation_id FROM calls")
            asked = approval_requests.newest(self._db, now, (), sys.maxsize)
            return StateBesideChains(
                units=limits.counted(self._db, now),
                calls=frozenset(name for (name,) in calls),
                approvals={found.ask.approval_id: found.state for found in asked},
                paused=stops.paused(self._db) is not None,
            )

    def verify(self, noted: Collection[str] = ()) -> Verification:
        """Follow the chains; see `AuditReader.verify`."""
        try:
            # One snapshot: a server may write in the meantime.
            self._db.execute("SAVEPOINT snapshot")
            try:
                counted = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
                last = self._db.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0]
                events = map(_event, self._db.execute(f"{_SELECT} ORDER BY position"))
                found = follow(events, noted)
            finally:
                self._db.execute("RELEASE snapshot")
        except sqlite3.DatabaseError as error:
            return Verification(0, problems=(f"the file is damaged: {error}",))
        written = counted[0] if counted else 0
        if last < written:
            problem = f"{missing(last + 1, written)}: the end of the file was cut off"
        elif last > written:
            problem = f"record {last} was inserted: the file has counted {written}"
        else:
            return found
        return Verification(found.count, found.heads, (*found.problems, problem))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _now(self) -> float:
        return Timeline(self._db, self._clock, read_only=True).now()

    def _lives(self, writer: str) -> bool:
        row = self._db.execute("SELECT ended, locked FROM writers WHERE writer = ?", (writer,)).fetchone()
        if row is None or row[0]:
            return False
        return self._locks is None or not row[1] or self._locks.is_held(writer)

    def _select(self, rest: str, *values: str | int) -> Iterator[AuditEvent]:
        with self._problems():
            yield from map(_event, self._db.execute(f"{_SELECT} {rest}", values))

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise layout.RECORDS.cannot(self._where, f"be read: {error}") from error


def _event(row: tuple[Any, ...]) -> AuditEvent:
    # What has another type was put there by somebody else. So that it fits no hash, it is not read as it is.
    position, writer, seq, *texts = row
    return AuditEvent(_number(position), _words(writer), _number(seq), *map(_words, texts))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _words(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
