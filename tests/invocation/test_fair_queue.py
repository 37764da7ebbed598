"""The fair queue: bounds that hold, nobody who waits beside a free slot, turns, and nothing that leaks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from lambda_warden.invocation.fair_queue import FairQueue, QueueFullError, SlotRequest


@contextmanager
def an_event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that counts as running, for futures that nobody awaits."""
    loop = asyncio.new_event_loop()
    asyncio.events._set_running_loop(loop)
    try:
        yield loop
    finally:
        asyncio.events._set_running_loop(None)
        loop.close()


@pytest.fixture(autouse=True)
def _loop() -> Iterator[None]:
    with an_event_loop():
        yield


def claim(function: str, target: str = "account", limit: int | None = None) -> SlotRequest:
    return SlotRequest(target, function, limit)


def is_empty(slots: FairQueue) -> bool:
    """Whether nothing is left of anybody."""
    counters = (slots._of_target, slots._of_function, slots._waiting)
    return (slots.under_way, slots.queued) == (0, 0) and not any(counters)


def test_as_many_are_under_way_as_there_are_slots() -> None:
    slots = FairQueue(2, 10)
    assert slots.acquire(claim("f")) is None
    assert slots.acquire(claim("g")) is None
    turn = slots.acquire(claim("h"))
    assert turn is not None
    assert not turn.done()
    slots.release(claim("f"))
    assert turn.done()
    assert (slots.under_way, slots.queued) == (2, 0)


def test_functions_take_turns_however_many_calls_of_one_wait() -> None:
    slots = FairQueue(1, 100)
    slots.acquire(claim("first"))
    order: list[str] = []
    waiting = [(name, slots.acquire(claim(name))) for name in [*["busy"] * 5, "b", "b", "c"]]
    last = "first"
    for _ in range(len(waiting)):
        slots.release(claim(last))
        ((last, turn),) = [item for item in waiting if item[1] is not None and item[1].done()]
        waiting.remove((last, turn))
        order.append(last)
    assert order == ["busy", "b", "c", "busy", "b", "busy", "busy", "busy"]


def test_the_last_slots_are_for_functions_with_nothing_under_way() -> None:
    slots = FairQueue(16, 100)
    slow = [slots.acquire(claim("slow")) for _ in range(20)]
    assert slow.count(None) == 12
    assert [slots.acquire(claim(f"quick-{number}")) for number in range(4)] == [None] * 4
    assert slots.under_way == 16
    fifth = slots.acquire(claim("quick-5"))
    assert fifth is not None
    slots.release(claim("slow"))
    assert fifth.done(), "it has nothing under way, and the slow one keeps out of the last slots"
    assert sum(turn is not None and turn.done() for turn in slow) == 0


@pytest.mark.parametrize(("total", "of_one_function"), [(1, 1), (3, 3), (4, 3), (8, 6), (15, 12), (16, 12), (64, 60)])
def test_how_many_slots_one_function_can_have(total: int, of_one_function: int) -> None:
    slots = FairQueue(total, 100)
    assert [slots.acquire(claim("f")) for _ in range(total)].count(None) == of_one_function


def test_a_target_that_is_full_keeps_nobody_else_waiting() -> None:
    slots = FairQueue(8, 100)
    assert slots.acquire(claim("f", "small", 1)) is None
    waiting = slots.acquire(claim("g", "small", 1))
    assert waiting is not None
    assert slots.acquire(claim("h", "large")) is None
    slots.release(claim("h", "large"))
    assert not waiting.done()
    slots.release(claim("f", "small", 1))
    assert waiting.done()


def test_who_may_go_is_not_kept_by_who_is_before_them_and_may_not() -> None:
    slots = FairQueue(2, 100)
    slots.acquire(claim("f", "small", 1))
    slots.acquire(claim("h", "large"))
    first = slots.acquire(claim("g", "small", 1))
    second = slots.acquire(claim("i", "large"))
    assert first is not None
    assert second is not None
    slots.release(claim("h", "large"))
    assert (first.done(), second.done()) == (False, True)


def test_a_call_does_not_overtake_those_of_its_own_function() -> None:
    """The target's limit was raised by a reload, and those that wait came before that."""
    slots = FairQueue(8, 100)
    slots.acquire(claim("f", "account", 1))
    first, second = slots.acquire(claim("f", "account", 1)), slots.acquire(claim("f", "account", 5))
    assert first is not None
    assert second is not None
    slots.release(claim("f", "account", 1))
    assert (first.done(), second.done()) == (True, True)


def test_a_full_queue_raises_at_once_and_takes_nothing() -> None:
    slots = FairQueue(1, 1)
    slots.acquire(claim("f"))
    turn = slots.acquire(claim("g"))
    assert turn is not None
    with pytest.raises(QueueFullError, match="1 calls are under way, and 1 wait already"):
        slots.acquire(claim("h"))
    slots.cancel(claim("g"), turn)
    slots.release(claim("f"))
    assert is_empty(slots)


def test_without_a_queue_nobody_waits() -> None:
    slots = FairQueue(1, 0)
    assert slots.acquire(claim("f")) is None
    with pytest.raises(QueueFullError):
        slots.acquire(claim("f"))
    slots.release(claim("f"))
    assert slots.acquire(claim("f")) is None


def test_who_leaves_in_the_moment_of_its_turn_passes_the_slot_on() -> None:
    slots = FairQueue(1, 10)
    slots.acquire(claim("f"))
    leaving, staying = slots.acquire(claim("g")), slots.acquire(claim("h"))
    assert leaving is not None
    assert staying is not None
    slots.release(claim("f"))
    assert (leaving.done(), staying.done()) == (True, False)
    slots.cancel(claim("g"), leaving)
    assert staying.done()
    slots.release(claim("h"))
    assert is_empty(slots)


def test_who_leaves_the_queue_is_not_called_and_loses_nobody_the_turn() -> None:
    slots = FairQueue(1, 10)
    slots.acquire(claim("f"))
    turns = [slots.acquire(claim("g")) for _ in range(3)]
    assert turns[1] is not None
    slots.cancel(claim("g"), turns[1])
    assert slots.queued == 2
    for _ in range(2):
        slots.release(claim("f" if turns[0] is not None and not turns[0].done() else "g"))
    assert [turn is not None and turn.done() for turn in turns] == [True, False, True]


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=40))
def test_between_two_turns_of_a_function_each_one_that_waited_has_had_its_own(names: list[str]) -> None:
    with an_event_loop():
        slots = FairQueue(1, 100)
        assert slots.acquire(claim("first")) is None
        waiting = [(name, turn) for name in names if (turn := slots.acquire(claim(name))) is not None]
        order = ["first"]
        while waiting:
            slots.release(claim(order[-1]))
            (now,) = [item for item in waiting if item[1].done()]
            waiting.remove(now)
            order.append(now[0])
    left = Counter(names)
    for at, name in enumerate(order[1:], start=1):
        left[name] -= 1
        following = order[at + 1 :]
        until_next = following[: following.index(name)] if name in following else following
        assert {other for other, calls in left.items() if calls and other != name} <= set(until_next)


_FUNCTIONS = {"a": "left", "b": "left", "c": "left", "d": "right", "e": "right"}


class Queue(RuleBasedStateMachine):
    """Calls come, wait, leave and end in any order, beside a model of who should be let in."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self._context = an_event_loop()
        self._context.__enter__()

    @initialize(
        total=st.integers(1, 20),
        queue=st.integers(0, 12),
        left=st.one_of(st.none(), st.integers(1, 5)),
        right=st.one_of(st.none(), st.integers(1, 5)),
    )
    def open(self, total: int, queue: int, left: int | None, right: int | None) -> None:
        self.slots, self.total, self.queue = FairQueue(total, queue), total, queue
        self.limits = {"left": left, "right": right}
        self.has: Counter[str] = Counter()
        self.of_target: Counter[str] = Counter()
        self.turns: list[tuple[SlotRequest, asyncio.Future[None]]] = []

    def enter(self, claim: SlotRequest) -> None:
        self.has[str(claim.function)] += 1
        self.of_target[str(claim.target)] += 1

    def leaves(self, claim: SlotRequest) -> None:
        self.has[str(claim.function)] -= 1
        self.of_target[str(claim.target)] -= 1

    def has_room(self, claim: SlotRequest) -> bool:
        if claim.limit is not None and self.of_target[str(claim.target)] >= claim.limit:
            return False
        reserved = min(4, self.total // 4) if self.has[str(claim.function)] else 0
        return sum(self.has.values()) < self.total - reserved

    def settle(self) -> None:
        """Take note of whose turn came."""
        came = [(claim, turn) for claim, turn in self.turns if turn.done()]
        self.turns = [item for item in self.turns if item not in came]
        for claim, _ in came:
            self.enter(claim)

    @rule(target=calls, function=st.sampled_from(sorted(_FUNCTIONS)))
    def acquire(self, function: str) -> object:
        claim = SlotRequest(_FUNCTIONS[function], function, self.limits[_FUNCTIONS[function]])
        room, queued = self.has_room(claim), len(self.turns)
        try:
            turn = self.slots.acquire(claim)
        except QueueFullError:
            assert not room
            assert queued == self.queue
            return multiple()
        if turn is None:
            assert room
            self.enter(claim)
            # One that was let in at once is one whose turn has come.
            turn = asyncio.get_running_loop().create_future()
            turn.set_result(None)
            return claim, turn
        assert not room
        assert queued < self.queue
        self.turns.append((claim, turn))
        return claim, turn

    @rule(item=consumes(calls))
    def end(self, item: tuple[SlotRequest, asyncio.Future[None]]) -> None:
        """Give the slot back, or wait no longer."""
        claim, turn = item
        if turn.done():
            self.leaves(claim)
            self.slots.release(claim)
        else:
            self.turns.remove(item)
            self.slots.cancel(claim, turn)
        self.settle()

    @rule(item=consumes(calls))
    def cancel(self, item: tuple[SlotRequest, asyncio.Future[None]]) -> None:
        """Wait no longer, without looking whether the turn has come."""
        claim, turn = item
        if turn.done():
            self.leaves(claim)
        else:
            self.turns.remove(item)
        self.slots.cancel(claim, turn)
        self.settle()

    @invariant()
    def the_bounds_hold(self) -> None:
        if not hasattr(self, "slots"):
            return
        assert self.slots.under_way == sum(self.has.values()) <= self.total
        assert self.slots.queued == len(self.turns) <= self.queue
        for target, limit in self.limits.items():
            assert limit is None or self.of_target[target] <= limit
        assert self.slots._of_function == +self.has
        assert self.slots._of_target == +self.of_target

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        for claim, _ in getattr(self, "turns", []):
            assert not self.has_room(claim)

    def teardown(self) -> None:
        try:
            if hasattr(self, "slots"):
                self.end_all()
        finally:
            self._context.__exit__(None, None, None)

    def end_all(self) -> None:
        while self.turns or sum(self.has.values()):
            for function in sorted(_FUNCTIONS):
                if self.has[function]:
                    claim = SlotRequest(_FUNCTIONS[function], function, self.limits[_FUNCTIONS[function]])
                    self.leaves(claim)
                    self.slots.release(claim)
                    self.settle()
                    break
            else:
                pytest.fail("somebody waits, and nobody is under way")
        assert is_empty(self.slots)


TestQueue = Queue.TestCase
