"""One transaction, and one sync of the disk, for all who write at the same moment."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar, cast

_T = TypeVar("_T")

GROUP_SIZE: Final = 64
"""How many pieces of work one transaction takes at the most: the first one waits for all of them."""
_GATHER_SECONDS: Final = 0.002
"""How long a commit is put off where the one before it was for several: more come in time for it."""


class Work:
    """Something to be done in a transaction, by whoever commits for the group.

    Attributes:
        do: does it, and gives what its caller gets.
        durable: whether it has to be on the disk before its caller goes on.
        value: what `do` returned.
        error: what went wrong, if anything did; then nothing of it is written.
        done: whether it was carried out, by success or error.
        turn: held until it is done, or its thread has to commit; None for who commits at once.
    """

    __slots__ = ("do", "done", "durable", "error", "turn", "value")

    def __init__(self, do: Callable[[], object], *, durable: bool) -> None:
        self.do = do
        self.durable = durable
        self.value: object = None
        self.error: BaseException | None = None
        self.done = False
        self.turn: threading.Lock | None = None


class GroupCommit:
    """Lets threads commit for each other. Whoever comes first does so for all who came by then, in their order.

    A lone caller does its work itself, at once: there is no thread that it would have to wait for. While several come,
    whoever commits waits a moment for more: each commit costs the processor as much as the work of several.

    Args:
        commit: carries out what a group wants: calls its argument for the next piece of work until there is none, and
            leaves in each its value and `done`, or its error. It is called by one thread at a time.
    """

    def __init__(self, commit: Callable[[Callable[[bool], Work | None]], None]) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._waiting: deque[Work] = deque()
        self._led = False
        self._gathers = False

    def run(self, do: Callable[[], _T], *, durable: bool = True) -> _T:
        """Have something done, and committed.

        Raises:
            BaseException: what `do` raised, or what kept the transaction from being committed.
        """
        work = Work(do, durable=durable)
        with self._lock:
            self._waiting.append(work)
            leads, self._led = not self._led, True
            if not leads:
                work.turn = threading.Lock()
                work.turn.acquire()
        if work.turn is not None:
            work.turn.acquire()  # until it is done, or it is this thread's turn to commit
        if not work.done:
            self._lead()
        if work.error is not None:
            raise work.error
        return cast("_T", work.value)

    def _lead(self) -> None:
        taken: list[Work] = []

        def following(durable: bool) -> Work | None:
            """The next piece of work that the transaction may take: what must be durable needs one that is."""
            with self._lock:
                if len(taken) == GROUP_SIZE or not self._waiting or (self._waiting[0].durable and not durable):
                    return None
                taken.append(self._waiting.popleft())
                return taken[-1]

        if self._gathers:
            time.sleep(_GATHER_SECONDS)
        try:
            self._commit(following)
        finally:
            self._gathers = len(taken) > 1
            with self._lock:
                successor = self._waiting[0] if self._waiting else None
                self._led = successor is not None
            for work in taken:
                if not work.done and work.error is None:
                    work.error = RuntimeError("what was to be written was not committed")
                work.done = True
                _wake(work)
            if successor is not None:
                _wake(successor)

    def wants_durable(self) -> bool:
        """Whether anybody who waits now needs it on the disk. For `commit`, before it begins."""
        with self._lock:
            return any(work.durable for work in self._waiting)


def _wake(work: Work) -> None:
    if work.turn is not None:
        work.turn.release()
