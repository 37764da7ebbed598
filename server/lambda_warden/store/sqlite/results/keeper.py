"""Keeping results off the calls' own way: a thread writes what calls hand over, and no call waits for it.

What the thread can't take in is not kept, and the call is told so at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lambda_warden.store.clock import Clock, SystemClock
from lambda_warden.store.kept_result import KeptChunks
from lambda_warden.store.results import NewPart, Owner, PartName, ResultError, is_result_id
from lambda_warden.store.seal import Seal
from lambda_warden.store.sqlite.database import Memory
from lambda_warden.store.sqlite.results.reading import SqliteResultReader
from lambda_warden.store.sqlite.results.writing import OVERHEAD_BYTES, ResultsFile

logger = logging.getLogger(__name__)

QUEUED_RESULTS: Final = 256
QUEUED_BYTES: Final = 64 * 1024 * 1024
"""What may wait to be written, in all."""
_PRUNE_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 10.0
"""How long a reader waits for what is still to be written of its result."""
_GATHER_SECONDS: Final = 0.25
"""How long results are gathered before they are written together."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A result that waits to be written."""

    result_id: str
    owner: Owner
    parts: Mapping[PartName, NewPart]
    size: int
    kept_at: float
    expires_at: float


class SqliteResultStore:
    """Keeps results, and reads them; see `ResultStore`.

    Args:
        where: they stand. Several processes may share a file.
        ttl_seconds: how long a result can be read.
        max_bytes: what all results may take together; the oldest make room for new ones.
        seal: encrypts what is kept, if given.
        queued_bytes: what may wait to be written.
        clock: what time it is.

    Raises:
        ResultError: if it can't be opened or holds something else.
    """

    def __init__(
        self,
        where: Path | Memory,
        *,
        ttl_seconds: float,
        max_bytes: int,
        seal: Seal | None = None,
        queued_bytes: int = QUEUED_BYTES,
        clock: Clock | None = None,
    ) -> None:
        self._ttl = ttl_seconds
        self._max_bytes = max_bytes
        self._queued_limit = queued_bytes
        self._clock = clock or SystemClock()
        self._file = ResultsFile(where, max_bytes, seal)
        self._reader = SqliteResultReader(where, seal, self._clock)
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._queued_bytes = 0
        self._pending: Counter[str] = Counter()
        self._waiters = 0
        self._busy = True
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="results", daemon=True)
        self._thread.start()

    def keep(self, result_id: str, owner: Owner, parts: Mapping[PartName, NewPart]) -> float | None:
        """Keep a result; see `ResultStore.keep`."""
        kept = {name: part for name, part in parts.items() if part.data}
        size = sum(len(part.data) for part in kept.values())
        if size + OVERHEAD_BYTES > self._max_bytes or not is_result_id(result_id):
            return None
        now = self._clock.time_of_day()
        job = _Job(result_id, owner, kept, size, now, now + self._ttl)
        return job.expires_at if self._hand_over(job) else None

    @contextmanager
    def reading(self, result_id: str, principal: str) -> Iterator[KeptChunks | None]:
        """A result, once what waits to be written of it is written; see `ResultReader.reading`."""
        with self._waiting():
            self._changed.wait_for(lambda: result_id not in self._pending, _SETTLE_SECONDS)
        with self._reader.reading(result_id, principal) as entry:
            yield entry

    def flush(self, seconds: float = _SETTLE_SECONDS) -> bool:
        """Wait until all that waits is written; see `ResultStore.flush`."""
        with self._waiting():
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, seconds)

    def close(self, seconds: float = _SETTLE_SECONDS) -> None:
        """Write what waits, and close the file; see `ResultStore.close`."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(seconds)
        with self._changed:
            if self._jobs:
                logger.warning("%d results were not kept: closing took too long", len(self._jobs))
            self._jobs.clear()
            self._pending.clear()
            self._changed.notify_all()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Have what waits to be written be written now."""
        with self._changed:
            self._waiters += 1
            self._changed.notify_all()
            try:
                yield
            finally:
                self._waiters -= 1

    def _hand_over(self, job: _Job) -> bool:
        """Leave work to the thread. False: there is no room for it."""
        with self._changed:
            # What is larger than the queue may still pass through it, alone.
            fits = self._queued_bytes == 0 or self._queued_bytes + job.size <= self._queued_limit
            if self._closing or not fits or len(self._jobs) >= QUEUED_RESULTS:
                return False
            self._jobs.append(job)
            self._queued_bytes += job.size
            self._pending[job.result_id] += 1
            # The thread knows already that there is something to do, and wakes up by itself.
            if len(self._jobs) == 1 or self._is_pressing():
                self._changed.notify_all()
            return True

    def _run(self) -> None:
        pruned = None
        while True:
            if pruned is None or time.monotonic() - pruned >= _PRUNE_SECONDS:
                self._prune()
                pruned = time.monotonic()
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._jobs or self._closing, _PRUNE_SECONDS)
                if self._jobs:
                    # More may come soon, and a transaction for several costs little more than one.
                    self._changed.wait_for(self._is_pressing, _GATHER_SECONDS)
                    self._busy = True
                elif self._closing:
                    break
                else:
                    continue
            done = self._write()
            with self._changed:
                self._queued_bytes -= sum(job.size for job in done)
                self._pending -= Counter(job.result_id for job in done)
                self._changed.notify_all()
            del done
        # The last to close the file empties its write-ahead log, which a reader can't.
        self._reader.close()
        self._file.close()

    def _is_pressing(self) -> bool:
        """Whether what waits has to be written now."""
        return self._closing or self._waiters > 0 or self._queued_bytes > self._queued_limit // 4

    def _write(self) -> list[_Job]:
        """Do what waits, in one transaction. A job that fails costs its own result and no other."""
        done: list[_Job] = []
        try:
            with self._file.transaction():
                while len(done) < QUEUED_RESULTS and (job := self._next()):
                    done.append(job)
                    try:
                        with self._file.transaction():
                            self._file.add(job.result_id, job.owner, job.parts, job.expires_at, job.kept_at)
                    except ResultError as error:
                        logger.error("%s", error, extra={"invocation_id": job.result_id})
                    except Exception as error:  # noqa: BLE001 - a defect of ours costs this result, and no other
                        of_call = {"invocation_id": job.result_id}
                        logger.error("a result could not be kept: %s", type(error).__name__, extra=of_call)
        except ResultError as error:
            logger.error("%s", error)
            if not done and (job := self._next()):  # else it would be tried for ever
                done.append(job)
        return done

    def _next(self) -> _Job | None:
        with self._changed:
            return self._jobs.popleft() if self._jobs else None

    def _prune(self) -> None:
        try:
            more = True
            while more:
                with self._file.transaction():
                    more = self._file.prune(self._clock.time_of_day())
        except ResultError as error:
            logger.warning("what has expired could not be removed: %s", error)
