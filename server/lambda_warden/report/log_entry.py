"""Log entries: the text of a log → who wrote what, at which level and for which request.

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
_TRACEBACK: Final = "Traceback (most recent call last):"
# Lines that go on with what the line before them began, though they are not indented.
_GOES_ON: Final = re.compile(
    rf"\s|\Z|{re.escape(_TRACEBACK)}|Caused by: |\.\.\. \d+ |During handling of the above|The above exception was"
    r"|goroutine \d+ |[\]})]|Require stack:|- /"
)
_OWN_TYPE: Final = re.compile(r"(?:Runtime|Extension|Sandbox|Function)\.[A-Za-z]+\s*")
_CALL: Final = re.compile(r"\s+at \S")
_POINTERS: Final = re.compile(r"[\s^~]*")  # the lines of a Python traceback that point into the line above


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing that was logged.

    `platform` names the line of Lambda's own that it is, such as start, end, report or init_report, and `failed` says
    that it tells of a failure; None: the function or its runtime wrote it. `event` is the JSON object that a line is.
    `is_error` holds for errors, and for exceptions without a level; `message` and `stack` are given for these only.
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


def read_entries(text: str) -> list[LogEntry]:
    """Part a log into its entries, in their order. Each line stands in exactly one of them.

    Args:
        text: the log, redacted. What is read out of JSON in it is redacted again, as its strings are escaped no more.
    """
    return [_entry(lines) for lines in _grouped(text.replace("\r\n", "\n").replace("\u00a0", " ").split("\n"))]


def error_fields(error: dict[str, Any]) -> tuple[str | None, str | None, list[str]]:
    """Type, message and stack of an error as a runtime or a logger writes it into JSON."""
    names = [error.get(key) for key in ("errorType", "exception_name", "name", "type")]
    kind = next((name for name in names if isinstance(name, str) and name), None)
    said = [error.get(key) for key in ("errorMessage", "message", "value")]
    message = next((text for text in said if isinstance(text, str) and text), None)
    return kind, message, _stack_in(error)


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
    in_traceback = any(_TRACEBACK in part for part in group) and group[-1].startswith(" ")
    in_stack = in_traceback or any(part.startswith("goroutine ") for part in group)
    return in_stack and not _PLATFORM.fullmatch(line) and _head(line) is None and not line.startswith('{"')


def _entry(lines: list[str]) -> LogEntry:
    first = lines[0]
    if match := _PLATFORM.fullmatch(first):
        name = str(match.lastgroup).removesuffix("_id")
        request_id = match.groupdict().get(f"{name}_id")
        return LogEntry((first,), name, failed=_FAILED.search(first) is not None, request_id=request_id)
    if first.startswith("{") and (read := _json_object("\n".join(lines))) is not None:
        event, redacted = read
        if redacted:  # by names that only JSON pairs with their values
            lines = [json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace").decode()]
        return replace(_json_entry(lines, event), redacted=redacted)
    return _text_entry(lines)


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
    message, stack = _told(event)
    return replace(entry, is_error=True, message=message, stack=_beyond(message, stack))


def _text_entry(lines: list[str]) -> LogEntry:
    parts = [part for line in lines for part in _COLOUR.sub("", line).split("\r")]
    head = _head(lines[0])
    fields = head.groupdict() if head else {"message": parts[0]}
    level = fields.get("level")
    entry = LogEntry(tuple(lines), level=level, request_id=fields.get("id") or None)
    said = "\n".join([fields["message"], *parts[1:]])
    # Runtimes put the error as JSON behind words of their own.
    start = said.find("{")
    read = _json_object(said[start:]) if start >= 0 else None
    error = read[0] if read else None
    reported = error is not None and {"errorType", "errorMessage"} <= error.keys()
    leveled = level.upper() in _ERROR_LEVELS if level else "fatal" in fields or reported or _is_exception(parts)
    if not leveled:
        return entry
    if error is not None:
        message, stack = _told(error)
        words = said[:start].strip()
        words = "" if _TIME_ONLY.match(words) else words
        message = f"{words}: {message}" if words and message else words or message
        return replace(entry, is_error=True, message=message, stack=_beyond(message, stack))
    first, *rest = said.split("\n")
    rest = [line for line in rest if not _POINTERS.fullmatch(line) and not _OWN_TYPE.fullmatch(line)]
    if first == _TRACEBACK and rest:  # the exception stands below its stack
        first, rest = rest[-1], [first, *rest[:-1]]
    return replace(entry, is_error=True, message=first.strip(), stack=tuple(rest))


def _told(event: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """What a JSON line tells of an error: its own message, and the error that it carries."""
    nested = next(
        (value for key in ("error", "err", "exception", "message") if isinstance(value := event.get(key), dict)), None
    )
    kind, message, stack = error_fields(nested or event)
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
    return error or "", tuple(stack or _stack_in(event))


def _beyond(message: str, stack: tuple[str, ...]) -> tuple[str, ...]:
    """A stack without its first line where that is the message."""
    return stack[1:] if stack and message.endswith(stack[0].strip()) else stack


def _stack_in(error: dict[str, Any]) -> list[str]:
    for key in ("stackTrace", "trace", "stack", "stack_trace", "exception", "exc_info"):
        match error.get(key):
            case list() as frames if frames:
                return [frame_text(frame) for frame in frames]
            case {"frames": list() as frames}:  # Powertools
                return [frame_text(frame) for frame in frames]
            case str() as text if text.strip():
                return [line for line in text.splitlines() if not _POINTERS.fullmatch(line)]
    return []


def frame_text(frame: object) -> str:
    """A frame of a stack as text. Go writes `path`, `line` and `label`, Powertools `file`, `line` and `function`."""
    match frame:
        case {"path": str() as path, "line": int() as line, "label": str() as label}:
            return f"{label} ({path}:{line})"
        case {"file": str() as path, "line": int() as line, "function": str() as label}:
            return f"{label} ({path}:{line})"
        case _:
            return str(frame).rstrip("\n")


def _is_exception(parts: Sequence[str]) -> bool:
    return any(part.startswith(_TRACEBACK) or _CALL.match(part) for part in parts)


def _head(line: str) -> re.Match[str] | None:
    first = _COLOUR.sub("", line).split("\r")[0]
    return next((match for head in _HEADS if (match := head.fullmatch(first))), None)


def _json_object(text: str) -> tuple[dict[str, Any], int] | None:
    """The JSON object that a text is, redacted, and how many places of it were replaced."""
    try:
        redacted = redact_value(json.loads(text))
    except (ValueError, RecursionError):
        return None
    return (redacted.value, redacted.count) if isinstance(redacted.value, dict) else None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None
