"""Decodes and redacts what a durable execution returned or failed with, as the answer of a call is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lambda_warden.answers.payload import Payload, read_payload
from lambda_warden.jsontools.pointer import Pointer
from lambda_warden.jsontools.strict_json import json_bytes
from lambda_warden.model.durable_execution import DurableExecution
from lambda_warden.redaction.policy import BUILT_IN, Detectors

ERROR_DATA = "errorData"
"""The member of a shown error that holds what the error says in a form of its own."""


@dataclass(frozen=True, slots=True)
class RedactedExecution:
    """A durable execution as it may be shown.

    Attributes:
        execution: without its result and error.
        payload: the result, or else the error as a JSON object, at its whole length.
        error: the error; empty if it has none.
    """

    execution: DurableExecution
    payload: Payload
    error: dict[str, Any]


def redact_execution(
    execution: DurableExecution, redact: Sequence[Pointer] = (), detectors: Detectors = BUILT_IN
) -> RedactedExecution:
    """Decode what a durable execution gave, and take out what must not be shown.

    Args:
        execution: as AWS told of it.
        redact: the places of the function's answer that are not shown at all. They lead into the data of an error, too,
            which is withheld where they can't be found in it.
        detectors: what is redacted wherever it stands.
    """
    shown = replace(execution, result=b"", error=None, error_data=b"")
    if execution.error is None:
        return RedactedExecution(shown, read_payload(execution.result, redact, detectors=detectors), {})
    payload = read_payload(json_bytes(dict(execution.error)), redact, detectors=detectors)
    error = payload.value if isinstance(payload.value, dict) else {}
    if execution.error_data:
        data = read_payload(execution.error_data, redact, detectors=detectors)
        payload = replace(
            payload,
            value={**error, ERROR_DATA: data.value},  # type: ignore[dict-item]  # made of text, so it is no bytes
            redacted=payload.redacted + data.redacted,
        )
    return RedactedExecution(shown, payload, error)
