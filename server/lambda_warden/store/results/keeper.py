"""Keeping results off the calls' own way: a thread writes what calls hand over, and no call waits for it.

What the thread can't take in is not kept, and the call is told so at once.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lambda_warden.model.result import PayloadFormat
from lambda_warden.store.results.entry import (
    CHUNK_BYTES,
    About,
    NewPart,
    Owner,
    Part,
    PartName,
    ResultError,
    is_result_id,
)
from lambda_warden.store.results.reading import Entry, ResultsReader
from lambda_warden.store.results.writing import OVERHEAD_BYTES, ResultsFile

if TYPE_CHECKING:
    from lambda_warden.store.results.seal import Seal

logger = logging.getLogger(__name__)

QUEUED_RESULTS: Final = 256
QUEUED_BYTES: Final = 64 * 1024 * 1024
"""What may wait to be written, in all."""
_PRUNE_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 10.0
"""How long a reader waits for what is still to be written of its result."""
_GATHER_SECONDS: Final = 0.25
"""How long results are gathered before they are written together."""
_STREAM_SECONDS: Final = 5.0
"""How long a stream waits for room in the queue, in all, before its result is given up."""
_LEASE_SECONDS: Final = 3600.0
"""When a result that was begun and never completed is removed: no call streams that long."""


@dataclass(frozen=True, slots=True)
class _Job:
    """Work for the thread. `result_id` is given where a reader of that result has to wait for it."""

    work: Callable[[ResultsFile], None]
    size: int
    result_id: str | None


class ResultStore:
    """Keeps results, and reads them. Safe to use from any thread.

    Args:
        path: of the file, which several processes may share. It is made, readable by its owner alone, if it isn't
            there.
        ttl_seconds: how long a result can be read.
        max_bytes: what all results may take together; the oldest make room for new ones.
        seal: encrypts what is kept, if given.
        queued_bytes: what may wait to be written.
        clock: seconds since the epoch.

    Raises:
        ResultError: if the file can't be opened or holds something else.
    """

    def __init__(
        self,
        path: Path,
        *,
        ttl_seconds: float,
        max_bytes: int,
        seal: Seal | None = None,
        queued_bytes: int = QUEUED_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ttl = ttl_seconds
        self._max_bytes = max_bytes
        self._queued_limit = queued_bytes
        self._clock = clock
        self._file = ResultsFile(path, max_bytes, seal)
        self._reader = ResultsReader(path, seal)
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._queued_bytes = 0
        self._pending: Counter[str] = Counter()
        self._waiters = 0
        self._busy = True
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="results", daemon=True)
        self._thread.start()

    def keep(
        self, result_id: str, owner: Owner, size: int, parts: Callable[[], Mapping[PartName, NewPart]]
    ) -> float | None:
        """Keep a result. It is written later, and can be read at once. Nobody waits.

        Args:
            result_id: that no other result has: letters, digits, `-` and `_`, up to 64.
            owner: whose it is.
            size: of its parts, in bytes, about.
            parts: gives them; called in the writer's thread.

        Returns:
            When it expires, in seconds since the epoch; it is removed sooner where newer ones need its room. None if
            it is not kept: too much waits to be written, or it is larger than all of them may be together.
        """
        if size + OVERHEAD_BYTES > self._max_bytes or not is_result_id(result_id):
            return None
        now = self._clock()
        expires_at = now + self._ttl

        def work(file: ResultsFile) -> None:
            new = {name: part for name, part in parts().items() if part.data}
            with file.transaction():
                seq = file.begin(result_id, owner.principal, expires_at, now)
                for name, part in new.items():
                    _append_all(file, seq, result_id, name, part.data, now)
                about = About(function=owner.function, created_at=now, parts={n: _about(p) for n, p in new.items()})
                file.complete(seq, result_id, owner.principal, expires_at, about)

        return expires_at if self._hand_over(_Job(work, size, result_id)) else None

    def begin(self, result_id: str, owner: Owner) -> ResultWriter:
        """Start to keep a result whose payload is not there yet, in bounded memory.

        Args:
            result_id: as for `keep`.
            owner: whose it is.
        """
        return ResultWriter(self, result_id, owner)

    @contextmanager
    def reading(self, result_id: str, principal: str) -> Iterator[Entry | None]:
        """A result, once what waits to be written of it is written; see `ResultsReader.reading`."""
        with self._waiting():
            self._changed.wait_for(lambda: result_id not in self._pending, _SETTLE_SECONDS)
        with self._reader.reading(result_id, principal, self._clock()) as entry:
            yield entry

    def flush(self, seconds: float = _SETTLE_SECONDS) -> bool:
        """Wait until all that waits is written and what has expired is removed. False: it took too long."""
        with self._waiting():
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, seconds)

    def close(self, seconds: float = _SETTLE_SECONDS) -> None:
        """Write what waits, for so long at the most, and close the file. It may be closed twice."""
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

    def _hand_over(self, job: _Job, patience_seconds: float = 0.0) -> bool:
        """Leave work to the thread. False: there is no room for it."""

        def room() -> bool:
            # What is larger than the queue may still pass through it, alone.
            fits = self._queued_bytes == 0 or self._queued_bytes + job.size <= self._queued_limit
            return self._closing or (fits and len(self._jobs) < QUEUED_RESULTS)

        with self._changed:
            if not room() and not (patience_seconds and self._changed.wait_for(room, patience_seconds)):
                return False
            if self._closing:
                return False
            self._jobs.append(job)
            self._queued_bytes += job.size
            if job.result_id is not None:
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
                self._pending -= Counter(job.result_id for job in done if job.result_id is not None)
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
                        job.work(self._file)
                    except ResultError as error:
                        logger.error("%s", error)
                    except Exception as error:  # noqa: BLE001 - a defect of ours costs this result, and no other
                        logger.error("a result could not be kept: %s", type(error).__name__)
        except ResultError as error:
            logger.error("%s", error)
        return done

    def _next(self) -> _Job | None:
        with self._changed:
            return self._jobs.popleft() if self._jobs else None

    def _prune(self) -> None:
        try:
            more = True
            while more:
                with self._file.transaction():
                    more = self._file.prune(self._clock())
        except ResultError as error:
            logger.warning("what has expired could not be removed: %s", error)


class ResultWriter:
    """Keeps one result whose payload comes in pieces. For one thread; ended by `finish` or `abandon`."""

    def __init__(self, store: ResultStore, result_id: str, owner: Owner) -> None:
        self._store = store
        self._id = result_id
        self._owner = owner
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self._size = self._written = 0
        self._patience = _STREAM_SECONDS
        self._lost = not is_result_id(result_id)
        self._seq: int | None = None  # the store's thread's alone

    @property
    def lost(self) -> bool:
        """Whether nothing of it will be kept: it was given up or abandoned."""
        return self._lost

    def write(self, data: bytes) -> None:
        """Add a piece of the payload, redacted. If it can't be written as fast as it comes, the result is given up."""
        if self._lost:
            return
        if self._size + len(data) + OVERHEAD_BYTES > self._store._max_bytes:
            self.abandon()
            return
        self._digest.update(data)
        self._size += len(data)
        self._buffer += data
        while len(self._buffer) >= CHUNK_BYTES and not self._lost:
            chunk = bytes(self._buffer[:CHUNK_BYTES])
            del self._buffer[:CHUNK_BYTES]
            index = self._written
            self._written += 1
            self._send(partial(self._put, index, chunk), len(chunk), None)

    def finish(
        self, payload_format: PayloadFormat, original_bytes: int, redacted: int, log: NewPart | None = None
    ) -> float | None:
        """The payload is complete.

        Args:
            payload_format: of the payload.
            original_bytes: its size before redaction.
            redacted: how many places of it were replaced.
            log: the log, if there is one.

        Returns:
            When the result expires, in seconds since the epoch, or None if it is not kept.
        """
        rest, index = bytes(self._buffer), self._written
        self._buffer.clear()
        parts: dict[PartName, Part] = {}
        if self._size:
            parts["payload"] = Part(
                format=payload_format,
                size=self._size,
                sha256=self._digest.hexdigest(),
                original_bytes=original_bytes,
                redacted=redacted,
            )
        if log is not None and log.data:
            parts["log"] = _about(log)
        if self._lost or not parts:
            return None
        now = self._store._clock()
        expires_at = now + self._store._ttl
        about = About(function=self._owner.function, created_at=now, parts=parts)

        def work(file: ResultsFile, seq: int) -> None:
            if rest:
                file.append(seq, self._id, "payload", index, rest, now)
            if log is not None:
                _append_all(file, seq, self._id, "log", log.data, now)
            file.complete(seq, self._id, self._owner.principal, expires_at, about)

        sent = self._send(work, len(rest) + (len(log.data) if log else 0), self._id)
        return expires_at if sent else None

    def abandon(self) -> None:
        """Nothing of it is kept."""
        self._lost = True
        self._buffer.clear()
        # Without room in the queue, it is removed with what expires.
        self._store._hand_over(_Job(self._drop, 0, None))

    def _send(self, work: Callable[[ResultsFile, int], None], size: int, result_id: str | None) -> bool:
        began = time.monotonic()
        sent = self._store._hand_over(_Job(partial(self._work, work), size, result_id), self._patience)
        self._patience = max(0.0, self._patience - (time.monotonic() - began))
        if not sent:
            self.abandon()
        return sent

    def _put(self, index: int, chunk: bytes, file: ResultsFile, seq: int) -> None:
        file.append(seq, self._id, "payload", index, chunk, self._store._clock())

    def _work(self, work: Callable[[ResultsFile, int], None], file: ResultsFile) -> None:
        """In the store's thread: do a piece of work on the result. If that fails, nothing is left of it."""
        if self._lost:
            return
        try:
            with file.transaction():
                seq = self._seq
                if seq is None:
                    now = self._store._clock()
                    seq = file.begin(self._id, self._owner.principal, now + _LEASE_SECONDS, now)
                work(file, seq)
            self._seq = seq
        except ResultError:
            self._lost = True
            self._drop(file)
            raise

    def _drop(self, file: ResultsFile) -> None:
        if self._seq is not None:
            with file.transaction():
                file.drop(self._seq)


def _append_all(file: ResultsFile, seq: int, result_id: str, name: PartName, data: bytes, now: float) -> None:
    for index, start in enumerate(range(0, len(data), CHUNK_BYTES)):
        file.append(seq, result_id, name, index, data[start : start + CHUNK_BYTES], now)


def _about(part: NewPart) -> Part:
    return Part(
        format=part.format,
        size=len(part.data),
        sha256=hashlib.sha256(part.data).hexdigest(),
        original_bytes=part.original_bytes,
        redacted=part.redacted,
    )
