"""What becomes of a call whose caller leaves: it goes on, and its answer is kept for whoever asks for it."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import anyio
import anyio.to_thread

from lambda_warden.invocation.delivery import Delivery
from lambda_warden.model.caller import Caller
from lambda_warden.store.audit_log import AuditLog, IdempotencyClaim, RecordError

logger = logging.getLogger(__name__)

_ON_THE_WAY: Final = 64
_SOON: Final = 0.02
"""Seconds between two looks whether a call was admitted whose caller waits no longer: before that it can't be found."""


class Departure:
    """The way out of one call, for its caller.

    Args:
        invocation_id: of the call.
        claim: what makes another one the same.
        delivery: whether its caller gets the answer.
        until: when its caller waits no longer, on the clock of `time.monotonic`.
        records: where its answer is kept.
    """

    def __init__(
        self, invocation_id: str, claim: IdempotencyClaim, delivery: Delivery, until: float, records: AuditLog
    ) -> None:
        self._invocation_id = invocation_id
        self._claim = claim
        self._delivery = delivery
        self._until = until
        self._records = records

    def until(self) -> float:
        """When its caller waits no longer; not before it can be found by its id."""
        return self._until if self._delivery.admitted else max(self._until, time.monotonic() + _SOON)

    def leave(self) -> bool:
        """Its caller's time is up. False if its answer is there, in a moment."""
        if self._delivery.leave():
            return False
        self._leave_what_it_waited_for()
        return True

    def go(self) -> None:
        """Its caller has gone, and gets no answer: neither one that is to come, nor one that was on its way to it.

        It does not block: this server's calls know of it at once, and all others after `noted`.
        """
        self._delivery.leave()
        answer = self._delivery.answered_with
        if answer is None:
            self._leave_what_it_waited_for()
        else:
            kept = answer.model_dump_json(exclude_defaults=True)
            of_call = self._invocation_id, self._claim, answer.outcome, kept
            self._records.bring_back(*of_call, ran=answer.outcome != "refused")

    async def noted(self) -> None:
        """Have others know, too. Raises nothing."""
        await in_records(self._records.note_leaving)

    def _leave_what_it_waited_for(self) -> None:
        if self._delivery.taken is not None:
            self._records.leaving(self._delivery.taken)


class AnswersOnTheWay:
    """The last answers that went out, each by the request that it is for. For a server with one client."""

    def __init__(self) -> None:
        self._taken_back: OrderedDict[str | int, Callable[[], None]] = OrderedDict()

    def on_the_way(self, caller: Caller, take_back: Callable[[], None]) -> None:
        """An answer goes out. `take_back` is what has to be done if it reaches nobody; it must not block."""
        if caller.request_id is not None:
            self._taken_back[caller.request_id] = take_back
            if len(self._taken_back) > _ON_THE_WAY:
                self._taken_back.popitem(last=False)

    def drop(self, request_id: str | int) -> bool:
        """An answer reached nobody. Gives whether it was one of these."""
        take_back = self._taken_back.pop(request_id, None)
        if take_back is not None:
            take_back()
        return take_back is not None


async def in_records(write: Callable[[], Any]) -> None:
    """Write what only makes an answer easier to find: where that fails, nothing starts twice. It can't be cancelled."""
    with anyio.CancelScope(shield=True):
        try:
            await anyio.to_thread.run_sync(write)
        except RecordError as error:
            logger.error("%s", error)
