"""Results as short text, for hosts that show only text.

What comes from outside stands on lines of its own that start with `│ `. The mark is put before every line after
control characters are made visible, so no output can end the block early or pass for lambda-warden's own words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import dropwhile
from typing import Final

from lambda_warden.answers.bounded import cut
from lambda_warden.answers.log import BEHIND_LIMIT, ERROR_MESSAGE_LIMIT, caused_by, knows, tells_of
from lambda_warden.answers.log_entry import read_entries
from lambda_warden.model.decision import Check
from lambda_warden.model.limits import Limits
from lambda_warden.model.result import (
    CausedBy,
    DryRunResult,
    FunctionEntry,
    FunctionError,
    InvokeResult,
    ListResult,
    LogError,
    LogsResult,
    Omission,
    QualifierEntry,
    ReadResult,
    Report,
    ToolResult,
)
from lambda_warden.report.visible import inline, visible

OUTSIDE: Final = "│ "
"""The mark at the start of every line that comes from outside."""
_LOG_LINES: Final = 12
_FRAMES: Final = 8
_FRAMES_BEHIND: Final = 3
_FRAMES_LOGGED: Final = 4

_MARKS: Final = {True: "✓", False: "✗", None: "-"}


def invocation_text(result: InvokeResult) -> str:
    """An invocation in a few lines: how it ended, what took how long, what was said, what is sensible now."""
    return "\n".join(_invocation_lines(result))


def dry_run_text(result: DryRunResult) -> str:
    """A dry run: the answer, then every check."""
    verdict = "would be invoked" if result.would_invoke else "would not be invoked"
    name = f"{result.function}:{result.qualifier}" if result.function else "The function"
    head = [f"{name} {verdict}. Nothing was.", f"invocation_id: {inline(result.invocation_id)}"]
    return "\n".join([*head, *check_lines(result.checks), *_hidden_lines(result), f"Next: {result.next_step}"])


def list_text(result: ListResult) -> str:
    """A page of functions: each with all that a call of it takes, and what the operator and AWS say of it."""
    shown = len({entry.function for entry in result.functions})
    head = f"{shown} of {result.total} functions that may be invoked:"
    if result.outcome == "denied":
        head = "denied: nothing was listed."
    entries = [line for entry in result.functions for line in _entry_lines(entry)]
    more = [f"next_cursor: {result.next_cursor}"] if result.next_cursor else []
    notes = [f"Note: {inline(note)}" for note in result.notes]
    checks = check_lines(result.checks)
    return "\n".join([head, *checks, *entries, *more, *notes, *_hidden_lines(result), f"Next: {result.next_step}"])


def read_result_text(result: ReadResult) -> str:
    """A page of a kept result, whole, since a host that shows only text has it nowhere else; or what a query found."""
    return "\n".join(_read_result_lines(result))


def _invocation_lines(result: InvokeResult) -> Iterator[str]:
    yield f"{result.outcome}: {_headline(result)}"
    yield f"invocation_id: {inline(result.invocation_id)}{_kept(result)}"
    if result.running_until:
        yield f"Has ended by {result.running_until}, at the latest."
    if result.violation:
        yield f"Violation: {inline(result.violation)}"
    if result.error:
        # Without a status, AWS did not answer: this machine says why.
        yield "Why, as this machine says:" if result.status_code is None else "Why, data from outside:"
        yield from _outside(f"{result.error.code}: {result.error.message}")
    if result.outcome == "denied":
        yield from check_lines(check for check in result.checks if check.passed is False)
    if error := result.function_error:
        yield f"Cause: {error.cause}. {error.explanation}"
        yield f"The function's error ({error.kind}), data from outside:"
        yield from _outside("\n".join(_error_lines(error)))
    # An error of a form of its own says nothing above.
    if result.payload_format and not (error and (error.type or error.message)):
        if result.query_error:
            yield f"Query: {inline(result.query_error)}"
        yield f"Payload ({_payload_kind(result)}), data from outside:"
        yield from _outside(_payload_text(result))
        yield from _cut_lines(result.omitted)
    if result.log and result.log.errors:
        more = f" ({result.log.more_errors} more before them)" if result.log.more_errors else ""
        yield f"Errors in its log{more}, data from outside:"
        yield from _outside("\n".join(line for error in result.log.errors for line in _logged_lines(error)))
    if log_lines := _log_lines(result):
        yield "End of its log, data from outside:"
        yield from _outside("\n".join(log_lines))
    if result.redacted:
        yield f"Redacted: {result.redacted:,} {'place' if result.redacted == 1 else 'places'}."
    yield from _hidden_lines(result)
    yield f"Next: {result.next_step}"


def _read_result_lines(result: ReadResult) -> Iterator[str]:
    if result.invocation is not None:
        whole = InvokeResult.model_validate(result.invocation)
        yield from _invocation_lines(whole.model_copy(update={"hidden_characters": result.hidden_characters}))
        return
    if result.part is None:
        yield f"{result.outcome}: nothing was read."
        if result.error and result.outside_data:
            yield "Why, data from outside:"
            yield from _outside(f"{result.error.code}: {result.error.message}")
        elif result.error:
            yield f"Why: {inline(result.error.message)}"
        yield from check_lines(check for check in result.checks if check.passed is False)
        if result.invocation_id:
            yield f"invocation_id: {inline(result.invocation_id)}"
        yield f"Next: {result.next_step}"
        return
    yield f"{result.part.capitalize()} of call {result.invocation_id}, {result.function}"
    if execution := result.execution:
        ended = f", ended {execution.ended_at}" if execution.ended_at else ""
        version = f", version {execution.version}" if execution.version else ""
        yield f"Durable execution: {execution.status}{version}, started {execution.started_at}{ended}"
    if result.outcome == "running":
        yield f"Next: {result.next_step}"
        return
    if error := result.function_error:
        yield f"Cause: {error.cause}. {error.explanation}"
        yield f"The function's error ({error.kind}), data from outside:"
        yield from _outside("\n".join(_error_lines(error)))
    kind = f"{result.format}, {result.total_bytes:,} bytes in all"
    if result.content is None:
        yield f"What the query found ({kind}), data from outside:"
        yield from _outside(_compact(result.value))
        yield from _cut_lines(result.omitted)
    else:
        yield f"From byte {result.offset:,} ({kind}), data from outside:"
        yield from _outside(result.content)
    if result.redacted:
        yield f"Redacted in the whole: {result.redacted:,} {'place' if result.redacted == 1 else 'places'}."
    if result.next_cursor:
        yield f"next_cursor: {result.next_cursor}"
    yield from _hidden_lines(result)
    yield f"Next: {result.next_step}"


def _cut_lines(omitted: list[Omission]) -> Iterator[str]:
    if omitted:
        yield "Cut there, by JSON pointer, data from outside:"
        yield from _outside("\n".join(map(_omission_line, omitted)))


def _hidden_lines(result: ToolResult) -> Iterator[str]:
    if count := result.hidden_characters:
        they = " that nobody sees is" if count == 1 else "s that nobody sees are"
        yield f"Hidden: {count:,} character{they} written as \\u…"
    if result.mixed_script_keys:
        yield "Keys that mix scripts, so that they may only look like others, data from outside:"
        yield from _outside("\n".join(result.mixed_script_keys))


def _headline(result: InvokeResult) -> str:
    parts = [f"{result.function}:{result.qualifier}" if result.function else "no function"]
    if result.executed_version and result.executed_version != result.qualifier:
        parts.append(f"version {result.executed_version}")
    if result.status_code:
        parts.append(f"status {result.status_code}")
    if result.duration_ms is not None:
        parts.append(f"{result.duration_ms} ms")
    if result.log and (report := result.log.report):
        parts += _measured(report)
    if result.log and result.log.cold_start:
        parts.append("cold start")
    if result.request_id:
        parts.append(f"request {result.request_id}")
    return ", ".join(parts)


def _measured(report: Report) -> Iterator[str]:
    if report.billed_duration_ms is not None:
        yield f"billed {report.billed_duration_ms:g} ms"
    if report.max_memory_used_mb is not None and report.memory_size_mb is not None:
        yield f"{report.max_memory_used_mb} of {report.memory_size_mb} MB"


def _error_lines(error: FunctionError) -> Iterator[str]:
    """The error, what it was not allowed, the frames that matter, and what is behind it."""
    headline = f"{error.type or 'error'}: {error.message or '(no message)'}"
    yield f"{headline}{_whereabouts(error)}"
    if error.action:
        yield f"not allowed: {error.action}" + (f" on {error.resource}" if error.resource else "")
    yield from _near(error.stack_trace, headline, _FRAMES)
    for behind in error.caused_by:
        yield from _behind_lines(behind)


def _behind_lines(behind: CausedBy) -> Iterator[str]:
    headline = f"{behind.type or 'error'}: {behind.message or '(no message)'}"
    yield f"caused by {headline}{_whereabouts(behind)}"
    yield from _near(behind.stack_trace, headline, _FRAMES_BEHIND)


def _logged_lines(error: LogError) -> Iterator[str]:
    said = f"{error.level}: {error.message}" if error.level else error.message
    yield f"{said}{_whereabouts(error)}"
    yield from _near(error.stack, error.message, _FRAMES_LOGGED)
    for behind in error.caused_by:
        yield from _behind_lines(behind)


def _whereabouts(error: FunctionError | CausedBy | LogError) -> str:
    """The code and the host of an error, as far as its message does not have them."""
    known = {"code": error.code, "host": error.host}
    told = [f"{name} {value}" for name, value in known.items() if value and value not in (error.message or "")]
    return f" ({', '.join(told)})" if told else ""


def _near(frames: list[str], headline: str, limit: int) -> list[str]:
    """The frames nearest to the error: the last ones of Python, the first ones of all others."""
    if any(frame.lstrip().startswith('File "') for frame in frames):
        return frames[-limit:]
    said = {line.strip() for line in headline.split("\n")}
    return list(dropwhile(lambda frame: frame.strip() in said, frames))[:limit]


def _kept(result: InvokeResult) -> str:
    return f", kept for read_result until {result.kept_until}" if result.kept_until else ""


def _payload_kind(result: InvokeResult) -> str:
    size = f"{result.payload_bytes:,} bytes"
    unfolded = "".join(f", {inline(string.path)} unfolded from {string.source}" for string in result.unfolded)
    media_type = f", {inline(result.payload_media_type)}" if result.payload_media_type else ""
    return f"{result.payload_format}, {'part of ' if result.truncated else ''}{size}{media_type}{unfolded}"


def _payload_text(result: InvokeResult) -> str:
    value = result.payload
    return value if isinstance(value, str) and result.payload_format != "json" else _compact(value)


def _omission_line(cut: Omission) -> str:
    total = "an unknown number of" if cut.total is None else f"{cut.total:,}"
    places = f" at {cut.places:,} places" if cut.places > 1 else ""
    return f"{cut.path or '(the whole)'}: {cut.kept:,} of {total} {cut.unit} shown{places}"


def _log_lines(result: InvokeResult) -> list[str]:
    """The end of a failed function's log, without what is shown above it already."""
    if result.log is None or (error := result.function_error) is None:
        return []
    lifted = {entry.message for entry in result.log.errors}
    shown = {line.strip() for frame in error.stack_trace for line in frame.split("\n")}
    shown |= {f"{error.type}: {error.message}", error.message or ""} | lifted
    lines = [
        line
        for entry in read_entries(result.log.text, None)
        if not (
            entry.is_error
            and (
                (tells_of(entry.message, error) and knows(error, map(caused_by, entry.behind[:BEHIND_LIMIT])))
                or any(message.startswith(cut(entry.message, ERROR_MESSAGE_LIMIT)) for message in lifted)
            )
        )
        for line in entry.lines
    ]
    # Lines of nothing but carets point into a line of the stack trace.
    return [line for line in lines if line.strip(" ^~") and line.strip() not in shown][-_LOG_LINES:]


def _outside(text: str) -> Iterator[str]:
    for line in visible(text).replace("\r\n", "\n").split("\n") if text else ():
        yield OUTSIDE + line


def check_lines(checks: Iterable[Check]) -> Iterator[str]:
    """Each check on a line of its own: whether it passed, its name and its reason."""
    for check in checks:
        yield f"{_MARKS[check.passed]} {check.name}: {inline(check.reason)}"


def _entry_lines(entry: FunctionEntry) -> Iterator[str]:
    kind = " (a pattern: AWS could not be asked what it matches)" if entry.is_pattern else ""
    gone = " (not found in AWS)" if entry.exists is False else ""
    qualifiers = ", ".join(map(_qualifier_text, entry.qualifiers))
    by = {"client": " through the client", "operator": " out of band"}.get(entry.approval_by or "", "")
    asks = f", a person is asked{by} before each call" if entry.approval else ""
    tenants = "" if entry.tenants is None else f", tenant_id: {' or '.join(entry.tenants) or 'none is yours'}"
    types = "/".join(entry.invocation_types)
    yield f"- {entry.function}{kind} [{qualifiers}] {entry.effect}, {types}{tenants}{asks}{gone}"
    if entry.description and entry.description_from == "aws":
        yield "  Its description in AWS, data from outside:"
        yield from _outside(entry.description)
    elif entry.description:
        yield f"  {inline(entry.description)}"
    state = f"; state {inline(entry.state)}" if entry.state not in (None, "Active") else ""
    timeout = f"; may run {entry.timeout_seconds} s" if entry.timeout_seconds is not None else ""
    schema = "" if entry.payload_schema is None else f", JSON Schema {inline(_compact(entry.payload_schema))}"
    yield f"  Payload: at most {entry.payload_max_bytes:,} bytes{schema}{timeout}{state}"
    if bounds := [*limit_texts(entry.limits), *_answer_texts(entry)]:
        yield f"  Limits: {', '.join(bounds)}"
    if entry.logs:
        yield f"  read_logs: {'your own calls' if entry.logs == 'own' else 'any invocation'}"
    for example in entry.examples:
        yield f"  Example: {inline(_compact(example))}"


def limit_texts(limits: Limits | None) -> Iterator[str]:
    """Each limit that there is, in a few words."""
    words = {"per_minute": "a minute", "per_day": "a day", "concurrent": "at once"}
    for name, number in limits or ():
        if number is not None:
            yield f"{number:,} {words[name]}"


def _answer_texts(entry: FunctionEntry) -> Iterator[str]:
    if entry.answer_timeout_seconds is not None:
        yield f"answers are waited for {entry.answer_timeout_seconds} s"


def _qualifier_text(entry: QualifierEntry) -> str:
    if entry.exists is False:
        return f"{entry.qualifier} (not in AWS)"
    routing = "".join(f", {share:.0%} to {version}" for version, share in (entry.routing or {}).items())
    return f"{entry.qualifier} = {entry.function_version}{routing}" if entry.function_version else entry.qualifier


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def logs_text(result: LogsResult) -> str:
    """The log of an invocation, or a page of it: all its lines, since a log is read for them."""
    return "\n".join(_logs_lines(result))


def _logs_lines(result: LogsResult) -> Iterator[str]:
    name = f"{result.function}:{result.qualifier}" if result.function else "no function"
    what = "failures" if result.failures else "log"
    yield f"{result.outcome}: {what} of {name}" + (f", request {result.request_id}" if result.request_id else "")
    yield f"read_id: {inline(result.read_id)}"
    if result.error:
        yield "Why, data from outside:"
        yield from _outside(f"{result.error.code}: {result.error.message}")
    if result.outcome == "denied":
        yield from check_lines(check for check in result.checks if check.passed is False)
    for failure in result.failures:
        yield f"{failure.time}, request {failure.request_id or 'not known'}, data from outside:"
        yield from _outside("\n".join(failure.lines))
    if result.outcome == "found" and not result.failures:
        times = f"{result.attempts} attempt{'' if result.attempts == 1 else 's'}"
        state = "complete" if result.complete else "its end is missing"
        yield f"{times}, {state}, {result.text_bytes:,} bytes{_report_text(result.report)}"
        if result.cause:
            yield f"Cause of its last error: {result.cause}"
        if result.errors:
            yield "Errors in it, data from outside:"
            yield from _outside("\n".join(line for error in result.errors for line in _logged_lines(error)))
        yield f"Log ({'a page' if len(result.text.encode()) < result.text_bytes else 'all of it'}), data from outside:"
        yield from _outside(result.text)
    if result.redacted:
        yield f"Redacted: {result.redacted:,} {'place' if result.redacted == 1 else 'places'}."
    if result.next_cursor:
        yield f"next_cursor: {result.next_cursor}"
    for note in result.notes:
        yield f"Note: {inline(note)}"
    yield from _hidden_lines(result)
    yield f"Next: {result.next_step}"


def _report_text(report: Report | None) -> str:
    if report is None or report.duration_ms is None:
        return ""
    memory = f", {report.max_memory_used_mb} MB used" if report.max_memory_used_mb is not None else ""
    return f", ran {report.duration_ms:g} ms{memory}"
