"""Approvals out of band: a request for a person's decision, kept until somebody decides on it elsewhere.

`AuditLog` and `AuditReader` have these methods, too: a request, a decision and its use are events of the records, each
written in the transaction that makes it true.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Protocol

from lambda_warden.model.function_rule import Effect

ApprovalState = Literal["pending", "approved", "denied", "used", "expired", "void"]
"""pending: it is not decided. used: a call went through by it. expired: its time is over before it was used. void: the
same call was asked for again when something else would have run by it."""

ApprovalVerdict = Literal["approved", "denied"]

DecidedHow = Literal["terminal", "page", "token"]
"""terminal: there, with the approver's secret. page: in a browser. token: by a program that sent the person's token."""

KEPT_SECONDS: Final = 86_400
"""How long a request whose time is over can still be looked at."""
OPEN_LIMIT: Final = 50
"""Requests of one principal that can be open at once, so that no model buries one among thousands."""


@dataclass(frozen=True, slots=True)
class ApprovalAsk:
    """What a person is asked to decide on.

    Attributes:
        approval_id: the invocation id of the call that asks first.
        request_digest: of exactly what would be sent, and who asks.
        principal: who asks.
        client: what the MCP client calls itself.
        function: its qualified ARN.
        effect: what the manifest says that it does.
        rule: FILE:LINE of the rule that allows it.
        executed_version: the versions that the qualifier leads to, comma-separated.
        manifest_sha256: of the manifests that it was decided by.
        question: the text that a person reads. Redacted, and hidden characters are written as escapes.
        reason: why the model wants it, in its own words: data from outside. Redacted.
        expires_seconds: how long it can be decided on and used.
        approvers: who may decide, as the rule names them; if it names nobody, whoever knows the approver's secret.
        count: how many of them have to approve.
        not_requester: whether who asks, also through an agent, may not be one of them.
    """

    approval_id: str
    request_digest: str
    principal: str
    client: str | None
    function: str
    effect: Effect
    rule: str
    executed_version: str
    manifest_sha256: str
    question: str
    reason: str | None
    expires_seconds: float
    approvers: tuple[str, ...] = ()
    count: int = 1
    not_requester: bool = False

    def __post_init__(self) -> None:
        # JSON, in which it is kept, gives a list.
        object.__setattr__(self, "approvers", tuple(self.approvers))

    def would_run_as(self, other: ApprovalAsk) -> bool:
        """Whether both ask for the same request, which would run the same version by the same manifests, of the same
        approvers.

        What a person reads follows from these. Where that is another, it was put there for them to be misled.
        """
        free: dict[str, Any] = {"approval_id": "", "client": None, "reason": None, "expires_seconds": 0.0}
        return replace(self, **free) == replace(other, **free)

    def fields(self) -> dict[str, str | None]:
        """What the records say of it."""
        return {
            "approval_id": self.approval_id,
            "principal": self.principal,
            "client": self.client,
            "function": self.function,
            "rule": self.rule,
            "leads_to_version": self.executed_version,
            "manifest_sha256": self.manifest_sha256,
            **(
                {"approvers": " or ".join(self.approvers), "approvals_needed": str(self.count)}
                if self.approvers
                else {}
            ),
        }


@dataclass(frozen=True, slots=True)
class ApprovalRuling:
    """What a person decided.

    Attributes:
        verdict: whether the call may go through.
        by: who decided, by name: `user:SUBJECT` by an access token.
        how: where.
        note: why, in their words.
        signature: of all of this and of what it was decided on, by the approver's key (`approvals/secret.py`), or the
            server's, which then answers for `by` and `approver`.
        approver: which of the rule's approvers that person is, such as `group:sre`; None for the approver's secret.
    """

    verdict: ApprovalVerdict
    by: str
    how: DecidedHow
    note: str | None
    signature: str
    approver: str | None = None

    def fields(self) -> dict[str, str | None]:
        """What the records say of it."""
        approver = {} if self.approver is None else {"approver": self.approver}
        return {"answer": self.verdict, "by": self.by, "how": self.how, "note": self.note, **approver}


def counts(ask: ApprovalAsk, by: str, approver: str | None) -> bool:
    """Whether a ruling is one of those that a request asks for.

    Args:
        ask: what is asked.
        by: who decides.
        approver: which of the rule's approvers they are; None for the approver's secret.
    """
    if not ask.approvers:
        return approver is None
    if approver not in ask.approvers or (approver.startswith("user:") and approver != by):
        return False
    # Who asks is known by a token, or not at all: then it may be anybody, and so the one who decides, too.
    return not ask.not_requester or (":" in ask.principal and by != ask.principal)


def judge(ask: ApprovalAsk, rulings: Iterable[ApprovalRuling]) -> Literal["pending", "approved", "denied"]:
    """What became of a request by what people decided, in whatever order: one denial denies it, and it is approved once
    as many different people as it asks for have approved it.
    """
    said = [ruling for ruling in rulings if counts(ask, ruling.by, ruling.approver)]
    if any(ruling.verdict != "approved" for ruling in said):
        return "denied"
    return "approved" if len({ruling.by for ruling in said}) >= max(1, ask.count) else "pending"


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """A request for a decision, and what became of it.

    Attributes:
        ask: what was asked.
        state: what became of it by now.
        asked_at: when, in seconds of the store's time, which begins as the time of day.
        expires_at: until when it can be decided on and used, by the same time.
        left_seconds: until then; not above 0 if that is over.
        rulings: what people decided, in that order.
        decided_at: when the last of them did, by the store's time.
    """

    ask: ApprovalAsk
    state: ApprovalState
    asked_at: float
    expires_at: float
    left_seconds: float
    rulings: tuple[ApprovalRuling, ...] = ()
    decided_at: float | None = None

    @property
    def ruling(self) -> ApprovalRuling | None:
        """The last one: that which decided it, once it is decided."""
        return self.rulings[-1] if self.rulings else None

    @property
    def approvals(self) -> int:
        """How many have approved it."""
        return len({each.by for each in self.rulings if each.verdict == "approved"})

    def ruled(self, ruling: ApprovalRuling) -> PendingApproval | None:
        """This request with one more ruling; None if that does not count: it is decided or over, who decided is none of
        its approvers, or approves it a second time.

        Whoever approved it can still deny it, until it is decided.
        """
        again = ruling.verdict == "approved" and ruling.by in {each.by for each in self.rulings}
        if self.state != "pending" or again or not counts(self.ask, ruling.by, ruling.approver):
            return None
        rulings = (*self.rulings, ruling)
        return replace(self, state=judge(self.ask, rulings), rulings=rulings)

    @property
    def until(self) -> str:
        """When it expires, by this machine's time of day: ISO 8601, UTC."""
        return (datetime.now(UTC) + timedelta(seconds=self.left_seconds)).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class ApprovalGone:
    """A call was not admitted: what was approved is good no longer.

    Attributes:
        state: used: another call went through by it. expired: its time is over. void: it was taken back, or is not what
            was found.
    """

    state: Literal["used", "expired", "void"]


def gone(current: PendingApproval | None, approved: PendingApproval) -> ApprovalGone | None:
    """Why what was approved is good no longer; None if it is, and just as it was found.

    Args:
        current: the request as it is now, if there still is one.
        approved: the request as it was found approved.
    """
    if current is None or current.ruling is None:
        return ApprovalGone("void")
    if current.state in ("used", "expired"):
        return ApprovalGone(current.state)
    as_found = replace(approved, state="approved", left_seconds=current.left_seconds)
    return None if current == as_found else ApprovalGone("void")


class ApprovalReader(Protocol):
    """Reads requests for approval. Each method raises `RecordError` if it can't."""

    def find_approval(self, approval_id: str) -> PendingApproval | None:
        """One request, or None if it was never made or is long over."""

    def approvals(self, states: Collection[ApprovalState] = (), limit: int = 50) -> list[PendingApproval]:
        """The newest requests, the newest first.

        Args:
            states: which ones; all if none is given.
            limit: how many at the most.
        """


class ApprovalStore(ApprovalReader, Protocol):
    """Keeps requests for approval. Each method is one transaction, on disk when it returns, or raises `RecordError`.

    What was approved is used up by `AuditLog.admit`.
    """

    def request_approval(self, ask: ApprovalAsk) -> PendingApproval | None:
        """Ask for a decision, or find the open request for the same: pending, approved or denied, and not expired.

        An open one of the same principal for the same request becomes void, if the version or the manifest is another
        one by now. A new one is recorded (`approval_request`).

        Returns:
            The open one, or the new one. None if the principal has `OPEN_LIMIT` pending ones: nothing is kept then.
        """

    def decide_approval(self, approval_id: str, ruling: ApprovalRuling) -> PendingApproval | None:
        """Decide on a request that is pending, and record it (`approval`), if it counts: see `PendingApproval.ruled`.

        Returns:
            The request as it is now: with this ruling, as its last one, if it counts. None if there is no such request.
        """
