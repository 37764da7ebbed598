"""What came back, through the gate and into a result."""

from __future__ import annotations

from collections.abc import Sequence

from lambda_warden.answers.gate import redact_outcome
from lambda_warden.jsontools.pointer import Pointer
from lambda_warden.jsontools.query import Query
from lambda_warden.model.outcome import RawOutcome
from lambda_warden.model.result import InvokeResult
from lambda_warden.report import invocation
from lambda_warden.report.invocation import CallInfo


def report_outcome(
    call: CallInfo,
    raw: RawOutcome,
    duration_ms: int,
    budget: int,
    redact: Sequence[Pointer] = (),
    *,
    query: Query | None = None,
) -> InvokeResult:
    """What `invoke_function` gives for an ending."""
    return invocation.report_outcome(call, redact_outcome(raw, redact), duration_ms, budget, query=query)
