"""The audit log in DynamoDB: a chain of events a server, and beside them limits and approvals, for all who share them.

What a call needs is read, decided on and written in one transaction, if all that was read still holds: a server that
was overtaken by another decides again.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from lambda_warden.store.approvals import ApprovalAsk, ApprovalRuling, PendingApproval
from lambda_warden.store.audit_log import (
    SERVER_LOST,
    SERVER_LOST_REASON,
    ApprovalUse,
    CallerLeft,
    CircuitBreaker,
    Field,
    IdempotencyClaim,
    IdempotencyHit,
    Kind,
    Limit,
    LimitExceeded,
    NotAdmitted,
    Pause,
    RecordError,
    Takes,
    always,
    record_text,
)
from lambda_warden.store.dynamodb import approval_requests, calls, keys, limits, questions, stops, writers
from lambda_warden.store.dynamodb.committing import Committer
from lambda_warden.store.dynamodb.keys import Key
from lambda_warden.store.dynamodb.reading import DynamoDbAuditReader
from lambda_warden.store.dynamodb.requests import Table
from lambda_warden.store.dynamodb.transaction import Transaction
from lambda_warden.store.readings import Readings

if TYPE_CHECKING:
    from lambda_warden.store.seal import Seal

_T = TypeVar("_T")

NOT_SENT: Final = "NotSent"
"""The error of an outcome that stands for a call that was denied, as nobody knew that its intent was written."""
_LOST_AT_ONCE: Final = 15
"""How many calls of a dead server one transaction ends."""

logger = logging.getLogger(__name__)


class DynamoDbAuditLog(Readings):
    """A table's audit log; see `AuditLog`. Any number of servers may share it.

    Args:
        table: where it stands.
        about: what the `start` event says of the server that opens it.
        seal: encrypts the results that stand under idempotency keys, if given.

    Raises:
        RecordError: if the table can't be used.
    """

    def __init__(self, table: Table, *, about: Mapping[str, Field] | None = None, seal: Seal | None = None) -> None:
        super().__init__(partial(DynamoDbAuditReader, table))
        self._table = table
        self._seal = seal
        self._writer = writers.ChainWriter(table, about or {})
        self._committer = Committer(table, self._writer, self._take_back)
        self._run = self._committer.run
        # What calls under way will look at when they end.
        self._of_calls: dict[str, list[Key]] = {}
        self._ended = threading.Event()
        try:
            self._committer.begin()
            self._bury_the_dead()
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise RecordError(f"the table {table.name} can't be used: {error}") from error
        threading.Thread(target=self._keep_alive, daemon=True, name="records-lease").start()

    @property
    def writer(self) -> str:
        """Whose chain it writes; another one after others took this server for dead."""
        return self._writer.id

    def append(self, kind: Kind, invocation_id: str, body: Mapping[str, Field]) -> None:
        """Write one event; see `AuditLog.append`."""
        text = record_text(body)
        self._run(lambda tx: self._writer.append(tx, kind, invocation_id, text))

    def check_writable(self) -> None:
        """Write that this server lives; see `AuditLog.check_writable`."""
        self._run(self._writer.renew)

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
        call = [keys.call(invocation_id), *(keys.limit(limit.key) for limit in limits), *calls.wanted(claim)]
        call += [] if breaker is None else [keys.run(breaker.function)]
        approved = [] if approval is None else [keys.approval(approval.ask.approval_id)]
        found = self._run(
            lambda tx: self._admit(tx, invocation_id, text, limits, lease_seconds, claim, breaker, takes, approval),
            [*call, *approved],
        )
        if found is None:
            self._of_calls[invocation_id] = call
        return found

    def claimed_by(self, claim: IdempotencyClaim, takes: Takes = always) -> IdempotencyHit | None:
        """The same call; see `AuditLog.claimed_by`."""
        return self._run(lambda tx: self._find(tx, claim, takes), calls.wanted(claim))

    def fetch(self, invocation_id: str, principal: str, takes: Takes = always) -> IdempotencyHit | None:
        """A call; see `AuditLog.fetch`."""
        return self._run(lambda tx: self._fetch(tx, invocation_id, principal, takes), [keys.call(invocation_id)])

    def keeps(self, invocation_id: str, principal: str) -> bool:
        """Whether there is a call; see `AuditLog.keeps`."""
        of_call = invocation_id, principal
        return self._run(lambda tx: calls.keeps(tx, self._table.now(), *of_call), [keys.call(invocation_id)])

    def leaving(self, invocation_id: str) -> None:
        """Nobody waits for it; see `AuditLog.leaving`."""
        self._committer.before.append(lambda tx: calls.leave(tx, self._table.now(), invocation_id))

    def note_leaving(self) -> None:
        """Write who leaves; see `AuditLog.note_leaving`."""
        if self._committer.before:
            self._run(lambda _: None)

    def bring_back(self, invocation_id: str, claim: IdempotencyClaim, outcome: str, result: str, *, ran: bool) -> None:
        """Keep an answer after all; see `AuditLog.bring_back`."""

        def work(tx: Transaction) -> None:
            of_call = self.writer, invocation_id, claim, outcome, result
            calls.bring_back(tx, self._table.now(), *of_call, self._seal, ran=ran)

        self._committer.before.append(work)

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

        def work(tx: Transaction) -> None:
            now, word = self._table.now(), outcome if isinstance(outcome, str) else None
            freed = ended and (call := calls.load(tx, invocation_id)) is not None
            if freed and call is not None:
                at = _microseconds(call.began_at)
                limits.release(tx, _microseconds(now), invocation_id, at, call.limits, call.slots, ran=ran)
            circuit = calls.end(
                tx, now, invocation_id, word, result, self._seal, ran=ran, delivered=delivered(), freed=freed
            )
            self._count(tx, circuit, outcome)
            self._writer.note(tx, invocation_id, under_way=False)
            self._writer.append(tx, "outcome", invocation_id, text)

        self._run(work, self._of_calls.pop(invocation_id, [keys.call(invocation_id)]))

    def pause(self, by: str, reason: str | None = None) -> Pause | None:
        """Admit no call from now on; see `AuditLog.pause`."""

        def work(tx: Transaction) -> Pause | None:
            if tx.get(keys.PAUSE) is not None:
                return stops.paused(tx)
            stops.pause(tx, Pause(by, writers.time_of_day(self._table), reason))
            stops.stop(tx, tx.peek(keys.ROSTER) or {})
            self._writer.append(tx, "pause", uuid.uuid4().hex, record_text({"by": by, "reason": reason}))
            return None

        before = self._run(work, [keys.PAUSE, keys.ROSTER])
        # Those that did not fit, or began meanwhile. Whoever begins from now on sees the pause.
        while self._run(lambda tx: stops.stop(tx, tx.peek(keys.ROSTER) or {})):
            pass
        return before

    def resume(self, by: str, reason: str | None = None) -> Pause | None:
        """Admit calls again; see `AuditLog.resume`."""

        def work(tx: Transaction) -> Pause | None:
            if ended := stops.paused(tx):
                tx.delete(keys.PAUSE)
                self._writer.append(tx, "resume", uuid.uuid4().hex, record_text({"by": by, "reason": reason}))
            return ended

        return self._run(work, [keys.PAUSE])

    def resume_function(self, function: str, by: str, reason: str | None = None) -> bool:
        """Forget the failures of a function; see `AuditLog.resume_function`."""

        def work(tx: Transaction) -> bool:
            if found := stops.forget(tx, function):
                body = record_text({"by": by, "function": function, "reason": reason})
                self._writer.append(tx, "resume", uuid.uuid4().hex, body)
            return found

        return self._run(work, [keys.run(function)])

    def ask(self, approval_id: str, request_digest: str, timeout_seconds: float) -> None:
        """Keep a question to a person; see `AuditLog.ask`."""
        of_question = approval_id, request_digest, timeout_seconds
        self._run(lambda tx: questions.keep(tx, self._table.now(), *of_question), [keys.question(approval_id)])

    def answer(self, approval_id: str, request_digest: str) -> ApprovalUse:
        """Use up a question; see `AuditLog.answer`."""
        of_question = approval_id, request_digest
        return self._run(lambda tx: questions.use(tx, self._table.now(), *of_question), [keys.question(approval_id)])

    def request_approval(self, ask: ApprovalAsk) -> PendingApproval | None:
        """Ask for a decision, or find that it was asked for; see `ApprovalStore.request_approval`."""
        wanted = [keys.asked(ask.principal, ask.request_digest), keys.pending(ask.principal)]
        return self._run(lambda tx: self._request(tx, ask), [*wanted, keys.approval(ask.approval_id)])

    def decide_approval(self, approval_id: str, ruling: ApprovalRuling) -> PendingApproval | None:
        """Decide on a request; see `ApprovalStore.decide_approval`."""
        return self._run(lambda tx: self._decide(tx, approval_id, ruling), [keys.approval(approval_id)])

    def close(self) -> None:
        """Write no more."""
        if self._committer.closed:
            return
        self._ended.set()
        self._committer.ends = True
        with suppress(RecordError):
            self._run(self._writer.end)
        self._committer.closed = True

    # What follows is done in a transaction, perhaps several times.

    def _admit(
        self,
        tx: Transaction,
        invocation_id: str,
        text: str,
        wanted: Sequence[Limit],
        lease: float,
        claim: IdempotencyClaim | None,
        breaker: CircuitBreaker | None,
        takes: Takes,
        approval: PendingApproval | None,
    ) -> NotAdmitted | None:
        now = self._table.now()
        if claim is not None and (hit := self._find(tx, claim, takes)):
            return hit
        if refused := stops.paused_for(tx, self.writer) or (breaker and stops.circuit(tx, now, breaker)):
            return refused
        if approval is not None and (gone := approval_requests.gone(tx, now, approval)):
            return gone
        if not takes(invocation_id):
            return CallerLeft()
        taken = limits.take(tx, _microseconds(now), invocation_id, wanted, _microseconds(lease))
        if isinstance(taken, LimitExceeded):
            return taken
        function = breaker.function if breaker else None
        calls.add(tx, now, self.writer, invocation_id, lease, claim, function, taken)
        self._writer.note(tx, invocation_id, under_way=True)
        if approval is not None:
            approval_requests.use(tx, approval.ask.approval_id)
            ruling = approval.ruling.fields() if approval.ruling else {}
            self._writer.append(tx, "approval", invocation_id, record_text({**approval.ask.fields(), **ruling}))
        self._writer.append(tx, "intent", invocation_id, text)
        tx.intents += (invocation_id,)
        return None

    def _take_back(self, tx: Transaction, invocation_id: str) -> None:
        """End a call that was admitted and not sent: nobody knew in time that it was admitted."""
        call = calls.load(tx, invocation_id)
        if call is None or call.outcome is not None:
            return
        now, at = self._table.now(), _microseconds(call.began_at)
        limits.release(tx, _microseconds(now), invocation_id, at, call.limits, call.slots, ran=False)
        calls.end(tx, now, invocation_id, "denied", None, None, ran=False, delivered=True, freed=True)
        self._writer.note(tx, invocation_id, under_way=False)
        reason = "no answer of DynamoDB said in time that the call was on record, so it was not sent"
        body = {"outcome": "denied", "error": NOT_SENT, "reason": reason}
        self._writer.append(tx, "outcome", invocation_id, record_text(body))

    def _count(self, tx: Transaction, circuit: str | None, outcome: Field) -> None:
        if circuit is not None:
            stops.count(tx, self._table.now(), writers.time_of_day(self._table), circuit, outcome)

    def _find(self, tx: Transaction, claim: IdempotencyClaim, takes: Takes) -> IdempotencyHit | None:
        def look() -> IdempotencyHit | None:
            now = self._table.now()
            return calls.find(tx, now, claim, self.writer, lambda writer: self._waits(tx, writer), takes, self._seal)

        hit = look()
        if hit is not None and hit.state in ("in_progress", "left") and self._bury(tx, hit.invocation_id):
            hit = look()
        return hit

    def _fetch(self, tx: Transaction, invocation_id: str, principal: str, takes: Takes) -> IdempotencyHit | None:
        def look() -> IdempotencyHit | None:
            now = self._table.now()
            return calls.fetch(tx, now, invocation_id, principal, self.writer, takes, self._seal)

        hit = look()
        if hit is not None and hit.state == "in_progress" and self._bury(tx, invocation_id):
            hit = look()
        return hit

    def _waits(self, tx: Transaction, writer: str) -> bool:
        """Whether a server lives, so that its client can wait for an answer."""
        return writer == self.writer or writers.is_alive(tx, self._table.now(), writer)

    def _request(self, tx: Transaction, ask: ApprovalAsk) -> PendingApproval | None:
        now, found = self._table.now(), None
        for earlier in approval_requests.open_for(tx, now, ask):
            if earlier.ask.would_run_as(ask):
                found = earlier
            else:
                approval_requests.void(tx, now, earlier.ask.approval_id)
                body = record_text({**earlier.ask.fields(), "answer": "void"})
                self._writer.append(tx, "approval", earlier.ask.approval_id, body)
        if found is None and approval_requests.has_room(tx, now, ask.principal):
            found = approval_requests.add(tx, now, ask)
            self._writer.append(
                tx, "approval_request", ask.approval_id, record_text({**ask.fields(), "reason": ask.reason})
            )
        return found

    def _decide(self, tx: Transaction, approval_id: str, ruling: ApprovalRuling) -> PendingApproval | None:
        now = self._table.now()
        counts = approval_requests.decide(tx, now, approval_id, ruling)
        found = approval_requests.find(tx, now, approval_id)
        if counts and found is not None:
            self._writer.append(tx, "approval", approval_id, record_text({**found.ask.fields(), **ruling.fields()}))
        return found

    def _bury(self, tx: Transaction, only: str | None = None) -> bool:
        """Write an outcome for calls whose server has ended without one. Their slots stay taken until their leases end.

        Args:
            tx: writes it.
            only: the one that matters; else as many as fit.

        Returns:
            Whether there was any.
        """
        now = self._table.now()
        for writer in writers.dead(tx, now, self.writer):
            head = tx.peek(keys.head(writer))
            if only is not None and (head is None or only not in head["open"]):
                continue
            taken = writers.take_over(tx, writer, _LOST_AT_ONCE, only)
            tx.fetch([keys.call(invocation_id) for invocation_id in taken])
            for invocation_id in taken:
                call = calls.load(tx, invocation_id)
                if call is None or call.outcome is not None:
                    continue
                self._count(tx, calls.lose(tx, now, call), "unknown")
                body = {"outcome": "unknown", "error": SERVER_LOST, "reason": SERVER_LOST_REASON, "server": writer}
                self._writer.append(tx, "outcome", invocation_id, record_text(body))
            return True
        return False

    # What follows makes the transactions.

    def _bury_the_dead(self) -> None:
        while self._run(self._bury):
            pass

    def _keep_alive(self) -> None:
        while not self._ended.wait(writers.RENEW_SECONDS):
            try:
                self._run(self._renew_lease)
                self._bury_the_dead()
            except RecordError as error:
                logger.warning("the records could not be reached: %s", error)

    def _renew_lease(self, tx: Transaction) -> None:
        self._writer.renew(tx)
        if stops.paused(tx):  # who paused may have ended before this server was told
            stops.stop(tx, [self.writer])


def _microseconds(seconds: float) -> int:
    return round(seconds * limits.SECOND)
