"""Reads how a durable execution is doing, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from pydantic import JsonValue

from lambda_warden.aws.advice import advice_for
from lambda_warden.aws.answer import refusal_of, text, token
from lambda_warden.aws.clients import Clients
from lambda_warden.model.durable_execution import STATUSES, DurableExecution
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import Refused


def read_execution(clients: Clients, ref: FunctionRef, execution_arn: str) -> DurableExecution | Refused:
    """Ask AWS (GetDurableExecution). The payload that it was started with is dropped where it arrives.

    Raises nothing. Blocks for at most some seconds.

    Args:
        clients: of the manifest's targets.
        ref: the function that was invoked. An answer that tells of another function's execution is none.
        execution_arn: of an execution of that function.

    Returns:
        The execution, or why it is not known.
    """
    try:
        client = clients.for_reading(ref.account, ref.region)
        answer = client.get_durable_execution(DurableExecutionArn=execution_arn)
        functions = answer["FunctionArn"], answer["FunctionArn"].rsplit(":", 1)[0]
        if answer["DurableExecutionArn"] != execution_arn or ref.function_arn not in functions:
            return Refused("AnotherExecution", "GetDurableExecution: the answer tells of another execution")
        return _execution(answer)
    except ClientError as error:
        refusal = refusal_of(error)
        return replace(refusal, message=f"GetDurableExecution: {refusal.message}")
    except Exception as error:  # noqa: BLE001 - whatever came instead of an answer, it is not known
        code = type(error).__name__
        return Refused(code, "GetDurableExecution gave no answer that can be read", advice=advice_for(code, ""))


def _execution(answer: Mapping[str, Any]) -> DurableExecution:
    told = answer.get("Error")
    ended = answer.get("EndTimestamp")
    return DurableExecution(
        status=STATUSES[answer["Status"]],
        started_at=_utc(answer["StartTimestamp"]),
        ended_at=None if ended is None else _utc(ended),
        version=token(answer.get("Version")),
        result=text(answer.get("Result") or "").encode(),
        error=None if told is None else _error(told),
        error_data=text((told or {}).get("ErrorData") or "").encode(),
    )


def _error(told: Mapping[str, Any]) -> dict[str, JsonValue]:
    error: dict[str, JsonValue] = {}
    if kind := told.get("ErrorType"):
        error["errorType"] = text(kind)
    if message := told.get("ErrorMessage"):
        error["errorMessage"] = text(message)
    if stack := told.get("StackTrace"):
        error["stackTrace"] = [text(frame) for frame in stack]
    return error


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
