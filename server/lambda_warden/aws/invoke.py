"""Sends one Invoke request to AWS, and tells what is then known of the function."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

from botocore.exceptions import ClientError

from lambda_warden.aws.advice import for_machine, may_be_renewed
from lambda_warden.aws.answer import text, token
from lambda_warden.aws.clients import Clients
from lambda_warden.aws.errors import classify
from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.request import EncodedRequest

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import (
        InvocationRequestTypeDef,
        InvocationResponseTypeDef,
        InvokeWithResponseStreamRequestTypeDef,
        InvokeWithResponseStreamResponseTypeDef,
    )


HELD_BYTES: Final = 16 * 1024 * 1024
"""Bytes of an answer that is held whole: more than Lambda gives at once (6 MB). A stream may have 200 MB."""
START_BYTES: Final = 8 * 1024 * 1024
"""Bytes that are held of a larger one: its start."""
_CHUNK: Final = 64 * 1024
_EXECUTION_ARN_LIMIT: Final = 1024
"""Lambda API reference, GetDurableExecution: DurableExecutionArn."""
_DONE: Final = 200
_STATUS: Final = {"Event": 202, "DryRun": 204}
"""What Lambda answers with, if not 200 (Lambda API Reference, Invoke)."""
_NOT_IMPLEMENTED: Final = 501
_GUESSED: Final = ("text/plain; charset=utf-8", "application/octet-stream")
_QUEUED: Final = 202
"""The answer to an Event: all is said with it, whatever becomes of the body behind it."""


def invoke(clients: Clients, ref: FunctionRef, request: EncodedRequest, handle: InvocationHandle) -> RawOutcome:
    """Send one Invoke or InvokeWithResponseStream request, once, and classify its ending.

    Blocks until then, or until the call is given up. Raises nothing.

    Args:
        clients: made with one attempt a call, over tracked connections.
        ref: the canonical reference that was decided on; its ARN and qualifier are sent as they are.
        request: the encoded parameters.
        handle: carries the deadline, and learns how much of the request has left.
    """
    try:
        client = clients.for_invoking(ref.account, ref.region)
    except Exception as error:  # noqa: BLE001 - whatever kept a client from being made, nothing was sent
        code = type(error).__name__
        return Refused(code, text(error), advice=for_machine(code, text(error)))
    answer = _ArrivedAnswer()
    asks_for_log = request.log_tail and not clients.refuses_log(ref.account, ref.region)
    request = replace(request, log_tail=asks_for_log)
    handle.begin_attempt()
    with handle.on_this_thread():
        response: InvocationResponseTypeDef | InvokeWithResponseStreamResponseTypeDef
        try:
            if request.response_stream:
                handle.parameters = stream_parameters = _stream_parameters(ref, request)
                response = client.invoke_with_response_stream(**stream_parameters)
            else:
                handle.parameters = parameters = _parameters(ref, request)
                response = client.invoke(**parameters)
        except Exception as error:  # noqa: BLE001 - every ending is an outcome, and an unforeseen one is Unknown
            ending = classify(error, handle.sent, handle.reason)
            return ending if isinstance(ending, Unknown) else _remedied(ending, clients, client, ref, asks_for_log)
        if wrong := _no_lambda(request, response):
            # Closed unread: what else it holds says nothing of the function.
            cast("Any", response).get("EventStream", cast("Any", response).get("Payload")).close()
            return wrong
        try:
            if "EventStream" in response:
                return _read_stream(cast("InvokeWithResponseStreamResponseTypeDef", response), answer, handle)
            return _read(response, answer, handle)
        except Exception as error:  # noqa: BLE001 - as above
            if (request.invocation_type, response["StatusCode"]) == ("Event", _QUEUED):
                return _returned(cast("InvocationResponseTypeDef", response), answer)
            return _broken_off(error, response, answer, handle)


class _Payload(TypedDict):
    payload: bytes
    payload_bytes: int
    payload_sha256: str


def _remedied(
    ending: Refused, clients: Clients, client: LambdaClient, ref: FunctionRef, asked_for_log: bool
) -> Refused:
    """Remove the cause of a refusal where that can be done, for the attempt that follows and for all later ones."""
    if asked_for_log and _refuses_log(ending):
        clients.remember_no_log(ref.account, ref.region)
        return replace(ending, retry_sensible=False, remedy="log_type")
    if may_be_renewed(ending.code, ending.message) and clients.renew(ref.account, ref.region, client):
        return replace(ending, remedy="credentials")
    return ending


def _refuses_log(ending: Refused) -> bool:
    """Whether it is LogType Tail that was refused: of another account's function, or by SAM's local service."""
    message = ending.message.lower()
    return "cross-account log access" in message or (ending.status_code == _NOT_IMPLEMENTED and "log-type" in message)


def _no_lambda(
    request: EncodedRequest, response: InvocationResponseTypeDef | InvokeWithResponseStreamResponseTypeDef
) -> Unknown | None:
    """What is known where a 2xx is not Lambda's answer to this request. What gave it may have run something."""
    status, request_id = response["StatusCode"], token(response["ResponseMetadata"].get("RequestId"))
    if not _is_lambdas(response["ResponseMetadata"].get("HTTPHeaders", {})):
        message = (
            "the answer has none of Lambda's headers: what listens at this endpoint is no Lambda endpoint (a login "
            "page or another server, perhaps)"
        )
        return Unknown("NoLambdaEndpoint", message, status, request_id)
    expected = _STATUS.get(request.invocation_type, _DONE)
    if status != expected:
        what = f"Lambda answers {request.invocation_type} with {expected}, and this endpoint answered {status}"
        return Unknown("UnexpectedStatus", what, status, request_id)
    return None


def _is_lambdas(headers: Mapping[str, str]) -> bool:
    """Whether an answer comes from Lambda, or from one of the two emulators that give none of its headers."""
    if any(name in headers for name in ("x-amzn-requestid", "x-amz-executed-version", "x-amz-function-error")):
        return True
    kind = headers.get("content-type", "").lower()
    if headers.get("server", "").startswith("Werkzeug/"):  # SAM's local service
        return kind.startswith(("application/json", "application/octet-stream", "image/"))
    # The runtime interface emulator: a server of Go's that names itself not, and guesses the type of what it sends.
    return "server" not in headers and "date" in headers and kind in ("", *_GUESSED)


class _ArrivedAnswer:
    """What has arrived of an answer: its size and digest, and the bytes themselves, or their start if they are many."""

    def __init__(self) -> None:
        self.size = 0
        self._held = BytesIO()
        self._sha256 = hashlib.sha256()

    def add(self, part: bytes) -> None:
        if self.size <= HELD_BYTES:
            self._held.write(part)
        self.size += len(part)
        self._sha256.update(part)
        if self.size > HELD_BYTES:
            self._held.truncate(START_BYTES)

    def payload(self) -> _Payload:
        return {
            "payload": self._held.getvalue(),
            "payload_bytes": self.size,
            "payload_sha256": self._sha256.hexdigest(),
        }


def _broken_off(
    error: Exception,
    response: InvocationResponseTypeDef | InvokeWithResponseStreamResponseTypeDef,
    answer: _ArrivedAnswer,
    handle: InvocationHandle,
) -> Unknown:
    """AWS had begun to answer, so the function ran, and nobody knows how it ended: whatever the error says."""
    ending = classify(error, "whole", handle.reason)
    why = ""
    if handle.reason or isinstance(error, ClientError):
        why = f"{ending.message or 'AWS sent an error'}; "
    return Unknown(
        ending.code,
        f"{why}the function ran, and its answer broke off" + (f" after {answer.size:,} bytes" if answer.size else ""),
        response["StatusCode"],
        token(response["ResponseMetadata"].get("RequestId")),
    )


def _read(response: InvocationResponseTypeDef, answer: _ArrivedAnswer, handle: InvocationHandle) -> Returned:
    with closing(response["Payload"]) as body:
        length = response["ResponseMetadata"].get("HTTPHeaders", {}).get("content-length", "")
        if length.isdigit() and int(length) <= HELD_BYTES:
            answer.add(body.read())
        else:
            for part in iter(lambda: body.read(_CHUNK), b""):
                answer.add(part)
        if not length:
            # Where nothing says how long the answer is, a connection that was given up looks like its end.
            handle.check()
    return _returned(response, answer)


def _returned(response: InvocationResponseTypeDef, answer: _ArrivedAnswer) -> Returned:
    return Returned(
        status_code=response["StatusCode"],
        **answer.payload(),
        function_error=_function_error(response.get("FunctionError")),
        log_tail=_decoded(response.get("LogResult")),
        executed_version=token(response.get("ExecutedVersion")),
        durable_execution_arn=token(response.get("DurableExecutionArn"), _EXECUTION_ARN_LIMIT),
        request_id=token(response["ResponseMetadata"].get("RequestId")),
    )


def _read_stream(
    response: InvokeWithResponseStreamResponseTypeDef, answer: _ArrivedAnswer, handle: InvocationHandle
) -> Returned | Unknown:
    status, request_id = response["StatusCode"], token(response["ResponseMetadata"].get("RequestId"))
    with closing(response["EventStream"]) as events:
        for event in events:
            if "PayloadChunk" in event:
                answer.add(event["PayloadChunk"].get("Payload", b""))
            elif "InvokeComplete" in event:
                complete = event["InvokeComplete"]
                code = complete.get("ErrorCode")
                return Returned(
                    status_code=status,
                    **answer.payload(),
                    function_error="Unhandled" if code else None,
                    stream_error=(token(code) or "unknown", text(complete.get("ErrorDetails", ""))) if code else None,
                    log_tail=_decoded(complete.get("LogResult")),
                    executed_version=token(response.get("ExecutedVersion")),
                    request_id=request_id,
                )
    handle.check()
    return Unknown(
        "IncompleteStream", f"the answer ended after {answer.size:,} bytes without its end", status, request_id
    )


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


def _stream_parameters(ref: FunctionRef, request: EncodedRequest) -> InvokeWithResponseStreamRequestTypeDef:
    """The same parameters; the operation knows no durable executions."""
    known = {key: value for key, value in _parameters(ref, request).items() if key != "DurableExecutionName"}
    return cast("InvokeWithResponseStreamRequestTypeDef", known)


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
