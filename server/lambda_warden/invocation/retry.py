"""Another attempt, where it is certain that the one before started nothing, and only as long as the caller waits."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.model.outcome import RawOutcome, Refused

if TYPE_CHECKING:
    from tenacity import RetryCallState

_FIRST_SECONDS: Final = 0.2
_LONGEST_SECONDS: Final = 10.0
_JITTER_SECONDS: Final = 0.5
"""Added to a Retry-After, so that those who were throttled together don't come back together."""

OnRetry = Callable[[int, Refused, float], None]
"""Told of each attempt that will be followed by another: its number, how it ended, and the pause in seconds."""


def may_retry(raw: RawOutcome, attempts: int, max_attempts: int) -> bool:
    """Whether an attempt may be followed by another: it certainly started nothing, for a reason that passes."""
    return isinstance(raw, Refused) and raw.retry_sensible and attempts < max_attempts


def attempt_until_it_may_have_run(
    attempt: Callable[[], RawOutcome], max_attempts: int, handle: InvocationHandle, on_retry: OnRetry
) -> tuple[RawOutcome, int]:
    """Make attempts until one may have started the function, or there is no time for another.

    The pauses grow at random (full jitter), and are never shorter than a Retry-After. Nothing is attempted after the
    deadline or after the call was given up.

    Args:
        attempt: makes one, and raises nothing.
        max_attempts: 1 for a single attempt.
        handle: the call's.
        on_retry: is called before each pause.

    Returns:
        The last attempt's outcome, and how many were made.
    """
    first = attempt()
    if not may_retry(first, 1, max_attempts):
        return first, 1
    # Imported here: most calls need no second attempt, and a server that starts needs none of this.
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

    last, made, begun = first, 1, False
    grows = wait_random_exponential(multiplier=_FIRST_SECONDS, max=_LONGEST_SECONDS)

    def next_outcome() -> RawOutcome:
        nonlocal last, made, begun
        if begun and handle.reason is None:  # it may have been given up in the pause
            last, made = attempt(), made + 1
        begun = True
        return last

    def pause(state: RetryCallState) -> float:
        asked = _refusal(state).retry_after_seconds
        seconds: float = grows(state)
        return seconds if asked is None else max(seconds, asked + random.uniform(0, _JITTER_SECONDS))  # noqa: S311

    def no_time_left(state: RetryCallState) -> bool:
        return handle.reason is not None or time.monotonic() + state.upcoming_sleep >= handle.deadline

    def tell(state: RetryCallState) -> None:
        on_retry(made, _refusal(state), state.upcoming_sleep)

    retrying = Retrying(
        retry=retry_if_result(lambda raw: may_retry(raw, 0, max_attempts)),
        stop=lambda state: stop_after_attempt(max_attempts)(state) or no_time_left(state),
        wait=pause,
        sleep=handle.wait,
        before_sleep=tell,
        retry_error_callback=lambda _: last,
    )
    retrying(next_outcome)
    return last, made


def _refusal(state: RetryCallState) -> Refused:
    raw = state.outcome.result() if state.outcome else None
    assert isinstance(raw, Refused), "only refusals are tried again"  # noqa: S101
    return raw
