"""Limits: what counts in each, one item a limit, whose size does not grow with the calls.

Calls are counted by sub-windows, and the oldest that still reaches into a window is counted whole: so a window is never
exceeded, and has room again up to a sub-window later than it might. What is counted is a little longer than the window,
too, since the clocks of servers differ. Times are whole microseconds of the store's time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lambda_warden.store.audit_log import Limit, LimitExceeded, LimitName
from lambda_warden.store.dynamodb import keys
from lambda_warden.store.dynamodb.service_clock import KNOWN_WITHIN_SECONDS
from lambda_warden.store.dynamodb.transaction import Transaction

SECOND: Final = 1_000_000
SKEW: Final = round(2 * KNOWN_WITHIN_SECONDS * SECOND)
"""How far the clocks of two servers can be apart."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window that goes on with the time.

    Attributes:
        limit: whose it is.
        length: how long it is.
        part: how long a sub-window is.
    """

    limit: LimitName
    length: int
    part: int

    def end(self, part: int) -> int:
        """When the calls of a sub-window count no longer."""
        return (part + 1) * self.part + self.length + SKEW


MINUTE: Final = Window("per_minute", 60 * SECOND, 5 * SECOND)
DAY: Final = Window("per_day", 86_400 * SECOND, 3_600 * SECOND)
WINDOWS: Final = (MINUTE, DAY)


@dataclass(frozen=True, slots=True)
class Units:
    """What counts in a limit.

    Attributes:
        counts: of each window, how many calls were admitted in each sub-window that still counts.
        held: the calls that hold a slot, and until when at the latest.
    """

    counts: Mapping[LimitName, Mapping[int, int]] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, body: Mapping[str, Any] | None, now: int) -> Units:
        """What an item says, without what counts no longer."""
        if body is None:
            return cls()
        return cls(
            {
                window.limit: {
                    int(part): count
                    for part, count in body["counts"].get(window.limit, {}).items()
                    if window.end(int(part)) > now
                }
                for window in WINDOWS
            },
            {call: until for call, until in body["held"].items() if until > now},
        )

    @property
    def today(self) -> int:
        """How many calls count in the last day, and perhaps some before."""
        return sum(self.counts.get(DAY.limit, {}).values())

    def body(self) -> dict[str, Any]:
        """As an item says it."""
        return {"counts": self.counts, "held": self.held}

    def with_unit(self, at: int, count: int = 1) -> Units:
        """With a call that was admitted at a time; with -1, without one."""
        changed = {}
        for window in WINDOWS:
            parts = dict(self.counts.get(window.limit, {}))
            parts[at // window.part] = parts.get(at // window.part, 0) + count
            changed[window.limit] = {part: number for part, number in parts.items() if number > 0}
        return replace(self, counts=changed)

    def exceeded(self, limit: Limit, now: int) -> Iterator[LimitExceeded]:
        """What has no room for one more call."""
        for window in WINDOWS:
            allowed = limit.per_minute if window is MINUTE else limit.per_day
            if allowed is not None and (room := self._room(window, allowed)) is not None:
                wait = (room - now) / SECOND if allowed > 0 else None
                yield LimitExceeded(limit.key, window.limit, allowed, wait)
        if limit.concurrent is not None and len(self.held) >= limit.concurrent:
            ends = sorted(self.held.values())
            wait = (ends[-limit.concurrent] - now) / SECOND if limit.concurrent > 0 else None
            yield LimitExceeded(limit.key, "concurrent", limit.concurrent, wait)

    def _room(self, window: Window, allowed: int) -> int | None:
        """When a full window has room for one more; None if it is not full."""
        parts = self.counts.get(window.limit, {})
        left, room = sum(parts.values()), None
        for part in sorted(parts):
            if left < allowed:
                break
            left, room = left - parts[part], window.end(part)
        return room if room is not None or allowed > 0 else 0


def take(
    tx: Transaction, now: int, invocation_id: str, limits: Sequence[Limit], lease: int
) -> LimitExceeded | tuple[list[str], list[str]]:
    """Take a unit of every limit, or none.

    Returns:
        What had no room; or the keys of the limits that the call counts in, and of those where it holds a slot.
    """
    limited = {limit.key: limit for limit in limits if replace(limit, key="") != Limit("")}
    tx.fetch([keys.limit(key) for key in limited])
    units = {key: Units.of(tx.get(keys.limit(key)), now) for key in limited}
    if full := [found for limit in limited.values() for found in units[limit.key].exceeded(limit, now)]:
        return max(full, key=_wait)
    slots = [key for key, limit in limited.items() if limit.concurrent is not None]
    for key, found in units.items():
        taken = found.with_unit(now)
        _put(tx, key, replace(taken, held={**found.held, invocation_id: now + lease}) if key in slots else taken, now)
    return list(limited), slots


def release(
    tx: Transaction, now: int, invocation_id: str, at: int, limited: Sequence[str], slots: Sequence[str], *, ran: bool
) -> None:
    """Free the slots of a call that ended and, if it did not run, its other units too.

    Args:
        tx: writes it.
        now: the time.
        invocation_id: of the call.
        at: when it was admitted.
        limited: what `take` gave.
        slots: what `take` gave, too.
        ran: whether the function may have run.
    """
    touched = slots if ran else limited
    tx.fetch([keys.limit(key) for key in touched])
    for key in touched:
        found = Units.of(tx.get(keys.limit(key)), now)
        freed = replace(found, held={call: until for call, until in found.held.items() if call != invocation_id})
        _put(tx, key, freed if ran else freed.with_unit(at, -1), now)


def _put(tx: Transaction, key: str, units: Units, now: int) -> None:
    last = max([now + DAY.end(0), *units.held.values()])
    tx.put(keys.limit(key), {"key": key, **units.body()}, expires_at=last / SECOND)


def _wait(exceeded: LimitExceeded) -> float:
    if exceeded.allowed < 1:
        return float("inf")
    # A call may end at any moment.
    return 0 if exceeded.limit == "concurrent" else exceeded.retry_after_seconds or 0
