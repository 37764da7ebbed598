"""What a stage of the pipeline hands on: a call that may go on, or how it ended.

Each stage takes an `AllowedCall` and gives an `AllowedCall` that knows more, or a `Stopped`, which ends the pipeline.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic

from lambda_warden.guard.rules import Rule
from lambda_warden.jsontools.query import Query
from lambda_warden.model.decision import Check, Decision
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import RawOutcome
from lambda_warden.model.request import EncodedRequest
from lambda_warden.model.result import InvokeResult
from lambda_warden.policy import Policy
from lambda_warden.report.invocation import CallInfo
from lambda_warden.store.approvals import PendingApproval
from lambda_warden.store.audit_log import IdempotencyClaim, IdempotencyHit


@dataclass(frozen=True, slots=True)
class DeniedCall:
    """A call that is not sent. `payload` is what would have been sent, if the call came so far."""

    info: CallInfo
    decision: Decision
    payload: bytes | None = None

    @property
    def payload_bytes(self) -> int:
        """The size of what would have been sent."""
        return len(self.payload or b"")


@dataclass(frozen=True, slots=True)
class ReplayedCall:
    """A call that is not sent, since an earlier one is the same: by its idempotency key, or by what it asks for."""

    info: CallInfo
    first: IdempotencyHit
    rule: Rule
    wait_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call that is not sent until it is approved: its caller makes it again. `page`: the URL where people decide."""

    info: CallInfo
    approval: PendingApproval
    page: str | None = None


@dataclass(frozen=True, slots=True)
class CompletedCall:
    """A call that was sent, or was about to be. `result` is what its caller gets to read."""

    raw: RawOutcome
    result: InvokeResult


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A call that goes on without its caller. `until`: when it ends at the latest, in seconds since the epoch."""

    info: CallInfo
    until: float


Stopped = DeniedCall | ReplayedCall | PendingCall | CompletedCall | RunningCall


@dataclass(frozen=True, slots=True)
class AllowedCall:
    """A call that nothing speaks against yet.

    Attributes:
        info: which call it is, and who makes it.
        decision: with every check that was made.
        ref: what is invoked.
        request: what is sent.
        rule: what allows it.
        policy: what it was decided by.
        claim: what makes another call the same as this one; None for a DryRun, which starts nothing.
        approval: what a person approved out of band, and is used up when the call is admitted.
        query: what the caller wants to see of the answer, if not all of it.
        began: when it was asked for, or approved, on the clock of `time.monotonic`.
    """

    info: CallInfo
    decision: Decision
    ref: FunctionRef
    request: EncodedRequest
    rule: Rule
    policy: Policy
    claim: IdempotencyClaim | None = None
    approval: PendingApproval | None = None
    query: Query | None = None
    began: float = field(default_factory=monotonic)

    def checked(self, check: Check) -> AllowedCall | DeniedCall:
        """The same call with one more check, which may end it."""
        decision = self.decision.with_check(check)
        if decision.allowed:
            return replace(self, decision=decision)
        return self.denied(decision)

    def met(self, first: IdempotencyHit) -> ReplayedCall | DeniedCall:
        """The end of this call by an earlier one that is the same, or has its idempotency key."""
        match first.state:
            case "another_request":
                reason = "this idempotency_key belongs to a call with other arguments"
                check = Check(name="idempotency", passed=False, reason=reason)
            case "may_have_run":
                reason = f"the same call {first.invocation_id} may have run: nobody knows how it ended"
                check = Check(name="after_unknown", passed=False, reason=reason)
            case _:
                return ReplayedCall(self.info, first, self.rule, self.request.wait_seconds)
        return self.denied(self.decision.with_check(check))

    def denied(self, decision: Decision) -> DeniedCall:
        """The end of this call by another decision."""
        return DeniedCall(self.info, decision, self.request.payload)


Stage = Callable[[AllowedCall], Awaitable[AllowedCall | Stopped]]
Stages = Mapping[str, Stage]
"""In their order, each by the name of its span."""
