"""Ending by a signal: what is under way has its time after the first one, a second one ends the process at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final

import anyio

FLUSH_SECONDS: Final = 0.1
"""For the last answers to be written."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """Waits for the first signal.

    Args:
        stop: what to do then. It must not wait.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._by: int | None = None

    async def wait(self) -> None:
        """Call `stop` when a signal comes."""
        self._by = await _first_signal()
        end_at_once_by_signals()
        self._stop()

    async def end(self) -> None:
        """End as the signal would have ended the process, if one came. What reads stdin can't be stopped otherwise."""
        if self._by is not None:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(FLUSH_SECONDS)
            os.kill(os.getpid(), self._by)


async def _first_signal() -> int:
    if sys.platform == "win32":  # whose event loop watches no signals
        loop, came = asyncio.get_running_loop(), asyncio.Future[int]()

        def note(number: int, _: FrameType | None) -> None:
            loop.call_soon_threadsafe(lambda: came.done() or came.set_result(number))

        for number in _SIGNALS:
            signal.signal(number, note)
        return await came
    with anyio.open_signal_receiver(*_SIGNALS) as signals:
        return await anext(aiter(signals))


def end_at_once_by_signals() -> None:
    """From now on SIGTERM and SIGINT end the process: its end was asked for before."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
