"""failures: events of a log group → the invocations that failed or logged an error, the newest first.

Sources: "Working with Lambda function logs", "Configuring JSON and plain text log formats" and the schema of the
Telemetry API (Lambda Developer Guide): timeouts, exits of the runtime, the status of a report, levels of loggers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lambda_warden.answers.gate import Redact
from lambda_warden.errors import ArgumentError
from lambda_warden.jsontools.lenient import json_object
from lambda_warden.model.log_event import LogEvent
from lambda_warden.model.result import LogFailure
from lambda_warden.report.request_log import is_report, request_id_of

LINES_LIMIT: Final = 8
"""Lines that are shown of a failure."""
_LINE_LIMIT: Final = 300
_KEPT: Final = 30
"""How many failures of earlier pages a cursor still names."""
_FAILED: Final = frozenset({"error", "failure", "timeout"})
_LEVELS: Final = frozenset({"ERROR", "FATAL", "CRITICAL"})
_TEXT_MARK: Final = re.compile(
    r"Task timed out after|Runtime exited|^REPORT .*\tStatus: (?:error|failure|timeout)\b|\b(?:ERROR|FATAL|CRITICAL)\b"
    r"|^Traceback \(most recent|\b(?:Unhandled|Uncaught)|^Exception in thread|^[\w.$]{0,200}(?:Exception|Error)\b:",
    re.ASCII | re.MULTILINE,
)
_CURSOR: Final = re.compile(rb"failed:([0-9]{1,14}):([0-9a-f]{8}):((?:[0-9a-f]{8}){0,1000})")


@dataclass(frozen=True, slots=True)
class FailedInvocation:
    """What a log tells of an invocation that failed.

    Attributes:
        timestamp: of the last sign of it, in milliseconds since the epoch.
        key: names it in a cursor.
        request_id: None if nothing tells which invocation it was.
        messages: those that are signs, in the order of time, not redacted.
    """

    timestamp: int
    key: str
    request_id: str | None
    messages: tuple[str, ...]


def is_failure(message: str) -> bool:
    """Whether Lambda or a logger says in this message that something failed."""
    if message.startswith("{") and (line := json_object(message)) is not None:
        return _is_failure_in_json(line)
    return _TEXT_MARK.search(message) is not None


def group_failures(events: Iterable[LogEvent], request_ids: Mapping[LogEvent, str]) -> list[FailedInvocation]:
    """Put the signs of each invocation together, the newest invocation first.

    Args:
        events: signs of failures.
        request_ids: of events that do not name their invocation themselves, as far as it is known.
    """
    by_invocation: dict[str, list[LogEvent]] = {}
    known: dict[str, str | None] = {}
    for event in sorted(events, key=lambda event: event.timestamp):
        request_id = request_id_of(event.message) or request_ids.get(event)
        name = request_id or f"{event.stream}:{event.timestamp}"
        known[name] = request_id
        by_invocation.setdefault(name, []).append(event)
    found = [
        FailedInvocation(signs[-1].timestamp, _digest(name), known[name], tuple(sign.message for sign in signs))
        for name, signs in by_invocation.items()
    ]
    return sorted(found, key=lambda failed: (-failed.timestamp, failed.key))


def show_failure(failed: FailedInvocation, redact: Redact) -> tuple[LogFailure, int]:
    """A failure as it is shown, redacted whole before it is cut, and how many places were redacted."""
    told = [message for message in failed.messages if not is_report(message)] or failed.messages
    whole = redact(message.rstrip("\r\n") for message in told)
    lines = [line[:_LINE_LIMIT] for line in re.split(r"[\r\n]+", whole.text) if line.strip()]
    shown = [*lines[:LINES_LIMIT], *(["…"] if len(lines) > LINES_LIMIT else [])]
    at = datetime.fromtimestamp(failed.timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    return LogFailure(time=at, request_id=failed.request_id, lines=shown), whole.count


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of failures begins: not after `last` (milliseconds since the epoch; None: now), without those of
    the pages before, by their keys."""

    last: int | None = None
    shown: tuple[str, ...] = ()


def read_position(function: str, cursor: str | None) -> Position:
    """The place that a cursor names.

    Raises:
        ArgumentError: for a cursor that is none, or is of another function's log.
    """
    if cursor is None:
        return Position()
    try:
        match = _CURSOR.fullmatch(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        match = None
    if match is None or match[2].decode() != _digest(function):
        raise ArgumentError(
            "cursor", "is not one that was given for this function", "next_cursor of the page before, unchanged"
        )
    keys = match[3].decode()
    return Position(int(match[1]), tuple(keys[start : start + 8] for start in range(0, len(keys), 8)))


def write_position(function: str, before: Position, shown: Sequence[FailedInvocation], last: int) -> str:
    """The cursor of the page behind the failures that were shown: it begins at `last`, that instant included."""
    # What was shown may have earlier signs. Where time stands still, all that was shown has to be known.
    kept = before.shown if before.last == last else before.shown[-_KEPT:]
    keys = [*kept, *(failed.key for failed in shown)]
    return base64.urlsafe_b64encode(f"failed:{last}:{_digest(function)}:{''.join(keys)}".encode()).decode("ascii")


def _is_failure_in_json(line: Mapping[str, object]) -> bool:
    record = line.get("record")
    if isinstance(record, dict) and str(line.get("type")).startswith("platform."):
        return record.get("status") in _FAILED
    level = line.get("level", line.get("levelname"))
    return (isinstance(level, str) and level.upper() in _LEVELS) or isinstance(line.get("errorType"), str)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]
