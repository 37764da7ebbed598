"""The metrics, as OpenTelemetry's instruments. They cost next to nothing where none are exported.

Each attribute has few values: those of a fixed list, or the manifest's rules. Names that callers make up are none, and
neither are principals.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Observation, get_meter

from lambda_warden import __version__

LIMIT: Final = "lambda_warden.limit"
LIMITED: Final = "lambda_warden.limited"

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)

logger = logging.getLogger(__name__)

_meter = get_meter("lambda_warden", __version__)

call_seconds = _meter.create_histogram(
    "lambda_warden.call.duration",
    "s",
    "Calls, and how long their callers waited, by tool, outcome and rule.",
    explicit_bucket_boundaries_advisory=_SECONDS,
)
invoke_seconds = _meter.create_histogram(
    "lambda_warden.invoke.duration",
    "s",
    "What was sent to AWS, and how long it took to its end, also without its caller, by outcome and rule.",
    explicit_bucket_boundaries_advisory=_SECONDS,
)
calls = _meter.create_counter("lambda_warden.calls", "{call}", "Calls, by tool, outcome and rule.")
denials = _meter.create_counter("lambda_warden.denials", "{call}", "Calls that were not sent, by check and tool.")
limits_exceeded = _meter.create_counter(
    "lambda_warden.limits.exceeded", "{call}", "Calls that met a limit, by limit and what it is of."
)
under_way = _meter.create_up_down_counter("lambda_warden.calls.under_way", "{call}", "Calls that have a slot.")
queued = _meter.create_up_down_counter("lambda_warden.queue.depth", "{call}", "Calls that wait for a slot.")
queue_seconds = _meter.create_histogram(
    "lambda_warden.queue.wait",
    "s",
    "How long calls waited for a slot.",
    explicit_bucket_boundaries_advisory=_SECONDS,
)


def watch_approvals(waiting: Callable[[], int]) -> None:
    """Have a gauge tell how many requests for approval wait for a person.

    Args:
        waiting: counts them when metrics are collected. It may block; what it raises is logged, and then none is told.
    """

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        try:
            return [Observation(waiting())]
        except Exception as error:  # noqa: BLE001 - the exporter's thread has to go on
            logger.debug("how many approvals wait is not told: %s", error)
            return []

    _meter.create_observable_gauge(
        "lambda_warden.approvals.waiting", [observe], "{request}", "Requests for approval that nobody decided on yet."
    )
