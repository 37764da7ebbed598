"""What happens to a call in its worker thread, in this order and whatever becomes of its caller:

    decide again → limits, key, approval and intent → attempts → report → outcome

Nothing is sent that was not recorded first, and a call that its client gave up still ends with its outcome on record.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from lambda_warden.answers.gate import DecodedAnswer, redact_outcome
from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.defects import log_defect
from lambda_warden.guard.alias import unexpected_version
from lambda_warden.guard.decide import denied
from lambda_warden.invocation.approving import gone_check
from lambda_warden.invocation.deciding import decide_again
from lambda_warden.invocation.delivery import Delivery
from lambda_warden.invocation.recording import (
    call_fields,
    intent_record,
    outcome_record,
    record_denial,
    retry_record,
)
from lambda_warden.invocation.retry import attempt_until_it_may_have_run
from lambda_warden.invocation.stages import AllowedCall, CompletedCall, DeniedCall, Stopped
from lambda_warden.invocation.stops import breaker_of, stop_check
from lambda_warden.memory import turn_for
from lambda_warden.model.decision import Check
from lambda_warden.model.limits import Limits
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.quotas import FUNCTION_TIMEOUT_LIMIT, MANAGED_TIMEOUT_LIMIT
from lambda_warden.model.result import InvokeResult
from lambda_warden.policy import Policy
from lambda_warden.report.durable import with_way_to_its_execution
from lambda_warden.report.fit import fit
from lambda_warden.report.invocation import (
    outcome_of,
    report_outcome,
    report_unshown,
    without_details,
)
from lambda_warden.report.text import invocation_text
from lambda_warden.report.way_to_log import with_way_to_its_log
from lambda_warden.store.approvals import ApprovalGone
from lambda_warden.store.audit_log import (
    AuditLog,
    CallerLeft,
    CircuitOpen,
    Field,
    IdempotencyHit,
    Limit,
    LimitExceeded,
    Pause,
    RecordError,
)
from lambda_warden.telemetry.call import invoking, note_limit
from lambda_warden.telemetry.spans import stage

if TYPE_CHECKING:
    from lambda_warden.aws.configuration import Configuration
    from lambda_warden.results.kept import KeptResults

logger = logging.getLogger(__name__)

NOT_RECORDED = "the call could not be recorded in time, so it was not sent"
NOT_ADMITTED = "lambda-warden could not admit the call, so it was not sent"

_LEFT = Check(name="busy", passed=False, reason="its caller left while it waited for its turn")
_CHANGING = Check(name="manifest_changed", passed=False, reason="the operator is changing the manifests")

MARGIN_SECONDS = 30.0
"""How much longer than its own timeout a function is waited for: its start comes before that, and so may a queue."""
_UNTOLD_SECONDS = FUNCTION_TIMEOUT_LIMIT + 60.0
"""Where nobody says how long the function may run: few run on Managed Instances."""
_PROBE_SECONDS = 30.0
_QUEUED_SECONDS = 60.0
"""For an Event, which is answered when it is queued."""
_LEASE_MARGIN_SECONDS = 15.0
"""How much longer than the function may run a slot of `concurrent` is held by a call whose end is not known."""


class Execution:
    """Carries calls out, in the threads that it is called in.

    Args:
        in_force: gives what is in force now; None if that can't be told.
        records: where every intent and outcome goes, and where limits, keys and approvals are kept.
        results: where answers and logs are kept for a while, if they are.
        record_payloads: whether payloads are kept in the records, redacted and cut, beside their digests.
        read_timeout: seconds that no attempt takes longer than.
        output_bytes: of a result and its text together.
    """

    def __init__(
        self,
        in_force: Callable[[], Policy | None],
        records: AuditLog,
        results: KeptResults | None,
        *,
        record_payloads: bool,
        read_timeout: float,
        output_bytes: int,
    ) -> None:
        self._in_force = in_force
        self._records = records
        self._results = results
        self._record_payloads = record_payloads
        self._read_timeout = read_timeout
        self._output_bytes = output_bytes

    def carry_out(
        self, tool: str, call: AllowedCall, handle: InvocationHandle, delivery: Delivery, *, may_wait: bool = False
    ) -> Stopped | LimitExceeded:
        """Carry a call out, and record how it ended, also if it was not sent. Raises nothing.

        Args:
            tool: the tool that was called.
            call: what is carried out.
            handle: its state, shared with whoever waits for it.
            delivery: whether its caller still does.
            may_wait: whether a call that `concurrent` has no room for may wait, and be carried out later.

        Returns:
            How it ended; or, of a call that may wait, the limit that it waits for.
        """
        if not delivery.begin():
            admitted: AllowedCall | Stopped | LimitExceeded = call.denied(call.decision.with_check(_LEFT))
        else:
            with stage("admit"):
                admitted = self._admit(tool, call, delivery)
        if isinstance(admitted, LimitExceeded):
            if may_wait and admitted.limit == "concurrent" and handle.reason is None and delivery.wait_for_room():
                return admitted
            note_limit(admitted.limit, admitted.key.partition(":")[0])
            admitted = call.denied(call.decision.with_check(_limit_check(admitted)))
        if not isinstance(admitted, AllowedCall):
            if isinstance(admitted, DeniedCall):
                record_denial(self._records, tool, admitted, call.policy.rules.detectors)
            return admitted
        return self._send(admitted, handle, delivery)

    def _send(self, call: AllowedCall, handle: InvocationHandle, delivery: Delivery) -> CompletedCall:
        self._limit(call, handle)
        ref = call.ref
        with invoking(ref.name, ref.region, ref.qualifier, call.request.invocation_type, call.rule.spec.key) as sent:
            started = time.monotonic()
            raw, attempts = self._attempt(call, handle)
            seconds = time.monotonic() - started
            error_type = raw.function_error if isinstance(raw, Returned) else raw.code
            sent.ended(outcome_of(raw, call.request.invocation_type), seconds, attempts, error_type)
        with stage("report"):
            completed = CompletedCall(raw, self._report(call, raw, seconds, attempts))
        try:
            with stage("finish"):
                self._finish(call, completed, seconds, attempts, delivery)
        except RecordError as error:
            logger.error("the outcome of %s is not on record: %s", call.info.invocation_id, error)
        return completed

    def _admit(self, tool: str, call: AllowedCall, delivery: Delivery) -> AllowedCall | Stopped | LimitExceeded:
        """Decide again, take limits, key and approval and write the intent: the last that stands between it and AWS."""
        try:
            policy = self._in_force()
            if policy is None:
                return call.denied(call.decision.with_check(_CHANGING))
            current = decide_again(call, policy)
            if isinstance(current, DeniedCall):
                return current
            limits = _limits(current)
            intent = intent_record(tool, current, limits, keep_payload=self._record_payloads)
            met = self._records.admit(
                current.info.invocation_id,
                intent,
                limits,
                _lease_seconds(current),
                current.claim,
                breaker_of(current.rule.spec, current.ref, current.request.invocation_type),
                delivery.takes,
                current.approval,
            )
        except RecordError as error:
            logger.error("%s not sent: %s", call.info.invocation_id, error)
            return call.denied(denied("record", NOT_RECORDED))
        except Exception as error:  # noqa: BLE001 - a defect of ours, before anything was sent
            log_defect("admitting", error)
            return call.denied(denied("internal", NOT_ADMITTED))
        match met:
            case None:
                delivery.admitted = True
                return current
            case IdempotencyHit():
                return current.met(met)
            case Pause() | CircuitOpen():
                return current.denied(current.decision.with_check(stop_check(met)))
            case ApprovalGone():
                return current.denied(current.decision.with_check(gone_check(met)))
            case CallerLeft():
                return current.denied(current.decision.with_check(_LEFT))
            case LimitExceeded():
                return met

    def _limit(self, call: AllowedCall, handle: InvocationHandle) -> None:
        """How long an attempt may take: as the rule says, or else as long as the function may run, when AWS tells."""
        spec, kind = call.rule.spec, call.request.invocation_type
        usual = {"DryRun": _PROBE_SECONDS, "Event": _QUEUED_SECONDS}.get(kind, self._read_timeout)
        limit = min(usual, self._read_timeout, *([] if spec.timeout_seconds is None else [spec.timeout_seconds]))
        handle.allow(limit)
        if kind == "RequestResponse" and spec.timeout_seconds is None and handle.reason is None:
            handle.allow(min(limit, _UNTOLD_SECONDS))

            def follow(known: Configuration) -> None:
                if known.timeout_seconds is not None:
                    handle.allow(min(limit, known.timeout_seconds + MARGIN_SECONDS))

            call.policy.configurations.tell(call.ref, follow)

    def _attempt(self, call: AllowedCall, handle: InvocationHandle) -> tuple[RawOutcome, int]:
        last: tuple[RawOutcome, int] | None = None

        def record_retry(attempt: int, refusal: Refused, pause_seconds: float) -> None:
            nonlocal last
            last = refusal, attempt
            self._records.append("retry", call.info.invocation_id, retry_record(call, attempt, refusal, pause_seconds))

        try:
            attempt = partial(call.policy.aws.invoke, call.ref, call.request, handle)
            return attempt_until_it_may_have_run(attempt, call.rule.spec.max_attempts, handle, record_retry)
        except Exception as error:  # noqa: BLE001 - no client, or a retry that is not on record: nothing was started
            logger.error("%s not sent, or not sent again: %s", call.info.invocation_id, error)
            return last or (Refused(type(error).__name__, str(error)), 1)

    def _report(self, call: AllowedCall, raw: RawOutcome, seconds: float, attempts: int) -> InvokeResult:
        duration_ms = round(seconds * 1000)
        try:
            with turn_for(len(raw.payload) if isinstance(raw, Returned) else 0):
                result = self._shown(call, raw, duration_ms)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not hide how a call ended that was made
            log_defect("reporting", error)
            result = report_unshown(call.info, raw, duration_ms)
        violation = unexpected_version(call.rule.spec, raw.executed_version) if isinstance(raw, Returned) else None
        result = with_way_to_its_execution(with_way_to_its_log(result, call.rule.spec.logs, datetime.now(UTC)))
        return result.model_copy(update={"violation": violation, "attempts": attempts})

    def _shown(self, call: AllowedCall, raw: RawOutcome, duration_ms: int) -> InvokeResult:
        shown = call.rule.spec.result
        ended = redact_outcome(raw, shown.pointers, call.policy.rules.detectors)
        kept = self._keep(call, raw, ended.answer) if isinstance(raw, Returned) and ended.answer else None

        def make(budget: int) -> InvokeResult:
            return report_outcome(call.info, ended, duration_ms, budget, query=call.query, kept_until=kept)

        return fit(make, invocation_text, shown.max_bytes, self._output_bytes, last_resort=without_details)

    def _keep(self, call: AllowedCall, raw: Returned, answer: DecodedAnswer) -> str | None:
        """Keep the whole answer, for who reads the rest of it. Nobody waits for that."""
        if self._results is None or answer.payload.in_part:
            return None
        return self._results.keep(
            call.info.invocation_id,
            call.info.caller,
            call.ref.qualified_arn,
            returned=raw.payload,
            payload=answer.payload,
            log=answer.log,
            log_bytes=len(raw.log_tail or b""),
        )

    def _finish(
        self, call: AllowedCall, completed: CompletedCall, seconds: float, attempts: int, delivery: Delivery
    ) -> None:
        raw, invocation_id = completed.raw, call.info.invocation_id
        self._records.finish(
            invocation_id,
            self._outcome_record(call, raw, seconds, attempts),
            ran=not isinstance(raw, Refused),
            ended=not (isinstance(raw, Unknown) and raw.status_code is None),
            result=None if call.claim is None else partial(completed.result.model_dump_json, exclude_defaults=True),
            delivered=partial(delivery.answer, completed.result),
        )
        if completed.result.violation:
            logger.error("%s: %s", invocation_id, completed.result.violation)
            body: dict[str, Field] = {
                **call_fields(call.info, call.request.payload),
                "function": call.ref.qualified_arn,
                "reason": completed.result.violation,
            }
            self._records.append("violation", invocation_id, body)

    def _outcome_record(self, call: AllowedCall, raw: RawOutcome, seconds: float, attempts: int) -> dict[str, Field]:
        if self._record_payloads:
            try:
                return outcome_record(call, raw, seconds, attempts, keep_payload=True)
            except Exception as error:  # noqa: BLE001 - a defect of ours must not keep an outcome off the record
                log_defect("keeping a payload", error)
        return outcome_record(call, raw, seconds, attempts, keep_payload=False)


def _lease_seconds(call: AllowedCall) -> float:
    """How long a call can be under way at the most: a function runs on when its caller stops waiting.

    That matters where it holds a slot of `concurrent` or a key, and AWS is asked for it only there. An Event may start
    later, and a durable function goes on after its timeout, so that says nothing of them.
    """
    known = None
    has_key = call.claim is not None and call.claim.key is not None
    holds = has_key or any(limit.concurrent is not None for limit in _limits(call))
    if holds and call.request.invocation_type != "Event":
        known = call.policy.configurations.get(call.ref)
    if known is None or known.timeout_seconds is None or known.durable:
        return MANAGED_TIMEOUT_LIMIT + _LEASE_MARGIN_SECONDS
    return known.timeout_seconds + _LEASE_MARGIN_SECONDS


def _limits(call: AllowedCall) -> list[Limit]:
    """The limits that a call takes from. A DryRun starts nothing, so it takes none."""
    if call.request.invocation_type == "DryRun":
        return []
    principal = call.info.caller.principal
    limited = [(f"rule:{call.rule.spec.key}", call.rule.spec.limits)]
    if limits := call.policy.rules.principals.get(principal):
        limited.append((f"principal:{principal}", limits))
    return [
        Limit(key, limits.per_minute, limits.per_day, limits.concurrent)
        for key, limits in limited
        if limits != Limits()
    ]


def _limit_check(exceeded: LimitExceeded) -> Check:
    who = "this function" if exceeded.key.startswith("rule:") else "this principal"
    what = {"per_minute": "calls a minute", "per_day": "calls a day", "concurrent": "calls at once"}[exceeded.limit]
    when = "" if exceeded.retry_after_seconds is None else f"in {max(1, math.ceil(exceeded.retry_after_seconds)):,} s"
    if exceeded.limit == "concurrent":
        when = f"when one of them has ended, {when} at the latest" if when else "never"
    reason = f"{who} has reached its limit of {exceeded.allowed:,} {what}; there is room {when}"
    return Check(name="limits", passed=False, reason=reason)
