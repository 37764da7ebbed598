"""What becomes of a call whose caller leaves: it goes on, and its answer is kept for whoever asks for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread

from lambda_warden.invocation.delivery import Delivery
from lambda_warden.invocation.stages import AllowedCall, CompletedCall, Stopped
from lambda_warden.store.audit_log import AuditLog, LimitExceeded, RecordError

logger = logging.getLogger(__name__)

_SOON: Final = 0.02
"""Seconds between two looks whether a call was admitted whose caller waits no longer: before that it can't be found."""


class Departure:
    """The way out of one call, for its caller.

    Args:
        call: which one.
        delivery: whether its caller gets the answer.
        until: when its caller waits no longer, on the clock of `time.monotonic`.
        records: where its answer is kept.
    """

    def __init__(self, call: AllowedCall, delivery: Delivery, until: float, records: AuditLog) -> None:
        self._call = call
        self._delivery = delivery
        self._until = until
        self._records = records
        self._was_answered = self._is_noted = False

    def until(self) -> float:
        """When its caller waits no longer; not before it can be found by its id."""
        return self._until if self._delivery.admitted else max(self._until, time.monotonic() + _SOON)

    def leave(self) -> bool:
        """Its caller waits no longer. False if its answer is there, in a moment."""
        left = self._delivery.leave()
        self._was_answered = left == "answered"
        if not self._was_answered and self._delivery.taken is not None:
            self._records.leaving(self._delivery.taken)
        return not self._was_answered

    async def left(self) -> None:
        """Have others know that its caller has left. Raises nothing."""
        if not self._was_answered and not self._is_noted:
            self._is_noted = True
            await in_records(self._records.note_leaving)

    async def ended(self, result: Stopped | LimitExceeded) -> None:
        """It has ended without its caller: an answer that was ready for that one is kept."""
        if isinstance(result, CompletedCall) and self._was_answered and self._call.claim is not None:
            of_call = self._call.info.invocation_id, self._call.claim, result.result.outcome
            kept = result.result.model_dump_json(exclude_defaults=True)
            await in_records(partial(self._records.bring_back, *of_call, kept))


async def in_records(write: Callable[[], Any]) -> None:
    """Write what only makes an answer easier to find: where that fails, nothing starts twice. It can't be cancelled."""
    with anyio.CancelScope(shield=True):
        try:
            await anyio.to_thread.run_sync(write)
        except RecordError as error:
            logger.error("%s", error)
