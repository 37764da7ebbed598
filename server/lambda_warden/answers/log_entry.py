"""Splits the text of a log into entries: who wrote what, at which level and for which request.

Formats: "Working with Lambda function logs" and "Configuring JSON and plain text log formats" (Lambda and its
runtimes), "Lambda Telemetry API Event schema reference" (platform events), "Logger" of Powertools for AWS Lambda, and
the common forms of each language's loggers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lambda_warden.answers.error_chain import (
    POINTERS,
    TRACEBACK,
    ToldError,
    read_headline,
    read_json_chain,
    read_stack,
    split_raised,
    split_trace,
    without_stacks,
)
from lambda_warden.jsontools.lenient import json_object
from lambda_warden.redaction.policy import BUILT_IN, Detectors
from lambda_warden.redaction.value import redact_value

_ERROR_LEVELS: Final = frozenset(
    {"ERROR", "FATAL", "CRITICAL", "SEVERE", "PANIC", "ALERT", "EMERGENCY", "FAIL", "CRIT"}
)
_NUMBERED_LEVELS: Final = {50: "ERROR", 60: "FATAL"}
"""Levels that bunyan and pino write as numbers."""

_ID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_TIME: Final = r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\S*"
_LEVEL: Final = r"(?P<level>TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|SEVERE)"

_PLATFORM: Final = re.compile(
    r"(?P<start>START) RequestId: (?P<start_id>\S+) Version: \S+\s*"
    r"|(?P<end>END) RequestId: (?P<end_id>\S+)\s*"
    r"|(?P<report>REPORT) RequestId: (?P<report_id>\S+).*"
    r"|(?P<xray>XRAY) TraceId: \S+\tSegmentId: \S+\tSampled: \w+\s*"
    r"|(?P<init_start>INIT_START) Runtime Version: \S+(?:\tRuntime Version ARN: \S+)?\s*"
    r"|(?P<init_report>INIT_REPORT) Init Duration: [0-9.]+ ms\b.*"
    r"|(?P<restore_start>RESTORE_START) Runtime Version: \S+(?:\tRuntime Version ARN: \S+)?\s*"
    r"|(?P<restore_report>RESTORE_REPORT) Restore Duration: [0-9.]+ ms\b.*"
    r"|(?P<extension>EXTENSION)\tName: \S+\tState: (?:Started|Registered|Ready)\tEvents: \[[A-Z, ]*\]\s*"
    # What the runtimes add to an error of loading; it is the same each time.
    r"|(?P<warning>\[WARNING\])\t\S+\t\S*\tLAMBDA_WARNING: Unhandled exception\. .{0,800}/runtimes-update\.html\s*"
)
_EVENTS: Final = {
    "platform.start": "start",
    "platform.end": "end",
    "platform.runtimeDone": "end",
    "platform.report": "report",
    "platform.initStart": "init_start",
    "platform.initRuntimeDone": "init_end",
    "platform.initReport": "init_report",
    "platform.restoreStart": "restore_start",
    "platform.restoreRuntimeDone": "restore_end",
    "platform.restoreReport": "restore_report",
    "platform.extension": "extension",
    "platform.telemetrySubscription": "extension",
    "platform.logsSubscription": "extension",
}
_FAILED: Final = re.compile(r"\bStatus: (?:error|timeout|failure)\b")
_FAILED_STATUSES: Final = ("error", "timeout", "failure")

_HEADS: Final = (
    # What ends a process: Go's panic, V8's heap.
    re.compile(r"(?P<fatal>)(?P<message>(?:panic|fatal error|FATAL ERROR): .*)"),
    re.compile(r"(?P<fatal>)(?:PHP )?(?:Fatal|Parse) error: +(?P<message>.*)"),
    # Node.js and .NET: time, request, level and message, with tabs between.
    re.compile(
        rf"{_TIME}\t(?P<id>{_ID}|undefined|)\t(?P<level>TRACE|DEBUG|INFO|WARN|ERROR|FATAL|trce|dbug|info|warn|fail|crit)"
        r"\t(?P<message>.*)"
    ),
    # Python's logging under Lambda, and what its runtime writes of an exception.
    re.compile(rf"\[{_LEVEL}\]\t{_TIME}\t(?P<id>{_ID}|)\t(?P<message>.*)"),
    re.compile(rf"\[{_LEVEL}\] (?P<message>.*)"),
    # Lambda itself, of a runtime that it stopped or that ended.
    re.compile(rf"(?P<fatal>){_TIME} (?P<id>{_ID}) (?P<message>Task timed out after [0-9.]+ seconds)\s*"),
    re.compile(rf"(?P<fatal>)RequestId: (?P<id>{_ID}) (?:Error: )?(?P<message>(?<=Error: ).*|Process exited .*)"),
    # Ruby's Logger; slog, zap and logrus as logfmt; a time, and a level among the words behind it.
    re.compile(rf"[DIWEF], \[[^\]]{{1,80}}\] +{_LEVEL} -- [^:]{{0,80}}: (?P<message>.*)"),
    re.compile(
        r"(?:time=\S+ )?level=(?P<level>(?i:debug|info|warn|warning|error|fatal|panic)) (?:msg=)?(?P<message>.*)"
    ),
    re.compile(rf"{_TIME}(?:[ \t]+(?:(?P<id>{_ID})|\S{{1,100}})){{0,3}}?[ \t]+\[?{_LEVEL}\b\]?[ \t:-]*(?P<message>.*)"),
    re.compile(r"(?P<level>ERROR|FATAL|CRITICAL|SEVERE)[:\t ]+(?P<message>.*)"),
)
_TIME_ONLY: Final = re.compile(r"[0-9/:. TZ-]*\Z")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
# Lines that go on with what the line before them began, though they are not indented.
_GOES_ON: Final = re.compile(
    rf"\s|\Z|{re.escape(TRACEBACK)}|Caused by:|\.\.\. \d+ |During handling of the above|The above exception was"
    r"|Stack trace:|#\d+ |Next [\w\\]+: |goroutine \d+ |[\]})]|Require stack:|- /"
)
_OWN_TYPE: Final = re.compile(r"(?:Runtime|Extension|Sandbox|Function)\.[A-Za-z]+\s*")
_CALL: Final = re.compile(r"\s+at \S")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing that was logged.

    `platform` names the line of Lambda's own that it is, such as start, end, report or init_report, and `failed` says
    that it tells of a failure; None: the function or its runtime wrote it. `event` is the JSON object that a line is.
    `is_error` holds for errors, and for exceptions without a level; `message` and `stack` are given for these only.
    `error` is the error with what is known of it, and `behind` are those behind it, the nearest first. `brief` are the
    lines without its stack.
    `redacted` is how many places of a JSON object were replaced, which its line then stands without.
    """

    lines: tuple[str, ...]
    platform: str | None = None
    failed: bool = False
    event: dict[str, Any] | None = None
    request_id: str | None = None
    level: str | None = None
    is_error: bool = False
    redacted: int = 0
    message: str = ""
    stack: tuple[str, ...] = ()
    error: ToldError | None = None
    behind: tuple[ToldError, ...] = ()
    brief: tuple[str, ...] = ()


def read_entries(text: str, detectors: Detectors | None = BUILT_IN) -> list[LogEntry]:
    """Part a log into its entries, in their order. Each line stands in exactly one of them.

    Args:
        text: the log, redacted. What is read out of JSON in it is redacted again, as its strings are escaped no more.
        detectors: what is redacted; None for the log of a result, which was read so before.
    """
    return [
        _entry(lines, detectors) for lines in _grouped(text.replace("\r\n", "\n").replace("\u00a0", " ").split("\n"))
    ]


def _grouped(lines: Sequence[str]) -> Iterator[list[str]]:
    """Lines that belong together: a line, and those that go on with it."""
    group: list[str] = []
    for line in lines:
        if group and _continues(group, line):
            group.append(line)
            continue
        if group:
            yield group
        group = [line]
    if group and (len(group) > 1 or group[0]):
        yield group


def _continues(group: list[str], line: str) -> bool:
    if _PLATFORM.fullmatch(group[0]) or group[0].startswith('{"'):
        return False
    if _GOES_ON.match(line) or _OWN_TYPE.fullmatch(line):
        return not _PLATFORM.fullmatch(line)
    # The exception stands below its stack, and Go does not indent the functions of its stack.
    in_traceback = any(TRACEBACK in part for part in group) and group[-1].startswith(" ")
    in_stack = in_traceback or any(part.startswith("goroutine ") for part in group)
    return in_stack and not _PLATFORM.fullmatch(line) and _head(line) is None and not line.startswith('{"')


def _entry(lines: list[str], detectors: Detectors | None) -> LogEntry:
    first = lines[0]
    if match := _PLATFORM.fullmatch(first):
        name = str(match.lastgroup).removesuffix("_id")
        request_id = match.groupdict().get(f"{name}_id")
        return LogEntry((first,), name, failed=_FAILED.search(first) is not None, request_id=request_id)
    if first.startswith("{") and (read := _json_object("\n".join(lines), detectors)) is not None:
        event, redacted = read
        if redacted:  # by names that only JSON pairs with their values
            lines = [_compact(event)]
        return replace(_json_entry(lines, event), redacted=redacted)
    return _text_entry(lines, detectors)


def _json_entry(lines: list[str], event: dict[str, Any]) -> LogEntry:
    kind, record = event.get("type"), event.get("record")
    if isinstance(kind, str) and kind.startswith("platform.") and event.keys() == {"time", "type", "record"}:
        fields = record if isinstance(record, dict) else {}
        return LogEntry(
            tuple(lines),
            _EVENTS.get(kind, "other"),
            fields.get("status") in _FAILED_STATUSES,
            event,
            _string(fields.get("requestId")),
        )
    level = next((event[key] for key in ("level", "log_level", "severity", "lvl") if key in event), None)
    level = _NUMBERED_LEVELS.get(level) if isinstance(level, int) else _string(level)
    request_ids = (event.get(key) for key in ("requestId", "function_request_id", "AWSRequestId", "aws_request_id"))
    entry = LogEntry(
        tuple(lines), event=event, request_id=next((i for i in request_ids if isinstance(i, str)), None), level=level
    )
    reported = level is None and {"errorType", "errorMessage"} <= event.keys()
    if not (reported or (level or "").upper() in _ERROR_LEVELS):
        return entry
    return replace(_failed(entry, event), brief=(_compact(without_stacks(event)),))


def _text_entry(lines: list[str], detectors: Detectors | None) -> LogEntry:
    parts = [part for line in lines for part in _COLOUR.sub("", line).split("\r")]
    head = _head(lines[0])
    fields = head.groupdict() if head else {"message": parts[0]}
    level = fields.get("level")
    entry = LogEntry(tuple(lines), level=level, request_id=fields.get("id") or None)
    said = "\n".join([fields["message"], *parts[1:]])
    # Runtimes put the error as JSON behind words of their own.
    start = said.find("{")
    read = _json_object(said[start:], detectors) if start >= 0 else None
    error = read[0] if read else None
    reported = error is not None and {"errorType", "errorMessage"} <= error.keys()
    leveled = level.upper() in _ERROR_LEVELS if level else "fatal" in fields or reported or _is_exception(parts)
    if not leveled:
        return entry
    if error is not None:
        words = said[:start].strip()
        read_error = _failed(entry, error)
        brief = f"{parts[0].partition('{')[0]}{_compact(without_stacks(error))}"
        message = read_error.message
        words = "" if _TIME_ONLY.match(words) else words
        message = f"{words}: {message}" if words and message else words or message
        return replace(read_error, message=message, brief=(brief,))
    first, *rest = said.split("\n")
    return _traced(entry, parts[0], first, [line for line in rest if not _is_pointer(line)])


def _traced(entry: LogEntry, head: str, first: str, rest: list[str]) -> LogEntry:
    """An error of which the log has a message and, below it, a trace."""
    php = any(line.startswith("Next ") for line in rest)
    own, behind = split_trace([first, *rest] if php or first == TRACEBACK else rest)
    raised, stack = split_raised(own.stack)
    if php and stack:
        first, *stack = stack
    elif first == TRACEBACK:
        head = first = raised or first
    elif raised and not first.endswith(raised):
        first = f"{first}: {raised}"
    told = read_headline(raised or first)
    return replace(
        entry,
        is_error=True,
        message=first.removeprefix("Uncaught ").strip(),
        stack=tuple(stack),
        error=replace(told, code=told.code or own.code, host=own.host),
        behind=tuple(behind),
        brief=(head,),
    )


def _failed(entry: LogEntry, event: dict[str, Any]) -> LogEntry:
    """An error that a JSON object tells: its own message, and the error that it carries."""
    nested = next(
        (value for key in ("error", "err", "exception", "message") if isinstance(value := event.get(key), dict)), None
    )
    told, *behind = read_json_chain(nested or event)
    kind, message, stack = told.type, told.message, told.stack or read_stack(event)
    own = next((text for key in ("message", "msg", "event") if isinstance(text := event.get(key), str)), None)
    if nested is None:
        trace = event.get("stack_trace")  # Powertools
        message = _string(event.get("errorMessage") or (trace.get("value") if isinstance(trace, dict) else None))
        kind = _string(event.get("errorType")) or _string(event.get("exception_name"))
    error = f"{kind}: {message}" if kind and message else message or kind
    if own and error and error not in own and (message or "") not in own:
        error = f"{own}: {error}"
    elif own:
        error = own if kind is None or kind in own else f"{own} ({kind})"
    return replace(
        entry,
        is_error=True,
        message=error or "",
        stack=_beyond(error or "", tuple(stack)),
        error=replace(told, type=kind, message=message or own),
        behind=tuple(behind),
    )


def _beyond(message: str, stack: tuple[str, ...]) -> tuple[str, ...]:
    """A stack without its first line where that is the message."""
    return stack[1:] if stack and message.endswith(stack[0].strip()) else stack


def _is_pointer(line: str) -> bool:
    return bool(POINTERS.fullmatch(line) or _OWN_TYPE.fullmatch(line))


def _is_exception(parts: Sequence[str]) -> bool:
    return any(part.startswith(TRACEBACK) or _CALL.match(part) for part in parts)


def _head(line: str) -> re.Match[str] | None:
    first = _COLOUR.sub("", line).split("\r")[0]
    return next((match for head in _HEADS if (match := head.fullmatch(first))), None)


def _json_object(text: str, detectors: Detectors | None) -> tuple[dict[str, Any], int] | None:
    """The JSON object that a text is, redacted, and how many places of it were replaced."""
    value = json_object(text)
    if value is None:
        return None
    if detectors is None:
        return value, 0
    try:
        redacted = redact_value(value, detectors=detectors)
    except (ValueError, RecursionError):
        return None
    return (redacted.value, redacted.count) if isinstance(redacted.value, dict) else None


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace").decode()


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None
