"""Makes the result that the agent gets of a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, TypedDict, get_args

from lambda_warden.answers.error_chain import without_stacks
from lambda_warden.answers.gate import DecodedAnswer, RedactedOutcome
from lambda_warden.answers.log import without
from lambda_warden.answers.payload import Payload
from lambda_warden.jsontools.query import QUERY_BYTES, Query, QueryError, apply
from lambda_warden.model.caller import Caller
from lambda_warden.model.decision import Decision
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.request import RequestedInvocationType
from lambda_warden.model.result import (
    OUTSIDE_DATA,
    DryRunResult,
    Failure,
    FunctionError,
    InvokeResult,
    Outcome,
)
from lambda_warden.report.explanation import NEXT_STEPS
from lambda_warden.report.function_error import read_function_error, tells_all
from lambda_warden.report.payload_view import BINARY_SHOWN, PayloadView, preview
from lambda_warden.report.said_failure import said_failure
from lambda_warden.report.visible import inline
from lambda_warden.report.whole import PAGED_BYTES, whole_to_a_file

FirstState = Literal["left", "in_progress", "lost"]
"""left: it is under way, and nobody waited for it. in_progress: somebody does. lost: nobody knows how it ended."""

_SAME = "the same call of yours from before"
_FIRST = "the first call with this idempotency_key"
_MESSAGE_LIMIT = 1000
_HTTP_ERROR = 400

_NEXT_AFTER_DENIAL = {
    "arguments": "Correct the argument and call again.",
    "resolve": "Correct the function or qualifier and call again; list_functions shows what may be invoked.",
    "manifest_rule": "Call list_functions for what may be invoked. Only the operator can allow more.",
    "qualifier": "Use one of the allowed qualifiers.",
    "invocation_type": "Use one of the allowed invocation types.",
    "tenant": "Name an allowed tenant_id, or none where none is allowed. Only the operator can allow more.",
    "payload_size": "Send a smaller payload.",
    "payload_schema": "Correct the payload and call again; list_functions shows its schema and examples.",
    "principal": "This caller may not call it. Only the operator can allow it.",
    "manifest_changed": "Nothing was sent. Call again: it is decided on anew, by the manifest that is in force now.",
    "alias": "The alias does not lead where the operator expects it. Tell the operator.",
    "approval": "Nothing was sent. Tell the user what you wanted to run, and why it was not approved, as the reason "
    "says: where nobody can be asked, only the operator can change that. Call again only if they want it.",
    "paused": "Nothing was sent. Tell the user: only a person can resume calls. Don't call again before.",
    "stop_after_failures": "Nothing was sent. Tell the user that it keeps failing; calling sooner is denied again.",
    "limits": "Nothing was sent. Wait as long as the reason says; calling sooner is denied again.",
    "idempotency": "Nothing was sent. Use another idempotency_key for another call.",
    "after_unknown": "Nothing was sent. See what became of that call: read_result or read_logs with its invocation_id. "
    "Only if it should run again, call with that id as after_unknown.",
    "busy": "Nothing was sent. Wait some seconds, then call again.",
    "logs": "Nothing was read. What the reason says may be read; only the operator can allow more.",
    "log_group": "Nothing was read. Tell the operator where the function logs to.",
    "durable_execution": "Nothing was read. Tell the operator: AWS named an execution of another function.",
    "internal": "Nothing was sent. Try another way to write the call, and tell the operator.",
    "record": "Nothing was sent, because it could not be recorded. Tell the operator.",
    "aws_dry_run": "Tell the operator what AWS answered: the server's AWS permissions or the function need a look.",
}


@dataclass(frozen=True, slots=True)
class CallInfo:
    """Identifies a call for its result and records: id, function, type, caller, and the digest of the manifest."""

    invocation_id: str
    ref: FunctionRef | None = None
    invocation_type: RequestedInvocationType | None = None
    caller: Caller = field(default_factory=Caller)
    manifest: str | None = None


def report_denial(call: CallInfo, decision: Decision) -> InvokeResult:
    """A call that was not sent."""
    return InvokeResult(
        outcome="denied",
        next_step=next_after_denial(decision),
        checks=list(decision.checks),
        **_of(call),
    )


def who_may_approve(approvers: Sequence[str], count: int, approvals: int, not_requester: bool, page: str | None) -> str:
    """How far a request for approval is, and who may approve it, as the model reads it.

    >>> who_may_approve(["group:sre", "user:ann"], 2, 1, True, None)
    '1 of 2 approvals are there, and group:sre or user:ann may approve it, but not who asks'
    """
    names = inline(" or ".join(approvers))
    requester = ", but not who asks" if not_requester else ""
    where = f", at {page}" if page else ""
    return f"{approvals} of {count} approvals are there, and {names} may approve it{requester}{where}"


def report_pending(call: CallInfo, approval_id: str, asked: str, way: str, until: str) -> InvokeResult:
    """A call that was not sent, since a person was asked out of band, and has not decided.

    Args:
        call: which one.
        approval_id: of the request.
        asked: what the person is asked, in one line.
        way: how it can be approved.
        until: when the request expires.
    """
    return InvokeResult(
        outcome="approval_pending",
        next_step=f"Nothing was sent. A person is asked: {asked} Tell the user that {way}. Then make the same call "
        f"again, before {until}: it waits for the decision, up to wait_seconds, and runs once it is approved.",
        approval_id=approval_id,
        approval_until=until,
        **_of(call),
    )


def report_outcome(
    call: CallInfo,
    ended: RedactedOutcome,
    duration_ms: int,
    budget: int,
    *,
    query: Query | None = None,
    kept_until: str | None = None,
) -> InvokeResult:
    """A call that was sent. What it shows of answer, error and log was redacted first, and is cut only here.

    Args:
        call: which one.
        ended: what is known of its ending.
        duration_ms: from sending to knowing, in milliseconds.
        budget: bytes of the function's payload that may be shown.
        query: what to select of the payload. An error of it leaves the payload as without it.
        kept_until: until when `read_result` has all of it, if it does.
    """
    raw = ended.raw
    match raw:
        case Returned():
            assert ended.answer is not None, "what returned has an answer"  # noqa: S101
            return _report_returned(call, raw, duration_ms, budget, ended.answer, query, kept_until)
        case Refused() | Unknown():
            return InvokeResult(
                outcome=outcome_of(raw, call.invocation_type),
                next_step=_next_after_refusal(raw) if isinstance(raw, Refused) else _next_after_unknown(raw),
                status_code=raw.status_code,
                request_id=raw.request_id,
                error=Failure(
                    code=raw.code,
                    message=raw.message[:_MESSAGE_LIMIT],
                    retry_after_seconds=raw.retry_after_seconds if isinstance(raw, Refused) else None,
                ),
                redacted=ended.redacted,
                duration_ms=duration_ms,
                **_of(call),
            )


def report_unshown(call: CallInfo, raw: RawOutcome, duration_ms: int) -> InvokeResult:
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


def without_details(result: InvokeResult) -> InvokeResult:
    """A result without its log, and without the traces of its error: for one that is too large even so."""
    error = result.function_error
    slim = error.model_copy(update={"stack_trace": [], "caused_by": []}) if error else None
    return result.model_copy(update={"function_error": slim, "log": None})


def report_first(
    call: CallInfo, invocation_id: str, state: FirstState, *, adopted: bool, until: float | None = None, way: str = ""
) -> InvokeResult:
    """A call that started nothing, since an earlier one is the same, which has no result yet.

    Args:
        call: the one that was made now.
        invocation_id: of the earlier one.
        state: how far that one is.
        adopted: whether it is the same by what it asks for; else it has the same idempotency key.
        until: when it has ended at the latest, in seconds since the epoch.
        way: how to find its log, if its end is not known.
    """
    which = _SAME if adopted else _FIRST
    earlier = replace(call, invocation_id=invocation_id)
    match state:
        case "left":
            return report_running(earlier, until, replayed=True)
        case "in_progress":
            outcome: Outcome = "in_progress"
            next_step = (
                f"Nothing was started now: {which} has not ended yet. read_result with this invocation_id waits for "
                "its answer."
            )
            if adopted:
                next_step += " Two calls need two idempotency_keys."
        case _:
            outcome = "unknown"
            next_step = (
                f"Nothing was started now. {which[0].upper()}{which[1:]} may have run; the server stopped before it "
                "knew. Check its effects or logs, and call it again only if it did not run"
                f"{'' if adopted else ', with another key and this invocation_id as after_unknown'}. {way}".rstrip()
            )
    return InvokeResult(outcome=outcome, next_step=next_step, replayed=True, running_until=_utc(until), **_of(earlier))


def report_again(result: InvokeResult, *, adopted: bool) -> InvokeResult:
    """The result of an earlier call, given to a call that is the same and started nothing."""
    unheard = ", whose answer may not have reached you" if adopted else ""
    again = f"Nothing was started now: this is the result of {_SAME if adopted else _FIRST}{unheard}."
    return result.model_copy(update={"replayed": True, "next_step": f"{again} {result.next_step}"})


def report_running(call: CallInfo, until: float | None, *, replayed: bool = False) -> InvokeResult:
    """A call that goes on without its caller.

    Args:
        call: which one.
        until: when it has ended at the latest, in seconds since the epoch.
        replayed: whether it was started by an earlier call.
    """
    next_step = (
        "read_result with this invocation_id waits for its end and has all of its answer; the same call again waits "
        "for it, too, and starts nothing."
    )
    begin = "Nothing was started now: the same call of yours from before goes on." if replayed else "It goes on."
    return InvokeResult(
        outcome="running", next_step=f"{begin} {next_step}", replayed=replayed, running_until=_utc(until), **_of(call)
    )


def _utc(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def report_unreadable(call: CallInfo, invocation_id: str, outcome: str | None, *, adopted: bool) -> InvokeResult:
    """A call that started nothing, since an earlier one is the same, and the result of that can't be read.

    Args:
        call: the one that was made now.
        invocation_id: of the earlier one.
        outcome: how that one ended, as it was recorded.
        adopted: whether it is the same by what it asks for; else it has the same idempotency key.
    """
    words: tuple[Outcome, ...] = get_args(Outcome)
    known: Outcome = next((word for word in words if word == outcome), "unknown")
    dont = "Don't call it again" if adopted else "Don't use another idempotency_key"
    next_step = (
        f"Nothing was started now: {_SAME if adopted else _FIRST} ended as `outcome` says. Its result was "
        "kept encrypted with another key, so it can't be shown: the operator has to give that key "
        f"(--results-key-file); or it was too large to be kept. {dont} only to see it."
    )
    first = replace(call, invocation_id=invocation_id)
    return InvokeResult(outcome=known, next_step=next_step, replayed=True, **_of(first))


def report_dry_run(call: CallInfo, decision: Decision, payload_bytes: int | None) -> DryRunResult:
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
    call: CallInfo,
    raw: Returned,
    duration_ms: int,
    budget: int,
    answer: DecodedAnswer,
    query: Query | None,
    kept_until: str | None,
) -> InvokeResult:
    outcome = outcome_of(raw, call.invocation_type)
    selected, query_error = _select(answer.payload, query, outcome) if query else (answer.payload, None)
    log, redacted_in_log = (answer.log.log, answer.log.redacted) if answer.log else (None, 0)
    error = None if raw.function_error is None else read_function_error(raw.function_error, answer.error, log)
    if log and error:
        log = without(log, error)
    if error and answer.error is answer.payload.value and tells_all(answer.payload):
        view = PayloadView(None, None)  # it stands in function_error
    else:
        told = error is not None and isinstance(selected.value, dict) and bool(error.stack_trace)
        view = preview(
            replace(selected, value=without_stacks(selected.value)) if told else selected, budget, binary=BINARY_SHOWN
        )
    payload, applied = answer.payload, query if query_error is None else None
    return InvokeResult(
        outcome=outcome,
        next_step=_next_after_return(outcome, call, answer, view, applied, error, kept_until),
        status_code=raw.status_code,
        executed_version=raw.executed_version,
        request_id=raw.request_id,
        durable_execution_arn=raw.durable_execution_arn,
        function_error=error,
        payload=view.value,
        payload_format=view.format,
        payload_media_type=payload.media_type,
        payload_bytes=payload.total,
        payload_sha256=_digest(raw, payload, view),
        unfolded=[payload.response.decoded] if payload.response and payload.response.decoded else [],
        query_error=query_error,
        truncated=view.truncated,
        omitted=list(view.omitted),
        redacted=payload.redacted + redacted_in_log,
        log=log,
        # Of what is shown whole there is no rest to read.
        kept_until=kept_until if view.truncated or (log and log.truncated) or error else None,
        duration_ms=duration_ms,
        outside_data=OUTSIDE_DATA if answer.payload.total or log else None,
        **_of(call),
    )


def _select(payload: Payload, query: Query, outcome: Outcome) -> tuple[Payload, str | None]:
    """What a query selects of a payload, or all of it and why the query was not applied."""
    if payload.format is None:
        return payload, "The function returned no payload." if outcome == "succeeded" else None
    if outcome == "function_error":
        return payload, "The function failed: its error is shown as it is."
    if payload.format != "json" or isinstance(payload.value, bytes):
        return (
            payload,
            f"The payload is {'text' if payload.format == 'text' else 'binary'}, and only JSON can be queried.",
        )
    try:
        return replace(payload, value=apply(query, payload.value), open_levels=0), None
    except QueryError as error:
        return payload, f"The query could not be applied: {error}."


def _digest(raw: Returned, payload: Payload, view: PayloadView) -> str | None:
    """The digest of a payload of which not all is shown.

    Where a secret was kept back, it would let one be guessed, and the rest of an answer of which only the beginning was
    read may hold some. There it stands in the records alone, which are the operator's.
    """
    if payload.in_part or payload.redacted or not (view.truncated or view.format == "base64"):
        return None
    return raw.payload_sha256


class _InvocationFields(TypedDict):
    invocation_id: str
    function: str | None
    qualifier: str | None
    invocation_type: RequestedInvocationType | None


def _of(call: CallInfo) -> _InvocationFields:
    return {
        "invocation_id": call.invocation_id,
        "function": call.ref.function_arn if call.ref else None,
        "qualifier": call.ref.qualifier if call.ref else None,
        "invocation_type": call.invocation_type,
    }


def _next_after_return(
    outcome: Outcome,
    call: CallInfo,
    answer: DecodedAnswer,
    view: PayloadView,
    applied: Query | None,
    error: FunctionError | None,
    kept_until: str | None,
) -> str:
    if error:
        return NEXT_STEPS[error.cause]
    match outcome:
        case "succeeded":
            return " ".join(_next_after_success(call.invocation_id, answer, view, applied, kept_until))
        case _ if call.invocation_type == "DryRun":
            return "AWS would accept the call. Nothing ran."
        case _:
            return "Lambda has queued the call and will run it on its own. No answer will come here."


def _next_after_success(
    invocation_id: str, answer: DecodedAnswer, view: PayloadView, applied: Query | None, kept_until: str | None
) -> Iterator[str]:
    payload, status = answer.payload, answer.payload.response.status if answer.payload.response else None
    failure = None
    if status is not None and status >= _HTTP_ERROR:
        yield f"The function ran, and answered with HTTP status {status}: read the payload for why."
    elif failure := said_failure(payload.value):
        yield f"The function ran, and its answer tells of a failure: {failure}. Read the payload for why."
    if applied and view.value is None:
        yield "The query selected nothing (null). Without it the payload is shown as a whole."
    if payload.in_part and applied:
        yield "The query saw only the beginning of the answer."
    if view.truncated:
        yield "Use what is shown; `omitted` says what was cut."
        if kept_until:
            how = "by page or by query" if payload.total <= QUERY_BYTES else "page by page"
            yield f"If more is needed, read_result with this invocation_id has all of it, {how}."
            if payload.total > PAGED_BYTES:
                yield whole_to_a_file(invocation_id)
        elif payload.in_part:
            yield (
                "The answer is too large to be kept, so the rest of it can't be read. If more is needed, have the "
                "function return it page by page or write it to S3. Calling it again runs it again."
            )
        else:
            yield (
                "If more is needed, ask the function for less at a time, where its payload allows. Calling it again "
                "runs it again."
            )
    elif failure is None and (status is None or status < _HTTP_ERROR):
        yield "Use the payload."
    if answer.log and answer.log.log.errors:
        yield "The log tells of errors: see whether all of it was done."


def _next_after_refusal(raw: Refused) -> str:
    if raw.retry_sensible:
        wait = "some seconds" if raw.retry_after_seconds is None else f"{raw.retry_after_seconds:g} s"
        advice = f" {raw.advice}" if raw.advice else ""
        return f"The function did not run. The reason passes: wait {wait}, then call again.{advice}"
    if raw.advice:
        return f"The function did not run. {raw.advice}"
    return "The function did not run. Calling again unchanged will not help: correct the call, or tell the operator."


def _next_after_unknown(raw: Unknown) -> str:
    where = f" for request id {raw.request_id}" if raw.request_id else " from the time of this call"
    return (
        f"The function may have run, or may still be running. Do not call it again before somebody has checked its "
        f"effects or its logs{where}."
    )
