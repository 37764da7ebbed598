"""Reads the end of a log (LogResult): text without secrets, the errors in it, and the REPORT line as numbers.

Formats: "Viewing CloudWatch logs for Lambda functions" (text: REPORT) and the Telemetry API's `platform.report`
(JSON log format).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, get_args

from lambda_warden.answers.bounded import cut, cut_frames
from lambda_warden.answers.error_chain import ToldError
from lambda_warden.answers.log_entry import LogEntry, read_entries
from lambda_warden.jsontools.lenient import json_object
from lambda_warden.model.result import CausedBy, FunctionError, Log, LogError, Report, ReportStatus
from lambda_warden.redaction.policy import BUILT_IN, Detectors
from lambda_warden.redaction.text import redact_text, redact_truncated_text

TAIL_LIMIT: Final = 4096
"""Bytes of log that AWS returns: the last 4 KB."""
ERRORS_LIMIT: Final = 5
ERROR_MESSAGE_LIMIT: Final = 500
ERROR_STACK_LIMIT: Final = 30
BEHIND_LIMIT: Final = 4
BEHIND_MESSAGE_LIMIT: Final = 500
BEHIND_FRAMES_LIMIT: Final = 6
_FRAME_LIMIT: Final = 300
_LEVEL_LIMIT: Final = 20

_REPORT_LINE = re.compile(r"^REPORT RequestId: (?P<id>\S+).*$", re.MULTILINE)
_FIELDS: Final = {
    "duration_ms": re.compile(r"(?<![A-Za-z] )\bDuration: ([0-9.]+) ms"),
    "billed_duration_ms": re.compile(r"\bBilled Duration: ([0-9.]+) ms"),
    "memory_size_mb": re.compile(r"\bMemory Size: ([0-9]+) MB"),
    "max_memory_used_mb": re.compile(r"\bMax Memory Used: ([0-9]+) MB"),
    "init_duration_ms": re.compile(r"\bInit Duration: ([0-9.]+) ms"),
    "restore_duration_ms": re.compile(r"(?<!Billed )\bRestore Duration: ([0-9.]+) ms"),
    "billed_restore_duration_ms": re.compile(r"\bBilled Restore Duration: ([0-9.]+) ms"),
    "status": re.compile(r"\bStatus: (\w+)"),
    "error_type": re.compile(r"\bError Type: (\S+)"),
}
_METRICS: Final = {
    "duration_ms": "durationMs",
    "billed_duration_ms": "billedDurationMs",
    "memory_size_mb": "memorySizeMB",
    "max_memory_used_mb": "maxMemoryUsedMB",
    "init_duration_ms": "initDurationMs",
    "restore_duration_ms": "restoreDurationMs",
    "billed_restore_duration_ms": "billedRestoreDurationMs",
}
# What a REPORT line holds, and nothing else.
_REPORT_PARTS: Final = re.compile(
    r"REPORT RequestId: \S+|(?:Billed |Init |Restore |Billed Restore )?Duration: [0-9.]+ ms"
    r"|(?:Memory Size|Max Memory Used): [0-9]+ MB|Status: \w+|Error Type: \S+"
    r"|XRAY TraceId: \S+|SegmentId: \S+|Sampled: \w+|\s"
)
# The error types of Lambda itself; a line that the function wrote may say anything.
_ERROR_TYPE: Final = re.compile(r"(?:Runtime|Extension|Sandbox|Function)\.[A-Za-z]{1,60}")

_COLD: Final = frozenset({"init_start", "init_end", "init_report", "restore_start", "restore_end", "restore_report"})


class RedactedLog(NamedTuple):
    """A log without its secrets, how many places were replaced, and all lines of the call, also those left out."""

    log: Log
    redacted: int
    whole: str = ""


def read_log(tail: bytes | None, request_id: str | None = None, detectors: Detectors = BUILT_IN) -> RedactedLog | None:
    """Decode and redact a log tail, and read what it tells; None where there is none.

    Left out of the text are the lines in which Lambda says that the call began and ended, if they say no more than the
    report does, and the lines of other invocations. Lines end in a line feed, and no-break spaces are spaces: Lambda's
    runtimes use carriage returns and no-break spaces to keep an event's lines together.

    Args:
        tail: the decoded bytes of LogResult. A word cut by AWS's 4 KB limit at its start is dropped, as it may be the
            rest of a secret, and so is what may be the value of a name that was cut.
        request_id: whose lines they are. Where the log names it, what stands under other ids is left out.
        detectors: what is redacted.
    """
    if not tail:
        return None
    truncated = len(tail) >= TAIL_LIMIT
    text = tail.decode(errors="replace")
    redacted = redact_truncated_text(text, detectors) if truncated else redact_text(text, detectors=detectors)
    read = read_redacted_log(redacted.text, read_report(text, request_id), request_id, detectors, truncated=truncated)
    return read._replace(redacted=redacted.count + read.redacted)


def read_redacted_log(
    text: str,
    report: Report | None,
    request_id: str | None = None,
    detectors: Detectors = BUILT_IN,
    *,
    truncated: bool = False,
) -> RedactedLog:
    """Read what a log tells that was redacted as text; what JSON in it hides by escapes is redacted here.

    Args:
        text: the log.
        report: how the invocation ended, as far as is known.
        request_id: as in `read_log`.
        detectors: what is redacted.
        truncated: whether its beginning is missing.
    """
    own, others = _of_request(read_entries(text, detectors), request_id)
    shown = [entry for entry in own if not _repeats(entry, report)]
    errors = _each_once(_error(entry) for entry in shown if entry.is_error)
    lifted = {each.message for each in errors[-ERRORS_LIMIT:] if each.message and (each.stack or each.caused_by)}
    brief = [
        replace(entry, lines=entry.brief) if cut(entry.message, ERROR_MESSAGE_LIMIT) in lifted else entry
        for entry in shown
    ]
    log = Log(
        text=_text(brief),
        format="json" if all(entry.event is not None for entry in shown or own) and own else "text",
        truncated=truncated,
        cold_start=_cold_start(own, report, truncated),
        errors=errors[-ERRORS_LIMIT:],
        more_errors=max(0, len(errors) - ERRORS_LIMIT),
        other_requests=others,
        report=report,
    )
    return RedactedLog(log, sum(entry.redacted for entry in own), _text(own))


def _text(entries: Iterable[LogEntry]) -> str:
    return "\n".join(line.replace("\r", "\n") for entry in entries for line in entry.lines).rstrip("\n")


def read_report(text: str, request_id: str | None = None) -> Report | None:
    """The last REPORT line of a log, in text or JSON format, or None if there is none.

    Args:
        text: the log, redacted or not: only numbers and Lambda's own error types are read.
        request_id: whose report it is, if the log names this id at all.
    """
    wanted = request_id if request_id and request_id in text else None
    lines = [match for match in _REPORT_LINE.finditer(text) if wanted in (None, match["id"])]
    if lines:
        return _report_line(lines[-1][0])
    for line in reversed(text.splitlines()):
        if '"platform.report"' in line and (record := _report_record(line, wanted)):
            return _report_event(record)
    return None


def without(log: Log, error: FunctionError) -> Log:
    """A log whose `errors` don't tell once more what is known of the function's error, nor show its stack again.

    An error stays if it alone has a stack, or errors behind it that are not known of the function's.
    """
    errors = [
        entry.model_copy(update={"stack": []}) if entry.stack and entry.stack == error.stack_trace else entry
        for entry in log.errors
        if (entry.stack and not error.stack_trace)
        or not (tells_of(entry.message, error) and knows(error, entry.caused_by))
    ]
    return log.model_copy(update={"errors": errors}) if errors != log.errors else log


def knows(error: FunctionError, behind: Iterable[CausedBy]) -> bool:
    """Whether the function's error, and what is behind it, has all of the errors behind a logged one."""
    known = {error.message or error.type, *(each.message or each.type for each in error.caused_by)}
    return all((each.message or each.type) in known for each in behind)


def tells_of(logged: str, error: FunctionError) -> bool:
    """Whether the message of a logged error says what is known of the function's error, or of one behind it."""
    for said in (error.message, *(behind.message for behind in error.caused_by)):
        begin = said.split("\n")[0].rstrip("…")[:ERROR_MESSAGE_LIMIT].strip() if said else ""
        if said and begin and (begin in logged or (logged and logged.rstrip("…") in said)):
            return True
    return False


def _of_request(entries: Sequence[LogEntry], request_id: str | None) -> tuple[list[LogEntry], int]:
    """The entries of one request, and how many lines are of others.

    Only Lambda's own lines tell: those of an id that a function writes may be of any other request, such as a web
    server's.
    """
    if request_id is None or all(entry.request_id != request_id for entry in entries):
        return list(entries), 0
    first = next(i for i, entry in enumerate(entries) if entry.request_id == request_id)
    ends = [i + 1 for i in range(first) if entries[i].platform in ("end", "report", "xray")]
    own = [
        entry
        for entry in entries[max(ends, default=0) :]
        if entry.platform is None or entry.request_id in (None, request_id)
    ]
    return own, sum(len(entry.lines) for entry in entries) - sum(len(entry.lines) for entry in own)


def _repeats(entry: LogEntry, report: Report | None) -> bool:
    """Whether an entry is one of Lambda's own that says nothing which the report does not say."""
    match entry.platform:
        case None | "other":
            return False
        case "report":
            return report is not None and report == _report_of(entry)
        case "init_report":
            return not entry.failed and report is not None and report.init_duration_ms is not None
        case "restore_report":
            return not entry.failed and report is not None and report.restore_duration_ms is not None
        case "end":  # how it ended stands in the report
            return not entry.failed or report is not None
        case _:
            return not entry.failed


def _report_of(entry: LogEntry) -> Report | None:
    if entry.event is not None:
        return _report_event(entry.event.get("record"))
    (line,) = entry.lines
    return None if _REPORT_PARTS.sub("", line) else _report_line(line)


def _cold_start(entries: Sequence[LogEntry], report: Report | None, truncated: bool) -> bool | None:
    started = report and (report.init_duration_ms is not None or report.restore_duration_ms is not None)
    if started or any(entry.platform in _COLD for entry in entries):
        return True
    for entry in entries:
        if entry.event is not None and isinstance(cold := entry.event.get("cold_start"), bool):  # Powertools
            return cold
    return False if report is not None and not truncated else None


def _each_once(errors: Iterable[LogError]) -> list[LogError]:
    """Errors without those that say the same. One with errors behind it says more than the same message alone."""
    told = list(errors)
    chained = {each.message for each in told if each.caused_by}
    kept = (each for each in told if each.caused_by or each.message not in chained)
    return list({(each.message, *(behind.message for behind in each.caused_by)): each for each in kept}.values())


def _error(entry: LogEntry) -> LogError:
    return LogError(
        level=cut(entry.level.upper(), _LEVEL_LIMIT) if entry.level else None,
        message=cut(entry.message, ERROR_MESSAGE_LIMIT),
        code=_short(entry.error.code) if entry.error else None,
        host=_short(entry.error.host) if entry.error else None,
        stack=cut_frames(entry.stack, ERROR_STACK_LIMIT, _FRAME_LIMIT),
        caused_by=[caused_by(told) for told in entry.behind[:BEHIND_LIMIT]],
    )


def caused_by(told: ToldError) -> CausedBy:
    """An error behind another, in bounded size."""
    return CausedBy(
        type=_short(told.type),
        message=None if told.message is None else cut(told.message, BEHIND_MESSAGE_LIMIT),
        code=_short(told.code),
        host=_short(told.host),
        stack_trace=cut_frames(told.stack, BEHIND_FRAMES_LIMIT, _FRAME_LIMIT),
    )


def _short(text: str | None) -> str | None:
    return None if text is None else cut(text, _FRAME_LIMIT)


def _report_line(line: str) -> Report | None:
    found = {name: pattern.search(line) for name, pattern in _FIELDS.items()}
    return _report({name: match[1] for name, match in found.items() if match})


def _report_record(line: str, request_id: str | None) -> dict[str, Any] | None:
    event = json_object(line) or {}
    record = event.get("record")
    if event.get("type") != "platform.report" or not isinstance(record, dict):
        return None
    if not isinstance(record.get("metrics"), dict) or not record["metrics"]:
        return None
    return record if request_id in (None, record.get("requestId")) else None


def _report_event(record: Any) -> Report | None:
    metrics = record.get("metrics") if isinstance(record, dict) else None
    if not isinstance(metrics, dict):
        return None
    fields = {name: metrics[key] for name, key in _METRICS.items() if key in metrics}
    return _report(fields | {"status": record.get("status"), "error_type": record.get("errorType")})


def _report(fields: dict[str, Any]) -> Report | None:
    known = {name: value for name, value in fields.items() if not isinstance(value, bool)}
    if known.get("status") not in get_args(ReportStatus):
        known.pop("status", None)
    error_type = known.pop("error_type", None)
    if isinstance(error_type, str) and _ERROR_TYPE.fullmatch(error_type):
        known["error_type"] = error_type
    try:
        return Report.model_validate(known)
    except ValueError:  # a function may print a line that only looks like a report
        return None
