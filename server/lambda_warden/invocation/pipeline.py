"""The road that every invocation walks, in one direction:

    arguments → resolve → decide → key → alias → approve → admit → invoke → report

Up to the decision nothing is sent, asked or kept: see `invocation/deciding.py`. The last three, with the records before
and after, run in a worker thread: see `invocation/execution.py`. Who gets one when, and how long it is waited for, is the
dispatcher's: see `invocation/dispatcher.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import anyio.to_thread

from lambda_warden.approvals.request import ApprovalRequest, approval_request
from lambda_warden.aws.invocation_handle import NEVER, InvocationHandle
from lambda_warden.defects import log_defect
from lambda_warden.guard.alias import check_alias, needs_alias_check
from lambda_warden.guard.decide import denied
from lambda_warden.guard.request_digest import durable_name_of
from lambda_warden.invocation.deciding import COULD_NOT_DECIDE, rule_on, understand
from lambda_warden.invocation.dispatcher import (
    Dispatcher,
    LeftError,
    NoTurnError,
    Progress,
    StoppingError,
    StuckError,
    no_progress,
)
from lambda_warden.invocation.execution import CompletedCall, Execution
from lambda_warden.invocation.fair_queue import QueueFullError, SlotRequest
from lambda_warden.invocation.recording import ToolName, denial_record
from lambda_warden.invocation.stages import Allowed, Denied, Replayed
from lambda_warden.model.approval import REASONS, ApprovalDecision
from lambda_warden.model.decision import Check, Decision
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.request import EncodedRequest
from lambda_warden.model.result import DryRunResult, InvokeResult
from lambda_warden.policy import Policy
from lambda_warden.redaction.text import redact_text
from lambda_warden.report.invocation import report_denial, report_dry_run, report_first, report_outcome
from lambda_warden.store.records import Field, First, RecordError, Records

if TYPE_CHECKING:
    from lambda_warden.results.kept import KeptResults

logger = logging.getLogger(__name__)


class ApprovalPending(Exception):  # noqa: N818 - no error: the call is answered with the question
    """Raised by an approver whose question has to go out as the result of the call."""


class Approver(Protocol):
    """How a person is asked. The model has no part in it."""

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask."""

    async def ask(self, question: ApprovalRequest) -> ApprovalDecision:
        """Get a person's answer to exactly this question.

        Raises:
            RecordError: if the question can't be kept.
            ApprovalPending: if the question goes out instead of a result.
        """


class Pipeline:
    """Carries out `invoke_function` and `dry_run`. Every ending is a result; nothing is raised for a request.

    Args:
        policy: gives what is in force when a call begins. The call goes on under it, whatever is loaded meanwhile.
        records: where every decision and outcome goes, and where limits are kept.
        results: where answers and logs are kept for a while, if they are.
        principal: who asks, for all calls of this server.
        record_payloads: whether payloads are kept in the records, redacted and cut, beside their digests.
        read_timeout: seconds; what no caller or rule can exceed.
        concurrency: how many calls may be under way at once.
        queue: how many calls may wait for their turn.
        idempotency_ttl: seconds that an idempotency key is kept.
        output_bytes: of a result and its text together.
    """

    def __init__(
        self,
        policy: Callable[[], Policy],
        records: Records,
        results: KeptResults | None,
        *,
        principal: str,
        record_payloads: bool,
        read_timeout: float,
        concurrency: int,
        queue: int,
        idempotency_ttl: float,
        output_bytes: int,
    ) -> None:
        self._policy = policy
        self._records = records
        self._results = results
        self._principal = principal
        self._read_timeout = read_timeout
        self._idempotency_ttl = idempotency_ttl
        self._execution = Execution(
            records,
            results,
            principal=principal,
            record_payloads=record_payloads,
            read_timeout=read_timeout,
            output_bytes=output_bytes,
        )
        self._dispatcher = Dispatcher(concurrency=concurrency, queue=queue, on_idle=self._close_stores)

    async def invoke(
        self, arguments: Mapping[str, Any], approver: Approver, progress: Progress = no_progress
    ) -> InvokeResult:
        """Invoke a function, at most once, if the manifests allow it, and a person, where one is asked."""
        step: Allowed | Denied | Replayed = await self._decide(arguments)
        if isinstance(step, Allowed):
            step = await self._confirmed(step, approver)
        if isinstance(step, Allowed):
            ending = await self._carry_out("invoke_function", step, progress)
            if isinstance(ending, CompletedCall):
                return ending.result
            step = Replayed(step.call, ending) if isinstance(ending, First) else Denied(step.call, ending)
        elif isinstance(step, Denied):
            await self._record_denial("invoke_function", step)
        if isinstance(step, Denied):
            return report_denial(step.call, step.decision)
        return await self._replay(step)

    async def dry_run(self, arguments: Mapping[str, Any], approver: Approver) -> DryRunResult:
        """Say whether a call would be sent, and whether AWS would take it. Starts nothing, and asks nobody."""
        step = await self._decide(arguments)
        if isinstance(step, Allowed):
            step = await self._check_alias(step)
        if isinstance(step, Allowed) and _needs_approval(step):
            step = step.checked(_could_ask(approver))
        if isinstance(step, Denied):
            await self._record_denial("dry_run", step)
            return report_dry_run(step.call, step.decision, step.payload_bytes)
        # The probe carries no payload: should an endpoint not know DryRun, it has nothing to act on.
        probe = EncodedRequest("DryRun", None, None, False, step.request.tenant_id, None, None)
        ending = await self._carry_out("dry_run", replace(step, request=probe, reservation=None), no_progress)
        assert not isinstance(ending, First), "a DryRun has no key"  # noqa: S101
        decision = ending if isinstance(ending, Decision) else step.decision.with_check(_aws_dry_run(ending.raw))
        return report_dry_run(step.call, decision, len(step.request.payload or b""))

    async def drain(self, grace: float) -> None:
        """Take no more calls, let those under way end, and give up what has not ended after `grace` seconds."""
        await self._dispatcher.drain(grace)

    def close(self) -> None:
        """Close the records once the last call has ended. Calls under way are given up, and that is on record."""
        self._dispatcher.close()

    def _close_stores(self) -> None:
        self._records.close()
        if self._results is not None:
            self._results.close()

    async def _decide(self, arguments: Mapping[str, Any]) -> Allowed | Denied:
        asked = understand(arguments, self._policy())
        if isinstance(asked, Denied):
            return asked
        ruling = partial(rule_on, asked, self._principal, self._idempotency_ttl)
        # Others must not wait for a large one.
        return await anyio.to_thread.run_sync(ruling) if asked.is_large else ruling()

    async def _confirmed(self, step: Allowed, approver: Approver) -> Allowed | Denied | Replayed:
        try:
            return await self._confirm(step, approver)
        except ApprovalPending:
            raise
        except RecordError as error:
            logger.error("%s not sent: %s", step.call.invocation_id, error)
            return step.checked(Check(name="record", passed=False, reason="the records can't be used"))
        except Exception as error:  # noqa: BLE001 - as when it was decided on
            log_defect("confirming", error)
            return step.checked(Check(name="internal", passed=False, reason=COULD_NOT_DECIDE))

    async def _confirm(self, step: Allowed, approver: Approver) -> Allowed | Denied | Replayed:
        """What has to be asked of the records, of AWS and of a person before a call."""
        if step.reservation is not None:
            first = await anyio.to_thread.run_sync(self._records.find_first, step.reservation)
            if first is not None:
                return Replayed(step.call, first)
        step = await self._with_mode(step)
        checked = await self._check_alias(step)
        if isinstance(checked, Denied) or not _needs_approval(checked):
            return checked
        approved = await self._approve(checked, approver)
        # The alias may have been moved while the person thought.
        return await self._check_alias(approved) if isinstance(approved, Allowed) else approved

    async def _with_mode(self, step: Allowed) -> Allowed:
        """How the rule wants it called; and where the function is durable, its key under the name that AWS goes by."""
        request = step.request
        if step.reservation is not None and request.durable_execution_name is None:
            known = await anyio.to_thread.run_sync(step.policy.configurations.get, step.ref)
            if known is not None and known.durable:
                name = durable_name_of(self._principal, step.reservation.key)
                request = replace(request, durable_execution_name=name)
        streams = step.rule.spec.invoke_mode == "RESPONSE_STREAM" and request.invocation_type == "RequestResponse"
        # InvokeWithResponseStream knows no durable executions.
        request = replace(request, response_stream=streams and request.durable_execution_name is None)
        return replace(step, request=request)

    async def _check_alias(self, step: Allowed) -> Allowed | Denied:
        if not needs_alias_check(step.rule.spec, step.ref):
            return step
        return step.checked(check_alias(step.rule.spec, await anyio.to_thread.run_sync(_read_alias, step)))

    async def _approve(self, step: Allowed, approver: Approver) -> Allowed | Denied:
        question = approval_request(step.ref, step.rule.spec, step.request, self._principal)
        try:
            answer = await approver.ask(question)
            body: dict[str, Field] = {"answer": answer, "function": step.ref.qualified_arn, "binding": question.binding}
            await anyio.to_thread.run_sync(self._records.append, "approval", step.call.invocation_id, body)
        except RecordError as error:
            logger.error("%s not asked or not recorded: %s", step.call.invocation_id, error)
            return step.checked(Check(name="record", passed=False, reason="the approval could not be recorded"))
        # What the caller waits for is the function, and not the person.
        asked = replace(step, began=time.monotonic())
        return asked.checked(Check(name="approval", passed=answer == "approved", reason=REASONS[answer]))

    async def _record_denial(self, tool: ToolName, step: Denied) -> None:
        append = partial(self._records.append, "denial", step.call.invocation_id, denial_record(tool, step))
        try:
            await anyio.to_thread.run_sync(append)
        except RecordError as error:
            # A denial needs no record to be safe: it stands, and the operator is told.
            logger.error("%s", error)

    async def _replay(self, step: Replayed) -> InvokeResult:
        first = step.first
        if first.state == "another_request":
            reason = "this idempotency_key belongs to a call with other arguments"
            conflict = Denied(step.call, denied("idempotency", reason))
            await self._record_denial("invoke_function", conflict)
            return report_denial(conflict.call, conflict.decision)
        ended = None if first.result is None else InvokeResult.model_validate_json(first.result)
        return report_first(step.call, first.invocation_id, ended, in_progress=first.state == "in_progress")

    async def _carry_out(self, tool: ToolName, step: Allowed, progress: Progress) -> CompletedCall | Decision | First:
        """Run a call when it is its turn, and wait no longer than its deadline."""
        wait = step.request.timeout_seconds
        handle = InvocationHandle(NEVER if wait is None else step.began + wait)
        work = partial(self._execution.carry_out, tool, step, handle)
        try:
            return await self._dispatcher.run(work, handle, _claim(step), self._read_timeout, progress)
        except (QueueFullError, NoTurnError, StoppingError) as error:
            return await self._without_turn(tool, step, f"busy: {error}")
        except LeftError:
            with anyio.CancelScope(shield=True):
                await self._without_turn(tool, step, "cancelled while it waited for its turn")
            raise
        except StuckError as error:
            raw: RawOutcome = Unknown("DeadlineExceeded", str(error))
            if handle.sent in ("no", "partly"):
                raw = Refused("DeadlineExceeded", "no connection in time", retry_sensible=True)
            return CompletedCall(raw, report_outcome(step.call, raw, round((time.monotonic() - step.began) * 1000), 0))

    async def _without_turn(self, tool: ToolName, step: Allowed, reason: str) -> Decision:
        decision = step.decision.with_check(Check(name="busy", passed=False, reason=reason))
        await self._record_denial(tool, Denied(step.call, decision, len(step.request.payload or b"")))
        return decision


def _read_alias(step: Allowed) -> frozenset[str] | str:
    # Imported here: it loads boto3, which a server that starts does not need.
    from lambda_warden.aws.alias import read_alias

    return read_alias(step.policy.clients, step.ref)


def _claim(step: Allowed) -> SlotRequest:
    ref, target = step.ref, step.policy.target(step.ref)
    return SlotRequest((ref.account, ref.region), ref.function_arn, target.concurrency if target else None)


def _needs_approval(step: Allowed) -> bool:
    return step.rule.spec.asks and step.request.invocation_type != "DryRun"


def _could_ask(approver: Approver) -> Check:
    if approver.can_ask:
        return Check(name="approval", passed=True, reason="a person will be asked first")
    return Check(name="approval", passed=False, reason=REASONS["unavailable"])


def _aws_dry_run(raw: RawOutcome) -> Check:
    match raw:
        case Returned(status_code=204):
            return Check(name="aws_dry_run", passed=True, reason="AWS answered 204: it would accept the call")
        case Returned(status_code=status):
            return Check(name="aws_dry_run", passed=False, reason=f"AWS answered {status}, not 204")
        case Refused(code, message) | Unknown(code, message):
            return Check(name="aws_dry_run", passed=False, reason=f"{code}: {redact_text(message).text}"[:500])
