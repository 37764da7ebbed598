"""encode: a request's arguments → the bytes and headers that are decided on and then sent unchanged."""

from __future__ import annotations

import base64
import binascii
import json

from pydantic import JsonValue

from lambda_warden.errors import ArgumentError
from lambda_warden.model.manifest import ASYNC_PAYLOAD_LIMIT, SYNC_PAYLOAD_LIMIT
from lambda_warden.model.request import CLIENT_CONTEXT_LIMIT, EncodedRequest, InvokeArguments


def encode(arguments: InvokeArguments) -> EncodedRequest:
    """Encode the arguments as Lambda's Invoke takes them.

    Raises:
        ArgumentError: for a payload given twice, not base64, not JSON or over Lambda's limit (6 MB, 1 MB for
            Event), and for a client context over its limit or with Event.
    """
    payload = _payload(arguments)
    limit = ASYNC_PAYLOAD_LIMIT if arguments.invocation_type == "Event" else SYNC_PAYLOAD_LIMIT
    if payload is not None and len(payload) > limit:
        raise ArgumentError(
            "payload" if arguments.payload is not None else "payload_base64",
            f"is {len(payload):,} bytes",
            f"at most {limit:,} bytes for {arguments.invocation_type} (a Lambda quota)",
        )
    return EncodedRequest(
        invocation_type=arguments.invocation_type,
        payload=payload,
        client_context=_client_context(arguments),
        log_tail=arguments.log_type == "Tail" and arguments.invocation_type == "RequestResponse",
        tenant_id=arguments.tenant_id,
        durable_execution_name=arguments.durable_execution_name,
        timeout_seconds=arguments.timeout_seconds,
    )


def _payload(arguments: InvokeArguments) -> bytes | None:
    if arguments.payload_base64 is not None:
        if arguments.payload is not None:
            raise ArgumentError("payload_base64", "is given beside payload", "one of the two")
        try:
            return base64.b64decode(arguments.payload_base64, validate=True)
        except (binascii.Error, ValueError):
            raise ArgumentError(
                "payload_base64", "is not base64", "standard base64 with padding and no line breaks"
            ) from None
    if arguments.payload is None:
        return None
    if isinstance(arguments.payload, str) and _is_json_container(arguments.payload):
        raise ArgumentError(
            "payload",
            "is a string that holds JSON text, so it is in doubt which of the two is meant",
            'the JSON value itself ({"id": 1}, not "{\\"id\\": 1}"); to send the string, encode it as a JSON '
            "string in payload_base64",
        )
    return _json_bytes("payload", arguments.payload)


def _client_context(arguments: InvokeArguments) -> str | None:
    if arguments.client_context is None:
        return None
    if arguments.invocation_type == "Event":
        raise ArgumentError(
            "client_context", "is given with Event", "no client context: Lambda passes it to synchronous calls only"
        )
    encoded = base64.b64encode(_json_bytes("client_context", arguments.client_context)).decode("ascii")
    if len(encoded) > CLIENT_CONTEXT_LIMIT:
        raise ArgumentError(
            "client_context",
            f"is {len(encoded):,} bytes as base64",
            f"at most {CLIENT_CONTEXT_LIMIT:,} bytes as base64 (a Lambda quota)",
        )
    return encoded


def _json_bytes(argument: str, value: JsonValue) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):  # NaN and infinity, lone surrogates, nesting
        raise ArgumentError(
            argument, "can't be written as JSON", "JSON without NaN, infinity, lone surrogates or deep nesting"
        ) from None


def _is_json_container(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
