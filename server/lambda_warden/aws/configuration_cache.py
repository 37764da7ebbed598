"""Remembers for a while how long each called function may run and whether it is durable, as AWS says."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import Refused

if TYPE_CHECKING:
    from lambda_warden.aws.configuration import Configuration

KEPT_SECONDS: Final = 300.0
"""Also for the answer that AWS does not tell, so that it is not asked at every call."""

_KEPT_AT_MOST: Final = 4096

Read = Callable[[FunctionRef], "Configuration | Refused"]


class Configurations:
    """Configurations by reference. Safe to use from any thread.

    Args:
        read: asks AWS; blocks, and raises nothing.
        clock: seconds that only grow.
    """

    def __init__(self, read: Read, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[FunctionRef, tuple[float, Configuration | None]] = {}
        self._asked: set[FunctionRef] = set()

    def get(self, ref: FunctionRef) -> Configuration | None:
        """The configuration, or None if AWS does not tell. Blocks for some seconds, if AWS has to be asked."""
        if known := self._fresh(ref):
            return known[1]
        answer = self._read(ref)
        configuration = None if isinstance(answer, Refused) else answer
        with self._lock:
            if len(self._known) >= _KEPT_AT_MOST:
                self._known.clear()
            self._known[ref] = self._clock(), configuration
        return configuration

    def tell(self, ref: FunctionRef, told: Callable[[Configuration], None]) -> None:
        """Give the configuration to somebody: at once if it is known, or when AWS has answered. Never if it does not.

        Does not block. If AWS is being asked already, nobody is told: the next call will know.
        """
        if known := self._fresh(ref):
            if known[1] is not None:
                told(known[1])
            return
        with self._lock:
            if ref in self._asked:
                return
            self._asked.add(ref)
        # A thread of its own, which keeps no process alive: the call does not wait for it.
        try:
            ask = partial(contextvars.copy_context().run, self._ask, ref, told)
            threading.Thread(target=ask, daemon=True, name="configuration").start()
        except RuntimeError:  # this machine can start no more threads; the next call may be luckier
            with self._lock:
                self._asked.discard(ref)

    def _ask(self, ref: FunctionRef, told: Callable[[Configuration], None]) -> None:
        try:
            if (configuration := self.get(ref)) is not None:
                told(configuration)
        finally:
            with self._lock:
                self._asked.discard(ref)

    def _fresh(self, ref: FunctionRef) -> tuple[float, Configuration | None] | None:
        with self._lock:
            known = self._known.get(ref)
            return known if known and self._clock() - known[0] < KEPT_SECONDS else None
