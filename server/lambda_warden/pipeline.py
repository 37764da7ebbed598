"""The road that every invocation walks, in one direction:

    arguments → resolve → decide → alias → approve → admit → invoke → report

Limits, intent, invocation and outcome run in one worker thread, in that order, whatever becomes of the caller: nothing
is sent that was not recorded first, and a call that its client gave up still ends with its outcome on record.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol

import anyio
import anyio.to_thread
from anyio import CapacityLimiter

from lambda_warden.aws.alias import read_alias
from lambda_warden.aws.invoke import invoke
from lambda_warden.guard.alias import check_alias, needs_alias_check, unexpected_version
from lambda_warden.guard.arguments import parse_arguments
from lambda_warden.guard.decide import decide, denied
from lambda_warden.guard.encode import encode
from lambda_warden.guard.redaction.text import redact_text
from lambda_warden.guard.resolve import resolve
from lambda_warden.guard.rules import Rule
from lambda_warden.model.approval import REASONS, Answer
from lambda_warden.model.decision import Check, CheckName, Decision
from lambda_warden.model.errors import ArgumentError
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.manifest import FUNCTION_TIMEOUT_LIMIT, Limits
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.pointer import Pointer
from lambda_warden.model.request import EncodedRequest, InvokeArguments
from lambda_warden.model.result import DryRunResult, InvokeResult
from lambda_warden.passage import Passage
from lambda_warden.policy import Policy
from lambda_warden.report.invocation import Call, outcome_of, report_denial, report_dry_run, report_outcome
from lambda_warden.report.payload import preview, read_payload
from lambda_warden.report.question import Question, question_for
from lambda_warden.store.records import Bucket, Busy, Field, RecordError, Records

logger = logging.getLogger(__name__)

ToolName = Literal["invoke_function", "dry_run"]

_GRACE_SECONDS = 15.0
"""How much longer than its read timeout a call is waited for: connecting, and an answer that comes in drips."""
_PROBE_SECONDS = 30
_COULD_NOT_DECIDE = "lambda-warden could not decide, so nothing was sent"
_NOT_RECORDED = "the call could not be recorded in time, so it was not sent"
_LARGE_BYTES = 64 * 1024
"""Of an answer: above it, the report is made in a thread, so that nobody else has to wait for it."""
_KEPT_BYTES = 64 * 1024
"""Of a payload in the records, where payloads are kept."""


class QuestionPending(Exception):  # noqa: N818 - no error: the call is answered with the question
    """Raised by an asker whose question has to go out as the result of the call."""


class Asker(Protocol):
    """How a person is asked. The model has no part in it."""

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask."""

    async def ask(self, question: Question) -> Answer:
        """Get a person's answer to exactly this question.

        Raises:
            RecordError: if the question can't be kept.
            QuestionPending: if the question goes out instead of a result.
        """


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
    policy: Policy

    def checked(self, check: Check) -> _Allowed | _Denied:
        """The same step with one more check, which may end it."""
        decision = _with_check(self.decision, check)
        if decision.allowed:
            return replace(self, decision=decision)
        return _Denied(self.call, decision, len(self.request.payload or b""))


class Pipeline:
    """Carries out `invoke_function` and `dry_run`. Every ending is a result; nothing is raised for a request.

    Args:
        policy: gives what is in force when a call begins. The call goes on under it, whatever is loaded meanwhile.
        records: where every decision and outcome goes, and where limits are kept.
        principal: who asks, for all calls of this server.
        record_payloads: whether payloads are kept in the records, redacted and cut, beside their digests.
        read_timeout: seconds; what no caller or rule can exceed.
        concurrency: how many calls may be under way at once; more wait for their turn.
    """

    def __init__(
        self,
        policy: Callable[[], Policy],
        records: Records,
        *,
        principal: str,
        record_payloads: bool,
        read_timeout: float,
        concurrency: int,
    ) -> None:
        self._policy = policy
        self._records = records
        self._principal = principal
        self._record_payloads = record_payloads
        self._read_timeout = read_timeout
        self._slots = CapacityLimiter(concurrency)
        self._lock = threading.Lock()
        self._under_way = 0
        self._closing = False

    async def invoke(self, arguments: Mapping[str, Any], asker: Asker) -> InvokeResult:
        """Invoke a function, at most once, if the manifests allow it, and a person, where one is asked."""
        step = self._decide(arguments)
        if isinstance(step, _Allowed):
            step = await self._confirmed(step, asker)
        if isinstance(step, _Denied):
            return report_denial(step.call, await self._record_denial("invoke_function", step))
        started = time.monotonic()
        ending = await self._in_thread(partial(self._call_on_record, "invoke_function", step), step.request)
        if isinstance(ending, Decision):
            return report_denial(step.call, ending)
        duration_ms = round((time.monotonic() - started) * 1000)
        shown = step.rule.spec.result
        make = partial(report_outcome, step.call, ending, duration_ms, shown.max_bytes, shown.pointers)
        large = isinstance(ending, Returned) and len(ending.payload) > _LARGE_BYTES
        result = await anyio.to_thread.run_sync(make) if large else make()
        return result.model_copy(update={"violation": _violation(step, ending)})

    async def dry_run(self, arguments: Mapping[str, Any], asker: Asker) -> DryRunResult:
        """Say whether a call would be sent, and whether AWS would take it. Starts nothing, and asks nobody."""
        step = self._decide(arguments)
        if isinstance(step, _Allowed):
            step = await self._check_alias(step)
        if isinstance(step, _Allowed) and _needs_approval(step):
            step = step.checked(_could_ask(asker))
        if isinstance(step, _Denied):
            return report_dry_run(step.call, await self._record_denial("dry_run", step), step.payload_bytes)
        # The probe carries no payload: should an endpoint not know DryRun, it has nothing to act on.
        probe = EncodedRequest("DryRun", None, None, False, step.request.tenant_id, None, _PROBE_SECONDS)
        ending = await self._in_thread(partial(self._call_on_record, "dry_run", replace(step, request=probe)), probe)
        decision = ending if isinstance(ending, Decision) else _with_check(step.decision, _aws_dry_run(ending))
        return report_dry_run(step.call, decision, len(step.request.payload or b""))

    def _decide(self, arguments: Mapping[str, Any]) -> _Allowed | _Denied:
        call, policy = Call(uuid.uuid4().hex), self._policy()
        reached: CheckName = "arguments"
        try:
            parsed = parse_arguments(InvokeArguments, arguments)
            call = replace(call, invocation_type=parsed.invocation_type)
            request = encode(parsed)
            reached = "resolve"
            ref = resolve(parsed.function, parsed.qualifier, policy.rules.targets, policy.default_region)
            call = replace(call, ref=ref)
            ruling = decide(ref, request, policy.rules, self._principal)
        except ArgumentError as error:
            return _Denied(call, denied(reached, str(error)))
        except Exception as error:  # noqa: BLE001 - a defect of ours is a doubt, and any doubt is a denial
            _log_defect("deciding", error)
            return _Denied(call, denied("internal", _COULD_NOT_DECIDE))
        if ruling.rule is None or not ruling.decision.allowed:
            return _Denied(call, ruling.decision, len(request.payload or b""))
        limits = (request.timeout_seconds, ruling.rule.spec.timeout_seconds)
        shortest = min((limit for limit in limits if limit is not None), default=None)
        return _Allowed(call, ruling.decision, ref, replace(request, timeout_seconds=shortest), ruling.rule, policy)

    async def _confirmed(self, step: _Allowed, asker: Asker) -> _Allowed | _Denied:
        try:
            return await self._confirm(step, asker)
        except QuestionPending:
            raise
        except Exception as error:  # noqa: BLE001 - as in `_decide`
            _log_defect("confirming", error)
            return step.checked(Check(name="internal", passed=False, reason=_COULD_NOT_DECIDE))

    async def _confirm(self, step: _Allowed, asker: Asker) -> _Allowed | _Denied:
        """What has to be asked of AWS and of a person before a call."""
        checked = await self._check_alias(step)
        if isinstance(checked, _Denied) or not _needs_approval(checked):
            return checked
        approved = await self._approve(checked, asker)
        # The alias may have been moved while the person thought.
        return await self._check_alias(approved) if isinstance(approved, _Allowed) else approved

    async def _check_alias(self, step: _Allowed) -> _Allowed | _Denied:
        if not needs_alias_check(step.rule.spec, step.ref):
            return step
        versions = await anyio.to_thread.run_sync(read_alias, step.policy.clients, step.ref)
        return step.checked(check_alias(step.rule.spec, versions))

    async def _approve(self, step: _Allowed, asker: Asker) -> _Allowed | _Denied:
        question = question_for(step.ref, step.rule.spec, step.request, self._principal)
        try:
            answer = await asker.ask(question)
            body: dict[str, Field] = {"answer": answer, "function": step.ref.qualified_arn, "binding": question.binding}
            await anyio.to_thread.run_sync(self._records.append, "approval", step.call.invocation_id, body)
        except RecordError as error:
            logger.error("%s not asked or not recorded: %s", step.call.invocation_id, error)
            return step.checked(Check(name="record", passed=False, reason="the approval could not be recorded"))
        return step.checked(Check(name="approval", passed=answer == "approved", reason=REASONS[answer]))

    async def _record_denial(self, tool: ToolName, step: _Denied) -> Decision:
        append = partial(self._records.append, "denial", step.call.invocation_id, _denial_record(tool, step))
        try:
            await anyio.to_thread.run_sync(append)
        except RecordError as error:
            # A denial needs no record to be safe: it stands, and the operator is told.
            logger.error("%s", error)
        return step.decision

    def _finish_unsent(self, invocation_id: str) -> None:
        try:
            body: dict[str, Field] = {"outcome": "refused", "error": "given up before it was sent"}
            self._records.finish(invocation_id, body, ran=False)
        except RecordError as error:
            logger.error("%s was not sent, which is not on record: %s", invocation_id, error)

    def _call_on_record(self, tool: ToolName, step: _Allowed, passage: Passage) -> RawOutcome | Decision:
        """Take the limits and record the intent, invoke, record the outcome. Runs in a worker thread.

        Returns a denial, and sends nothing, if a limit is reached, the intent could not be recorded, or nobody waits
        for the call any more.
        """
        invocation_id = step.call.invocation_id
        # A function runs on when its caller stops waiting, so a slot is not free before it has certainly ended.
        lease = max(self._deadline(step.request), FUNCTION_TIMEOUT_LIMIT) + _GRACE_SECONDS
        try:
            intent = _intent_record(tool, step, self._principal)
            if self._record_payloads:
                intent["payload"] = _kept(step.request.payload, ())
            busy = self._records.admit(invocation_id, intent, self._buckets(step), lease)
            if busy is not None:
                full = _Denied(step.call, _with_check(step.decision, _limit_check(busy)))
                self._records.append("denial", invocation_id, _denial_record(tool, full))
                return full.decision
        except RecordError as error:
            logger.error("%s not sent: %s", invocation_id, error)
            return denied("record", _NOT_RECORDED)
        if not passage.send():
            self._finish_unsent(invocation_id)
            return denied("record", _NOT_RECORDED)
        started = time.monotonic()
        raw = invoke(step.policy.clients, step.ref, step.request)
        outcome = _outcome_record(step, raw, time.monotonic() - started)
        if self._record_payloads and isinstance(raw, Returned):
            outcome["payload"] = _kept(raw.payload, step.rule.spec.result.pointers)
        try:
            if isinstance(raw, Unknown) and raw.status_code is None:
                # It may still be running, so its slot is not free before its lease ends.
                self._records.append("outcome", invocation_id, outcome)
            else:
                self._records.finish(invocation_id, outcome, ran=not isinstance(raw, Refused))
            if violation := _violation(step, raw):
                logger.error("%s: %s", invocation_id, violation)
                self._records.append(
                    "violation", invocation_id, {"function": step.ref.qualified_arn, "reason": violation}
                )
        except RecordError as error:
            logger.error("the outcome of %s is not on record: %s", invocation_id, error)
        return raw

    def _buckets(self, step: _Allowed) -> list[Bucket]:
        """The limits that a call takes from. A DryRun starts nothing, so it takes none."""
        if step.request.invocation_type == "DryRun":
            return []
        limited = [(f"rule:{step.rule.spec.key}", step.rule.spec.limits)]
        if limits := step.policy.rules.principals.get(self._principal):
            limited.append((f"principal:{self._principal}", limits))
        return [
            Bucket(key, limits.per_minute, limits.per_day, limits.concurrent)
            for key, limits in limited
            if limits != Limits()
        ]

    def _deadline(self, request: EncodedRequest) -> float:
        return min(request.timeout_seconds or self._read_timeout, self._read_timeout)

    async def _in_thread(
        self, work: Callable[[Passage], RawOutcome | Decision], request: EncodedRequest
    ) -> RawOutcome | Decision:
        """Run work in a thread of its own as soon as a slot is free, and wait no longer than its deadline.

        The slot is the thread's: it is free when the thread has ended, also where nobody waits for it any more.
        """
        deadline, passage, token = self._deadline(request), Passage(), object()
        await self._slots.acquire_on_behalf_of(token)
        loop = asyncio.get_running_loop()

        def run() -> RawOutcome | Decision:
            if not passage.begin():
                return denied("record", _NOT_RECORDED)
            try:
                return work(passage)
            finally:
                with suppress(RuntimeError):  # the loop has ended, and its slots with it
                    loop.call_soon_threadsafe(self._slots.release_on_behalf_of, token)
                self._leave()

        self._enter()
        try:
            with anyio.move_on_after(deadline + _GRACE_SECONDS):
                return await anyio.to_thread.run_sync(run, limiter=CapacityLimiter(1), abandon_on_cancel=True)
        finally:
            passage.give_up()
            if not passage.begun:
                self._slots.release_on_behalf_of(token)
                self._leave()
        if not passage.sent:
            return denied("record", _NOT_RECORDED)
        return Unknown("DeadlineExceeded", f"no answer within {deadline:g} s")

    def close(self) -> None:
        """Close the records once the last call has ended. Calls under way still end with their outcome on record."""
        with self._lock:
            self._closing = True
            idle = self._under_way == 0
        if idle:
            self._records.close()

    def _enter(self) -> None:
        with self._lock:
            self._under_way += 1

    def _leave(self) -> None:
        with self._lock:
            self._under_way -= 1
            last = self._closing and self._under_way == 0
        if last:
            self._records.close()


def _log_defect(what: str, error: Exception) -> None:
    """Log a defect of ours. Its message may quote the payload, so only its kind and place are logged."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("%s failed: %s at %s:%s", what, type(error).__name__, where.filename, where.lineno)


def _needs_approval(step: _Allowed) -> bool:
    return step.rule.spec.asks and step.request.invocation_type != "DryRun"


def _could_ask(asker: Asker) -> Check:
    if asker.can_ask:
        return Check(name="approval", passed=True, reason="a person will be asked first")
    return Check(name="approval", passed=False, reason=REASONS["unavailable"])


def _limit_check(busy: Busy) -> Check:
    who = "this function" if busy.key.startswith("rule:") else "this principal"
    what = {"per_minute": "calls a minute", "per_day": "calls a day", "concurrent": "calls at once"}[busy.limit]
    when = "when one of them has ended"
    if busy.retry_after_seconds is not None:
        when = f"in {max(1, round(busy.retry_after_seconds)):,} s"
    reason = f"{who} has reached its limit of {busy.allowed:,} {what}; there is room {when}"
    return Check(name="limits", passed=False, reason=reason)


def _violation(step: _Allowed, raw: RawOutcome) -> str | None:
    return unexpected_version(step.rule.spec, raw.executed_version) if isinstance(raw, Returned) else None


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
            return Check(name="aws_dry_run", passed=False, reason=f"{code}: {redact_text(message).text}"[:500])


def _denial_record(tool: ToolName, step: _Denied) -> dict[str, Field]:
    failed = step.decision.failed
    return {
        "tool": tool,
        "function": step.call.ref.qualified_arn if step.call.ref else None,
        "invocation_type": step.call.invocation_type,
        "check": failed.name if failed else None,
        # What a schema says of a payload quotes it, and payloads are not kept.
        "reason": redact_text(failed.reason).text if failed and failed.name != "payload_schema" else None,
        "rule": step.decision.rule_source,
        "payload_bytes": step.payload_bytes,
    }


def _intent_record(tool: ToolName, step: _Allowed, principal: str) -> dict[str, Field]:
    request = step.request
    approved = any(check.name == "approval" and check.passed for check in step.decision.checks)
    return {
        "tool": tool,
        "principal": principal,
        "approved": True if approved and tool == "invoke_function" else None,
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


def _kept(payload: bytes | None, redact: Sequence[Pointer]) -> str | None:
    """A payload as it may be kept: redacted, then cut, as JSON text."""
    if not payload:
        return None
    return json.dumps(preview(read_payload(payload, redact), _KEPT_BYTES).value, ensure_ascii=False)


def _digest(data: bytes | None) -> str | None:
    return hashlib.sha256(data).hexdigest() if data else None
