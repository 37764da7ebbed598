"""Approvals out of band: a request for a person's decision, kept until somebody decides on it elsewhere.

`AuditLog` and `AuditReader` have these methods, too: a request, a decision and its use are events of the records, each
written in the transaction that makes it true.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Protocol

from lambda_warden.model.manifest import Effect

ApprovalState = Literal["pending", "approved", "denied", "used", "expired", "void"]
"""pending: nobody has decided. used: a call went through by it. expired: its time is over before it was used. void: the
same call was asked for again when something else would have run by it."""

ApprovalVerdict = Literal["approved", "denied"]

DecidedHow = Literal["terminal", "page"]

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

    def would_run_as(self, other: ApprovalAsk) -> bool:
        """Whether both ask for the same request, which would run the same version by the same manifests.

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
        }


@dataclass(frozen=True, slots=True)
class ApprovalRuling:
    """What a person decided.

    Attributes:
        verdict: whether the call may go through.
        by: who decided, by name.
        how: where.
        note: why, in their words.
        signature: of all of this and of what it was decided on, by the approver's key (`approvals/secret.py`).
    """

    verdict: ApprovalVerdict
    by: str
    how: DecidedHow
    note: str | None
    signature: str

    def fields(self) -> dict[str, str | None]:
        """What the records say of it."""
        return {"answer": self.verdict, "by": self.by, "how": self.how, "note": self.note}


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """A request for a decision, and what became of it.

    Attributes:
        ask: what was asked.
        state: what became of it by now.
        asked_at: when, in seconds of the store's time, which begins as the time of day.
        expires_at: until when it can be decided on and used, by the same time.
        left_seconds: until then; not above 0 if that is over.
        ruling: what was decided, if anything was.
        decided_at: when, by the store's time.
    """

    ask: ApprovalAsk
    state: ApprovalState
    asked_at: float
    expires_at: float
    left_seconds: float
    ruling: ApprovalRuling | None = None
    decided_at: float | None = None

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
        """Decide on a request that is pending, and record it (`approval`). The first decision counts.

        Returns:
            The request as it is now: with this ruling if that was the first, in time. None if there is no such request.
        """
