"""What AWS tells of a durable execution: a run of a function that lasts over many invocations, up to a year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from lambda_warden.model.result import ExecutionStatus

STATUSES: Final[Mapping[str, ExecutionStatus]] = {
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed_out",
    "STOPPED": "stopped",
}
"""As AWS writes them (Lambda API reference, GetDurableExecution)."""


@dataclass(frozen=True, slots=True)
class DurableExecution:
    """A durable execution as AWS tells of it: nothing in it is redacted.

    Attributes:
        status: how far it is.
        started_at: in UTC, ISO 8601.
        ended_at: the same; None while it runs.
        version: of the function, which runs it to its end.
        result: what it returned, if it succeeded: JSON, by its own word.
        error: how it ended otherwise, by the names that runtimes give to these members; None where it did not.
        error_data: what else its error says, in a form of its own.
    """

    status: ExecutionStatus
    started_at: str
    ended_at: str | None = None
    version: str | None = None
    result: bytes = b""
    error: Mapping[str, JsonValue] | None = None
    error_data: bytes = b""
