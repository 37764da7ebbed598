"""The clocks that a store goes by: one for people, one that nobody can set.

The time of day is stepped by people and by NTP, in both directions. A limit that went by it would be emptied by a step
forward, and hold calls back for years after a step back. So what is counted goes by the time since the machine was
started, as long as that is the same start.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Final, Protocol

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What time it is, and how much has passed."""

    def time_of_day(self) -> float:
        """The time of day, in seconds since the epoch. It may step."""

    def elapsed(self) -> float:
        """Seconds since some moment that belongs to `boot_id`. They never step back, nor ahead."""

    @property
    def boot_id(self) -> str:
        """For whom `elapsed` counts from the same moment: all processes since the machine was started, if possible."""


class SystemClock:
    """This machine's clocks."""

    def __init__(self) -> None:
        try:
            self.boot_id = _BOOT_ID.read_text().strip()
            self._clock_id: int | None = time.CLOCK_BOOTTIME
        except (OSError, AttributeError):
            # Not Linux: what this process counts says nothing to others.
            self.boot_id, self._clock_id = uuid.uuid4().hex, None

    def time_of_day(self) -> float:
        """The time of day."""
        return time.time()

    def elapsed(self) -> float:
        """Seconds since the machine was started, with those that it slept through where the system tells them."""
        return time.monotonic() if self._clock_id is None else time.clock_gettime(self._clock_id)
