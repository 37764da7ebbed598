"""What stands beside the chains, held against what follows from them: limits, keys, approvals and a pause.

A reset of these changes no record, so that no hash tells of it; but what the records say of the last day implies what
has to stand there. What is about to expire, in the next five minutes, is left out: clocks may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from lambda_warden.store.approvals import ApprovalState
from lambda_warden.store.audit_log import StateBesideChains
from lambda_warden.store.hash_chain import AuditEvent

_DAY: Final = 86_400.0
_MARGIN: Final = 300.0
"""Seconds that clocks may differ by."""


@dataclass(slots=True)
class _Approval:
    """What the records say of one request for approval."""

    asked_ago: float
    needed: int = 1
    approved: int = 0
    denied: bool = False
    void: bool = False

    def states(self) -> set[ApprovalState]:
        """Which of them can be true. The last approval that is needed decides, one more is its use."""
        if self.void:  # or its call was told so, since the manifests had changed
            return {"void", "approved", "expired"}
        if self.approved > self.needed:
            return {"used"}
        if self.denied:
            return {"denied"}
        return {"approved" if self.approved == self.needed else "pending", "expired"}


@dataclass(slots=True)
class _Implied:
    """What the events imply."""

    intents: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    approvals: dict[str, _Approval] = field(default_factory=dict)
    paused: bool = False


def hold_to_chains(
    events: Iterable[AuditEvent], read_state: Callable[[], StateBesideChains], now: datetime
) -> list[str]:
    """Find what was reset.

    Args:
        events: all of the store, in their order.
        read_state: gives what stands beside them. Asked after the events are read, or a call that is admitted meanwhile
            would seem to be lost.
        now: the time.

    Returns:
        A line for each limit, key, request and pause that is not as the records say.
    """
    implied = _implied(events, now)
    state = read_state()
    return [*_limits(implied, state), *_calls(implied, state), *_approvals(implied, state)] + (
        [f"calls are {'not ' if implied.paused else ''}paused, and the records say otherwise"]
        if implied.paused != state.paused
        else []
    )


def _implied(events: Iterable[AuditEvent], now: datetime) -> _Implied:
    found = _Implied()
    for event in events:
        match event.kind:
            case "intent":
                ago, fields = _seconds_ago(event, now), event.fields()
                if ago < max(_DAY, *map(_number, (fields.get("kept_seconds"), fields.get("lease_seconds")))):
                    found.intents[event.invocation_id] = ago, fields
            case "outcome" if event.invocation_id in found.intents:
                found.outcomes[event.invocation_id] = str(event.fields().get("outcome"))
            case "pause":
                found.paused = True
            case "resume" if "function" not in event.fields():
                found.paused = False
            case "approval_request":
                found.approvals[event.invocation_id] = _Approval(_seconds_ago(event, now), _needed(event))
            case "approval":
                fields = event.fields()
                if asked := found.approvals.get(str(fields.get("approval_id"))):
                    asked.approved += fields.get("answer") == "approved"
                    asked.void |= fields.get("answer") == "void" and event.invocation_id == fields.get("approval_id")
                    asked.denied |= fields.get("answer") == "denied" and event.invocation_id == fields.get(
                        "approval_id"
                    )
    return found


def _needed(event: AuditEvent) -> int:
    said = str(event.fields().get("approvals_needed", 1))
    return int(said) if said.isdecimal() else 1


def _seconds_ago(event: AuditEvent, now: datetime) -> float:
    try:
        at = datetime.fromisoformat(event.at)
    except ValueError:  # `verify` says that it was altered
        return _DAY * 1000
    return (now - at.replace(tzinfo=at.tzinfo or UTC)).total_seconds()


def _limits(implied: _Implied, state: StateBesideChains) -> Iterator[str]:
    expected = Counter(
        key
        for invocation_id, (ago, fields) in implied.intents.items()
        if ago < _DAY - _MARGIN and implied.outcomes.get(invocation_id) != "refused"
        for key in str(fields.get("counts_in") or "").splitlines()
    )
    for key, count in expected.items():
        if (counted := state.units.get(key, 0)) < count:
            yield f"the limit {key} was reset: it counts {counted} calls of the last day, and the records have {count}"


def _calls(implied: _Implied, state: StateBesideChains) -> Iterator[str]:
    for invocation_id, (ago, fields) in implied.intents.items():
        outcome = implied.outcomes.get(invocation_id)
        kept, lease = _number(fields.get("kept_seconds")), _number(fields.get("lease_seconds"))
        has_key = "idempotency_key" in fields
        until = kept if outcome is None or (outcome != "refused" and (has_key or outcome == "unknown")) else 0.0
        if outcome is None:
            until = max(until, lease)
        if ago < until - _MARGIN and invocation_id not in state.calls:
            what = "its idempotency key is" if has_key else "that it may have run is"
            yield f"call {invocation_id} was forgotten before its time: {what} free for another"


def _approvals(implied: _Implied, state: StateBesideChains) -> Iterator[str]:
    for approval_id, asked in implied.approvals.items():
        if asked.asked_ago >= _DAY - _MARGIN:
            continue
        stands, expected = state.approvals.get(approval_id), asked.states()
        if stands not in expected:
            yield (
                f"the request for approval {approval_id} is {stands or 'gone'}, and by the records "
                f"{' or '.join(sorted(expected))}"
            )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
