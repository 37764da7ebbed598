"""Makes the result that the agent gets of the log of one invocation. It is redacted whole, then shortened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

from lambda_warden.answers.gate import Redact, RedactedOutcome, RedactedText
from lambda_warden.answers.log import read_report
from lambda_warden.model.caller import Caller
from lambda_warden.model.decision import Decision
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import Refused
from lambda_warden.model.request import RequestedInvocationType
from lambda_warden.model.result import LOG_OUTSIDE_DATA, Failure, Log, LogError, LogFailure, LogsResult
from lambda_warden.report.failures import FailedInvocation, Position, show_failure, write_position
from lambda_warden.report.function_error import cause_in_log
from lambda_warden.report.invocation import next_after_denial
from lambda_warden.report.request_log import Selection
from lambda_warden.report.text_page import page_of_text

NO_REQUEST_ID: Final = (
    "No request id of this call is on record: AWS has not answered it, or its answer was lost. Without one, its log "
    "can't be told from others'."
)
_MESSAGE_LIMIT: Final = 1000
_FAILURES_A_PAGE: Final = 10


@dataclass(frozen=True, slots=True)
class LogRead:
    """What a report is about: which read, of what, and by whom."""

    read_id: str
    ref: FunctionRef | None = None
    request_id: str | None = None
    invocation_type: RequestedInvocationType | None = None
    log_group: str | None = None
    caller: Caller = field(default_factory=Caller)


@dataclass(frozen=True, slots=True)
class LogFound:
    """What was found of an invocation.

    Attributes:
        selections: by the stream that each is from, in the order in which they began.
        cut: whether there may be more that was not read.
    """

    selections: tuple[tuple[str, Selection], ...] = ()
    cut: bool = False

    @property
    def complete(self) -> bool:
        """Whether the end of every attempt is there."""
        return bool(self.selections) and all(selection.complete for _, selection in self.selections)


def report_logs_denial(read: LogRead, decision: Decision) -> LogsResult:
    """A read that was not made."""
    return LogsResult(
        outcome="denied", next_step=next_after_denial(decision), checks=list(decision.checks), **_of(read)
    )


def report_logs_refusal(read: LogRead, ended: RedactedOutcome) -> LogsResult:
    """A read that AWS refused."""
    refused = ended.raw
    assert isinstance(refused, Refused), "a read is refused, or it is shown"  # noqa: S101
    return LogsResult(
        outcome="refused",
        next_step=refused.advice or _next_after_refusal(refused.code),
        error=Failure(code=refused.code, message=refused.message[:_MESSAGE_LIMIT]),
        redacted=ended.redacted,
        **_of(read),
    )


def report_no_log(read: LogRead, note: str | None = None, *, way: str = "", cut: bool = False) -> LogsResult:
    """Nothing was found, or there is nothing to look for, as `note` says; `way` is another way to find it."""
    if note is not None:
        next_step = f"Check the effects of the call in another way. {way}"
    elif cut:
        next_step = "The search ended before all of the time was searched: give fewer hours_back."
    else:
        next_step = (
            "Logs come some seconds late, and an Event waits for its turn: read again with more wait_seconds. If "
            "nothing comes, that is no proof that it did not run: its log may be turned off, or it ran longer ago than "
            "hours_back says or under another qualifier. Check its effects before you call again."
        )
    return LogsResult(outcome="not_found", next_step=next_step, notes=[note] if note else [], **_of(read))


def report_logs(
    read: LogRead, found: LogFound, whole: RedactedText, log: Log | None, max_bytes: int, cursor: str | None
) -> LogsResult:
    """One page of a log that was found.

    Args:
        read: which read.
        found: at least one message.
        whole: all messages, redacted before they are cut, so that no secret is cut in two.
        log: what the whole tells of errors, for the first page.
        max_bytes: of the page.
        cursor: of the page before, or None.

    Raises:
        ArgumentError: for a cursor that is not of this log as it is now.
    """
    selections = [selection for _, selection in found.selections]
    page = page_of_text(read.request_id or "", whole.text, max_bytes, cursor)
    result = LogsResult(
        outcome="found",
        next_step=_next(found, page.next_cursor),
        log_streams=[stream for stream, _ in found.selections],
        attempts=sum(selection.attempts for selection in selections),
        complete=found.complete,
        cause=cause_in_log(log) if log else None,
        errors=[_without_stacks(error) for error in log.errors] if log else [],
        text=page.text,
        text_bytes=len(whole.text.encode()),
        truncated=found.cut,
        next_cursor=page.next_cursor,
        redacted=whole.count,
        report=read_report("\n".join(line for selection in selections for line in selection.reports)),
        outside_data=LOG_OUTSIDE_DATA,
        **_of(read),
    )
    return result.model_copy(update={"notes": _notes(read, found, selections)})


def without_errors(result: LogsResult) -> LogsResult:
    """A log without what stands in its text, too: for one that is too large even so."""
    return result.model_copy(update={"errors": []})


def _without_stacks(error: LogError) -> LogError:
    behind = [each.model_copy(update={"stack_trace": []}) for each in error.caused_by]
    return error.model_copy(update={"stack": [], "caused_by": behind})


def report_failures(
    read: LogRead,
    failed: Sequence[FailedInvocation],
    max_bytes: int,
    begin: Position,
    searched: int | None,
    redact: Redact,
) -> LogsResult:
    """One page of the invocations that failed.

    Args:
        read: which read.
        failed: the newest first; none if none was found.
        max_bytes: of their lines together; the first one is shown in any case.
        begin: where this page begins.
        searched: until when, backwards, the log was searched, in milliseconds since the epoch; None: all of it.
        redact: what redacts their lines.
    """
    shown: list[LogFailure] = []
    size = redacted = 0
    for each in failed[:_FAILURES_A_PAGE]:
        entry, count = show_failure(each, redact)
        size += len("\n".join(entry.lines).encode())
        if shown and size > max_bytes:
            break
        shown.append(entry)
        redacted += count
    last = failed[len(shown) - 1].timestamp if len(shown) < len(failed) else searched
    function = read.ref.qualified_arn if read.ref else ""
    return LogsResult(
        outcome="found" if shown else "not_found",
        next_step=_next_failures(shown, begin, last),
        failures=shown,
        next_cursor=None if last is None else write_position(function, begin, failed[: len(shown)], last),
        redacted=redacted,
        outside_data=LOG_OUTSIDE_DATA if shown else None,
        **_of(read),
    )


def _next_failures(shown: Sequence[LogFailure], begin: Position, last: int | None) -> str:
    older = "" if last is None else "Pass next_cursor as cursor, with the same arguments, for older failures."
    if shown:
        return "Call read_logs with function and one of these request_ids for the whole log of that invocation. " + (
            older or "There are no older failures within hours_back."
        )
    if older:
        return f"No failure was found in the newest part of the log. {older}"
    if begin.last is not None:
        return "There are no older failures within hours_back."
    return "No failure was logged in that time. Logs come some seconds late; give more hours_back to look further."


class _LogsFields(TypedDict):
    read_id: str
    function: str | None
    qualifier: str | None
    request_id: str | None
    log_group: str | None


def _of(read: LogRead) -> _LogsFields:
    return {
        "read_id": read.read_id,
        "function": read.ref.function_arn if read.ref else None,
        "qualifier": read.ref.qualifier if read.ref else None,
        "request_id": read.request_id,
        "log_group": read.log_group,
    }


def _next(found: LogFound, next_cursor: str | None) -> str:
    if next_cursor:
        return "Pass next_cursor as cursor, with the same arguments, for the next page."
    if not found.complete:
        return "Its end was not seen: it still runs, or its log comes late. Read again with more wait_seconds."
    return "This is the end of the log. Reading it again gives the same."


def _next_after_refusal(code: str) -> str:
    if code.startswith("AccessDenied"):
        return (
            "The server's AWS identity may not read this. Tell the operator: `lambda-warden iam-policy` prints what it "
            "needs."
        )
    if code in ("ThrottlingException", "ServiceUnavailableException", "TooManyRequestsException"):
        return "The reason passes: wait some seconds, then read again."
    return "Reading it again unchanged will not help: tell the operator."


def _notes(read: LogRead, found: LogFound, selections: Sequence[Selection]) -> list[str]:
    notes = []
    if found.cut:
        notes.append("More was logged, or may have been, than is read at once: what comes later is left out.")
    if any(selection.interleaved for selection in selections):
        notes.append("Several invocations ran side by side there: only lines that name this one are shown.")
    if not any(selection.attempts for selection in selections):
        notes.append("No START line was seen, so only lines that name the invocation are shown.")
    if read.invocation_type == "Event" and found.complete:
        notes.append("An Event that fails is run again, up to two times and minutes later, under the same request id.")
    return notes
