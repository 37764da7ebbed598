"""The stage that asks a person: through the client, or out of band, where the client can't ask or the rule says so.

Out of band, the call ends here (`PendingCall`) until somebody has decided. The same call, made again, finds the same
request; once it is approved, one call goes through by it: the store uses the approval up when it admits that call. A
request is good for what it was made for: the same caller and request, the versions behind the alias, and the manifests.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final, Literal

import anyio
import anyio.to_thread

from lambda_warden.approvals.approver import Approver
from lambda_warden.approvals.operator import OperatorApprover
from lambda_warden.approvals.request import ApprovalRequest, approval_request
from lambda_warden.guard.alias import is_alias
from lambda_warden.invocation.dispatcher import Progress
from lambda_warden.invocation.earlier_calls import growing_pauses
from lambda_warden.invocation.recording import call_fields
from lambda_warden.invocation.stages import AllowedCall, DeniedCall, PendingCall, Stage, Stopped
from lambda_warden.model.approval import REASONS, ApprovalDecision, why
from lambda_warden.model.decision import Check
from lambda_warden.policy import Policy
from lambda_warden.redaction.policy import Detectors
from lambda_warden.redaction.text import redact_text
from lambda_warden.report.visible import inline
from lambda_warden.store.approvals import OPEN_LIMIT, ApprovalAsk, ApprovalGone, PendingApproval
from lambda_warden.store.audit_log import AuditLog, Field

Way = Literal["client", "operator"]


class Approving:
    """Has a person decide on calls, where the rule asks for it.

    Args:
        policy: gives what is in force.
        records: where decisions go.
        operator: asks out of band.
        find_earlier: whether an earlier call is the same, such as one that went through by the approval that this one
            waited for, too.
        check_stops: whether calls are paused, or the function is stopped after failures: then nobody is asked.
        check_alias: the stage before, which is gone through again after a person thought.
        answer_within: seconds that a caller waits who does not say how long. A new request is answered at once.
    """

    def __init__(
        self,
        policy: Callable[[], Policy],
        records: AuditLog,
        operator: OperatorApprover,
        find_earlier: Stage,
        check_stops: Callable[[AllowedCall], Awaitable[AllowedCall | DeniedCall]],
        check_alias: Callable[[AllowedCall], Awaitable[AllowedCall | DeniedCall]],
        answer_within: float,
    ) -> None:
        self._policy = policy
        self._records = records
        self._operator = operator
        self._find_earlier = find_earlier
        self._check_stops = check_stops
        self._check_alias = check_alias
        self._answer_within = answer_within

    async def could_approve(self, call: AllowedCall, approver: Approver) -> AllowedCall | DeniedCall:
        """Whether somebody could be asked, where somebody has to be. Nobody is."""
        if not needs_approval(call):
            return call
        match await self._way(call, approver):
            case "client":
                return call.checked(Check(name="approval", passed=True, reason="a person will be asked first"))
            case "operator":
                reason = "a person will be asked first, out of band: the call is answered approval_pending"
                return call.checked(Check(name="approval", passed=True, reason=reason))
            case unable:
                reason = why(unable, call.rule.spec.asked.way)
                return call.checked(Check(name="approval", passed=False, reason=reason))

    async def approve(self, call: AllowedCall, approver: Approver, progress: Progress) -> AllowedCall | Stopped:
        """Let a call go on that a person approved, or that needs nobody.

        Raises:
            RecordError: if it can't be kept or recorded.
            ApprovalPending: if the question goes out instead of a result.
        """
        if not needs_approval(call):
            return call
        # Nobody is asked for what would be denied all the same. Whether it is, is judged again when it is admitted.
        unstopped = await self._check_stops(call)
        if isinstance(unstopped, DeniedCall):
            return unstopped
        match await self._way(call, approver):
            case "operator":
                decided = await self._by_operator(call, approver, progress)
            case "client":
                decided = await self._by_client(call, approver)
            case unable:
                decided = await self._answered(call, unable, why(unable, call.rule.spec.asked.way), {})
        # The alias may have been moved while the person thought.
        return await self._check_alias(decided) if isinstance(decided, AllowedCall) else decided

    async def _way(self, call: AllowedCall, approver: Approver) -> Way | ApprovalDecision:
        """How a person is asked, or why nobody can be."""
        asked = call.rule.spec.asked
        operator = await anyio.to_thread.run_sync(lambda: self._operator.unable(names_approvers=bool(asked.approvers)))
        return choose_way(asked.way, approver.unable, operator)

    async def _by_client(self, call: AllowedCall, approver: Approver) -> AllowedCall | DeniedCall:
        # In a thread: the members of a payload of some MB take seconds.
        asked = await anyio.to_thread.run_sync(_question_of, call)
        decision = await approver.ask(asked)
        return await self._answered(call, decision, REASONS[decision], {"request_digest": asked.request_digest})

    async def _answered(
        self, call: AllowedCall, answer: str, reason: str, more: Mapping[str, Field]
    ) -> AllowedCall | DeniedCall:
        """Record what was answered, and let the call go on if that is a yes."""
        body: dict[str, Field] = {
            **call_fields(call.info, call.request.payload),
            "answer": answer,
            "function": call.ref.qualified_arn,
            **more,
        }
        await anyio.to_thread.run_sync(self._records.append, "approval", call.info.invocation_id, body)
        return _checked(call, answer == "approved", reason)

    async def _by_operator(self, call: AllowedCall, approver: Approver, progress: Progress) -> AllowedCall | Stopped:
        versions = await anyio.to_thread.run_sync(_versions_of, call)
        if isinstance(versions, Check):
            return call.checked(versions)
        ask = await anyio.to_thread.run_sync(_ask_of, call, versions, self._operator.expires_seconds)
        found = await anyio.to_thread.run_sync(self._operator.ask, ask)
        if found is None:
            return _checked(call, False, f"{OPEN_LIMIT} requests of this caller wait for a person already")
        opened = await self._open_page(call, found, approver)
        if opened is False:
            return await self._answered(call, "declined", REASONS["declined"], found.ask.fields())
        found = await self._wait(call, found, progress, opened=opened is True)
        if found.state == "pending":
            return PendingCall(call.info, found, self._operator.page(found))
        answer, reason = await self._answer(call, found, ask)
        if answer == "approved":  # which is on record, and that it is used will be
            # The rest of its caller's time is the function's; once it is over, the call goes on without that one.
            left = max(0, round(self._patience(call) - (time.monotonic() - call.began)))
            request = replace(call.request, wait_seconds=left)
            return _checked(replace(call, request=request, approval=found), True, reason)
        if found.state == "used":  # by a call that was admitted in the same moment
            met = await self._find_earlier(call)
            if not isinstance(met, AllowedCall):
                return met
        ruling = found.ruling.fields() if found.ruling else {}
        more = {**found.ask.fields(), **ruling, "answer": answer}
        return await self._answered(call, answer, reason, more)

    async def _open_page(self, call: AllowedCall, found: PendingApproval, approver: Approver) -> bool | None:
        """Bring a person to the page, if there is one and the client can; see `Approver.open_page`."""
        url = self._operator.page(found)
        ask = found.ask
        # The caller's person is sent to no page where they may not decide, or may not do it alone.
        if url is None or found.state != "pending" or ask.approvers:
            return None
        message = (
            f"Decide whether {inline(ask.principal)} may invoke {ask.function} ({ask.effect}): the page shows all."
        )
        return await approver.open_page(ask.approval_id, message, url, is_new=_is_new(call, found))

    async def _wait(
        self, call: AllowedCall, found: PendingApproval, progress: Progress, *, opened: bool
    ) -> PendingApproval:
        """Wait for a decision, but not too long. A new one takes its time, unless a person looks at it already."""
        soon = not opened and _is_new(call, found) and call.request.wait_seconds is None
        patience = 0.0 if soon else self._patience(call)
        for pause in growing_pauses():
            waited = time.monotonic() - call.began
            if found.state != "pending" or waited >= patience:
                break
            await progress(waited, patience, "waiting for a person to approve it")
            await anyio.sleep(min(pause, patience - waited))
            found = await anyio.to_thread.run_sync(self._operator.find, found)
        return found

    def _patience(self, call: AllowedCall) -> float:
        return self._answer_within if call.request.wait_seconds is None else call.request.wait_seconds

    async def _answer(self, call: AllowedCall, found: PendingApproval, ask: ApprovalAsk) -> tuple[str, str]:
        """What a request that does not wait any more says of this call, and why."""
        if found.state not in ("approved", "denied") or found.ruling is None:
            return _GONE.get(found.state, _GONE["void"])
        if not (found.ask.would_run_as(ask) and self._operator.is_decided(found)):
            return "forged", "what stands as decided was not decided by who may decide it; tell the operator"
        note = f"; their note: {inline(found.ruling.note)}" if found.ruling.note else ""
        people = [each.by for each in found.rulings if each.verdict == found.state]
        said = f"{inline(' and '.join(people))} {found.state} this call out of band{note}"
        if found.state == "denied":
            return "denied", said
        if self._policy().rules.digest != call.policy.rules.digest:
            return "void", "the manifests were changed since the approval, so it has to be asked for again"
        if await anyio.to_thread.run_sync(_versions_of, call) != ask.executed_version:
            return "void", "the alias leads elsewhere since the approval, so it has to be asked for again"
        return "approved", said


_GONE: Final[Mapping[str, tuple[str, str]]] = {
    "expired": ("timed_out", "the request expired before the call could go through, so it has to be asked for again"),
    "used": ("replayed", REASONS["replayed"]),
    "void": ("void", "something else would run by now, so the approval has to be asked for again"),
}
"""What a request that became of these meanwhile says of a call that waited for it, or was approved by it."""


def gone_check(gone: ApprovalGone) -> Check:
    """The check that denies a call whose approval was good no longer when it would have been admitted."""
    return Check(name="approval", passed=False, reason=_GONE[gone.state][1])


def choose_way(
    by: Literal["client", "operator"] | None, client: ApprovalDecision | None, operator: ApprovalDecision | None
) -> Way | ApprovalDecision:
    """How a person is asked.

    Args:
        by: how the rule wants it: if it does not say, through the client where that can ask, else out of band.
        client: why the client can't ask, or None.
        operator: why nobody can be asked out of band, or None.

    Returns:
        The way, or why there is none.

    >>> choose_way(None, "unavailable", None), choose_way("client", "unavailable", None)
    ('operator', 'unavailable')
    """
    if by != "operator" and client is None:
        return "client"
    if by != "client" and operator is None:
        return "operator"
    return (client if by != "operator" else operator) or "not_set_up"


def _is_new(call: AllowedCall, found: PendingApproval) -> bool:
    """Whether this call is the first that asks."""
    return found.ask.approval_id == call.info.invocation_id


def _checked(call: AllowedCall, passed: bool, reason: str) -> AllowedCall | DeniedCall:
    # What the caller waits for from now on is the function, and not the person.
    return replace(call, began=time.monotonic()).checked(Check(name="approval", passed=passed, reason=reason))


def _versions_of(call: AllowedCall) -> str | Check:
    """The versions that a call may run, in one text; or why they are not known, which is a doubt."""
    if not is_alias(call.ref.qualifier):
        return call.ref.qualifier
    found = call.policy.aws.read_alias(call.ref)
    if isinstance(found, str):
        reason = f"where the alias leads could not be read ({found}), and an approval is good for one version"
        return Check(name="alias", passed=False, reason=reason)
    return ", ".join(sorted(found))


def _question_of(
    call: AllowedCall, *, versions: str | None = None, detectors: Detectors | None = None
) -> ApprovalRequest:
    after = call.claim.after_unknown if call.claim else None
    caller = call.info.caller
    return approval_request(
        call.ref, call.rule.spec, call.request, caller, versions=versions, after_unknown=after, detectors=detectors
    )


def _ask_of(call: AllowedCall, versions: str, expires_seconds: float) -> ApprovalAsk:
    """What is kept of a request: redacted, since it is kept."""
    spec, caller, detectors = call.rule.spec, call.info.caller, call.policy.rules.detectors
    asked = _question_of(call, versions=versions, detectors=detectors)
    reason = call.request.reason
    return ApprovalAsk(
        approval_id=call.info.invocation_id,
        request_digest=asked.request_digest,
        principal=caller.principal,
        client=caller.fields()["client"],
        function=call.ref.qualified_arn,
        effect=spec.effect,
        rule=call.rule.source,
        executed_version=versions,
        manifest_sha256=call.policy.rules.digest,
        question=asked.text,
        reason=None if reason is None else redact_text(reason, detectors=detectors).text,
        expires_seconds=spec.asked.expires or expires_seconds,
        approvers=tuple(spec.asked.approvers),
        count=spec.asked.count,
        not_requester=spec.asked.not_requester,
    )


def needs_approval(call: AllowedCall) -> bool:
    """Whether a person is asked before it is sent."""
    return call.rule.spec.asks and call.request.invocation_type != "DryRun"
