"""report: what is known of a call → the result that the agent gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from lambda_warden.guard.redaction.text import redact_text
from lambda_warden.model.decision import Decision
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.pointer import Pointer
from lambda_warden.model.request import RequestedInvocationType
from lambda_warden.model.result import (
    OUTSIDE_DATA,
    DryRunResult,
    Failure,
    FunctionError,
    InvokeResult,
    Log,
    Outcome,
)
from lambda_warden.report.explanation import NEXT_STEPS
from lambda_warden.report.function_error import read_function_error
from lambda_warden.report.log import read_log, without
from lambda_warden.report.payload import preview, read_payload

_MESSAGE_LIMIT = 1000

_NEXT_AFTER_DENIAL = {
    "arguments": "Correct the argument and call again.",
    "resolve": "Correct the function or qualifier and call again; list_functions shows what may be invoked.",
    "manifest_rule": "Call list_functions for what may be invoked. Only the operator can allow more.",
    "qualifier": "Use one of the allowed qualifiers.",
    "invocation_type": "Use one of the allowed invocation types.",
    "payload_size": "Send a smaller payload.",
    "payload_schema": "Correct the payload and call again; list_functions shows its schema and examples.",
    "principal": "This server's principal may not call it. Only the operator can allow it.",
    "alias": "The alias does not lead where the operator expects it. Tell the operator.",
    "approval": "Nothing was sent. Tell the user what you wanted to run, and ask again only if they want it.",
    "limits": "Nothing was sent. Wait as long as the reason says; calling sooner is denied again.",
    "idempotency": "Nothing was sent. Use another idempotency_key for another call.",
    "busy": "Nothing was sent. Wait some seconds, then call again.",
    "logs": "Nothing was read. What the reason says may be read; only the operator can allow more.",
    "log_group": "Nothing was read. Tell the operator where the function logs to.",
    "internal": "Nothing was sent. Try another way to write the call, and tell the operator.",
    "record": "Nothing was sent, because it could not be recorded. Tell the operator.",
    "aws_dry_run": "Tell the operator what AWS answered: the server's AWS permissions or the function need a look.",
}


@dataclass(frozen=True, slots=True)
class Call:
    """What a report is about: which call, of what, as what."""

    invocation_id: str
    ref: FunctionRef | None = None
    invocation_type: RequestedInvocationType | None = None


def report_denial(call: Call, decision: Decision) -> InvokeResult:
    """A call that was not sent."""
    return InvokeResult(
        outcome="denied",
        next_step=next_after_denial(decision),
        checks=list(decision.checks),
        **_of(call),
    )


def report_outcome(
    call: Call, raw: RawOutcome, duration_ms: int, budget: int, redact: Sequence[Pointer] = ()
) -> InvokeResult:
    """A call that was sent. What it shows of answer, error and log is redacted first, and cut only then.

    Args:
        call: which one.
        raw: what is known of its ending.
        duration_ms: from sending to knowing, in milliseconds.
        budget: bytes of the function's payload that may be shown.
        redact: the places of the function's payload that are not shown at all.
    """
    match raw:
        case Returned():
            return _report_returned(call, raw, duration_ms, budget, redact)
        case Refused() | Unknown():
            message = redact_text(raw.message)
            return InvokeResult(
                outcome=outcome_of(raw, call.invocation_type),
                next_step=_next_after_refusal(raw) if isinstance(raw, Refused) else _next_after_unknown(raw),
                status_code=raw.status_code,
                request_id=raw.request_id,
                error=Failure(
                    code=raw.code,
                    message=message.text[:_MESSAGE_LIMIT],
                    retry_after_seconds=raw.retry_after_seconds if isinstance(raw, Refused) else None,
                ),
                redacted=message.count,
                duration_ms=duration_ms,
                **_of(call),
            )


def report_unshown(call: Call, raw: RawOutcome, duration_ms: int) -> InvokeResult:
    """A call that was sent, and whose answer can't be shown: only how it ended."""
    return InvokeResult(
        outcome=outcome_of(raw, call.invocation_type),
        next_step="The answer could not be shown, which is a defect of lambda-warden. Tell the operator, and don't "
        "call again before its effects or logs were checked.",
        status_code=raw.status_code,
        request_id=raw.request_id,
        payload_bytes=len(raw.payload) if isinstance(raw, Returned) else 0,
        truncated=isinstance(raw, Returned) and bool(raw.payload),
        duration_ms=duration_ms,
        **_of(call),
    )


def report_first(call: Call, invocation_id: str, result: InvokeResult | None, *, in_progress: bool) -> InvokeResult:
    """A call that started nothing, since another call has its idempotency key: what is known of that one.

    Args:
        call: the one that was made now.
        invocation_id: of the first one.
        result: what the first one ended with, if that is known.
        in_progress: whether the first one can still be under way.
    """
    if result is not None:
        again = "Nothing was started now: this is the result of the first call with this idempotency_key."
        return result.model_copy(update={"replayed": True, "next_step": f"{again} {result.next_step}"})
    if in_progress:
        outcome: Outcome = "in_progress"
        next_step = (
            "Nothing was started now: the first call with this idempotency_key has not ended yet. Make the same call "
            "again with the same key to get its result."
        )
    else:
        outcome = "unknown"
        next_step = (
            "Nothing was started now. The first call with this idempotency_key may have run; the server stopped before "
            "it knew. Check its effects or logs, and use another key only if it did not run."
        )
    first = replace(call, invocation_id=invocation_id)
    return InvokeResult(outcome=outcome, next_step=next_step, replayed=True, **_of(first))


def report_dry_run(call: Call, decision: Decision, payload_bytes: int | None) -> DryRunResult:
    """What would become of a call that was not made."""
    return DryRunResult(
        would_invoke=decision.allowed,
        next_step=(
            "Call invoke_function with the same arguments to run it."
            if decision.allowed
            else next_after_denial(decision)
        ),
        payload_bytes=payload_bytes,
        rule=decision.rule,
        checks=list(decision.checks),
        **_of(call),
    )


def outcome_of(raw: RawOutcome, invocation_type: RequestedInvocationType | None) -> Outcome:
    """The one word for how a call that was sent ended."""
    match raw:
        case Refused():
            return "refused"
        case Unknown():
            return "unknown"
        case Returned(function_error=None):
            return "succeeded" if invocation_type == "RequestResponse" else "accepted"
        case Returned():
            return "function_error"


def next_after_denial(decision: Decision) -> str:
    """What is sensible after a denial, by the check that failed."""
    return _NEXT_AFTER_DENIAL[decision.failed.name] if decision.failed else ""


def _report_returned(
    call: Call, raw: Returned, duration_ms: int, budget: int, redact: Sequence[Pointer]
) -> InvokeResult:
    outcome = outcome_of(raw, call.invocation_type)
    payload = read_payload(raw.payload, redact)
    view = preview(payload, budget)
    log, redacted_in_log = read_log(raw.log_tail, raw.request_id) or (None, 0)
    error = read_function_error(raw.function_error, payload, log) if raw.function_error else None
    if log and error:
        log = without(log, error)
    return InvokeResult(
        outcome=outcome,
        next_step=_next_after_return(outcome, call, view.truncated, error, log),
        status_code=raw.status_code,
        executed_version=raw.executed_version,
        request_id=raw.request_id,
        durable_execution_arn=raw.durable_execution_arn,
        function_error=error,
        payload=view.value,
        payload_format=view.format,
        payload_bytes=len(raw.payload),
        truncated=view.truncated,
        omitted=list(view.omitted),
        redacted=payload.redacted + redacted_in_log,
        log=log,
        duration_ms=duration_ms,
        outside_data=OUTSIDE_DATA if raw.payload or log else None,
        **_of(call),
    )


class _Named(TypedDict):
    invocation_id: str
    function: str | None
    qualifier: str | None
    invocation_type: RequestedInvocationType | None


def _of(call: Call) -> _Named:
    return {
        "invocation_id": call.invocation_id,
        "function": call.ref.function_arn if call.ref else None,
        "qualifier": call.ref.qualifier if call.ref else None,
        "invocation_type": call.invocation_type,
    }


def _next_after_return(
    outcome: Outcome, call: Call, truncated: bool, error: FunctionError | None, log: Log | None
) -> str:
    if error:
        return NEXT_STEPS[error.cause]
    match outcome:
        case "succeeded" if truncated:
            return (
                "Use what is shown; `omitted` says what was cut. If more is needed, ask the function for less at a "
                "time, where its payload allows. Calling it again runs it again."
            )
        case "succeeded" if log and log.errors:
            return "Use the payload. The log tells of errors: see whether all of it was done."
        case "succeeded":
            return "Use the payload."
        case _ if call.invocation_type == "DryRun":
            return "AWS would accept the call. Nothing ran."
        case _:
            return "Lambda has queued the call and will run it on its own. No answer will come here."


def _next_after_refusal(raw: Refused) -> str:
    if raw.retry_sensible:
        wait = "some seconds" if raw.retry_after_seconds is None else f"{raw.retry_after_seconds:g} s"
        return f"The function did not run. The reason passes: wait {wait}, then call again."
    return "The function did not run. Calling again unchanged will not help: correct the call, or tell the operator."


def _next_after_unknown(raw: Unknown) -> str:
    where = f" for request id {raw.request_id}" if raw.request_id else " from the time of this call"
    return (
        f"The function may have run, or may still be running. Do not call it again before somebody has checked its "
        f"effects or its logs{where}."
    )
