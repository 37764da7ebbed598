"""Clocks that stand still until a test moves them."""

from __future__ import annotations

from typing import Final

START: Final = 1_800_000_000.0


class Clock:
    """The time of day and the time since the machine was started.

    To set `now` to a later time lets time pass; to set it to an earlier one steps the time of day back. `step` steps it
    in either direction.
    """

    def __init__(self, now: float = START) -> None:
        self.boot_id = "boot-1"
        self._now = now
        self._elapsed = 100.0
        self.before_start = now - self._elapsed

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, value: float) -> None:
        self._elapsed += max(0.0, value - self._now)
        self._now = value

    def step(self, seconds: float) -> None:
        self._now += seconds

    def reboot(self, down_seconds: float = 0.0) -> None:
        """The machine is started again, after a while in which the time of day went on."""
        self.boot_id += "+1"
        self.before_start += self._elapsed + max(0.0, down_seconds)
        self._elapsed = 0.0
        self._now += down_seconds

    def time_of_day(self) -> float:
        return self._now

    def elapsed(self) -> float:
        return self._elapsed


class ServiceTime:
    """The clock of a service far away, which nobody here steps or starts again, by a clock that is here.

    Args:
        here: tells how much time has passed.
    """

    boot_id = "service"

    def __init__(self, here: Clock) -> None:
        self._here = here

    def time_of_day(self) -> float:
        return self._here.time_of_day()

    def elapsed(self) -> float:
        return self._here.before_start + self._here.elapsed()
