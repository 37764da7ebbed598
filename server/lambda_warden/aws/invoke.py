"""invoke: one canonical reference → one request to AWS, and what is then known."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from lambda_warden.aws.answer import text, token
from lambda_warden.aws.clients import Clients
from lambda_warden.aws.errors import classify
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.request import EncodedRequest

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import InvocationRequestTypeDef, InvocationResponseTypeDef


def invoke(clients: Clients, ref: FunctionRef, request: EncodedRequest) -> RawOutcome:
    """Send one Invoke request, once, and classify its ending. Blocks until then; raises nothing.

    Args:
        clients: made with one attempt a call.
        ref: the canonical reference that was decided on; its ARN and qualifier are sent as they are.
        request: the encoded parameters; `timeout_seconds` bounds the wait for the answer.
    """
    try:
        client = clients.get(ref.account, ref.region, request.timeout_seconds)
    except Exception as error:  # noqa: BLE001 - whatever kept a client from being made, nothing was sent
        return Refused(type(error).__name__, text(error))
    try:
        response = client.invoke(**_parameters(ref, request))
    except Exception as error:  # noqa: BLE001 - every ending is an outcome, and an unforeseen one is Unknown
        return classify(error)
    try:
        payload = response["Payload"].read()
    except Exception as error:  # noqa: BLE001
        return Unknown(
            type(error).__name__,
            "the function ran, and its answer was cut off on the way",
            response["StatusCode"],
            token(response["ResponseMetadata"].get("RequestId")),
        )
    return _returned(response, payload)


def _parameters(ref: FunctionRef, request: EncodedRequest) -> InvocationRequestTypeDef:
    parameters: InvocationRequestTypeDef = {
        "FunctionName": ref.function_arn,
        "Qualifier": ref.qualifier,
        "InvocationType": request.invocation_type,
    }
    # A DryRun carries no payload: should an endpoint not know DryRun, it has nothing to act on.
    if request.payload is not None and request.invocation_type != "DryRun":
        parameters["Payload"] = request.payload
    if request.log_tail:
        parameters["LogType"] = "Tail"
    if request.client_context is not None:
        parameters["ClientContext"] = request.client_context
    if request.tenant_id is not None:
        parameters["TenantId"] = request.tenant_id
    if request.durable_execution_name is not None:
        parameters["DurableExecutionName"] = request.durable_execution_name
    return parameters


def _returned(response: InvocationResponseTypeDef, payload: bytes) -> Returned:
    return Returned(
        status_code=response["StatusCode"],
        payload=payload,
        function_error=_function_error(response.get("FunctionError")),
        log_tail=_decoded(response.get("LogResult")),
        executed_version=token(response.get("ExecutedVersion")),
        durable_execution_arn=token(response.get("DurableExecutionArn")),
        request_id=token(response["ResponseMetadata"].get("RequestId")),
    )


def _function_error(header: str | None) -> str | None:
    """Whatever the header says, its presence means that the function failed."""
    return None if header is None else token(header) or "Unhandled"


def _decoded(log_result: str | None) -> bytes | None:
    if not log_result:
        return None
    try:
        return base64.b64decode(log_result)
    except (binascii.Error, ValueError):
        return None
