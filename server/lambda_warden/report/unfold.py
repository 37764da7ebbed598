"""API Gateway responses: the string at /body → what it holds.

The shape is that of "Set up Lambda proxy integrations" and "Lambda function response for format 2.0" (API Gateway).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from lambda_warden.guard.redaction.value import PLACE
from lambda_warden.model.pointer import Pointer
from lambda_warden.model.result import Unfolded
from lambda_warden.model.strict_json import parse_json
from lambda_warden.report.media_type import media_type_of_bytes, media_type_of_text

_BODY: Final = "body"
_JSON: Final = "application/json"
_HTTP_STATUSES: Final = range(100, 600)


@dataclass(frozen=True, slots=True)
class Response:
    """An API Gateway response: its HTTP status if it may be shown, how its body was unfolded, how much was withheld."""

    status: int | None
    unfolded: Unfolded | None = None
    withheld: int = 0


def unfold(value: JsonValue, pointers: Sequence[Pointer]) -> Response | None:
    """Replace the body of an API Gateway response by what it holds: the JSON object or array, or the decoded text.

    Other bodies stay as they are, and so does every other value. If pointers lead into a body that is not JSON, so
    that their places can't be found, the whole body is withheld.

    Args:
        value: what a function returned; changed in place.
        pointers: places that must not be shown.

    Returns:
        What is known of the response, or None if the value is none.
    """
    status = value.get("statusCode") if isinstance(value, dict) else None
    if not isinstance(value, dict) or type(status) is not int or status not in _HTTP_STATUSES:
        return None
    shown_status = None if _stands_at(pointers, "statusCode") else status
    body = value.get(_BODY)
    if not isinstance(body, str):
        return Response(shown_status)
    held, unfolded = _held(body, value.get("isBase64Encoded") is True)
    if isinstance(held, str) and _lead_into(pointers, _BODY):
        value[_BODY] = PLACE
        return Response(shown_status, withheld=1)
    value[_BODY] = held
    return Response(shown_status, None if _stands_at(pointers, _BODY) else unfolded)


def _held(body: str, is_base64: bool) -> tuple[JsonValue, Unfolded | None]:
    if not is_base64:
        json = _json(body)
        return (body, None) if json is None else (json, Unfolded(path="/body", source="json", media_type=_JSON))
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return body, None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return body, Unfolded(path="/body", source="base64", media_type=media_type_of_bytes(data))
    json = _json(text)
    media_type = media_type_of_text(text) if json is None else _JSON
    return text if json is None else json, Unfolded(path="/body", source="base64", media_type=media_type)


def _json(text: str) -> JsonValue:
    """The object or array that a text holds, or None. Any other JSON reads the same as text."""
    if not text.lstrip(" \t\r\n").startswith(("{", "[")):
        return None
    try:
        return parse_json(text.encode())  # type: ignore[return-value]
    except ValueError:  # also for lone surrogates
        return None


def _lead_into(pointers: Sequence[Pointer], key: str) -> bool:
    return any(len(pointer) > 1 and pointer[0] in (key, "*") for pointer in pointers)


def _stands_at(pointers: Sequence[Pointer], key: str) -> bool:
    return any(pointer in ((), (key,), ("*",)) for pointer in pointers)
