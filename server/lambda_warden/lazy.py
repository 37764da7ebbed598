"""Parts of the server that only a call needs: made, and their modules loaded, when the first one comes or before it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio.to_thread

_T = TypeVar("_T")


class Lazy(Generic[_T]):
    """Makes something once, when it is first wanted. Safe to use from any thread.

    Args:
        make: makes it. It may take a moment, since it may load modules.
    """

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[_T] = []

    @property
    def made(self) -> _T | None:
        """It, if it was made already."""
        return self._made[0] if self._made else None

    def get(self) -> _T:
        """It. Blocks while it is being made."""
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]

    async def ready(self) -> _T:
        """It. Keeps nobody else waiting while it is being made."""
        return self._made[0] if self._made else await anyio.to_thread.run_sync(self.get)
