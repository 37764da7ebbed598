"""The audit log in SQLite: append-only chains, and beside them limits and approvals, all committed to disk.

Every write is part of a transaction that holds the file's write lock from its start: threads and processes take their
turns, so what was read of the chain and the limits is still true when the new rows are written.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from lambda_warden.store.approvals import ApprovalAsk, ApprovalRuling, PendingApproval
from lambda_warden.store.audit_log import (
    SERVER_LOST,
    SERVER_LOST_REASON,
    ApprovalUse,
    CallerLeft,
    CircuitBreaker,
    CircuitOpen,
    Field,
    IdempotencyClaim,
    IdempotencyHit,
    Kind,
    Limit,
    NotAdmitted,
    Pause,
    RecordError,
    Takes,
    always,
    record_text,
)
from lambda_warden.store.clock import Clock, SystemClock
from lambda_warden.store.group_commit import GroupCommit, Work
from lambda_warden.store.hash_chain import GENESIS, link
from lambda_warden.store.readings import Readings
from lambda_warden.store.sqlite import approval_requests, calls, layout, limits, questions, stops, writers
from lambda_warden.store.sqlite.database import Memory, roll_back
from lambda_warden.store.sqlite.file_check import FileCheck
from lambda_warden.store.sqlite.place import MovedError, refuse_cut
from lambda_warden.store.sqlite.reading import SqliteAuditReader
from lambda_warden.store.sqlite.timeline import Timeline
from lambda_warden.store.sqlite.writers import WriterLocks

if TYPE_CHECKING:
    from lambda_warden.store.seal import Seal

_T = TypeVar("_T")

_PRUNE_SECONDS: Final = 60.0
_INSERT: Final = """INSERT INTO events (position, writer, seq, at, kind, invocation_id, body, hash)
    VALUES ((SELECT coalesce(max(position), 0) + 1 FROM events), ?, ?, ?, ?, ?, ?, ?)"""


class SqliteAuditLog(Readings):
    """The default store; see `AuditLog`. Several processes may share one file.

    Args:
        where: it stands. A file is made, readable by its owner alone, if it isn't there.
        about: what the `start` event says of the server that opens it.
        seal: encrypts the results that stand under idempotency keys, if given.
        clock: what time it is.

    Raises:
        RecordError: if it can't be opened or is not an audit log.
    """

    def __init__(
        self,
        where: Path | Memory,
        *,
        about: Mapping[str, Field] | None = None,
        seal: Seal | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        super().__init__(partial(SqliteAuditReader, where, self._clock))
        self._seal = seal
        self._group = GroupCommit(self._commit)
        self._durable: bool | None = None
        self.writer = uuid.uuid4().hex
        self._seq, self._head = 0, GENESIS
        self._locks = WriterLocks(where) if isinstance(where, Path) else None
        # Marks to be written, and how many of them stand in the transaction: they are kept until that is committed.
        self._leaving: deque[Callable[[], None]] = deque()
        self._noted = 0
        self._closed = False
        self._pruned_at = 0.0
        try:
            if isinstance(where, Path):
                refuse_cut(where)
        except OSError as error:
            raise layout.RECORDS.cannot(where, f"be used: {error}") from error
        self._db = layout.RECORDS.open(where)
        self._file = FileCheck(self._db, where, self.writer)
        try:
            locked = self._locks is not None and self._locks.hold(self.writer)
            self._run(partial(self._begin, about or {}, locked))
            if isinstance(where, Path):
                self._file.watch(where)
                self._run(self._file.look_afresh)  # nobody has put another file there since it was opened
        except (RecordError, MovedError, OSError) as error:
            self.close()
            raise layout.RECORDS.cannot(where, f"be used: {error}") from error

    def append(self, kind: Kind, invocation_id: str, body: Mapping[str, Field]) -> None:
        """Write one event; see `AuditLog.append`."""
        text = record_text(body)
        self._run(lambda: self._append(kind, invocation_id, text))

    def check_writable(self) -> None:
        """Take the write lock; see `AuditLog.check_writable`."""
        self._run(lambda: None, durable=False)

    def admit(
        self,
        invocation_id: str,
        body: Mapping[str, Field],
        limits: Sequence[Limit],
        lease_seconds: float,
        claim: IdempotencyClaim | None = None,
        breaker: CircuitBreaker | None = None,
        takes: Takes = always,
        approval: PendingApproval | None = None,
    ) -> NotAdmitted | None:
        """Take limits, key and approval, and write the intent; see `AuditLog.admit`."""
        text = record_text({**body, "lease_seconds": lease_seconds})
        return self._run(
            lambda: self._admit(invocation_id, text, limits, lease_seconds, claim, breaker, takes, approval)
        )

    def claimed_by(self, claim: IdempotencyClaim, takes: Takes = always) -> IdempotencyHit | None:
        """The same call; see `AuditLog.claimed_by`."""
        return self._run(lambda: self._find(claim, takes), durable=False)

    def fetch(self, invocation_id: str, principal: str, takes: Takes = always) -> IdempotencyHit | None:
        """A call; see `AuditLog.fetch`."""
        return self._run(lambda: self._fetch(invocation_id, principal, takes), durable=False)

    def keeps(self, invocation_id: str, principal: str) -> bool:
        """Whether there is a call; see `AuditLog.keeps`."""
        return self._run(lambda: calls.keeps(self._db, self._now(), invocation_id, principal), durable=False)

    def leaving(self, invocation_id: str) -> None:
        """Nobody waits for it; see `AuditLog.leaving`."""
        self._leaving.append(lambda: calls.leave(self._db, self._now(), invocation_id))

    def note_leaving(self) -> None:
        """Write who leaves; see `AuditLog.note_leaving`."""
        self._run(self._note_leaving, durable=False)

    def bring_back(self, invocation_id: str, claim: IdempotencyClaim, outcome: str, result: str, *, ran: bool) -> None:
        """Keep an answer after all; see `AuditLog.bring_back`."""

        def work() -> None:
            of_call = self.writer, invocation_id, claim, outcome, result
            calls.bring_back(self._db, self._now(), *of_call, self._seal, ran=ran)

        self._leaving.append(work)

    def finish(
        self,
        invocation_id: str,
        body: Mapping[str, Field],
        *,
        ran: bool,
        ended: bool = True,
        result: Callable[[], str] | None = None,
        delivered: Callable[[], bool] = lambda: True,
    ) -> None:
        """Write the outcome, free the slots and keep the result; see `AuditLog.finish`."""
        text, outcome = record_text(body), body.get("outcome")

        def work() -> None:
            if ended:
                limits.release(self._db, invocation_id, ran=ran)
            word = outcome if isinstance(outcome, str) else None
            now = self._now()
            circuit = calls.end(self._db, now, invocation_id, word, result, self._seal, ran=ran, delivered=delivered())
            self._count(circuit, outcome)
            self._append("outcome", invocation_id, text)

        self._run(work, durable=False)

    def pause(self, by: str, reason: str | None = None) -> Pause | None:
        """Admit no call from now on; see `AuditLog.pause`."""

        def work() -> Pause | None:
            if before := stops.paused(self._db):
                return before
            stops.pause(self._db, Pause(by, self._time_of_day(), reason))
            self._append("pause", uuid.uuid4().hex, record_text({"by": by, "reason": reason}))
            return None

        return self._run(work)

    def resume(self, by: str, reason: str | None = None) -> Pause | None:
        """Admit calls again; see `AuditLog.resume`."""

        def work() -> Pause | None:
            if ended := stops.paused(self._db):
                stops.resume(self._db)
                self._append("resume", uuid.uuid4().hex, record_text({"by": by, "reason": reason}))
            return ended

        return self._run(work)

    def resume_function(self, function: str, by: str, reason: str | None = None) -> bool:
        """Forget the failures of a function; see `AuditLog.resume_function`."""

        def work() -> bool:
            if found := stops.forget(self._db, function):
                self._append(
                    "resume", uuid.uuid4().hex, record_text({"by": by, "function": function, "reason": reason})
                )
            return found

        return self._run(work)

    def stopped_by(self, breaker: CircuitBreaker | None = None) -> Pause | CircuitOpen | None:
        """What would keep a call from being admitted; see `AuditReader.stopped_by`."""
        return self._run(lambda: stops.stopped_by(self._db, self._now(), breaker))

    def ask(self, approval_id: str, request_digest: str, timeout_seconds: float) -> None:
        """Keep a question to a person; see `AuditLog.ask`."""
        self._run(lambda: questions.keep(self._db, self._now(), approval_id, request_digest, timeout_seconds))

    def answer(self, approval_id: str, request_digest: str) -> ApprovalUse:
        """Use up a question; see `AuditLog.answer`."""
        return self._run(lambda: questions.use(self._db, self._now(), approval_id, request_digest))

    def request_approval(self, ask: ApprovalAsk) -> PendingApproval | None:
        """Ask for a decision, or find that it was asked for; see `ApprovalStore.request_approval`."""
        return self._run(lambda: self._request(ask))

    def decide_approval(self, approval_id: str, ruling: ApprovalRuling) -> PendingApproval | None:
        """Decide on a request; see `ApprovalStore.decide_approval`."""
        return self._run(lambda: self._decide(approval_id, ruling))

    def close(self) -> None:
        """Close the file."""
        if self._closed:
            return
        with suppress(RecordError):
            self._run(self._end, durable=False)
        self._closed = True
        self._db.close()
        if self._locks is not None:
            self._locks.release(self.writer)

    # What follows runs in a transaction.

    def _begin(self, about: Mapping[str, Field], locked: bool) -> None:
        for statement in layout.SCHEMA:
            self._db.execute(statement)
        self._timeline = Timeline(self._db, self._clock)
        now = self._now()
        limits.prune(self._db, _microseconds(now))
        questions.prune(self._db, now)
        approval_requests.prune(self._db, now)
        calls.prune(self._db, now)
        follows = writers.add(self._db, self.writer, locked=locked)
        self._append("start", self.writer, record_text({**about, "follows": follows or None}))
        self._bury_the_dead()

    def _end(self) -> None:
        # What it leaves under way is found by whoever comes next.
        if next(calls.under_way(self._db, self.writer), None) is None:
            writers.end(self._db, self.writer)

    def _admit(
        self,
        invocation_id: str,
        text: str,
        wanted: Sequence[Limit],
        lease: float,
        claim: IdempotencyClaim | None,
        breaker: CircuitBreaker | None,
        takes: Takes,
        approval: PendingApproval | None,
    ) -> NotAdmitted | None:
        # The clock is read under the lock, so that times are in the order of the events.
        now = self._now()
        if claim is not None and (hit := self._find(claim, takes)):
            return hit
        if refused := stops.stopped_by(self._db, now, breaker):
            return refused
        if approval is not None and (gone := approval_requests.gone(self._db, now, approval)):
            return gone
        if not takes(invocation_id):
            return CallerLeft()
        exceeded = limits.take(self._db, _microseconds(now), invocation_id, wanted, _microseconds(lease))
        if exceeded is not None:
            return exceeded
        if now > self._pruned_at + _PRUNE_SECONDS:
            self._pruned_at = now
            calls.prune(self._db, now)
        calls.add(self._db, now, self.writer, invocation_id, lease, claim, breaker.function if breaker else None)
        if approval is not None:
            self._use(invocation_id, approval)
        self._append("intent", invocation_id, text)
        return None

    def _count(self, circuit: str | None, outcome: Field) -> None:
        if circuit is not None:
            stops.count(self._db, self._now(), self._time_of_day(), circuit, outcome)

    def _note_leaving(self) -> None:
        """Whoever looks for a call does this first, so that a client that comes back does not overtake its leaving."""
        while self._noted < len(self._leaving):
            try:
                self._leaving[self._noted]()
            except sqlite3.OperationalError:
                raise
            except Exception:
                del self._leaving[self._noted]  # it would fail each time
                raise
            self._noted += 1

    def _find(self, claim: IdempotencyClaim, takes: Takes) -> IdempotencyHit | None:
        self._note_leaving()

        def look() -> IdempotencyHit | None:
            return calls.find(self._db, self._now(), claim, self.writer, self._waits, takes, self._seal)

        hit = look()
        if hit is not None and hit.state in ("in_progress", "left") and self._bury_the_dead():
            hit = look()
        return hit

    def _fetch(self, invocation_id: str, principal: str, takes: Takes) -> IdempotencyHit | None:
        self._note_leaving()

        def look() -> IdempotencyHit | None:
            return calls.fetch(self._db, self._now(), invocation_id, principal, self.writer, takes, self._seal)

        hit = look()
        if hit is not None and hit.state == "in_progress" and self._bury_the_dead():
            hit = look()
        return hit

    def _waits(self, writer: str) -> bool:
        """Whether a server lives, so that its client can wait for an answer."""
        return writer == self.writer or self._locks is None or self._locks.is_held(writer)

    def _request(self, ask: ApprovalAsk) -> PendingApproval | None:
        now, found = self._now(), None
        for earlier in approval_requests.open_for(self._db, now, ask):
            if earlier.ask.would_run_as(ask):
                found = earlier
            else:
                approval_requests.void(self._db, earlier.ask.approval_id)
                self._append(
                    "approval", earlier.ask.approval_id, record_text({**earlier.ask.fields(), "answer": "void"})
                )
        if found is None and approval_requests.has_room(self._db, now, ask.principal):
            found = approval_requests.add(self._db, now, ask)
            self._append("approval_request", ask.approval_id, record_text({**ask.fields(), "reason": ask.reason}))
        return found

    def _decide(self, approval_id: str, ruling: ApprovalRuling) -> PendingApproval | None:
        now = self._now()
        counts = approval_requests.decide(self._db, now, approval_id, ruling)
        found = approval_requests.find(self._db, now, approval_id)
        if counts and found is not None:
            self._append("approval", approval_id, record_text({**found.ask.fields(), **ruling.fields()}))
        return found

    def _use(self, invocation_id: str, approved: PendingApproval) -> None:
        approval_requests.use(self._db, approved.ask.approval_id)
        ruling = approved.ruling.fields() if approved.ruling else {}
        self._append("approval", invocation_id, record_text({**approved.ask.fields(), **ruling}))

    def _bury_the_dead(self) -> bool:
        """Write an outcome for each call whose server has ended without one. Its slot stays taken until its lease ends.

        Returns:
            Whether there was any.
        """
        if self._locks is None:
            return False
        found = False
        for writer in writers.dead(self._db, self._locks, self.writer):
            for invocation_id in calls.under_way(self._db, writer):
                found = True
                self._count(calls.lose(self._db, self._now(), invocation_id), "unknown")
                body = {"outcome": "unknown", "error": SERVER_LOST, "reason": SERVER_LOST_REASON, "server": writer}
                self._append("outcome", invocation_id, record_text(body))
            writers.end(self._db, writer)
            self._locks.forget(writer)
        return found

    def _append(self, kind: Kind, invocation_id: str, body: str) -> None:
        seq = self._seq + 1
        event = (self.writer, seq, self._time_of_day(), kind, invocation_id, body)
        row = (*event, link(self._head, *event))
        self._db.execute(_INSERT, row)
        self._seq, self._head = seq, row[-1]

    def _time_of_day(self) -> str:
        return datetime.fromtimestamp(self._clock.time_of_day(), UTC).isoformat(timespec="milliseconds")

    def _now(self) -> float:
        return self._timeline.now()

    # What follows makes the transactions.

    def _run(self, work: Callable[[], _T], *, durable: bool = True) -> _T:
        try:
            return self._group.run(work, durable=durable)
        except (sqlite3.Error, ValueError, TypeError, OverflowError, OSError) as error:
            raise RecordError(f"a record could not be written: {error}") from error
        except RecordError as error:
            # The others of the group raise it too, each in its thread.
            raise RecordError(str(error)) from error

    def _commit(self, following: Callable[[bool], Work | None]) -> None:
        """All that a group wants is written in the end, and on the disk if that was asked for; or nothing of it."""
        durable, before = self._group.wants_durable(), (self._seq, self._head, self._noted)
        group: list[Work] = []
        committed = False
        try:
            if durable != self._durable:
                # FULL syncs the log at each commit. NORMAL leaves that to the next durable one, or to the system.
                self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            self._db.execute("BEGIN IMMEDIATE")
            self._file.check_place()
            self._file.check_end(self._seq, self._head)
            while work := following(durable):
                group.append(work)
                self._do(work)
            self._db.execute("COMMIT")
            committed = True
            while self._noted:
                self._leaving.popleft()
                self._noted -= 1
            self._file.check_place()
        except BaseException as error:  # noqa: BLE001 - whatever it is, each of them has to know
            if not committed:
                roll_back(self._db)
                self._seq, self._head, self._noted = before
            # Those who were not reached yet fail with it, too: they would only wait for the same.
            while work := following(True):
                group.append(work)
            for work in group:
                work.error = work.error or error
        for work in group:
            work.done = True

    def _do(self, work: Work) -> None:
        """Do a piece of work. If it fails, nothing is left of it, and the others go on."""
        before = self._seq, self._head, self._noted
        self._db.execute("SAVEPOINT work")
        try:
            work.value = work.do()
        except BaseException as error:
            work.error = error
            if not self._db.in_transaction:  # SQLite gave up all of it, as where the disk is full
                raise
            self._db.execute("ROLLBACK TO work")
            self._seq, self._head, self._noted = before
        self._db.execute("RELEASE work")


def _microseconds(seconds: float) -> int:
    return round(seconds * limits.SECOND)
