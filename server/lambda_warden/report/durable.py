"""Makes the result that the agent gets of a durable execution that a call of theirs started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lambda_warden.answers.bounded import cut
from lambda_warden.answers.durable import RedactedExecution
from lambda_warden.answers.gate import RedactedOutcome
from lambda_warden.model.decision import Decision
from lambda_warden.model.durable_execution import DurableExecution
from lambda_warden.model.outcome import Refused
from lambda_warden.model.result import OUTSIDE_DATA, ExecutionState, ExecutionStatus, Failure, InvokeResult, ReadResult
from lambda_warden.report.explanation import NEXT_STEPS
from lambda_warden.report.function_error import read_function_error
from lambda_warden.report.invocation import next_after_denial

_MESSAGE_LIMIT: Final = 1000
_BRIEF: Final = 200
_RUNNING: Final = (
    "It is still running, which may take long: read it again later. Calling the function again starts another "
    "execution."
)
_NEXT: Final[Mapping[ExecutionStatus, str]] = {
    "timed_out": "It took longer than it may. What it did before is not undone: tell the user.",
    "stopped": "Somebody stopped it. What it did before is not undone: tell the user.",
}


def with_way_to_its_execution(result: InvokeResult) -> InvokeResult:
    """A result that says how to follow the durable execution that an Event started."""
    if result.durable_execution_arn is None or result.outcome != "accepted":
        return result
    # Without part, read_result gives a call that went on without its caller once more.
    way = (
        "It started a durable execution: read_result with this invocation_id and part payload tells how that is doing, "
        "and its result."
    )
    return result.model_copy(update={"next_step": f"{result.next_step} {way}"})


def report_running(invocation_id: str, function: str, execution: DurableExecution) -> ReadResult:
    """A durable execution that has not ended."""
    return ReadResult(
        outcome="running",
        next_step=_RUNNING,
        invocation_id=invocation_id,
        function=function,
        part="payload",
        execution=_of(execution),
    )


def with_execution(page: ReadResult, ended: RedactedExecution) -> ReadResult:
    """A page of what a durable execution gave, which says how that ended."""
    execution, error, next_step = ended.execution, None, page.next_step
    if execution.status != "succeeded":
        error = read_function_error(execution.status, ended.error, None)
        next_step = f"{_NEXT.get(execution.status) or NEXT_STEPS[error.cause]} {next_step}"
    # It is read from AWS each time, and nothing of it is kept here.
    return page.model_copy(
        update={"execution": _of(execution), "function_error": error, "next_step": next_step, "kept_until": ""}
    )


def with_brief_error(page: ReadResult) -> ReadResult:
    """A page that tells less of its error, for one that is too large even so: its content has all of it."""
    if (error := page.function_error) is None:
        return page
    brief: dict[str, object] = {"stack_trace": [], "caused_by": [], "message": cut(error.message or "", _BRIEF) or None}
    return page.model_copy(update={"function_error": error.model_copy(update=brief)})


def report_denied_execution(invocation_id: str, decision: Decision) -> ReadResult:
    """A durable execution that may not be read."""
    return ReadResult(
        outcome="denied",
        next_step=next_after_denial(decision),
        invocation_id=invocation_id,
        checks=list(decision.checks),
    )


def report_refused_execution(invocation_id: str, ended: RedactedOutcome) -> ReadResult:
    """A durable execution of which AWS did not tell."""
    refused = ended.raw
    assert isinstance(refused, Refused), "a read is refused, or it is shown"  # noqa: S101
    return ReadResult(
        outcome="refused",
        next_step=refused.advice
        or "How the execution did is not known: read it again later, or tell the operator. "
        "Calling the function again starts another execution.",
        invocation_id=invocation_id,
        error=Failure(code=refused.code, message=refused.message[:_MESSAGE_LIMIT]),
        redacted=ended.redacted,
        outside_data=OUTSIDE_DATA,
    )


def _of(execution: DurableExecution) -> ExecutionState:
    return ExecutionState(
        status=execution.status,
        started_at=execution.started_at,
        ended_at=execution.ended_at,
        version=execution.version,
    )
