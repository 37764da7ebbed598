"""How far a request came on its road: denied, allowed so far, or answered by the first call with its key."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import monotonic

from lambda_warden.guard.rules import Rule
from lambda_warden.jsontools.query import Query
from lambda_warden.model.decision import Check, Decision
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.request import EncodedRequest
from lambda_warden.policy import Policy
from lambda_warden.report.invocation import Call
from lambda_warden.store.records import First, Reservation


@dataclass(frozen=True, slots=True)
class Denied:
    """It is not sent. `payload_bytes` is the size of what would have been, if it came so far."""

    call: Call
    decision: Decision
    payload_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """Nothing is sent, since another call has its idempotency key."""

    call: Call
    first: First


@dataclass(frozen=True, slots=True)
class Allowed:
    """Nothing speaks against it yet.

    Attributes:
        call: which call it is.
        decision: with every check that was made.
        ref: what is invoked.
        request: what is sent.
        rule: what allows it.
        policy: what is in force for it, whatever is loaded meanwhile.
        reservation: the idempotency key that it wants, if any.
        query: what the caller wants to see of the answer, if not all of it.
        began: when it was asked for, or approved, on the clock of `time.monotonic`.
    """

    call: Call
    decision: Decision
    ref: FunctionRef
    request: EncodedRequest
    rule: Rule
    policy: Policy
    reservation: Reservation | None = None
    query: Query | None = None
    began: float = field(default_factory=monotonic)

    def checked(self, check: Check) -> Allowed | Denied:
        """The same step with one more check, which may end it."""
        decision = self.decision.with_check(check)
        if decision.allowed:
            return replace(self, decision=decision)
        return Denied(self.call, decision, len(self.request.payload or b""))
