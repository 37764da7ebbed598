"""An audit log whose records are also in sinks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from lambda_warden.errors import SinkError
from lambda_warden.sinks.delivery import SinkDelivery
from lambda_warden.store.audit_log import (
    AuditLog,
    Field,
    NotAdmitted,
    RecordError,
)

_RECORDS: Final = frozenset(
    {
        "append",
        "request_approval",
        "decide_approval",
        "pause",
        "resume",
        "resume_function",
    }
)
"""What writes a record before something is done; `admit` and `finish` have their own ways."""

logger = logging.getLogger(__name__)


class _WithSinks:
    """What a store's log does, and then the sinks. All that it does not change is the store's own."""

    def __init__(self, log: AuditLog, deliveries: Sequence[SinkDelivery]) -> None:
        self._log = log
        self._deliveries = deliveries

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._log, name)
        return self._then_confirmed(own) if name in _RECORDS else own

    def admit(self, invocation_id: str, body: Mapping[str, Field], *args: Any, **keys: Any) -> NotAdmitted | None:
        """Admit a call, if the intent is in every required sink; else take back what it took."""
        met = self._log.admit(invocation_id, body, *args, **keys)
        if met is None:
            try:
                self._confirm()
            except RecordError as error:
                outcome: dict[str, Field] = {"outcome": "refused", "error": "SinkUnavailable", "reason": str(error)}
                self._log.finish(invocation_id, outcome, ran=False)
                raise
        return met

    def finish(self, *args: Any, **keys: Any) -> None:
        """Write the outcome. The sinks have it soon after: it tells of what was done already."""
        self._log.finish(*args, **keys)
        for delivery in self._deliveries:
            delivery.wake()

    def close(self) -> None:
        """Bring the sinks what is left, then close the store."""
        for delivery in self._deliveries:
            delivery.close()
        self._log.close()

    def _then_confirmed(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def written(*args: Any, **keys: Any) -> Any:
            value = write(*args, **keys)
            self._confirm()
            return value

        return written

    def _confirm(self) -> None:
        try:
            for delivery in self._deliveries:  # the required ones are last, so that none keeps the others waiting
                if delivery.required:
                    delivery.confirm()
                else:
                    delivery.wake()
        except SinkError as error:
            logger.error("%s", error)
            raise RecordError(str(error)) from error


def with_sinks(log: AuditLog, deliveries: Sequence[SinkDelivery]) -> AuditLog:
    """A log of which every record that something waits for is in the required sinks first."""
    return cast("AuditLog", _WithSinks(log, sorted(deliveries, key=lambda each: each.required))) if deliveries else log
