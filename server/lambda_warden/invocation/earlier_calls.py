"""Earlier calls: how their ends are waited for and told, by whoever asks for them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import anyio
import anyio.to_thread

from lambda_warden.invocation.delivery import Delivery
from lambda_warden.invocation.departure import in_records
from lambda_warden.invocation.dispatcher import Progress
from lambda_warden.model.caller import Caller
from lambda_warden.model.result import InvokeResult
from lambda_warden.report.invocation import CallInfo, report_again, report_first, report_unreadable
from lambda_warden.store.audit_log import AuditLog, Field, IdempotencyHit

_WAY: Final = "read_logs with this invocation_id says how to find its log."


@dataclass(frozen=True, slots=True)
class EarlierCall:
    """What is told of a call that went on without its caller.

    Attributes:
        result: as that one would have got it; `running` while it goes on.
        began_at: when it was admitted, in ISO 8601 and UTC.
        changed_at: when its outcome was recorded; while there is none, when it was admitted.
    """

    result: InvokeResult
    began_at: str
    changed_at: str


class EarlierCalls:
    """The calls in the store, of this server and of others on it.

    Args:
        records: where they are.
    """

    def __init__(self, records: AuditLog) -> None:
        self._records = records

    async def wait(
        self, invocation_id: str, caller: Caller, seconds: float, progress: Progress, delivery: Delivery
    ) -> IdempotencyHit | None:
        """Wait for the end of a call, for so long at the most.

        The store is asked again and again, since another server may be the one that carries the call out.

        Returns:
            How far it is then; None if nothing of it is kept for this caller.

        Raises:
            RecordError: if the store can't tell.
        """
        began = time.monotonic()
        for pause in growing_pauses():
            found = await anyio.to_thread.run_sync(
                self._records.fetch, invocation_id, caller.principal, delivery.takes, abandon_on_cancel=True
            )
            waited = time.monotonic() - began
            if found is None or found.state != "in_progress":
                return found
            if waited >= seconds:
                await self._leave(delivery)
                return IdempotencyHit(invocation_id, "left", adopted=True, until=found.until)
            if waited >= 1:
                await progress(waited, seconds, "running")
            await anyio.sleep(min(pause, seconds - waited))
        raise AssertionError("the pauses have no end")

    async def keeps(self, invocation_id: str, caller: Caller) -> bool:
        """Whether `told` would tell a caller of a call. Changes nothing.

        Raises:
            RecordError: if the store can't tell.
        """
        return await anyio.to_thread.run_sync(self._records.keeps, invocation_id, caller.principal)

    async def told(self, invocation_id: str, caller: Caller, seconds: float, progress: Progress) -> EarlierCall | None:
        """A call that went on without its caller. That its result is read is recorded before it is shown.

        Args:
            invocation_id: of the call.
            caller: who asks. Nobody gets the result of another one's call.
            seconds: how long to wait for its end.
            progress: is told of the waiting.

        Returns:
            None if nothing of it is kept: its answer was given to its caller.

        Raises:
            RecordError: if the store can't tell, or the read can't be recorded; then nothing is shown.
        """
        async with self.heard() as delivery:
            found = await self.wait(invocation_id, caller, seconds, progress, delivery)
            if found is None:
                return None
            events = await anyio.to_thread.run_sync(
                self._records.find_invocation, invocation_id, abandon_on_cancel=True
            )
            of_kind = {event.kind: event for event in events}
            intent = of_kind["intent"]
            function = str(intent.fields().get("function"))
            if found.state != "left":
                body: dict[str, Field] = {**caller.fields(), "function": function, "part": "result"}
                await anyio.to_thread.run_sync(
                    self._records.append, "read_result", invocation_id, body, abandon_on_cancel=True
                )
            if found.state == "ended" and found.result is not None:
                result = InvokeResult.model_validate_json(found.result)
            else:
                arn, _, qualifier = function.rpartition(":")
                result = report_earlier(CallInfo(invocation_id, caller=caller), found, _WAY).model_copy(
                    update={"replayed": False, "function": arn or None, "qualifier": qualifier or None}
                )
            return EarlierCall(result, intent.at, of_kind.get("outcome", intent).at)

    @asynccontextmanager
    async def heard(self, taken: str | None = None) -> AsyncIterator[Delivery]:
        """Tell a caller of a call inside. If that raises, or the caller leaves meanwhile, nobody was told.

        The store has counted the answer as delivered when the call was found. That is taken back then, so that the next
        same call gets the answer, and does not start the function again. What blocks is abandoned where a caller
        leaves, since a client that comes back does not wait for it.

        Args:
            taken: the call whose answer counts as this caller's already; None where `Delivery.takes` is still to say.
        """
        delivery = Delivery()
        if taken is not None:
            delivery.takes(taken)
        try:
            yield delivery
        except BaseException:
            await self._leave(delivery)
            raise

    async def _leave(self, delivery: Delivery) -> None:
        delivery.leave()
        if delivery.taken is not None:
            self._records.leaving(delivery.taken)
            await in_records(self._records.note_leaving)


def report_earlier(info: CallInfo, first: IdempotencyHit, way: str = "") -> InvokeResult:
    """What a call gets that started nothing, since an earlier one is the same.

    Args:
        info: of the call that was made now.
        first: the earlier one.
        way: how to find its log, if its end is not known.
    """
    match first.state:
        case "ended" if first.result is not None:
            return report_again(InvokeResult.model_validate_json(first.result), adopted=first.adopted)
        case "left" | "in_progress" | "lost":
            return report_first(
                info, first.invocation_id, first.state, adopted=first.adopted, until=first.until, way=way
            )
        case _:
            return report_unreadable(info, first.invocation_id, first.outcome, adopted=first.adopted)


def growing_pauses() -> Iterator[float]:
    """Seconds between two looks at what another call or server changes."""
    pause = 0.05
    while True:
        yield pause
        pause = min(2 * pause, 1.0)
