"""What is told of a call as it goes through the pipeline: attributes of its spans, and its metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span

from lambda_warden.telemetry import metrics
from lambda_warden.telemetry.spans import CALL, CHECK, EFFECT, OUTCOME, RULE, TOOL, stage

logger = logging.getLogger(__name__)


class ObservedCall:
    """A call until its caller has its answer.

    Args:
        tool: the tool that was called.
    """

    def __init__(self, tool: str) -> None:
        self._span = get_current_span()  # of the message, which those of the stages are below
        self._began = time.monotonic()
        self._known = {TOOL: tool}

    def allowed_by(self, rule: str, effect: str) -> None:
        """A rule allows it. Names are told from here on: no others than the manifest has."""
        self._known[RULE] = rule
        self._span.set_attributes({RULE: rule, EFFECT: effect})

    def ended(self, outcome: str, invocation_id: str) -> None:
        """Its caller is told this."""
        self._span.set_attributes({OUTCOME: outcome, CALL: invocation_id})
        logger.info("%s: %s", self._known[TOOL], outcome)
        known = {**self._known, OUTCOME: outcome}
        metrics.calls.add(1, known)
        metrics.call_seconds.record(time.monotonic() - self._began, known)


def note_denial(tool: str, check: str) -> None:
    """A call of this tool is not sent, since it failed this check."""
    get_current_span().set_attribute(CHECK, check)
    metrics.denials.add(1, {TOOL: tool, CHECK: check})


def note_limit(limit: str, of: str) -> None:
    """A call is not sent, since this limit has no room, of a rule or of a principal."""
    metrics.limits_exceeded.add(1, {metrics.LIMIT: limit, metrics.LIMITED: of})


@contextmanager
def waiting_for_its_turn() -> Iterator[None]:
    """The time that a call waits for a slot, whether or not it gets one."""
    began = time.monotonic()
    metrics.queued.add(1)
    try:
        with stage("queue"):
            yield
    finally:
        metrics.queued.add(-1)
        metrics.queue_seconds.record(time.monotonic() - began)


class SentCall:
    """A call that is sent, with all its attempts, which goes on without its caller.

    Args:
        span: its own.
        rule: the manifest's.
        invocation_type: as AWS knows it.
    """

    def __init__(self, span: Span, rule: str, invocation_type: str) -> None:
        self._span = span
        self._known = {RULE: rule, "lambda_warden.invocation_type": invocation_type}

    def ended(self, outcome: str, seconds: float, attempts: int, error_type: str | None) -> None:
        """It ended so, after so long; `error_type` is AWS's code for what went wrong, if anything did."""
        self._span.set_attributes({OUTCOME: outcome, "lambda_warden.attempts": attempts})
        if error_type is not None:
            self._span.set_attribute("error.type", error_type)
            self._span.set_status(StatusCode.ERROR)
        metrics.invoke_seconds.record(seconds, {**self._known, OUTCOME: outcome})


@contextmanager
def invoking(name: str, region: str, qualifier: str, invocation_type: str, rule: str) -> Iterator[SentCall]:
    """The stage that calls AWS, as OpenTelemetry's conventions for functions (FaaS) have it.

    Args:
        name: the function's.
        region: where it is.
        qualifier: which version or alias of it.
        invocation_type: as AWS knows it.
        rule: the manifest's that allows it.
    """
    attributes = {
        "faas.invoked_name": name,
        "faas.invoked_provider": "aws",
        "faas.invoked_region": region,
        "lambda_warden.qualifier": qualifier,
        "lambda_warden.invocation_type": invocation_type,
    }
    with stage("invoke", attributes, SpanKind.CLIENT) as span:
        yield SentCall(span, rule, invocation_type)
