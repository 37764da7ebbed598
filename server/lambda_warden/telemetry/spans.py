"""A span for each stage of a call, below the span that the MCP SDK makes for its message.

Nothing is made, and hardly any time taken, where nobody traces: no OpenTelemetry SDK is set up, or this call was not
sampled. What a span says is a name, a number or an id, since payloads, answers and what errors say may hold secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, get_current_span, get_tracer
from opentelemetry.util.types import AttributeValue

from lambda_warden import __version__

CALL: Final = "lambda_warden.invocation_id"
CHECK: Final = "lambda_warden.check"
EFFECT: Final = "lambda_warden.effect"
OUTCOME: Final = "lambda_warden.outcome"
RULE: Final = "lambda_warden.rule"
TOOL: Final = "lambda_warden.tool"

_tracer = get_tracer("lambda_warden", __version__)
_UNTRACED: Final = nullcontext(INVALID_SPAN)


def stage(
    name: str, attributes: Mapping[str, AttributeValue] | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> AbstractContextManager[Span]:
    """The span of one stage, for a `with` statement.

    Args:
        name: the stage's; one of a few.
        attributes: what is known when it begins.
        kind: CLIENT for the one that calls AWS.
    """
    if not get_current_span().get_span_context().trace_flags.sampled:
        return _UNTRACED
    # What is raised may quote a payload; stages say by themselves how they ended.
    return _tracer.start_as_current_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    )


def trace_header() -> str | None:
    """The current trace as AWS takes it (`X-Amzn-Trace-Id`), so that what a function does shows below the call.

    Returns:
        Root, Parent and Sampled; None if the call is not traced.
    """
    span = get_current_span().get_span_context()
    if not span.is_valid:
        return None
    trace = f"{span.trace_id:032x}"
    return f"Root=1-{trace[:8]}-{trace[8:]};Parent={span.span_id:016x};Sampled={int(span.trace_flags.sampled)}"
