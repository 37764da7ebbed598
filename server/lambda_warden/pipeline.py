"""The road that every invocation walks, in one direction:

    arguments → resolve → decide → record the intent → invoke → record the outcome → report

Intent, invocation and outcome run in one worker thread, in that order, whatever becomes of the caller: nothing is
sent that was not recorded first, and a call that its client gave up still ends with its outcome on record.
"""

from __future__ import annotations

import hashlib
import logging
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import anyio
import anyio.to_thread
from anyio import CapacityLimiter

from lambda_warden.aws.clients import Clients
from lambda_warden.aws.invoke import invoke
from lambda_warden.guard.arguments import parse_arguments
from lambda_warden.guard.decide import decide, denied
from lambda_warden.guard.encode import encode
from lambda_warden.guard.resolve import resolve
from lambda_warden.guard.rules import Rule, Rules
from lambda_warden.model.decision import Check, CheckName, Decision
from lambda_warden.model.errors import ArgumentError
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.request import EncodedRequest, InvokeArguments
from lambda_warden.model.result import DryRunResult, InvokeResult
from lambda_warden.report.invocation import Call, outcome_of, report_denial, report_dry_run, report_outcome
from lambda_warden.store.records import Field, RecordError, Records

logger = logging.getLogger(__name__)

ToolName = Literal["invoke_function", "dry_run"]

_GRACE_SECONDS = 15.0
"""How much longer than its read timeout a call is waited for: connecting, and an answer that comes in drips."""
_PROBE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class _Denied:
    call: Call
    decision: Decision
    payload_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Allowed:
    call: Call
    decision: Decision
    ref: FunctionRef
    request: EncodedRequest
    rule: Rule


class Pipeline:
    """Carries out `invoke_function` and `dry_run`. Every ending is a result; nothing is raised for a request.

    Args:
        rules: the manifest's.
        clients: how AWS is reached.
        records: where every decision and outcome goes.
        default_region: chooses among the manifest's regions for names without one.
        read_timeout: seconds; what no caller or rule can exceed.
        concurrency: how many calls may be under way at once; more wait for their turn.
    """

    def __init__(
        self,
        rules: Rules,
        clients: Clients,
        records: Records,
        *,
        default_region: str | None,
        read_timeout: float,
        concurrency: int,
    ) -> None:
        self._rules = rules
        self._clients = clients
        self._records = records
        self._default_region = default_region
        self._read_timeout = read_timeout
        self._slots = CapacityLimiter(concurrency)

    async def invoke(self, arguments: Mapping[str, Any]) -> InvokeResult:
        """Invoke a function, at most once, if the manifest allows it."""
        step = self._decide(arguments)
        if isinstance(step, _Denied):
            return report_denial(step.call, await self._record_denial("invoke_function", step))
        started = time.monotonic()
        ending = await self._in_thread(partial(self._call_on_record, "invoke_function", step), step.request)
        if isinstance(ending, Decision):
            return report_denial(step.call, ending)
        duration_ms = round((time.monotonic() - started) * 1000)
        return report_outcome(step.call, ending, duration_ms, step.rule.spec.result.max_bytes)

    async def dry_run(self, arguments: Mapping[str, Any]) -> DryRunResult:
        """Say whether a call would be sent, and whether AWS would take it. Starts nothing."""
        step = self._decide(arguments)
        if isinstance(step, _Denied):
            return report_dry_run(step.call, await self._record_denial("dry_run", step), step.payload_bytes)
        # The probe carries no payload: should an endpoint not know DryRun, it has nothing to act on.
        probe = EncodedRequest("DryRun", None, None, False, step.request.tenant_id, None, _PROBE_SECONDS)
        ending = await self._in_thread(partial(self._call_on_record, "dry_run", replace(step, request=probe)), probe)
        decision = ending if isinstance(ending, Decision) else _with_check(step.decision, _aws_dry_run(ending))
        return report_dry_run(step.call, decision, len(step.request.payload or b""))

    def _decide(self, arguments: Mapping[str, Any]) -> _Allowed | _Denied:
        call = Call(uuid.uuid4().hex)
        reached: CheckName = "arguments"
        try:
            parsed = parse_arguments(InvokeArguments, arguments)
            call = replace(call, invocation_type=parsed.invocation_type)
            request = encode(parsed)
            reached = "resolve"
            ref = resolve(parsed.function, parsed.qualifier, self._rules.targets, self._default_region)
            call = replace(call, ref=ref)
            ruling = decide(ref, request, self._rules)
        except ArgumentError as error:
            return _Denied(call, denied(reached, str(error)))
        except Exception as error:  # noqa: BLE001 - a defect of ours is a doubt, and any doubt is a denial
            # Its message may quote the payload, so only its kind and place are logged.
            where = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("deciding failed: %s at %s:%s", type(error).__name__, where.filename, where.lineno)
            return _Denied(call, denied("internal", "lambda-warden could not decide, so nothing was sent"))
        if ruling.rule is None or not ruling.decision.allowed:
            return _Denied(call, ruling.decision, len(request.payload or b""))
        limits = (request.timeout_seconds, ruling.rule.spec.timeout_seconds)
        shortest = min((limit for limit in limits if limit is not None), default=None)
        return _Allowed(call, ruling.decision, ref, replace(request, timeout_seconds=shortest), ruling.rule)

    async def _record_denial(self, tool: ToolName, step: _Denied) -> Decision:
        append = partial(self._records.append, "denial", step.call.invocation_id, _denial_record(tool, step))
        try:
            await anyio.to_thread.run_sync(append)
        except RecordError as error:
            # A denial needs no record to be safe: it stands, and the operator is told.
            logger.error("%s", error)
        return step.decision

    def _call_on_record(self, tool: ToolName, step: _Allowed) -> RawOutcome | Decision:
        """Record the intent, invoke, record the outcome. Runs in a worker thread.

        Returns a denial, and sends nothing, if the intent could not be recorded.
        """
        invocation_id = step.call.invocation_id
        try:
            self._records.append("intent", invocation_id, _intent_record(tool, step))
        except RecordError as error:
            logger.error("%s not sent: %s", invocation_id, error)
            return denied("record", "the call could not be recorded, so it was not sent")
        started = time.monotonic()
        raw = invoke(self._clients, step.ref, step.request)
        try:
            self._records.append("outcome", invocation_id, _outcome_record(step, raw, time.monotonic() - started))
        except RecordError as error:
            logger.error("the outcome of %s is not on record: %s", invocation_id, error)
        return raw

    async def _in_thread(
        self, work: Callable[[], RawOutcome | Decision], request: EncodedRequest
    ) -> RawOutcome | Decision:
        """Run work in a thread of its own as soon as a slot is free, and wait no longer than its deadline."""
        deadline = min(request.timeout_seconds or self._read_timeout, self._read_timeout)
        async with self._slots:
            with anyio.move_on_after(deadline + _GRACE_SECONDS):
                return await anyio.to_thread.run_sync(work, limiter=CapacityLimiter(1), abandon_on_cancel=True)
        return Unknown("DeadlineExceeded", f"no answer within {deadline:g} s")


def _with_check(decision: Decision, check: Check) -> Decision:
    return decision.model_copy(
        update={"allowed": decision.allowed and check.passed is True, "checks": (*decision.checks, check)}
    )


def _aws_dry_run(raw: RawOutcome) -> Check:
    match raw:
        case Returned(status_code=204):
            return Check(name="aws_dry_run", passed=True, reason="AWS answered 204: it would accept the call")
        case Returned(status_code=status):
            return Check(name="aws_dry_run", passed=False, reason=f"AWS answered {status}, not 204")
        case Refused(code, message) | Unknown(code, message):
            return Check(name="aws_dry_run", passed=False, reason=f"{code}: {message}"[:500])


def _denial_record(tool: ToolName, step: _Denied) -> dict[str, Field]:
    failed = step.decision.failed
    return {
        "tool": tool,
        "function": step.call.ref.qualified_arn if step.call.ref else None,
        "invocation_type": step.call.invocation_type,
        "check": failed.name if failed else None,
        # What a schema says of a payload quotes it, and payloads are not kept.
        "reason": failed.reason if failed and failed.name != "payload_schema" else None,
        "rule": step.decision.rule_source,
        "payload_bytes": step.payload_bytes,
    }


def _intent_record(tool: ToolName, step: _Allowed) -> dict[str, Field]:
    request = step.request
    return {
        "tool": tool,
        "function": step.ref.qualified_arn,
        "invocation_type": request.invocation_type,
        "rule": step.rule.source,
        "payload_bytes": len(request.payload or b""),
        "payload_sha256": _digest(request.payload),
        "client_context_sha256": _digest(request.client_context.encode() if request.client_context else None),
        "tenant_id": request.tenant_id,
        "durable_execution_name": request.durable_execution_name,
        "timeout_seconds": request.timeout_seconds,
    }


def _outcome_record(step: _Allowed, raw: RawOutcome, seconds: float) -> dict[str, Field]:
    common: dict[str, Field] = {
        "outcome": outcome_of(raw, step.request.invocation_type),
        "status_code": raw.status_code,
        "request_id": raw.request_id,
        "duration_ms": round(seconds * 1000),
    }
    match raw:
        case Returned():
            return common | {
                "function_error": raw.function_error,
                "executed_version": raw.executed_version,
                "payload_bytes": len(raw.payload),
                "payload_sha256": _digest(raw.payload),
            }
        case Refused() | Unknown():
            return common | {"error": raw.code}


def _digest(data: bytes | None) -> str | None:
    return hashlib.sha256(data).hexdigest() if data else None
