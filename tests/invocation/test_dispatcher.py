"""Calls in their threads: when they get one, how long they are waited for, and how they are given up."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import anyio
import anyio.to_thread
import pytest

from lambda_warden.aws.invocation_handle import GivenUpError, InvocationHandle
from lambda_warden.invocation import dispatcher as module
from lambda_warden.invocation.dispatcher import (
    Dispatcher,
    NoTurnError,
    Progress,
    StoppingError,
    StuckError,
    no_progress,
)
from lambda_warden.invocation.fair_queue import QueueFullError, SlotRequest

pytestmark = pytest.mark.anyio

CLAIM = SlotRequest("account", "f")
LONG = 30.0
"""Seconds that no test takes, unless it fails."""


class Call:
    """A call that blocks on a socket, as one does that waits for an answer, until it is released or broken."""

    all: ClassVar[list[Call]] = []

    def __init__(self, seconds: float | None = None, result: object = "done") -> None:
        self.handle = InvocationHandle()
        if seconds is not None:
            self.handle.allow(seconds)
            self.handle.begin_attempt()
        self.arrived, self.ended = threading.Event(), threading.Event()
        self.result = result
        self._near, self._far = socket.socketpair()
        self.all.append(self)

    def __call__(self) -> object:
        try:
            self.handle.begin_attempt()
            self.handle.uses(self._near)
            self.arrived.set()
            answered = self._near.recv(1) == b"!"
            return self.result if answered else self.handle.reason
        finally:
            self.ended.set()

    def release(self) -> None:
        self._far.sendall(b"!")

    def close(self) -> None:
        self._far.close()
        self._near.close()


@pytest.fixture(autouse=True)
def _close_calls() -> Iterator[None]:
    yield
    while Call.all:
        Call.all.pop().close()


class Running:
    """A dispatcher, and what became of it."""

    def __init__(self, concurrency: int, queue: int) -> None:
        self.idle: list[str] = []
        self.dispatcher = Dispatcher(
            concurrency=concurrency, queue=queue, on_idle=lambda: self.idle.append(threading.current_thread().name)
        )

    async def run(
        self,
        work: Callable[[], Any],
        handle: InvocationHandle | None = None,
        *,
        claim: SlotRequest = CLAIM,
        patience: float = LONG,
        progress: Progress = no_progress,
    ) -> Any:
        return await self.dispatcher.run(work, handle or InvocationHandle(), claim, patience, progress)

    async def add_result(self, results: list[object], call: Call) -> None:
        """Run a call, and add what it returned to the others."""
        results.append(await self.run(call, call.handle))

    async def until_free(self) -> None:
        """Wait until nobody has a slot or a thread of his own."""
        await until(lambda: not self.dispatcher.under_way and not self.dispatcher._slots.under_way)


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(LONG):
        while not condition():
            await anyio.sleep(0.005)


async def arrived(call: Call) -> None:
    assert await anyio.to_thread.run_sync(call.arrived.wait, LONG)


@asynccontextmanager
async def running(concurrency: int = 2, queue: int = 10) -> AsyncIterator[Running]:
    """A dispatcher, which leaves no thread and no slot taken behind."""
    it = Running(concurrency, queue)
    try:
        yield it
    finally:
        it.dispatcher.close()
        await until(lambda: it.idle)
    assert len(it.idle) == 1
    slots = it.dispatcher._slots
    assert (slots.under_way, slots.queued, it.dispatcher.under_way) == (0, 0, 0)
    await until(lambda: not any(thread.name.startswith("invocation") for thread in threading.enumerate()))


async def test_a_call_gets_what_its_work_returns() -> None:
    async with running() as it:
        assert await it.run(lambda: 7) == 7
        assert it.dispatcher.under_way == 0


async def test_the_work_runs_in_a_thread_of_its_own() -> None:
    async with running() as it:
        name = await it.run(lambda: threading.current_thread().name)
    assert name.startswith("invocation")


async def test_what_the_work_raises_reaches_the_caller() -> None:
    def work() -> None:
        raise ValueError("a defect")

    async with running(concurrency=1) as it:
        with pytest.raises(ValueError, match="a defect"):
            await it.run(work)
        assert await it.run(lambda: "the slot is free again") == "the slot is free again"


async def test_more_calls_than_slots_wait_for_their_turn() -> None:
    calls = [Call(result=number) for number in range(5)]
    results: dict[int, object] = {}

    async def run(it: Running, number: int) -> None:
        results[number] = await it.run(calls[number], calls[number].handle)

    async with running(concurrency=2) as it, anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(run, it, number)
            await anyio.sleep(0)
        for first in (0, 2, 4):
            for call in calls[first : first + 2]:
                await arrived(call)
            assert not any(call.arrived.is_set() for call in calls[first + 2 :])
            for call in calls[first : first + 2]:
                call.release()
    assert results == {number: number for number in range(5)}


async def test_when_the_queue_is_full_a_call_raises_at_once() -> None:
    call, waiting = Call(), Call()
    async with running(concurrency=1, queue=1) as it, anyio.create_task_group() as group:
        group.start_soon(it.run, call, call.handle)
        await arrived(call)
        group.start_soon(it.run, waiting, waiting.handle)
        await until(lambda: it.dispatcher._slots.queued)
        with pytest.raises(QueueFullError):
            await it.run(lambda: pytest.fail("it ran"))
        call.release()
        waiting.release()


async def test_a_call_whose_turn_does_not_come_in_time_raises_and_leaves_the_queue() -> None:
    call = Call()
    async with running(concurrency=1) as it, anyio.create_task_group() as group:
        group.start_soon(it.run, call, call.handle)
        await arrived(call)
        with pytest.raises(NoTurnError, match="no slot was free within 0 s"):
            await it.run(lambda: pytest.fail("it ran"), patience=0.1)
        assert it.dispatcher._slots.queued == 0
        call.release()


async def test_at_its_deadline_the_connection_is_broken_and_what_is_known_comes_back() -> None:
    call = Call(0.1)
    async with running(concurrency=1) as it:
        assert await it.run(call, call.handle) == "deadline"
        assert it.dispatcher.under_way == 0


async def test_a_deadline_can_come_nearer_while_the_call_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does when AWS tells how long the function may run."""
    monkeypatch.setattr(module, "_FIRST_PROGRESS_SECONDS", 0.01)
    monkeypatch.setattr(module, "_PROGRESS_SECONDS", 0.01)
    call = Call()
    results: list[object] = []

    async with running(concurrency=1) as it, anyio.create_task_group() as group:
        group.start_soon(it.add_result, results, call)
        await arrived(call)
        call.handle.allow(0.05)
    assert results == ["deadline"]


async def test_who_stops_waiting_breaks_the_connection_and_the_slot_is_free() -> None:
    call = Call()
    async with running(concurrency=1) as it:
        async with anyio.create_task_group() as group:
            group.start_soon(it.run, call, call.handle)
            await arrived(call)
            group.cancel_scope.cancel()
        assert call.handle.reason == "cancelled"
        assert await anyio.to_thread.run_sync(call.ended.wait, LONG), "its thread ended, and nobody answered it"
        await it.until_free()
        assert await it.run(lambda: "next") == "next"


async def test_who_stops_waiting_for_a_turn_is_not_called() -> None:
    call = Call()
    async with running(concurrency=1) as it, anyio.create_task_group() as group:
        group.start_soon(it.run, call, call.handle)
        await arrived(call)
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(it.run, lambda: pytest.fail("it ran"))
            await until(lambda: it.dispatcher._slots.queued)
            waiting.cancel_scope.cancel()
        assert it.dispatcher._slots.queued == 0
        call.release()


async def test_who_stops_waiting_in_the_moment_of_his_turn_passes_it_on() -> None:
    """The slot is given back and taken, and both callers are told to stop, before either runs again."""
    call, ran = Call(), threading.Event()
    async with running(concurrency=1) as it:
        first = asyncio.ensure_future(it.run(call, call.handle))
        await arrived(call)
        leaving = asyncio.ensure_future(it.run(lambda: pytest.fail("it ran")))
        await until(lambda: it.dispatcher._slots.queued == 1)
        staying = asyncio.ensure_future(it.run(ran.set))
        await until(lambda: it.dispatcher._slots.queued == 2)
        release = it.dispatcher._slots.release

        def give_back_and_cancel(claim: SlotRequest) -> None:
            it.dispatcher._slots.release = release  # type: ignore[method-assign]
            release(claim)
            leaving.cancel()

        it.dispatcher._slots.release = give_back_and_cancel  # type: ignore[method-assign]
        call.release()
        assert await first == "done"
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await asyncio.wait_for(staying, LONG)
    assert ran.is_set()


async def test_a_call_that_was_given_up_before_it_sends_sends_nothing() -> None:
    held, sent, released = threading.Event(), threading.Event(), threading.Event()
    handle = InvocationHandle()
    endings: list[type[BaseException]] = []

    def work() -> None:
        held.set()
        released.wait(LONG)
        try:
            handle.begin_attempt()
            handle.goes_out()
            sent.set()
        except GivenUpError as error:
            endings.append(type(error))

    async with running(concurrency=1) as it:
        async with anyio.create_task_group() as group:
            group.start_soon(it.run, work, handle)
            assert await anyio.to_thread.run_sync(held.wait, LONG)
            group.cancel_scope.cancel()
        released.set()
        await it.until_free()
    assert endings == [GivenUpError]
    assert not sent.is_set()


async def test_a_thread_that_does_not_end_is_said_to_be_stuck_and_keeps_its_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)
    released, handle = threading.Event(), InvocationHandle()
    handle.allow(0.05)
    handle.begin_attempt()
    async with running(concurrency=1, queue=0) as it:
        with pytest.raises(StuckError):
            await it.run(lambda: released.wait(LONG), handle)
        assert it.dispatcher.under_way == 1
        with pytest.raises(QueueFullError):
            await it.run(lambda: pytest.fail("it ran"))
        released.set()
        await it.until_free()
        assert await it.run(lambda: "next") == "next"


class Reports:
    """Progress as it was reported."""

    def __init__(self) -> None:
        self.all: list[tuple[float, float | None, str]] = []

    async def __call__(self, elapsed: float, total: float | None, message: str) -> None:
        self.all.append((elapsed, total, message))

    def messages(self) -> set[str]:
        return {message for _, _, message in self.all}


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_PROGRESS_SECONDS", 0.01)
    monkeypatch.setattr(module, "_PROGRESS_SECONDS", 0.01)


@pytest.mark.usefixtures("_often")
async def test_progress_is_reported_while_a_call_waits_and_while_it_runs() -> None:
    call, waiting, reports = Call(), Call(LONG), Reports()

    async def run(it: Running) -> None:
        await it.run(waiting, waiting.handle, progress=reports)

    async with running(concurrency=1) as it, anyio.create_task_group() as group:
        group.start_soon(it.run, call, call.handle)
        await arrived(call)
        group.start_soon(run, it)
        await until(lambda: len(reports.all) >= 2)
        assert reports.messages() == {"waiting for a free slot"}
        call.release()
        await arrived(waiting)
        await until(lambda: "running" in reports.messages())
        waiting.release()
    elapsed = [seconds for seconds, _, _ in reports.all]
    assert elapsed == sorted(elapsed)
    assert all(total is not None and total > 0 for _, total, _ in reports.all)
    messages = [message for _, _, message in reports.all]
    assert messages == sorted(messages, reverse=True), "no word of waiting once it runs"


@pytest.mark.usefixtures("_often")
async def test_without_a_deadline_progress_has_no_total() -> None:
    call, reports = Call(), Reports()
    async with running() as it, anyio.create_task_group() as group:

        async def run() -> None:
            await it.run(call, call.handle, progress=reports)

        group.start_soon(run)
        await until(lambda: reports.all)
        call.release()
    assert {total for _, total, _ in reports.all} == {None}


async def test_a_call_that_is_quick_reports_nothing() -> None:
    reports = Reports()
    async with running() as it:
        await it.run(lambda: None, progress=reports)
    assert reports.all == []


@pytest.mark.usefixtures("_often")
async def test_progress_that_can_not_be_reported_gives_the_call_up() -> None:
    """Nobody would get its result, so nothing may be left running."""

    async def broken(elapsed: float, total: float | None, message: str) -> None:
        raise ConnectionError

    call = Call()
    async with running(concurrency=1) as it:
        with pytest.raises(ConnectionError):
            await it.run(call, call.handle, progress=broken)
        assert call.handle.reason == "cancelled"
        await it.until_free()


async def test_drain_waits_for_what_is_under_way_and_takes_nothing_more() -> None:
    call = Call()
    results: list[object] = []

    async with running(concurrency=1) as it, anyio.create_task_group() as group:
        group.start_soon(it.add_result, results, call)
        await arrived(call)

        refused: list[StoppingError] = []

        async def wait_in_vain() -> None:
            try:
                await it.run(lambda: pytest.fail("it ran"))
            except StoppingError as error:
                refused.append(error)

        group.start_soon(wait_in_vain)
        await until(lambda: it.dispatcher._slots.queued)
        drained = anyio.Event()

        async def drain() -> None:
            await it.dispatcher.drain(LONG)
            drained.set()

        group.start_soon(drain)
        await anyio.sleep(0)
        with pytest.raises(StoppingError, match="shutting down"):
            await it.run(lambda: pytest.fail("it ran"))
        assert not drained.is_set()
        call.release()
        await drained.wait()
        assert results == ["done"]
        assert len(refused) == 1, "who waited for a turn is told, too"


async def test_drain_gives_up_what_has_not_ended_in_time() -> None:
    call = Call()
    results: list[object] = []

    async with running(concurrency=1) as it, anyio.create_task_group() as group:
        group.start_soon(it.add_result, results, call)
        await arrived(call)
        await it.dispatcher.drain(0.05)
        assert it.dispatcher.under_way == 0
    assert results == ["shutdown"]


async def test_who_stops_waiting_while_the_server_ends_was_stopped_by_that() -> None:
    call = Call()
    async with running(concurrency=1) as it, anyio.create_task_group() as group:
        scope = anyio.CancelScope()

        async def run() -> None:
            with scope:
                await it.run(call, call.handle)

        group.start_soon(run)
        await arrived(call)
        group.start_soon(it.dispatcher.drain, LONG)
        await anyio.sleep(0)
        scope.cancel()
    assert call.handle.reason == "shutdown"


async def test_drain_waits_no_longer_for_a_thread_that_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)
    released = threading.Event()
    async with running(concurrency=1) as it:
        task = asyncio.ensure_future(it.run(lambda: released.wait(LONG)))
        await until(lambda: it.dispatcher.under_way)
        await it.dispatcher.drain(0)
        assert it.dispatcher.under_way == 1
        it.dispatcher.close()
        assert it.idle == [], "the records stay open for what it has to write down"
        released.set()
        await task
        await until(lambda: it.idle)
        assert it.idle[0].startswith("invocation")


async def test_close_gives_up_what_is_under_way_and_is_idle_once_the_last_of_it_has_ended() -> None:
    calls = [Call(), Call()]
    async with running() as it:
        tasks = [asyncio.ensure_future(it.run(call, call.handle)) for call in calls]
        for call in calls:
            await arrived(call)
        it.dispatcher.close()
        assert await asyncio.gather(*tasks) == ["shutdown"] * 2
        await until(lambda: it.idle)
        assert all(call.ended.is_set() for call in calls)
        with pytest.raises(StoppingError):
            await it.run(lambda: pytest.fail("it ran"))


async def test_a_machine_that_has_no_thread_left_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The executor keeps what it was given until it has a thread; but then nobody waits for it any more."""
    ran: list[str] = []

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with running(concurrency=1) as it:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_thread)
            with pytest.raises(NoTurnError, match="no more threads"):
                await it.run(lambda: ran.append("first"))
        assert it.dispatcher.under_way == 0
        await it.run(lambda: ran.append("second"))
    assert ran == ["second"]


def test_a_loop_that_ended_does_not_keep_a_thread_from_ending() -> None:
    """The process goes down while a function runs: what its thread has to say goes on record, and nowhere else."""
    call, idle = Call(), threading.Event()

    async def leave_early() -> None:
        dispatcher = Dispatcher(concurrency=1, queue=1, on_idle=idle.set)
        task = asyncio.ensure_future(dispatcher.run(call, call.handle, CLAIM, LONG, no_progress))
        await arrived(call)
        task.cancel()
        dispatcher.close()

    asyncio.run(leave_early())
    assert idle.wait(LONG)
