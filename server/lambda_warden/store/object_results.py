"""Keeping results as objects, off the calls' own way: some threads write what calls hand over."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Final

from lambda_warden.store.clock import Clock
from lambda_warden.store.kept_result import KeptChunks
from lambda_warden.store.objects import (
    OVERHEAD_BYTES,
    ObjectBusyError,
    ObjectExistsError,
    ObjectResultReader,
    Objects,
    again,
    expiry,
    make_object,
)
from lambda_warden.store.results import NewPart, Owner, PartName, ResultError, is_result_id
from lambda_warden.store.seal import Seal

logger = logging.getLogger(__name__)

QUEUED_RESULTS: Final = 256
QUEUED_BYTES: Final = 64 * 1024 * 1024
"""What may wait to be written, in all."""
_WRITERS: Final = 8
_SETTLE_SECONDS: Final = 10.0
"""How long a reader waits for what is still to be written of its result."""


class ObjectResultStore(ObjectResultReader):
    """Keeps results as objects, and reads them; see `ResultStore`.

    Args:
        objects: where they are.
        ttl_seconds: how long a result can be read.
        max_bytes: what one result may have at the most. Nothing is removed before its time.
        seal: encrypts what is kept, if given.
        clock: what time it is.

    Raises:
        ResultError: if objects can't be kept there.
    """

    def __init__(
        self,
        objects: Objects,
        *,
        ttl_seconds: float,
        max_bytes: int,
        seal: Seal | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(objects, seal, clock)
        self._ttl = ttl_seconds
        self._max_bytes = min(max_bytes, objects.object_bytes)
        self._lock = Lock()
        self._queued: dict[str, tuple[int, Future[None]]] = {}
        self._closed = self._given_up = False
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="results")

    def keep(self, result_id: str, owner: Owner, parts: Mapping[PartName, NewPart]) -> float | None:
        """Keep a result; see `ResultStore.keep`."""
        kept = {name: part for name, part in parts.items() if part.data}
        size = OVERHEAD_BYTES + sum(len(part.data) for part in kept.values())
        if size > self._max_bytes or not is_result_id(result_id):
            return None
        now = self._clock.time_of_day()
        expires_at = expiry(now, self._ttl)
        with self._lock:
            if result_id in self._queued:
                logger.error("a result could not be kept: there is one of this call")
                return None
            # What is larger than the queue may still pass through it, alone.
            queued = sum(bytes_of for bytes_of, _ in self._queued.values())
            fits = not self._queued or queued + size <= QUEUED_BYTES
            if self._closed or not fits or len(self._queued) >= QUEUED_RESULTS:
                return None
            written = self._writers.submit(self._write, result_id, owner, kept, now, expires_at)
            self._queued[result_id] = size, written
        written.add_done_callback(partial(self._forget, result_id))
        return expires_at

    @contextmanager
    def reading(self, result_id: str, principal: str) -> Iterator[KeptChunks | None]:
        """A result, once what waits to be written of it is written; see `ResultReader.reading`."""
        with self._lock:
            queued = self._queued.get(result_id)
        if queued:
            wait([queued[1]], _SETTLE_SECONDS)
        with super().reading(result_id, principal) as entry:
            yield entry

    def flush(self, seconds: float = _SETTLE_SECONDS) -> bool:
        """Wait until all that waits is written; see `ResultStore.flush`."""
        with self._lock:
            written = [future for _, future in self._queued.values()]
        return not wait(written, seconds).not_done

    def close(self, seconds: float = _SETTLE_SECONDS) -> None:
        """Write what waits; see `ResultStore.close`."""
        with self._lock:
            self._closed = True
        if not self.flush(seconds):
            logger.warning("%d results were not kept: closing took too long", len(self._queued))
        self._given_up = True
        self._writers.shutdown(wait=False, cancel_futures=True)

    def _forget(self, result_id: str, _: Future[None]) -> None:
        with self._lock:
            del self._queued[result_id]

    def _write(
        self, result_id: str, owner: Owner, parts: Mapping[PartName, NewPart], now: float, expires_at: int
    ) -> None:
        try:
            data = make_object(result_id, owner, parts, now, expires_at, self._seal)
            attempts = 0

            def put() -> None:
                nonlocal attempts
                attempts += 1
                try:
                    self._objects.put(result_id, data, expires_at)
                except ObjectExistsError:
                    # After a lost answer it is this one.
                    if attempts == 1:
                        raise
                except ObjectBusyError as error:
                    if self._given_up:  # the process ends when its threads do
                        raise ResultError(str(error)) from error
                    raise

            again(put)
        except ResultError as error:
            logger.error("a result could not be kept: %s", error)
        except Exception as error:  # noqa: BLE001 - a defect of ours costs this result, and no other
            logger.error("a result could not be kept: %s", type(error).__name__)
