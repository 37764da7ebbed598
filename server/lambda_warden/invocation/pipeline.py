"""The pipeline that every call goes through, in one direction. Each stage lets the call go on, or stops it:

    resolve → decide → key → mode → alias → approve → │ decide again → admit → invoke → report
                                                      └ in a worker thread

Up to the decision nothing is sent, asked or kept: see `invocation/deciding.py`. What happens in the worker thread, with
the records before and after: `invocation/execution.py`. Who gets a thread when, and how long it is waited for:
`invocation/dispatcher.py`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, assert_never

import anyio
import anyio.to_thread

from lambda_warden.answers.gate import redact_outcome
from lambda_warden.approvals.approver import ApprovalPending, Approver
from lambda_warden.approvals.operator import OperatorApprover
from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.defects import log_defect
from lambda_warden.guard.alias import check_alias, needs_alias_check
from lambda_warden.guard.decide import denied
from lambda_warden.guard.request_digest import durable_name_of
from lambda_warden.invocation.approving import Approving, needs_approval
from lambda_warden.invocation.deciding import COULD_NOT_DECIDE, decide_call, resolve_call
from lambda_warden.invocation.delivery import Delivery
from lambda_warden.invocation.departure import AnswersOnTheWay, Departure, in_records
from lambda_warden.invocation.dispatcher import (
    DetachedError,
    Dispatcher,
    LeftError,
    NoTurnError,
    Progress,
    StoppingError,
    StuckError,
    no_progress,
)
from lambda_warden.invocation.earlier_calls import EarlierCalls, growing_pauses, report_earlier
from lambda_warden.invocation.execution import Execution
from lambda_warden.invocation.fair_queue import QueueFullError, SlotRequest
from lambda_warden.invocation.front import DRY_RUN, INVOKE_FUNCTION, Front
from lambda_warden.invocation.recording import record_denial
from lambda_warden.invocation.stages import (
    AllowedCall,
    CompletedCall,
    DeniedCall,
    PendingCall,
    ReplayedCall,
    RunningCall,
    Stage,
    Stages,
    Stopped,
)
from lambda_warden.invocation.stops import breaker_of, stop_check
from lambda_warden.model.caller import Caller
from lambda_warden.model.decision import Check
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.request import EncodedRequest
from lambda_warden.model.result import DryRunResult, InvokeResult
from lambda_warden.policy import Policy
from lambda_warden.redaction.policy import Detectors
from lambda_warden.redaction.text import redact_text
from lambda_warden.report.invocation import (
    report_denial,
    report_dry_run,
    report_outcome,
    report_pending,
    report_running,
    who_may_approve,
)
from lambda_warden.report.way_to_log import way_by_time
from lambda_warden.store.audit_log import AuditLog, Field, LimitExceeded, RecordError
from lambda_warden.telemetry.call import ObservedCall
from lambda_warden.telemetry.spans import stage

if TYPE_CHECKING:
    from lambda_warden.results.kept import KeptResults

logger = logging.getLogger(__name__)

CONCURRENT_SECONDS: Final = 30.0
"""How long a call waits for room under `concurrent` before it is denied, unless its caller says how long it waits."""
_TURN_SECONDS: Final = 1.0
"""How long a call waits for its turn at the least, also if its caller does not wait at all."""


class Pipeline:
    """Carries out `invoke_function` and `dry_run`. Every ending is a result; nothing is raised for a request.

    Args:
        policy: gives what is in force when a call begins.
        in_force: gives what is in force directly before a call is admitted, when it is decided on again. It may block;
            None if that can't be told, and then the call is denied.
        records: where every decision and outcome goes, and where limits are kept.
        results: where answers and logs are kept for a while, if they are.
        operator: asks for approval out of band.
        record_payloads: whether payloads are kept in the records, redacted and cut, beside their digests.
        read_timeout: seconds; what no caller or rule can exceed.
        concurrency: how many calls may be under way at once.
        queue: how many calls may wait for their turn.
        idempotency_ttl: seconds that an idempotency key is kept.
        adopt_within: seconds that an answer which reached nobody is given to the next same call.
        answer_within: seconds that a caller waits who does not say how long.
        output_bytes: of a result and its text together.
    """

    def __init__(
        self,
        policy: Callable[[], Policy],
        in_force: Callable[[], Policy | None],
        records: AuditLog,
        results: KeptResults | None,
        operator: OperatorApprover,
        *,
        record_payloads: bool,
        read_timeout: float,
        concurrency: int,
        queue: int,
        idempotency_ttl: float,
        adopt_within: float,
        answer_within: float,
        output_bytes: int,
    ) -> None:
        self._policy = policy
        self._adopt_within = adopt_within
        self._answer_within = answer_within
        self.earlier_calls = EarlierCalls(records)
        self._answers = AnswersOnTheWay()
        self._records = records
        self._results = results
        self._read_timeout = read_timeout
        self._idempotency_ttl = idempotency_ttl
        self._execution = Execution(
            in_force,
            records,
            results,
            record_payloads=record_payloads,
            read_timeout=read_timeout,
            output_bytes=output_bytes,
        )
        self._approving = Approving(
            policy, records, operator, self._find_earlier, self._check_stops, self._check_alias, answer_within
        )
        self._dispatcher = Dispatcher(concurrency=concurrency, queue=queue, on_idle=self._close_stores)

    async def invoke(
        self,
        arguments: Mapping[str, Any],
        caller: Caller,
        approver: Approver,
        progress: Progress = no_progress,
        front: Front = INVOKE_FUNCTION,
    ) -> InvokeResult:
        """Invoke a function, at most once, if the manifests allow it, and a person, where one is asked."""
        stages: Stages = {
            "key": self._find_earlier,
            "mode": self._choose_mode,
            "alias": self._check_alias,
            "approve": partial(self._approving.approve, approver=approver, progress=progress),
        }
        seen = ObservedCall(front.tool)
        stopped = await self._run(front, arguments, caller, stages, seen)
        if isinstance(stopped, AllowedCall):
            stopped = await self._carry_out(front.tool, stopped, progress)
        result = await self._told(stopped, progress, front.tool)
        seen.ended(result.outcome, result.invocation_id)
        return result

    async def _told(self, stopped: Stopped, progress: Progress, tool: str) -> InvokeResult:
        match stopped:
            case CompletedCall():
                return stopped.result
            case DeniedCall():
                return report_denial(stopped.info, stopped.decision)
            case PendingCall(info, pending, page):
                ask = pending.ask
                asked = ask.question.partition("\n")[0]
                way = f"`lambda-warden approvals approve {ask.approval_id}` approves it"
                if ask.approvers:
                    way = who_may_approve(ask.approvers, ask.count, pending.approvals, ask.not_requester, page)
                return report_pending(info, ask.approval_id, asked, way, pending.until)
            case ReplayedCall():
                return await self._replay(stopped, progress, tool)
            case RunningCall(info, until):
                return report_running(info, until)
            case _:
                assert_never(stopped)

    async def _replay(self, stopped: ReplayedCall, progress: Progress, tool: str) -> InvokeResult:
        """What is known of an earlier call that is the same. That it was told is recorded before it is."""
        info, first = stopped.info, stopped.first
        body: dict[str, Field] = {
            **info.caller.fields(),
            "function": info.ref.qualified_arn if info.ref else None,
            "tool": tool,
            "first": first.invocation_id,
            "state": first.state,
        }
        taken = first.invocation_id if first.state in ("left", "ended", "lost") else None
        try:
            async with self.earlier_calls.heard(taken) as delivery:
                await anyio.to_thread.run_sync(
                    self._records.append, "replay", info.invocation_id, body, abandon_on_cancel=True
                )
                if first.state == "left":
                    wait = self._answer_within if stopped.wait_seconds is None else stopped.wait_seconds
                    ended = await self.earlier_calls.wait(first.invocation_id, info.caller, wait, progress, delivery)
                    first = first if ended is None else replace(ended, adopted=first.adopted)
                way = await anyio.to_thread.run_sync(self._way_to_lost, stopped) if first.state == "lost" else ""
                if taken is not None:
                    self._answers.on_the_way(info.caller, partial(self._records.leaving, taken))
                return report_earlier(info, first, way)
        except RecordError as error:  # the next same call may be told: `heard` has noted that nobody was
            logger.error("%s: %s", info.invocation_id, error)
            reason = "the records can't be used, so the result of the earlier call is not given"
            return report_denial(info, denied("record", reason))

    def _way_to_lost(self, stopped: ReplayedCall) -> str:
        """How to find the log of a call whose server ended before it; empty if its record can't be read."""
        try:
            events = self._records.find_invocation(stopped.first.invocation_id)
            sent = next(datetime.fromisoformat(event.at) for event in events if event.kind == "intent")
        except (RecordError, StopIteration, ValueError):
            return ""
        function = stopped.info.ref.qualified_arn if stopped.info.ref else ""
        return way_by_time(function, sent, datetime.now(UTC), stopped.rule.spec.logs)

    async def dry_run(self, arguments: Mapping[str, Any], caller: Caller, approver: Approver) -> DryRunResult:
        """Say whether a call would be sent, and whether AWS would take it. Starts nothing, and asks nobody."""
        could_approve = partial(self._approving.could_approve, approver=approver)
        stages: Stages = {"stops": self._check_stops, "alias": self._check_alias, "approve": could_approve}
        seen = ObservedCall(DRY_RUN.tool)
        result = await self._probed(await self._run(DRY_RUN, arguments, caller, stages, seen))
        seen.ended("would_invoke" if result.would_invoke else "denied", result.invocation_id)
        return result

    async def _probed(self, call: AllowedCall | Stopped) -> DryRunResult:
        if isinstance(call, AllowedCall):
            # The probe carries no payload: should an endpoint not know DryRun, it has nothing to act on.
            probe = EncodedRequest("DryRun", None, None, False, call.request.tenant_id, None, None)
            stopped = await self._carry_out(DRY_RUN.tool, replace(call, request=probe, claim=None), no_progress)
            decision = call.decision
            if isinstance(stopped, CompletedCall):
                decision = decision.with_check(_aws_dry_run(stopped.raw, call.policy.rules.detectors))
            elif isinstance(stopped, DeniedCall):
                decision = stopped.decision
            return report_dry_run(call.info, decision, len(call.request.payload or b""))
        assert isinstance(call, DeniedCall), "a dry run has no key"  # noqa: S101
        return report_dry_run(call.info, call.decision, call.payload_bytes)

    async def dropped(self, request_id: str | int) -> None:
        """A client cancels a request that was answered already: the two have crossed, so the answer reached nobody."""
        if self._answers.drop(request_id):
            await in_records(self._records.note_leaving)

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

    async def _run(
        self, front: Front, arguments: Mapping[str, Any], caller: Caller, stages: Stages, seen: ObservedCall
    ) -> AllowedCall | Stopped:
        """Take a call through the stages before the worker thread, until one stops it. A denial is recorded here."""
        call: AllowedCall | Stopped = await self._decide(arguments, caller, front)
        if isinstance(call, AllowedCall):
            seen.allowed_by(call.rule.spec.key, call.rule.spec.effect)
        for name, run in stages.items():
            if not isinstance(call, AllowedCall):
                break
            with stage(name):
                call = await _attempt(run, call)
        if isinstance(call, DeniedCall):
            await self._record_denial(front.tool, call)
        return call

    async def _decide(self, arguments: Mapping[str, Any], caller: Caller, front: Front) -> AllowedCall | DeniedCall:
        with stage("resolve"):
            resolved = resolve_call(arguments, caller, self._policy(), front)
        if isinstance(resolved, DeniedCall):
            return resolved
        with stage("decide"):
            if resolved.is_large:  # others must not wait for it
                return await anyio.to_thread.run_sync(decide_call, resolved, self._idempotency_ttl, self._adopt_within)
            return decide_call(resolved, self._idempotency_ttl, self._adopt_within)

    async def _find_earlier(self, call: AllowedCall) -> AllowedCall | Stopped:
        """Whether an earlier call is the same, before anybody is asked. Else the store looks when it is admitted."""
        if call.claim is None or (call.claim.key is None and not needs_approval(call)):
            return call
        async with self.earlier_calls.heard() as delivery:
            first = await anyio.to_thread.run_sync(
                self._records.claimed_by, call.claim, delivery.takes, abandon_on_cancel=True
            )
        return call if first is None else call.met(first)

    async def _choose_mode(self, call: AllowedCall) -> AllowedCall:
        """How the rule wants it called; and where the function is durable, its key under the name that AWS goes by."""
        request = call.request
        key = call.claim.key if call.claim is not None else None
        if key is not None and request.durable_execution_name is None:
            known = await anyio.to_thread.run_sync(call.policy.configurations.get, call.ref)
            if known is not None and known.durable:
                name = durable_name_of(call.info.caller.principal, key)
                request = replace(request, durable_execution_name=name)
        streams = call.rule.spec.invoke_mode == "RESPONSE_STREAM" and request.invocation_type == "RequestResponse"
        # InvokeWithResponseStream knows no durable executions.
        request = replace(request, response_stream=streams and request.durable_execution_name is None)
        return replace(call, request=request)

    async def _check_alias(self, call: AllowedCall) -> AllowedCall | DeniedCall:
        if not needs_alias_check(call.rule.spec, call.ref):
            return call
        return call.checked(check_alias(call.rule.spec, await anyio.to_thread.run_sync(_read_alias, call)))

    async def _check_stops(self, call: AllowedCall) -> AllowedCall | DeniedCall:
        """Whether calls are paused, or the function is stopped after failures."""
        breaker = breaker_of(call.rule.spec, call.ref, call.request.invocation_type)
        met = await anyio.to_thread.run_sync(self._records.stopped_by, breaker)
        return call if met is None else call.denied(call.decision.with_check(stop_check(met)))

    async def _carry_out(self, tool: str, call: AllowedCall, progress: Progress) -> Stopped:
        """Run a call when it is its turn, and wait no longer than its caller does. It goes on without that one."""
        wait = self._answer_within if call.request.wait_seconds is None else call.request.wait_seconds
        until, handle, delivery = call.began + wait, InvocationHandle(), Delivery()
        departure = None
        if call.claim is not None:
            departure = Departure(call.info.invocation_id, call.claim, delivery, until, self._records)
        for_turn = max(wait, _TURN_SECONDS)
        for_room = call.began + (CONCURRENT_SECONDS if call.request.wait_seconds is None else for_turn)
        try:
            for pause in growing_pauses():
                now = time.monotonic()
                may_wait = now + pause < for_room
                work = partial(self._execution.carry_out, tool, call, handle, delivery, may_wait=may_wait)
                stopped = await self._dispatcher.run(work, handle, _slot_request(call), for_turn, progress, departure)
                if isinstance(stopped, CompletedCall) and departure is not None:
                    self._answers.on_the_way(call.info.caller, departure.go)
                if not isinstance(stopped, LimitExceeded):
                    return stopped
                await progress(now - call.began, for_room - call.began, "waiting for another call of it to end")
                await anyio.sleep(pause)
            raise AssertionError("the pauses have no end")
        except DetachedError:
            return RunningCall(call.info, time.time() + min(handle.remaining(), self._read_timeout))
        except (QueueFullError, NoTurnError, StoppingError) as error:
            return await self._without_turn(tool, call, f"busy: {error}")
        except asyncio.CancelledError as error:
            if isinstance(error, LeftError) or delivery.waits_for_room:
                with anyio.CancelScope(shield=True):
                    await self._without_turn(tool, call, "cancelled while it waited for its turn")
            raise
        except StuckError as error:
            raw: RawOutcome = Unknown("DeadlineExceeded", str(error))
            if handle.sent in ("no", "partly"):
                raw = Refused("DeadlineExceeded", "no connection in time", retry_sensible=True)
            duration_ms = round((time.monotonic() - call.began) * 1000)
            ended = redact_outcome(raw, detectors=call.policy.rules.detectors)
            return CompletedCall(raw, report_outcome(call.info, ended, duration_ms, 0))

    async def _without_turn(self, tool: str, call: AllowedCall, reason: str) -> DeniedCall:
        stopped = call.denied(call.decision.with_check(Check(name="busy", passed=False, reason=reason)))
        await self._record_denial(tool, stopped)
        return stopped

    async def _record_denial(self, tool: str, call: DeniedCall) -> None:
        detectors = self._policy().rules.detectors
        await anyio.to_thread.run_sync(record_denial, self._records, tool, call, detectors)


async def _attempt(run: Stage, call: AllowedCall) -> AllowedCall | Stopped:
    """Run one stage. What it can't find out is a denial."""
    try:
        return await run(call)
    except ApprovalPending:
        raise
    except RecordError as error:
        logger.error("%s not sent: %s", call.info.invocation_id, error)
        failed = Check(name="record", passed=False, reason="the records can't be used")
    except Exception as error:  # noqa: BLE001 - a defect of ours is a doubt, and any doubt is a denial
        log_defect("deciding", error)
        failed = Check(name="internal", passed=False, reason=COULD_NOT_DECIDE)
    return call.denied(call.decision.with_check(failed))


def _read_alias(call: AllowedCall) -> frozenset[str] | str:
    return call.policy.aws.read_alias(call.ref)


def _slot_request(call: AllowedCall) -> SlotRequest:
    ref, target = call.ref, call.policy.target(call.ref)
    return SlotRequest((ref.account, ref.region), ref.function_arn, target.concurrency if target else None)


def _aws_dry_run(raw: RawOutcome, detectors: Detectors) -> Check:
    match raw:
        case Returned(status_code=204):
            return Check(name="aws_dry_run", passed=True, reason="AWS answered 204: it would accept the call")
        case Returned(status_code=status):
            return Check(name="aws_dry_run", passed=False, reason=f"AWS answered {status}, not 204")
        case Refused(code, message) | Unknown(code, message):
            told = redact_text(message, detectors=detectors).text
            return Check(name="aws_dry_run", passed=False, reason=f"{code}: {told}"[:500])
