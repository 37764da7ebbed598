"""The audit log: what was decided and what came of it, kept before anybody acts on it.

Limits, idempotency keys and open approvals are kept with it, since they are taken in the same transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol

from lambda_warden.store.approvals import ApprovalGone, ApprovalReader, ApprovalState, ApprovalStore, PendingApproval
from lambda_warden.store.hash_chain import AuditEvent, Verification, body_text

Kind = Literal[
    "start",
    "denial",
    "intent",
    "retry",
    "outcome",
    "replay",
    "approval_request",
    "approval",
    "violation",
    "reload",
    "reload_failed",
    "pause",
    "resume",
    "read",
    "read_result",
]
"""start: a server begins to write. denial: not sent. intent: about to be sent. retry: an attempt that certainly started
nothing, and another will be made. outcome: what came of an intent; without one, it is unknown. replay: a caller got the
result of an earlier call. approval_request: a person is asked out of band, and the call was not sent. approval: what a
person decided, or that a call goes through by it. violation: what happened although it was not allowed.
reload: another manifest. reload_failed: one that was not taken. pause: a person stopped all calls. resume: a person
lets them through again, or those of a function that failed too often. read: a log is about to be read. read_result: a
kept result is."""

Field = str | int | float | bool | None

LimitName = Literal["per_minute", "per_day", "concurrent"]

HitState = Literal["ended", "unreadable", "in_progress", "left", "lost", "may_have_run", "another_request"]
"""ended: it has a result. unreadable: it has one, sealed with a key that is not given here. in_progress: it is under
way, and its caller waits. left: it is under way, and its caller waits no more: whoever asked does, from now on. lost:
it is under way no longer, and nobody knows how it ended. may_have_run: the same holds of a call that asks for the same
without its key, and only one that names it in `after_unknown` may follow. another_request: it has this key, and asked
for something else."""

ApprovalUse = Literal["valid", "unknown", "used", "expired", "changed"]

SERVER_LOST: Final = "ServerLost"
"""The error of an outcome that stands for a server that ended before it could write one."""
SERVER_LOST_REASON: Final = "the server that made the call ended before it knew how the call did"

_OUTCOMES: Final = {"denial": "denied", "approval_request": "approval_pending"}
"""Of calls that were not sent, by the kind of their record."""

_LEASE_SECONDS: Final = 925.0
"""How long an intent that names no lease is taken to be under way."""


class RecordError(Exception):
    """A record could not be written or read, so what it speaks of must not happen."""


def record_text(body: Mapping[str, Field]) -> str:
    """A body as it is kept and hashed. Raises `RecordError` if a field can't be written as JSON."""
    try:
        return body_text(body)
    except (ValueError, TypeError) as error:
        raise RecordError(f"a record could not be written: {error}") from error


@dataclass(frozen=True, slots=True)
class Limit:
    """What is counted together, and how much of it is allowed. None: no such limit.

    Attributes:
        key: names what is counted, such as `rule:ARN` or `principal:NAME`.
        per_minute: calls admitted within any 60 seconds.
        per_day: calls admitted within any 86,400 seconds.
        concurrent: calls under way at once.
    """

    key: str
    per_minute: int | None = None
    per_day: int | None = None
    concurrent: int | None = None


@dataclass(frozen=True, slots=True)
class LimitExceeded:
    """A call was not admitted: a limit has no room.

    Attributes:
        key: of the limit. Where several have no room, the one that is to be waited for longest.
        limit: which of its numbers.
        allowed: what that is.
        retry_after_seconds: when there is room again if no other call is admitted before; for `concurrent`, at the
            latest: sooner if a call ends sooner. None where a limit of 0 never has room.
    """

    key: str
    limit: LimitName
    allowed: int
    retry_after_seconds: float | None


@dataclass(frozen=True, slots=True)
class Pause:
    """No call is admitted, since a person said so.

    Attributes:
        by: who, as the system knows them.
        since: when, in ISO 8601 and UTC.
        reason: why, if they said so.
    """

    by: str
    since: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """After so many failures in a row, the calls of a function are not admitted for a while.

    Failures are the outcomes `function_error` and `unknown`. `succeeded` ends a run of them, and others, which say
    nothing of the function, neither end it nor add to it. After the cool-down calls are admitted again; as the run goes
    on, one more failure is enough to begin another cool-down.

    Attributes:
        function: with its qualifier, as an ARN: what is counted together.
        failures: how many in a row.
        cool_down_seconds: how long after the last of them.
    """

    function: str
    failures: int
    cool_down_seconds: float

    def wait_seconds(self, failures: int, since_last: float) -> float:
        """How long no call is admitted after a run of failures, the last of them so many seconds ago; 0: not at all.

        >>> CircuitBreaker("f:live", 3, 60).wait_seconds(3, 45)
        15
        """
        return max(0, self.cool_down_seconds - since_last) if failures >= self.failures else 0


@dataclass(frozen=True, slots=True)
class CircuitOpen:
    """A call was not admitted: its function failed too often in a row.

    Attributes:
        function: with its qualifier, as an ARN.
        failures: how many there were.
        retry_after_seconds: when calls are admitted again, if no person resumes them before.
    """

    function: str
    failures: int
    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class FailureRun:
    """The failures of a function since it last succeeded; of calls that were admitted under a `CircuitBreaker`.

    Attributes:
        function: with its qualifier, as an ARN.
        failures: how many.
        last_at: the last one, in ISO 8601 and UTC.
    """

    function: str
    failures: int
    last_at: str


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """What makes a call the same as another, so that it starts nothing: its idempotency key, or what it asks for.

    Attributes:
        principal: who asks; each has calls and keys of its own.
        key: as the caller named it; None if it did not.
        request_digest: of the request. The same key is good for nothing else.
        kept_seconds: how long the key belongs to the call, and a call whose end is not known stands against the same.
        repeatable: whether two of them may run at once, since they only read.
        adopt_seconds: how long an answer that reached nobody is given to the next same call.
        after_unknown: the call whose end is not known, and which the caller says may be followed by this one.
    """

    principal: str
    key: str | None
    request_digest: str
    kept_seconds: float
    repeatable: bool = False
    adopt_seconds: float = 600.0
    after_unknown: str | None = None


@dataclass(frozen=True, slots=True)
class IdempotencyHit:
    """An earlier call, in whose place a same one must not be started.

    Attributes:
        invocation_id: of that call.
        state: how far it is.
        result: what was kept of it, if it ended and can be read.
        outcome: how it ended, also where its result can't be read.
        adopted: whether it is the same call by what it asked for, and not by an idempotency key.
        until: of a call that is under way, when it has ended at the latest, in seconds since the epoch.
    """

    invocation_id: str
    state: HitState
    result: str | None = None
    outcome: str | None = None
    adopted: bool = False
    until: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """A call was not admitted: its caller left before it was, and may have come back with the same call since."""


NotAdmitted = LimitExceeded | IdempotencyHit | Pause | CircuitOpen | ApprovalGone | CallerLeft
"""Why a call is not sent now."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An event and, if it is an intent, what came of it.

    Attributes:
        event: what is on record.
        ending: the outcome of an intent, if there is one.
        server_lost: whether the server that wrote it has ended.
    """

    event: AuditEvent
    ending: AuditEvent | None = None
    server_lost: bool = False

    def outcome(self, now: datetime) -> str:
        """How it ended.

        Returns:
            For an intent, the outcome on record; without one, `running` until the end of its lease, or its server's,
            and `unknown` after. `denied` for a denial, `approval_pending` for a call that asked for approval
            out of band, and the kind for other events.
        """
        if self.ending is not None:
            return str(self.ending.fields().get("outcome", "unknown"))
        if self.event.kind == "intent":
            return "running" if not self.server_lost and now < _lease_end(self.event) else "unknown"
        return _OUTCOMES.get(self.event.kind, self.event.kind)


def _lease_end(intent: AuditEvent) -> datetime:
    seconds = intent.fields().get("lease_seconds", _LEASE_SECONDS)
    try:
        at = datetime.fromisoformat(intent.at)
        return at.replace(tzinfo=at.tzinfo or UTC) + timedelta(seconds=seconds)
    except (ValueError, TypeError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StateBesideChains:
    """What stands beside the chains and follows from them: it can be reset without a change of any record.

    Attributes:
        units: of each limit, how many calls count within the last 86,400 seconds. A store may count more, never fewer.
        calls: the ids of the calls that it knows of, for their keys or because they may be under way.
        approvals: the state of each request for approval, also of those that ended within the last 86,400 seconds.
        paused: whether calls are paused.
    """

    units: Mapping[str, int]
    calls: frozenset[str]
    approvals: Mapping[str, ApprovalState]
    paused: bool


class AuditReader(ApprovalReader, Protocol):
    """Reads events, which servers may be writing meanwhile. Each method raises `RecordError` if it can't."""

    def events(self, after: int = 0) -> Iterator[AuditEvent]:
        """All events whose position is above `after`, in their order."""

    def chain(self, writer: str, after: int = 0, limit: int = 1000) -> Iterator[AuditEvent]:
        """The first `limit` events of one writer whose `seq` is above `after`, in their order: all committed by now."""

    def last(self) -> int:
        """The position of the last event, 0 if there is none."""

    def entries(self, kinds: Collection[Kind], since: datetime | None = None) -> Iterator[AuditEntry]:
        """The events of some kinds, the newest first, each with what came of it.

        Args:
            kinds: which ones.
            since: only those written at this time or later. With a time zone.
        """

    def find_invocation(self, invocation_id: str) -> list[AuditEvent]:
        """All events of one call, in their order; none if the id is unknown, which is no error."""

    def stopped_by(self, breaker: CircuitBreaker | None = None) -> Pause | CircuitOpen | None:
        """What would keep a call from being admitted now, whatever its limits and key. `admit` judges it again."""

    def failure_runs(self) -> list[FailureRun]:
        """The runs of failures of all functions, whether calls are stopped by them or not."""

    def state(self) -> StateBesideChains:
        """What stands beside the chains now."""

    def verify(self, noted: Collection[str] = ()) -> Verification:
        """Find every event that was altered, removed, reordered or inserted.

        Args:
            noted: heads of earlier verifications. Without one, a store that was rewritten as a whole, with new hashes,
                can't be told from a true one.
        """

    def close(self) -> None:
        """Release the store. It may be closed twice."""


Takes = Callable[[str], bool]
"""Asked with the id of a call whose answer is about to count as its caller's: false if that one waits no more."""


def always(_: str) -> bool:
    """The caller waits."""
    return True


class AuditLog(AuditReader, ApprovalStore, Protocol):
    """An append-only list of events, with the limits and approvals that go with it. Safe to use from any thread.

    Every method but `finish` returns only once what it wrote would survive a loss of power. What `finish` wrote
    survives a crash of the process; where it is lost, the call shows as unknown. Each one raises `RecordError` if it
    could not do its work, and then it has done nothing.
    """

    @property
    def writer(self) -> str:
        """Whose chain it writes."""

    def append(self, kind: Kind, invocation_id: str, body: Mapping[str, Field]) -> None:
        """Write one event. Fields that are None are left out."""

    def check_writable(self) -> None:
        """Find out whether events could be written now. Writes none.

        Raises:
            RecordError: if not.
        """

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
        """Take a unit of every limit and the idempotency key, use up the approval, write the intent: all or nothing.

        While calls are paused, none is admitted, whichever server asks.

        Args:
            invocation_id: of a call that was not admitted before.
            body: of the intent. `lease_seconds` is added to it.
            limits: what the call counts in. All of them must have room.
            lease_seconds: how long the call can be under way at the most. Its concurrent slots come back when it is
                finished, or after this time: a call goes on when the server that made it is killed.
            claim: what makes another one the same; None if it may be repeated at will.
            breaker: what its failures count for, if any.
            takes: whether its caller still waits, and takes the answer of this call, or of the same one.
            approval: by which it goes through, as it was found, with the ruling that was looked at; None if it was not
                approved out of band. It is good for one call, in time, and its use is recorded (`approval`) before the
                intent.

        Returns:
            None if admitted, else the same call, what keeps calls from being admitted, what had no room, or that the
            approval is gone, or the caller: then nothing was taken, and no intent written.
        """

    def claimed_by(self, claim: IdempotencyClaim, takes: Takes = always) -> IdempotencyHit | None:
        """The same call, if there is one that stands against another.

        If it has ended, its answer counts as delivered; if it is under way and was left, its caller is who asked: but
        only if `takes` is true of it. Who goes away after that says so by `leaving`.
        """

    def fetch(self, invocation_id: str, principal: str, takes: Takes = always) -> IdempotencyHit | None:
        """A call, for who waits for its end, as with `claimed_by`. None if nothing of it is kept for this principal."""

    def keeps(self, invocation_id: str, principal: str) -> bool:
        """Whether `fetch` would give a call. Changes nothing."""

    def leaving(self, invocation_id: str) -> None:
        """Nobody waits for the answer of a call any more, nor got it. The next same call adopts it.

        It does not block: this server's calls know of it at once, and all others after `note_leaving`.
        """

    def note_leaving(self) -> None:
        """Write down whom `leaving` and `bring_back` have named."""

    def bring_back(self, invocation_id: str, claim: IdempotencyClaim, outcome: str, result: str, *, ran: bool) -> None:
        """Keep the answer of a call that had ended as delivered, and did not reach its caller after all.

        As with `leaving`, it does not block; as with `finish`, a call that did not run stands against no other.
        """

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
        """Write the outcome, free the concurrent slots and keep the result, if it is needed: all or nothing.

        Args:
            invocation_id: of a call that was admitted.
            body: of the outcome. Its `outcome` is kept under the key in clear, and counts for the call's breaker.
            ran: False only if the function certainly did not run: then the units of per_minute and per_day are given
                back too, and so is the key.
            ended: False if it may still be running: then its slots stay taken until the end of its lease.
            result: gives what the next same call gets, where it has the key or `delivered` gives False, and what
                `fetch` gives of a call whose outcome is `unknown`. Encrypted, where the store has a seal.
            delivered: whether its caller is still there to get the answer. It is asked in the transaction.
        """

    def pause(self, by: str, reason: str | None = None) -> Pause | None:
        """Admit no call from now on, and record who said so. Calls that were admitted go on.

        Returns:
            The pause that is in force already, if there is one: then it stays, and nothing is recorded.
        """

    def resume(self, by: str, reason: str | None = None) -> Pause | None:
        """Admit calls again, and record who said so.

        Returns:
            The pause that ended; None if there was none, and then nothing is recorded.
        """

    def resume_function(self, function: str, by: str, reason: str | None = None) -> bool:
        """Forget the failures of a function and qualifier, given as an ARN, and record who said so.

        Returns:
            Whether there were any; if not, nothing is recorded.
        """

    def ask(self, approval_id: str, request_digest: str, timeout_seconds: float) -> None:
        """Keep a question to a person until it is answered.

        Args:
            approval_id: of a question that was not asked before.
            request_digest: what exactly is asked for: an answer is valid for nothing else.
            timeout_seconds: after which an answer comes too late.
        """

    def answer(self, approval_id: str, request_digest: str) -> ApprovalUse:
        """Use up a question, whatever comes of it. Only one answer ever finds it.

        Returns:
            valid: asked for exactly this, in time, and answered for the first time.
            unknown: never asked, or long expired.
            used: answered before, also where that answer was expired or changed.
            expired: it comes too late.
            changed: something else was asked for.
        """
