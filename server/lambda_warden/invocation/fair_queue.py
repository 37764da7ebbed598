"""A fair, bounded queue for a bounded number of invocations under way.

One function must not starve the others, however slow it is or however often it is called. So the functions that wait
take turns, and the last few slots are given only to functions that have no call under way.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

_RESERVED: Final = 4
"""Slots that only functions with no call under way get; a quarter of all, if there are fewer than 16."""


class QueueFullError(Exception):
    """As many calls wait as may wait. Carries a message that says how many."""


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """What a call takes a slot for.

    Attributes:
        target: what `limit` is counted for, such as an account and region.
        function: whose turn it is.
        limit: how many calls of the target may be under way at once; None: as many as there are slots.
    """

    target: Hashable
    function: Hashable
    limit: int | None = None


class FairQueue:
    """Gives slots to calls, function by function in turn. Belongs to one event loop.

    Args:
        total: how many calls may be under way at once.
        queue: how many may wait for a slot.
    """

    def __init__(self, total: int, queue: int) -> None:
        self._total = total
        self._reserved = min(_RESERVED, total // 4)
        self._queue = queue
        self._under_way = 0
        self._of_target: Counter[Hashable] = Counter()
        self._of_function: Counter[Hashable] = Counter()
        # By function, in the order of their turns.
        self._waiting: OrderedDict[Hashable, deque[tuple[SlotRequest, asyncio.Future[None]]]] = OrderedDict()
        self._queued = 0

    @property
    def under_way(self) -> int:
        """Slots that are taken."""
        return self._under_way

    @property
    def queued(self) -> int:
        """Calls that wait for a slot."""
        return self._queued

    def acquire(self, claim: SlotRequest) -> asyncio.Future[None] | None:
        """Take a slot, to be given back with `release`, or wait for one.

        Returns:
            None if it was taken; else a future that is done when it is. Whoever stops waiting for that must `cancel`.

        Raises:
            QueueFullError: if too many wait already.
        """
        if claim.function not in self._waiting and self._has_room(claim):
            self._enter(claim)
            return None
        if self._queued >= self._queue:
            raise QueueFullError(f"{self._under_way:,} calls are under way, and {self._queued:,} wait already")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(claim.function, deque()).append((claim, turn))
        self._queued += 1
        return turn

    def cancel(self, claim: SlotRequest, turn: asyncio.Future[None]) -> None:
        """Wait no longer; or give the slot back, if it came in the last moment."""
        if turn.done():
            self.release(claim)
            return
        queue = self._waiting[claim.function]
        queue.remove((claim, turn))
        self._queued -= 1
        if not queue:
            del self._waiting[claim.function]

    def release(self, claim: SlotRequest) -> None:
        """Free a slot that was taken, for whoever is next."""
        self._under_way -= 1
        for counter, key in ((self._of_target, claim.target), (self._of_function, claim.function)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]
        self._let_in()

    def _has_room(self, claim: SlotRequest) -> bool:
        if claim.limit is not None and self._of_target[claim.target] >= claim.limit:
            return False
        open_to_it = self._total - (self._reserved if self._of_function[claim.function] else 0)
        return self._under_way < open_to_it

    def _enter(self, claim: SlotRequest) -> None:
        self._under_way += 1
        self._of_target[claim.target] += 1
        self._of_function[claim.function] += 1

    def _let_in(self) -> None:
        """Let in whoever has room, function after function."""
        let_in = True
        while let_in and self._under_way < self._total:
            let_in = False
            for function in list(self._waiting):
                queue = self._waiting[function]
                if not self._has_room(queue[0][0]):
                    continue
                claim, turn = queue.popleft()
                self._queued -= 1
                if queue:
                    self._waiting.move_to_end(function)
                else:
                    del self._waiting[function]
                self._enter(claim)
                turn.set_result(None)
                let_in = True
                break
