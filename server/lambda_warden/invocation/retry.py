"""Another attempt, where it is certain that the one before started nothing, and only as long as the caller waits."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.model.outcome import RawOutcome, Refused, Remedy

_FIRST_SECONDS: Final = 0.2
_LONGEST_SECONDS: Final = 10.0
_JITTER_SECONDS: Final = 0.5
"""Added to a Retry-After, so that those who were throttled together don't come back together."""

OnRetry = Callable[[int, Refused, float], None]
"""Told of each attempt that is followed by another, just before that one: its number, how it ended, and the pause that
was made, in seconds."""


def may_retry(raw: RawOutcome, attempts: int, max_attempts: int) -> bool:
    """Whether an attempt may be followed by another: it certainly started nothing, for a reason that passes."""
    return isinstance(raw, Refused) and raw.retry_sensible and attempts < max_attempts


def attempt_until_it_may_have_run(
    attempt: Callable[[], RawOutcome], max_attempts: int, handle: InvocationHandle, on_retry: OnRetry
) -> tuple[RawOutcome, int]:
    """Make attempts until one may have started the function, or there is no time for another.

    The pauses grow at random (full jitter), and are never shorter than a Retry-After. A refusal whose cause was
    removed (`Refused.remedy`) is followed by one attempt more, at once, for each kind of remedy. Nothing is attempted
    after the deadline or after the call was given up.

    Args:
        attempt: makes one, and raises nothing.
        max_attempts: 1 for a single attempt.
        handle: the call's.
        on_retry: is called after each pause, just before the attempt. If it raises, that is not made.

    Returns:
        The last attempt's outcome, and how many were made.
    """
    made = 0
    remedied: set[Remedy] = set()
    while True:
        raw, made = attempt(), made + 1
        if isinstance(raw, Refused) and raw.remedy is not None and raw.remedy not in remedied:
            remedied.add(raw.remedy)
            pause = 0.0
        elif isinstance(raw, Refused) and may_retry(raw, made - len(remedied), max_attempts):
            pause = _pause(made, raw.retry_after_seconds)
        else:
            return raw, made
        if not _has_time(handle, pause):
            return raw, made
        if pause:
            handle.wait(pause)
        if not _has_time(handle):
            return raw, made
        on_retry(made, raw, pause)
        # To write it down takes time, too.
        if not _has_time(handle):
            return raw, made


def _has_time(handle: InvocationHandle, pause: float = 0.0) -> bool:
    """Whether the call is still wanted, and will be after a pause."""
    return handle.reason is None and time.monotonic() + pause < handle.deadline


def _pause(made: int, retry_after: float | None) -> float:
    """Seconds until another attempt."""
    grown = random.uniform(0, min(_FIRST_SECONDS * 2 ** (made - 1), _LONGEST_SECONDS))  # noqa: S311
    if retry_after is None:
        return grown
    return max(grown, retry_after + random.uniform(0, _JITTER_SECONDS))  # noqa: S311
