"""Encodes a request's arguments as the bytes and headers that are decided on and then sent unchanged."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import replace

from pydantic import JsonValue

from lambda_warden.errors import ArgumentError
from lambda_warden.guard.decide import RuleMatch
from lambda_warden.guard.payload_schema import PayloadSchema
from lambda_warden.jsontools.strict_json import parse_json
from lambda_warden.model.quotas import ASYNC_PAYLOAD_LIMIT, SYNC_PAYLOAD_LIMIT
from lambda_warden.model.request import CLIENT_CONTEXT_LIMIT, EncodedRequest, InvokeArguments


def encode(arguments: InvokeArguments) -> EncodedRequest:
    """Encode the arguments as Lambda's Invoke takes them.

    Raises:
        ArgumentError: for a payload given twice, not base64, not JSON or over Lambda's limit (6 MB, 1 MB for
            Event), and for a client context over its limit or with Event.

    >>> encode(InvokeArguments(function="orders", payload={"name": "Zoë"})).payload.decode()
    '{"name":"Zoë"}'
    """
    payload = _payload(arguments)
    limit = ASYNC_PAYLOAD_LIMIT if arguments.invocation_type == "Event" else SYNC_PAYLOAD_LIMIT
    if payload is not None and len(payload) > limit:
        raise ArgumentError(
            _payload_arguments(arguments)[0],
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
        wait_seconds=min(
            (seconds for seconds in (arguments.wait_seconds, arguments.timeout_seconds) if seconds is not None),
            default=None,
        ),
        payload_text=_text_in_doubt(arguments.payload),
        reason=arguments.reason,
    )


def settle(request: EncodedRequest, found: RuleMatch) -> EncodedRequest:
    """Decide what a payload is that came as a string which holds a JSON object or array: some hosts send objects so.

    It is the string if only that fits the rule's schema, and what the string holds if the string does not fit.

    Args:
        request: as `encode` gave it. What is in no doubt stays as it is.
        found: the rule that speaks of the function. What is denied already stays as it is, too.

    Raises:
        ArgumentError: if both fit, or there is no schema.
    """
    text = request.payload_text
    if text is None or found.rule is None or not all(check.passed for check in found.checks):
        return request
    schema = found.rule.schema
    if schema is not None and schema.problem(text.decode()):
        return replace(request, payload=text, payload_text=None)
    if schema is not None and not _fits(text, schema):
        return replace(request, payload_text=None)
    raise ArgumentError(
        "payload",
        "is a string that holds JSON text, so it is in doubt which of the two is meant",
        'the JSON value itself ({"id": 1}, not "{\\"id\\": 1}") or its text in payload_json; to send the string, its '
        'JSON in payload_json ("\\"{…}\\"")',
    )


def _fits(text: bytes, schema: PayloadSchema) -> bool:
    try:
        return not schema.problem(parse_json(text))
    except ValueError:
        return False


def _payload(arguments: InvokeArguments) -> bytes | None:
    given = _payload_arguments(arguments)
    if len(given) > 1:
        raise ArgumentError(given[1], f"is given beside {given[0]}", "one of the two")
    if arguments.payload_json is not None:
        return _json_text(arguments.payload_json)
    if arguments.payload_base64 is not None:
        return _decoded(arguments.payload_base64)
    return None if arguments.payload is None else _json_bytes("payload", arguments.payload)


def _payload_arguments(arguments: InvokeArguments) -> list[str]:
    """Which arguments give the payload."""
    given = [name for name in ("payload", "payload_json", "payload_base64") if getattr(arguments, name) is not None]
    # Where a host makes a schema strict, a model has to write each argument, and can only write {} for an object.
    return given[1:] if len(given) > 1 and arguments.payload == {} else given


def _json_text(text: str) -> bytes:
    try:
        data = text.encode()
        parse_json(data)
    except ValueError as error:
        raise ArgumentError("payload_json", f"is not JSON: {error}", 'JSON text, such as [1, 2] or "text"') from None
    return data


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ArgumentError(
            "payload_base64", "is not base64", "standard base64 with padding and no line breaks"
        ) from None


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


def _text_in_doubt(payload: JsonValue) -> bytes | None:
    """A payload that is a string which holds a JSON object or array, or what is meant to be one."""
    if not isinstance(payload, str) or not payload.lstrip().startswith(("{", "[")):
        return None
    try:
        json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return payload.encode()
