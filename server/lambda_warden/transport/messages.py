"""Reading one JSON-RPC message: what can't be served is answered, where an answer is due, and ends nothing.

The SDK drops what it can't read, so that its sender waits for ever, and takes a request whose id it can't use for a
notification. Here JSON-RPC 2.0 holds: each request is answered, notifications and responses never are. An error bears
the id of its request wherever that can be told for certain, also where the rest can't be read.
"""

from __future__ import annotations

import re
from typing import Any, Final

from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params
from mcp.types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from lambda_warden.jsontools.possessive import possessive
from lambda_warden.jsontools.strict_json import json_bytes, parse_json, parse_usual_json

MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""Of one message. A payload has at most 6 MB, which escapes and Base64 make longer."""
_BOM: Final = b"\xef\xbb\xbf"
_SCAN_STEPS: Final = 100_000
"""Brackets and strings that are looked at to find the id of what is no JSON: some hundredths of a second."""
_STRING: Final = b'"%b"' % possessive(r'[^"\\]++|\\.', "*").encode()
_PLAIN: Final = rb'[^"{}\[\]]++'
_FLAT: Final = rb"[\[{]%b[\]}]" % possessive(f"{_PLAIN.decode()}|{_STRING.decode()}", "*").encode()
_TOKEN: Final = re.compile(rb"%b|[\[\]{}]" % _STRING, re.DOTALL)
_INSIDE: Final = re.compile(possessive(b"|".join((_PLAIN, _STRING, _FLAT)).decode(), "*").encode(), re.DOTALL)
"""All up to the next bracket of what is nested more deeply, or to the end of what it stands in."""
_ID_VALUE: Final = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+(%b|-?[0-9]{1,18}+)[ \t\r\n]*+[,}]" % _STRING, re.DOTALL)


class UnreadableError(Exception):
    """A message that can't be served.

    Attributes:
        answer: the error that tells its sender why.
        is_due: whether JSON-RPC wants it answered; a notification or response never is.
    """

    def __init__(self, code: int, message: str, request_id: RequestId | None, *, is_due: bool = True) -> None:
        super().__init__(message)
        self.answer = JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message))
        self.is_due = is_due


def read_message(data: bytes) -> JSONRPCMessage:
    """Read one message, strictly: what two readers could understand differently is refused.

    Args:
        data: JSON in UTF-8; a byte order mark before it is allowed.

    Raises:
        UnreadableError: for anything else than one message of JSON-RPC 2.0 as MCP has it (no batches, ids that are
            strings or integers), for more than `MESSAGE_BYTES`, and for nesting of more than 200 levels.
    """
    data = data.removeprefix(_BOM)
    if len(data) > MESSAGE_BYTES:
        raise UnreadableError(INVALID_REQUEST, f"The message is over {MESSAGE_BYTES:,} bytes.", _id_in(data))
    try:
        value = _parsed(data)
    except ValueError as error:
        raise UnreadableError(PARSE_ERROR, f"Not strict JSON in UTF-8: {error}", _id_in(data)) from None
    if not isinstance(value, dict):
        what = "MCP has no batches: send each message alone." if isinstance(value, list) else "Expected an object."
        raise UnreadableError(INVALID_REQUEST, what, None)
    _check(value)
    try:
        return jsonrpc_message_adapter.validate_python(value, by_name=False)
    except ValidationError:  # of a response: the rest was checked
        raise UnreadableError(INVALID_REQUEST, "Not a response of JSON-RPC 2.0.", None, is_due=False) from None


def cancelled_id(message: JSONRPCMessage) -> RequestId | None:
    """The id of the request that a message cancels. The SDK takes " 5" and "05" for 5 there, too; they are others."""
    if isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
        return cancelled_request_id_from_params(message.params)
    return None


def _parsed(data: bytes) -> object:
    try:
        return parse_usual_json(data)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise ValueError("it is nested over 200 levels deep") from None
    value = parse_json(data)  # which tells what is wrong, or that nothing is
    try:
        json_bytes(value)
    except (ValueError, RecursionError):  # an answer that repeats it could not be written
        raise ValueError("it has a lone surrogate") from None
    return value


def _check(value: dict[str, Any]) -> None:
    """Refuse what is no request and no notification, unless it is a response.

    Raises:
        UnreadableError: if it is.
    """
    if "method" not in value and ("result" in value or "error" in value):
        return
    request_id = value.get("id")
    if "id" in value and (isinstance(request_id, bool) or not isinstance(request_id, str | int)):
        raise UnreadableError(INVALID_REQUEST, "id: expected a string or an integer.", None)
    for key, fits, expected in (
        ("jsonrpc", value.get("jsonrpc") == "2.0", '"2.0"'),
        ("method", isinstance(value.get("method"), str), "a string"),
    ):
        if not fits:
            raise UnreadableError(INVALID_REQUEST, f"{key}: expected {expected}.", request_id)
    if not isinstance(value.get("params", {}), dict | None):
        raise UnreadableError(INVALID_PARAMS, "params: expected an object.", request_id, is_due="id" in value)


def _id_in(data: bytes) -> RequestId | None:
    """The id of a request whose JSON can't be read, if there is exactly one in the object itself."""
    found: list[bytes] = []
    is_request = False
    at = depth = 0
    for _ in range(_SCAN_STEPS):
        token = _TOKEN.search(data, at)
        if token is None:
            break
        at, text = token.end(), token[0]
        if text in b"{[":
            depth += 1
            if depth == 1 and (text != b"{" or data[: token.start()].strip()):
                return None
        elif text in b"}]":
            depth -= 1
            if depth == 0:
                break
        elif depth == 1 and text == b'"id"' and (value := _ID_VALUE.match(data, at)):
            found.append(value[1])
        elif depth == 1 and text == b'"method"':
            is_request = True
        if depth > 1 and (inside := _INSIDE.match(data, at)):
            at = inside.end()
    if not is_request or len(found) != 1:
        return None
    try:
        request_id = parse_usual_json(found[0])
    except ValueError:
        return None
    return request_id if isinstance(request_id, str | int) else None
