"""Runs calls in threads of their own, since boto3 blocks: each with a slot, a deadline, and a way to be given up.

The slot is the thread's: it is free when the thread has ended. A call that is given up has its connection broken, so
that its thread ends at once, says what is known and writes it down, whether or not anybody still waits for it.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, Generic, Protocol, TypeVar, cast

from lambda_warden.aws.invocation_handle import NEVER, InvocationHandle
from lambda_warden.invocation.fair_queue import FairQueue, SlotRequest
from lambda_warden.telemetry.call import waiting_for_its_turn
from lambda_warden.telemetry.metrics import under_way

GRACE_SECONDS: Final = 15.0
"""How long a thread may take to end after its call was given up: it may be connecting, which nothing can break."""
_FIRST_PROGRESS_SECONDS: Final = 1.0
_PROGRESS_SECONDS: Final = 5.0

_T = TypeVar("_T")


class NoTurnError(Exception):
    """A call got no slot in time, or no thread. Nothing was sent."""


class LeftError(asyncio.CancelledError):
    """A call was cancelled while it waited for its turn. Nothing was sent."""


class StoppingError(Exception):
    """The server ends and takes no more calls. Nothing was sent."""


class DetachedError(Exception):
    """A call goes on without its caller."""


class StuckError(Exception):
    """A call was given up, and its thread has not ended yet. It will write down what is known."""


class Progress(Protocol):
    """Takes word of how a call is getting on."""

    async def __call__(self, elapsed: float, total: float | None, message: str) -> None:
        """Report. `elapsed` and `total` are seconds since the call began; `total` is its deadline, if it has one."""


class Leaving(Protocol):
    """How a call goes on without its caller."""

    def until(self) -> float:
        """When its caller waits no longer, on the clock of `time.monotonic`. It is asked again and again."""

    def leave(self) -> bool:
        """Its caller's time is up. False: the answer is there in a moment, so that it had better wait."""

    def go(self) -> None:
        """Its caller has gone."""

    async def noted(self) -> None:
        """Have other servers know that the call goes on without its caller."""


class Dispatcher:
    """Runs calls. Belongs to the event loop of its first call.

    Args:
        concurrency: how many may be under way at once.
        queue: how many may wait for a slot.
        on_idle: called once, in any thread, when it was closed and the last thread has ended.
    """

    def __init__(self, *, concurrency: int, queue: int, on_idle: Callable[[], None]) -> None:
        self._slots = FairQueue(concurrency, queue)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="invocation")
        self._on_idle = on_idle
        self._lock = threading.Lock()
        self._under_way: set[InvocationHandle] = set()
        self._left: set[asyncio.Task[None]] = set()
        self._stopping = self._closed = False

    @property
    def under_way(self) -> int:
        """How many calls have a thread."""
        return len(self._under_way)

    async def run(
        self,
        work: Callable[[], _T],
        handle: InvocationHandle,
        claim: SlotRequest,
        patience: float,
        progress: Progress,
        leaving: Leaving | None = None,
    ) -> _T:
        """Run a call in a thread as soon as it is its turn, and wait for what it returns.

        Args:
            work: the call. It blocks, and ends soon after `handle` was given up.
            handle: shared with `work`.
            claim: what it takes a slot for.
            patience: seconds to wait for a slot at the most.
            progress: is told how it gets on, from one second on.
            leaving: how it goes on without its caller. Without that, it is given up with its caller.

        Raises:
            QueueFullError, NoTurnError, StoppingError: nothing was sent.
            LeftError: it was cancelled while it waited for its turn; nothing was sent.
            DetachedError: its caller's time was up, and it goes on.
            StuckError: its thread did not end in time after it was given up.
        """
        loop, started = asyncio.get_running_loop(), time.monotonic()
        self._check_open()
        with waiting_for_its_turn():
            await self._turn(claim, started + patience, started, progress)
        try:
            self._check_open()
        except StoppingError:
            self._slots.release(claim)
            raise
        ended = _Ending[_T]()
        # Held by whoever deals with the call: its thread, or, where no thread can be started for it, this task.
        dealt_with = threading.Lock()

        def in_thread() -> None:
            if not dealt_with.acquire(blocking=False):
                return
            try:
                result, error = work(), None
            except BaseException as raised:  # noqa: BLE001 - handed to whoever waits
                result, error = None, raised
            finally:
                self._leave(handle)
            with suppress(RuntimeError):  # the loop has ended, and its slots with it
                loop.call_soon_threadsafe(settle, result, error)

        def settle(result: _T | None, error: BaseException | None) -> None:
            self._slots.release(claim)
            ended.settle(result, error)

        with self._lock:
            self._under_way.add(handle)
        under_way.add(1)
        try:
            self._threads.submit(contextvars.copy_context().run, in_thread)
        except RuntimeError as error:
            # The executor has kept it all the same, for a thread that it may have later.
            if dealt_with.acquire(blocking=False):
                self._leave(handle)
                self._slots.release(claim)
                raise NoTurnError("this machine can start no more threads") from error
        try:
            if leaving is None:
                return await self._end(ended, handle, started, progress)
            await _watch(ended.wait, lambda: min(handle.deadline, leaving.until()), started, progress, "running")
            if ended.is_there:
                return ended.result()
            if handle.deadline <= time.monotonic() or not leaving.leave():
                return await self._end(ended, handle, started, progress)
        except BaseException:
            if leaving is None or self._stopping:
                handle.give_up("shutdown" if self._stopping else "cancelled")
            else:
                leaving.go()
                self._go_on(ended, handle, started, leaving)
            raise
        await leaving.noted()
        self._go_on(ended, handle, started, leaving)
        raise DetachedError

    async def drain(self, grace: float) -> None:
        """Take no more calls, let those under way end, and give up what has not ended after `grace` seconds."""
        self._stopping = True
        await self._until_idle(grace)
        with self._lock:
            left = list(self._under_way)
        for handle in left:
            handle.give_up("shutdown")
        await self._until_idle(GRACE_SECONDS)

    def close(self) -> None:
        """Let go of the threads. What is under way is given up, and `on_idle` is called after the last of it."""
        with self._lock:
            if self._closed:
                return
            self._stopping = self._closed = True
            left = list(self._under_way)
        for handle in left:
            handle.give_up("shutdown")
        self._threads.shutdown(wait=False)
        if not left:
            self._on_idle()

    def _go_on(self, ended: _Ending[_T], handle: InvocationHandle, started: float, leaving: Leaving) -> None:
        """See to the end of a call that nobody waits for."""

        async def to_its_end() -> None:
            await leaving.noted()
            with suppress(StuckError):
                await self._end(ended, handle, started, no_progress)

        task = asyncio.get_running_loop().create_task(to_its_end())
        self._left.add(task)
        task.add_done_callback(self._left.discard)

    def _check_open(self) -> None:
        if self._stopping:
            raise StoppingError("the server is shutting down")

    def _leave(self, handle: InvocationHandle) -> None:
        with self._lock:
            self._under_way.discard(handle)
            last = self._closed and not self._under_way
        under_way.add(-1)
        if last:
            self._on_idle()

    async def _until_idle(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (self._under_way or self._slots.queued) and time.monotonic() < until:
            await asyncio.sleep(0.02)

    async def _turn(self, claim: SlotRequest, until: float, started: float, progress: Progress) -> None:
        turn = self._slots.acquire(claim)
        if turn is None:
            return
        try:
            await _watch(partial(_is_done, turn), lambda: until, started, progress, "waiting for a free slot")
        except BaseException as error:
            self._slots.cancel(claim, turn)
            if isinstance(error, asyncio.CancelledError):
                raise LeftError(*error.args) from None
            raise
        if not turn.done():
            self._slots.cancel(claim, turn)
            raise NoTurnError(f"no slot was free within {until - started:.0f} s")

    async def _end(self, ended: _Ending[_T], handle: InvocationHandle, started: float, progress: Progress) -> _T:
        await _watch(ended.wait, lambda: handle.deadline, started, progress, "running")
        if not ended.is_there:
            handle.give_up("deadline")
            await ended.wait(GRACE_SECONDS)
        if not ended.is_there:
            raise StuckError("no answer in time, and the connection could not be broken yet")
        return ended.result()


class _Ending(Generic[_T]):
    """How a thread ended, for the one task that waits for it.

    It wakes the task itself: a future that `asyncio.wait` waits for would take another turn of the event loop, and
    each turn lets go of the interpreter's lock, which under load comes back late.
    """

    def __init__(self) -> None:
        self.is_there = False
        self._result: _T | None = None
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None

    def settle(self, result: _T | None, error: BaseException | None) -> None:
        """It ended."""
        self.is_there, self._result, self._error = True, result, error
        if self._waiter is not None:
            _wake(self._waiter)

    async def wait(self, seconds: float) -> bool:
        """Wait for it, for so long at the most. Gives whether it is there."""
        if not self.is_there:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(seconds, _wake, self._waiter)
            try:
                await self._waiter
            finally:
                timer.cancel()
        return self.is_there

    def result(self) -> _T:
        """What the thread gave, or raised."""
        if self._error is not None:
            raise self._error
        return cast("_T", self._result)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def _is_done(future: asyncio.Future[None], seconds: float) -> bool:
    return bool((await asyncio.wait((future,), timeout=seconds))[0])


async def _watch(
    wait: Callable[[float], Awaitable[bool]],
    deadline: Callable[[], float],
    started: float,
    progress: Progress,
    message: str,
) -> None:
    """Wait until something is done or the deadline is there, which may move meanwhile, and report progress.

    Args:
        wait: waits for it, for so many seconds at the most, and gives whether it is done.
        deadline: on the clock of `time.monotonic`, as are the others.
        started: when the call began.
        progress: is told of it.
        message: what is waited for.
    """
    report_at = started + _FIRST_PROGRESS_SECONDS
    done = False
    while not done:
        now, until = time.monotonic(), deadline()
        if now >= until:
            return
        if now >= report_at:
            report_at = now + _PROGRESS_SECONDS
            await progress(now - started, until - started if until < NEVER else None, message)
        else:
            done = await wait(min(report_at, until) - now)


async def no_progress(elapsed: float, total: float | None, message: str) -> None:
    """Reports to nobody."""
