"""CloudTrail's data events of Lambda, as it delivers them to S3: files of JSON with `Records`, mostly compressed.

Source: CloudTrail user guide, record contents, and what it really writes: an Invoke by one account has `functionName`
and `qualifier` in its `requestParameters`; one by another service may have none, but `resources` and the version that
ran (`additionalEventData.functionVersion`). An asynchronous one has an `Invoke` when it is queued and an
`InvokeExecution` with the same `requestID` when it runs.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lambda_warden.errors import SettingsError

_NAMED: Final = re.compile(r"(?:(?P<place>arn:.*:function:)|.*:function:)?(?P<name>[^:]+)(?::(?P<qualifier>[^:]+))?")


@dataclass(frozen=True, slots=True)
class TrailEvent:
    """One invocation as CloudTrail has it.

    Attributes:
        request_id: that AWS gave it.
        at: when.
        function: the ARN without a qualifier.
        qualifier: that was asked for, where it says so.
        version: that ran, where it says so.
        identity: who called: a role or user as an ARN, or a service.
        session: of the role, which names the caller.
        error: why AWS refused it, if it did.
        ran: whether it says that the function ran: an asynchronous one does so once it is executed.
    """

    request_id: str
    at: datetime
    function: str
    qualifier: str | None
    version: str | None
    identity: str
    session: str | None
    error: str | None
    ran: bool


@dataclass(frozen=True, slots=True)
class Trail:
    """What the files hold.

    Attributes:
        events: invocations, by time, one for each request id.
        first: the time of the first event of any kind; None if there are none.
        last: that of the last one.
        unreadable: how many events are not as CloudTrail writes them.
    """

    events: tuple[TrailEvent, ...]
    first: datetime | None
    last: datetime | None
    unreadable: int


def read_trail(place: Path) -> Trail:
    """Read a file, or all files in and below a folder whose names end with .json or .json.gz.

    Raises:
        SettingsError: if there is none, or one can't be read.
    """
    files = (
        [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.name.endswith((".json", ".json.gz")))
    )
    if not files:
        raise SettingsError(f"{place} has no files of CloudTrail: *.json or *.json.gz")
    return merge(event for file in files for event in _records(file))


def merge(records: Iterable[Any]) -> Trail:
    """The invocations among CloudTrail's records."""
    found: dict[str, TrailEvent] = {}
    first = last = None
    unreadable = 0
    for record in records:
        try:
            at = _time(record["eventTime"])
            event = _invocation(record, at)
        except (KeyError, TypeError, ValueError, AttributeError):
            unreadable += 1
            continue
        first, last = min(first or at, at), max(last or at, at)
        if event is not None:
            found[event.request_id] = _joined(found.get(event.request_id), event)
    return Trail(tuple(sorted(found.values(), key=lambda each: each.at)), first, last, unreadable)


def _joined(earlier: TrailEvent | None, event: TrailEvent) -> TrailEvent:
    """Two events of one request: it is the caller's, and it ran if either says so."""
    if earlier is None:
        return event
    mine, other = (event, earlier) if earlier.identity == "lambda.amazonaws.com" else (earlier, event)
    return replace(mine, ran=mine.ran or other.ran, version=mine.version or other.version)


def _records(file: Path) -> Iterator[Any]:
    try:
        data = file.read_bytes()
        read = json.loads(gzip.decompress(data) if file.name.endswith(".gz") else data)
        records = read["Records"]
    except (OSError, EOFError, zlib.error, ValueError, RecursionError, KeyError, TypeError) as error:
        raise SettingsError(f"{file} is no file of CloudTrail: {error!r}") from None
    yield from records if isinstance(records, list) else [None]


def _invocation(record: dict[str, Any], at: datetime) -> TrailEvent | None:
    name = record["eventName"]
    if record["eventSource"] != "lambda.amazonaws.com" or not name.startswith("Invoke"):
        return None
    asked = record.get("requestParameters") or {}
    more = record.get("additionalEventData") or {}
    function, qualifier = _function(record, asked)
    identity, session = _identity(record.get("userIdentity") or {})
    version = str(more["functionVersion"]).rpartition(":")[2] if more.get("functionVersion") else None
    error = record.get("errorCode")
    queued = asked.get("invocationType") == "Event" and name != "InvokeExecution"
    probe = asked.get("invocationType") == "DryRun"
    ran = error is None and not queued and not probe
    return TrailEvent(record["requestID"], at, function, qualifier, version, identity, session, error, ran)


def _function(record: dict[str, Any], asked: dict[str, Any]) -> tuple[str, str | None]:
    """The ARN, without a qualifier, and that."""
    named = _NAMED.fullmatch(str(asked.get("functionName") or ""))
    qualifier = asked.get("qualifier") or (named["qualifier"] if named else None)
    resources = record.get("resources") or []
    arn = next((each["ARN"] for each in resources if each.get("type") == "AWS::Lambda::Function"), None)
    if arn is None and named:
        place = named["place"] or f"arn:aws:lambda:{record['awsRegion']}:{record['recipientAccountId']}:function:"
        arn = place + named["name"]
    if arn is None:
        raise ValueError("an invocation without a function")
    return ":".join(arn.split(":")[:7]), qualifier


def _identity(who: dict[str, Any]) -> tuple[str, str | None]:
    """Who called, so that all sessions of a role are one."""
    arn = str(who.get("arn") or who.get("invokedBy") or who.get("accountId") or "unknown")
    if who.get("type") != "AssumedRole" and ":assumed-role/" not in arn:
        return arn, None
    role, _, session = arn.rpartition("/")
    issuer = ((who.get("sessionContext") or {}).get("sessionIssuer") or {}).get("arn")
    return str(issuer or role), session


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=at.tzinfo or UTC)
