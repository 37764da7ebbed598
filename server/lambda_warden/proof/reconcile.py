"""Calls on record, held against CloudTrail's events of Invoke, both ways."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from lambda_warden.proof.cloudtrail import Trail, TrailEvent
from lambda_warden.store.hash_chain import AuditEvent

Finding = Literal["no_record", "no_event", "another_function", "ran", "no_sign", "other_caller", "too_recent"]
"""no_record: called by an identity of lambda-warden's, and nothing is on record: it was bypassed, or the record was
removed. no_event: on record as having run, and CloudTrail has nothing. another_function: the record names another
function than CloudTrail. ran: nobody knew, and CloudTrail has it. no_sign: nobody knew, and CloudTrail has nothing.
other_caller: of somebody else, which lambda-warden knows nothing of. too_recent: CloudTrail may not have it yet, or
does not reach so far back."""

PROBLEMS: Final = ("no_record", "no_event", "another_function")

_RAN: Final = ("succeeded", "function_error", "accepted")
_BEFORE: Final = timedelta(seconds=5)
_AFTER: Final = timedelta(seconds=60)
"""How far the clocks of this machine and AWS may be apart."""


@dataclass(slots=True)
class RecordedCall:
    """A call as the records have it.

    Attributes:
        invocation_id: its id.
        at: when it was about to be sent.
        function: its ARN without the qualifier.
        qualifier: the qualifier.
        invocation_type: how it was to run.
        until: when it can have been sent at the latest.
        outcome: how it ended; unknown, if nobody wrote that.
        request_id: that AWS gave it, where AWS answered.
        earlier: those of attempts before, which started nothing.
    """

    invocation_id: str
    at: datetime
    function: str
    qualifier: str
    invocation_type: str
    until: datetime
    outcome: str = "unknown"
    request_id: str | None = None
    earlier: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class FoundCall:
    """One thing that was found.

    Attributes:
        finding: what.
        at: when it happened.
        function: which, with the qualifier or version as far as it is known.
        invocation_id: of the call on record.
        request_id: of CloudTrail's event.
        who: the identity that called, by CloudTrail, with its session.
        outcome: how it ended, by the records.
    """

    finding: Finding
    at: datetime
    function: str
    invocation_id: str | None = None
    request_id: str | None = None
    who: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How records and CloudTrail fit.

    Attributes:
        matched: how many calls are in both.
        found: what is in one of them, or differs, by time.
    """

    matched: int
    found: tuple[FoundCall, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return all(each.finding not in PROBLEMS for each in self.found)


def recorded_calls(events: Iterable[AuditEvent]) -> list[RecordedCall]:
    """The calls that were about to be sent, by the records."""
    calls: dict[str, RecordedCall] = {}
    for event in events:
        fields = event.fields()
        if event.kind == "intent":
            calls[event.invocation_id] = _call(event, fields)
        elif event.kind in ("outcome", "retry") and (call := calls.get(event.invocation_id)):
            request_id = fields.get("request_id")
            if event.kind == "retry":
                call.earlier.add(str(request_id))
                continue
            call.outcome = str(fields.get("outcome"))
            call.request_id = request_id if isinstance(request_id, str) else None
            call.until = _time(event.at) if call.outcome != "unknown" else call.until
    return list(calls.values())


def reconcile(
    calls: Iterable[RecordedCall], trail: Trail, lag: timedelta, roles: Collection[str] = (), *, every: bool = False
) -> Reconciliation:
    """Match calls and events, by AWS's request id, and where that is not known by function and time.

    Args:
        calls: on record.
        trail: what CloudTrail has.
        lag: how long it may take until an event is delivered.
        roles: identities that call for nobody but lambda-warden, besides those that its calls show.
        every: whether each invocation of any identity has to be on record.
    """
    left = {event.request_id: event for event in trail.events}
    found: list[FoundCall] = []
    unmatched: list[RecordedCall] = []
    ours: set[str] = set(roles)
    matched = 0
    for call in sorted(calls, key=lambda each: each.at):
        attempts = [event for each in call.earlier if (event := left.pop(each, None))]
        event = left.pop(call.request_id or "", None)
        ours.update(each.identity for each in (*attempts, *filter(None, [event])))
        if event is None:
            unmatched.append(call)
            continue
        matched += 1
        if event.function != call.function:
            found.append(_found("another_function", call, event))
        found += _evidence(call, event)
    by_function: dict[str, list[TrailEvent]] = {}
    for event in left.values():
        by_function.setdefault(event.function, []).append(event)
    for call in unmatched:
        near = by_function.get(call.function, []) if call.request_id is None else []
        match = next((each for each in near if _may_be(call, each, ours)), None)
        if match is None:
            found += _absent(call, trail, lag)
        else:
            near.remove(match)
            del left[match.request_id]
            matched += 1
            found += _evidence(call, match)
    # Where no call shows who lambda-warden is, nobody can be told from it.
    strict = every or not ours
    for event in left.values():
        found.append(_of(event, "no_record" if strict or event.identity in ours else "other_caller"))
    return Reconciliation(matched, tuple(sorted(found, key=lambda each: each.at)))


def _evidence(call: RecordedCall, event: TrailEvent) -> Iterator[FoundCall]:
    """What CloudTrail tells of a call whose end nobody knew."""
    if call.outcome == "unknown":
        yield _found("ran" if event.ran else "no_sign", call, event)


def _absent(call: RecordedCall, trail: Trail, lag: timedelta) -> Iterator[FoundCall]:
    """What is to be said of a call that CloudTrail does not have. What AWS refused may be missing there."""
    if call.invocation_type == "DryRun" or call.outcome == "refused":
        return
    if trail.first is None or trail.last is None or call.at < trail.first or call.until + lag > trail.last:
        yield _found("too_recent", call, None)
    else:
        yield _found("no_event" if call.outcome in _RAN else "no_sign", call, None)


def _may_be(call: RecordedCall, event: TrailEvent, ours: Collection[str]) -> bool:
    fits = event.qualifier in (None, call.qualifier) and (not ours or event.identity in ours)
    return fits and event.function == call.function and call.at - _BEFORE <= event.at <= call.until + _AFTER


def _found(finding: Finding, call: RecordedCall, event: TrailEvent | None) -> FoundCall:
    return FoundCall(
        finding,
        call.at,
        f"{call.function}:{call.qualifier}",
        call.invocation_id,
        event.request_id if event else call.request_id,
        _who(event) if event else None,
        call.outcome,
    )


def _of(event: TrailEvent, finding: Finding) -> FoundCall:
    which = event.qualifier or event.version
    function = f"{event.function}:{which}" if which else event.function
    return FoundCall(finding, event.at, function, request_id=event.request_id, who=_who(event))


def _who(event: TrailEvent) -> str:
    return f"{event.identity} ({event.session})" if event.session else event.identity


def _call(event: AuditEvent, fields: dict[str, Any]) -> RecordedCall:
    function, _, qualifier = str(fields.get("function") or "").rpartition(":")
    lease = fields.get("lease_seconds")
    at = _time(event.at)
    until = at + timedelta(seconds=lease if isinstance(lease, int | float) else 0)
    return RecordedCall(event.invocation_id, at, function, qualifier, str(fields.get("invocation_type") or ""), until)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=at.tzinfo or UTC)
    except ValueError:  # `verify` says that it was altered
        return datetime(1970, 1, 1, tzinfo=UTC)
