"""The time by which servers on different machines agree: that of DynamoDB, which each of its answers tells."""

from __future__ import annotations

import threading
from email.utils import parsedate_to_datetime
from typing import Final

from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.clock import SystemClock

KNOWN_WITHIN_SECONDS: Final = 1.0
"""How well the time has to be known. Two servers differ by no more than twice as much."""
_DRIFT: Final = 1e-4
"""How much faster or slower than the service's this machine's clock may be, at the most."""


class ServiceClock:
    """The service's time, carried on between its answers by a clock of this machine that nobody can set.

    The machine's time of day is of no use for limits: of two machines, one may be wrong by minutes. An answer's `Date`
    says in which second it was made, and that this was between the request and its arrival; what several of them say
    is known better than to the second. Safe to use from any thread.
    """

    boot_id = "service"

    def __init__(self) -> None:
        self._machine = SystemClock()
        self._lock = threading.Lock()
        self._known: tuple[float, float, float] | None = None

    def machine(self) -> float:
        """This machine's seconds, for `saw`."""
        return self._machine.elapsed()

    def saw(self, date: str | None, sent: float, received: float) -> None:
        """Take note of an answer: its `Date` header, and when by `machine` the request left and the answer came."""
        try:
            second = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        low, high = second - received, second + 1 - sent
        with self._lock:
            if self._known is not None:
                known_low, known_high, at = self._known
                drift = _DRIFT * (received - at)
                if max(low, known_low - drift) <= min(high, known_high + drift):
                    low, high = max(low, known_low - drift), min(high, known_high + drift)
            self._known = low, high, received

    def elapsed(self) -> float:
        """Seconds since the epoch, by the service.

        Raises:
            RecordError: if that is not known well enough: no answer told it, or all took too long.
        """
        now = self._machine.elapsed()
        with self._lock:
            low, high, at = self._known or (0.0, 1e9, now)
        if (high - low) / 2 + _DRIFT * (now - at) > KNOWN_WITHIN_SECONDS:
            raise RecordError("DynamoDB's answers don't tell the time, or take too long, so that no limit can be held")
        return now + (low + high) / 2

    def time_of_day(self) -> float:
        """The same."""
        return self.elapsed()
