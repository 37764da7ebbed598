"""Selects the events of a log stream that belong to one invocation.

An execution environment logs to one stream, and runs one invocation at a time there: so all lines from START to REPORT
belong to it, whether or not they name it. Under Lambda Managed Instances several run at a time, and only lines that
name the request id are known to belong to it.

Sources: "Working with Lambda function logs" (START, END, REPORT), "Configuring JSON and plain text log formats"
(platform.start, platform.report, requestId), "Lambda Managed Instances" (Lambda Developer Guide).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from lambda_warden.jsontools.lenient import json_object
from lambda_warden.model.log_event import LogEvent

_ID: Final = r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"
_PLATFORM: Final = re.compile(rf"(?:(?P<mark>START|END|REPORT) )?RequestId: {_ID}", re.ASCII)
# Lambda's loggers: a level in brackets (Python), a time or a date and a time, then the id.
_LOGGER: Final = re.compile(
    rf"(?:\[[A-Z]{{1,16}}\]\s)?[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\S*(?:\s[0-9]{{2}}:\S*)?\s{_ID}", re.ASCII
)
_JSON_ID: Final = re.compile(r'"(?:AWSRequestId|requestId)"')

_Mark = Literal["START", "END", "REPORT"]
_JSON_MARKS: Final[dict[str, _Mark]] = {
    "platform.start": "START",
    "platform.runtimeDone": "END",
    "platform.report": "REPORT",
}


class _Origin(NamedTuple):
    """Which request a line says it is of, and whether it marks the begin or end of it."""

    request_id: str
    mark: _Mark | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What one stream holds of one invocation.

    Attributes:
        messages: in the order of the stream, without the line ends behind them.
        reports: those of them that are REPORT lines or platform.report events.
        attempts: how often it was started there.
        interleaved: whether other invocations ran beside it, so that only messages naming it were taken.
    """

    messages: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    attempts: int = 0
    interleaved: bool = False

    @property
    def complete(self) -> bool:
        """Whether the end of every attempt is there."""
        return len(self.reports) >= max(self.attempts, 1)


def select(events: Sequence[LogEvent], request_id: str, *, concurrent: bool = False) -> Selection:
    """Take the messages of one invocation out of a stream.

    What an environment logs before the first START, while it is being prepared, belongs to no invocation.

    Args:
        events: of one stream, in its order, from the first that names the request id on.
        request_id: of the invocation.
        concurrent: whether the environment runs several invocations at a time. Where their marks show that it does,
            this is found out.
    """
    origins = [_origin(event.message) for event in events]
    interleaved = concurrent or _interleaved(origins, request_id)
    messages: list[str] = []
    reports: list[str] = []
    attempts, running = 0, False
    for event, origin in zip(events, origins, strict=True):
        own = origin is not None and origin.request_id == request_id
        mark = origin.mark if origin else None
        if own and mark == "START":
            attempts, running = attempts + 1, True
        elif mark == "START":
            running = False
        if own or (not interleaved and running) or (interleaved and origin is None and request_id in event.message):
            messages.append(event.message.rstrip("\r\n"))
        if own and mark == "REPORT":
            reports.append(messages[-1])
            running = False
    return Selection(tuple(messages), tuple(reports), attempts, interleaved)


def request_id_of(message: str) -> str | None:
    """The invocation that a message of Lambda or its loggers says it is of."""
    origin = _origin(message)
    return origin.request_id if origin else None


def is_report(message: str) -> bool:
    """Whether a message is Lambda's own, on how an invocation ended."""
    origin = _origin(message)
    return origin is not None and origin.mark is not None


def ended_after(events: Sequence[LogEvent], wanted: Collection[LogEvent]) -> dict[LogEvent, str]:
    """The request ids of the invocations that ran when events were logged: those that end next in their stream.

    Args:
        events: of a stream, in its order, of an environment that runs one invocation at a time.
        wanted: some of them. What is not followed by an end, or by a start first, is left out.
    """
    found: dict[LogEvent, str] = {}
    sought, following = frozenset(wanted), None
    for event in reversed(events):
        origin = _origin(event.message)
        if origin is not None and origin.mark is not None:
            following = None if origin.mark == "START" else origin.request_id
        if following is not None and event in sought:
            found[event] = following
    return found


def naming(events: Iterable[LogEvent], request_id: str) -> dict[str, list[LogEvent]]:
    """The events that Lambda or its loggers wrote for an invocation, by stream. An event that only mentions the id,
    such as that of a function which made the call, is not among them."""
    found: dict[str, list[LogEvent]] = {}
    for event in events:
        origin = _origin(event.message)
        if origin is not None and origin.request_id == request_id:
            found.setdefault(event.stream, []).append(event)
    return found


def _interleaved(origins: Iterable[_Origin | None], request_id: str) -> bool:
    """Whether marks of other invocations stand between those of this one."""
    running = begun = False
    for origin in origins:
        if origin is None or origin.mark is None:
            continue
        if origin.request_id == request_id:
            if begun and origin.mark != "START":
                return True
            running = origin.mark != "REPORT"
            begun = False
        elif running and not begun:
            if origin.mark != "START":
                return True
            begun = True  # if this one goes on after it, they ran side by side; if not, its end is missing
    return False


def _origin(message: str) -> _Origin | None:
    if match := _PLATFORM.match(message):
        mark: _Mark | None = match["mark"]  # type: ignore[assignment]
        return _Origin(match["id"], mark)
    if match := _LOGGER.match(message):
        return _Origin(match["id"])
    return _json_origin(message) if message.startswith("{") and _JSON_ID.search(message) else None


def _json_origin(message: str) -> _Origin | None:
    line = json_object(message)
    if line is None:
        return None
    record, kind = line.get("record"), line.get("type")
    if isinstance(record, dict) and isinstance(kind, str) and kind.startswith("platform."):
        request_id, mark = record.get("requestId"), _JSON_MARKS.get(kind)
    else:
        request_id, mark = line.get("requestId", line.get("AWSRequestId")), None
    return _Origin(request_id, mark) if isinstance(request_id, str) else None
