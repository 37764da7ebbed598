"""logs: the events of CloudWatch Logs that name a request or a failure, and those of one log stream. Bounded in all
directions.

Source: CloudWatch Logs API reference, FilterLogEvents and GetLogEvents: a page holds up to 1 MB and may be empty though
others follow; FilterLogEvents ends without a token, GetLogEvents with the token that it was given. Both are limited to
few requests a second for each account and region.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from lambda_warden.aws.advice import advice_for
from lambda_warden.aws.answer import refusal_of, text
from lambda_warden.aws.clients import Clients
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.log_event import BYTES_LIMIT, LogEvent, Span
from lambda_warden.model.outcome import Refused
from lambda_warden.model.request import is_request_id

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import FilterLogEventsRequestTypeDef, GetLogEventsRequestTypeDef

_PAGES: Final = 40
_FAILURE_EVENTS: Final = 500
"""With so many, a search for failures ends."""
# Any of these, in upper or lower case as it stands here. Which events do tell of a failure is found out afterwards.
_FAILURES: Final = " ".join(
    f'?"{term}"'
    for term in (
        *[
            "ERROR",
            "Error",
            "error",
            "errorType",
            "FATAL",
            "CRITICAL",
            "Exception",
            "Traceback",
            "Unhandled",
            "Uncaught",
        ],
        *("timeout", "timed out", "failure", "Runtime exited", "fatal", "critical"),
    )
)


@dataclass(frozen=True, slots=True)
class Events:
    """Events, the oldest first, and whether there may be more that were not read."""

    events: tuple[LogEvent, ...] = ()
    cut: bool = False


def find_request(
    clients: Clients, ref: FunctionRef, log_group: str, request_id: str, span: Span, deadline: float
) -> Events | Refused:
    """Search a log group for the events that hold a request id (FilterLogEvents).

    Raises nothing for what AWS answers. Blocks until `deadline`, and then for one more answer at most.

    Args:
        clients: of the manifest's targets.
        ref: the function, which says in which account and region the group is.
        log_group: its name.
        request_id: a UUID. It stands in a pattern of CloudWatch Logs' own language, so nothing else is taken.
        span: of the search.
        deadline: when no further page is asked for, on the monotonic clock.

    Raises:
        ValueError: if the request id is no UUID.
    """
    if not is_request_id(request_id):
        raise ValueError("a request id is a UUID in lower case")
    return _search(
        clients,
        ref,
        {"logGroupName": log_group, "filterPattern": f'"{request_id}"', "startTime": span.first},
        span.last,
        deadline,
    )


def find_failures(clients: Clients, ref: FunctionRef, log_group: str, span: Span, deadline: float) -> Events | Refused:
    """Search a log group for events that may tell of failures (FilterLogEvents), the newest first, until there are
    hundreds.

    Raises nothing. Blocks as `find_request` does.
    """
    request: FilterLogEventsRequestTypeDef = {
        "logGroupName": log_group,
        "filterPattern": _FAILURES,
        "startTime": span.first,
        "startFromHead": False,
        "limit": _FAILURE_EVENTS,
    }
    return _search(clients, ref, request, span.last, deadline, enough=_FAILURE_EVENTS)


def _search(
    clients: Clients,
    ref: FunctionRef,
    request: FilterLogEventsRequestTypeDef,
    last: int | None,
    deadline: float,
    enough: float = math.inf,
) -> Events | Refused:
    """Ask for page after page, until there are no more, or enough events, or the deadline is there."""
    if last is not None:
        request["endTime"] = last
    found = _Gathered()
    try:
        client = clients.logs(ref.account, ref.region)
        for _ in range(_PAGES):
            page = client.filter_log_events(**request)
            found.add(page["events"], None)
            if not page.get("nextToken"):
                return found.events(cut=found.full)
            if found.full or len(found) >= enough or time.monotonic() >= deadline:
                break
            request["nextToken"] = page["nextToken"]
    except Exception as error:  # noqa: BLE001 - whatever came instead of an answer
        return _refused(error)
    return found.events(cut=True)


def read_stream(
    clients: Clients, ref: FunctionRef, log_group: str, stream: str, span: Span, deadline: float
) -> Events | Refused:
    """Read a log stream from its first event within a span to its last (GetLogEvents).

    Raises nothing. Blocks as `find_request` does.
    """
    request: GetLogEventsRequestTypeDef = {
        "logGroupName": log_group,
        "logStreamName": stream,
        "startFromHead": True,
        "startTime": span.first,
    }
    if span.last is not None:
        request["endTime"] = span.last + 1  # here, the end is not included
    found = _Gathered()
    try:
        client = clients.logs(ref.account, ref.region)
        for _ in range(_PAGES):
            page = client.get_log_events(**request)
            found.add(page["events"], stream)
            if page["nextForwardToken"] == request.get("nextToken"):
                return found.events(cut=found.full)
            if found.full or time.monotonic() >= deadline:
                break
            request["nextToken"] = page["nextForwardToken"]
    except Exception as error:  # noqa: BLE001 - as above
        return _refused(error)
    return found.events(cut=True)


class _Gathered:
    """Events until they are too many. Events are taken or left whole: a half one could show half a secret."""

    def __init__(self) -> None:
        self._events: list[LogEvent] = []
        self._bytes = 0
        self.full = False

    def add(self, page: Iterable[Mapping[str, Any]], stream: str | None) -> None:
        for each in page:
            message = text(each["message"])
            self._bytes += len(message.encode())
            if self.full or self._bytes > BYTES_LIMIT:
                self.full = True
                return
            self._events.append(LogEvent(stream or text(each["logStreamName"]), int(each["timestamp"]), message))

    def __len__(self) -> int:
        return len(self._events)

    def events(self, *, cut: bool) -> Events:
        return Events(tuple(self._events), cut)


def _refused(error: Exception) -> Refused:
    if not isinstance(error, ClientError):
        code = type(error).__name__
        return Refused(code, "CloudWatch Logs did not give an answer that can be read", advice=advice_for(code, ""))
    return refusal_of(error)
