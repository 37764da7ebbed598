"""Decodes the bodies of API Gateway responses, and of the action groups of Bedrock agents."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue

from lambda_warden.answers.media_type import media_type_of_bytes, media_type_of_text
from lambda_warden.jsontools.pointer import Pointer, write_pointer
from lambda_warden.jsontools.strict_json import parse_json
from lambda_warden.model.api_gateway import BODY, IS_BASE64, STATUS, is_http_status
from lambda_warden.model.result import DecodedBody
from lambda_warden.redaction.value import PLACE

_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Response:
    """An API Gateway response: its HTTP status if it may be shown, how its body was unfolded, how much was withheld."""

    status: int | None
    decoded: DecodedBody | None = None
    withheld: int = 0


def decode_body(value: JsonValue, pointers: Sequence[Pointer]) -> Response | None:
    """Replace the body of an API Gateway response by what it holds: the JSON object or array, or the decoded text.

    Other bodies stay as they are, and so does every other value. If pointers lead into a body that is not JSON, so
    that their places can't be found, the whole body is withheld.

    Args:
        value: what a function returned; changed in place.
        pointers: places that must not be shown.

    Returns:
        What is known of the response, or None if the value is none.
    """
    status = value.get(STATUS) if isinstance(value, dict) else None
    if (agent := _agent_body(value)) is not None:
        return _decode_agent_body(*agent, pointers)
    if not isinstance(value, dict) or not is_http_status(status):
        return None
    shown_status = None if _stands_at(pointers, STATUS) else status
    if not isinstance(value.get(BODY), str):
        return Response(shown_status)
    held, decoded = _held_in_base64(value) if value.get(IS_BASE64) is True else _held(value)
    if isinstance(held, str) and _lead_into(pointers, (BODY,)):
        value[BODY] = PLACE
        return Response(shown_status, withheld=1)
    value[BODY] = held
    return Response(shown_status, None if _stands_at(pointers, BODY) else decoded)


def _agent_body(value: JsonValue) -> tuple[dict[str, JsonValue], Pointer] | None:
    """Where a Bedrock agent's action group has its body: the object that holds it, and the pointer to that."""
    if not isinstance(value, dict) or "messageVersion" not in value:
        return None
    holder: dict[str, JsonValue] = value
    path: Pointer = ()
    for key in ("response", "functionResponse", "responseBody"):
        inner = holder.get(key)
        if isinstance(inner, dict):
            holder, path = inner, (*path, key)
        elif key != "functionResponse":
            return None
    for media_type, content in holder.items():
        if isinstance(content, dict) and isinstance(content.get(BODY), str):
            return content, (*path, media_type)
    return None


def _decode_agent_body(holder: dict[str, JsonValue], path: Pointer, pointers: Sequence[Pointer]) -> Response:
    held, decoded = _held(holder)
    place = (*path, BODY)
    holder[BODY] = held
    if isinstance(held, str) and _lead_into(pointers, place):
        holder[BODY] = PLACE
        return Response(None, withheld=1)
    return Response(None, decoded.model_copy(update={"path": write_pointer(place)}) if decoded else None)


def _held(response: dict[str, JsonValue]) -> tuple[JsonValue, DecodedBody | None]:
    """What the body holds. The body, which may be large, is taken out: it need not stay beside what it holds."""
    body = str(response[BODY])
    if not _may_hold(body):
        return body, None
    try:
        data = body.encode()
    except ValueError:  # lone surrogates
        return body, None
    response[BODY] = None
    del body
    json = _json(data)
    if json is None:
        return data.decode(), None
    return json, DecodedBody(path="/body", source="json", media_type=_JSON)


def _held_in_base64(response: dict[str, JsonValue]) -> tuple[JsonValue, DecodedBody | None]:
    body = str(response[BODY])
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return body, None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return body, DecodedBody(path="/body", source="base64", media_type=media_type_of_bytes(data))
    json = _json(data) if _may_hold(text) else None
    media_type = media_type_of_text(text) if json is None else _JSON
    return text if json is None else json, DecodedBody(path="/body", source="base64", media_type=media_type)


def _may_hold(text: str) -> bool:
    """Whether a text may be an object or array. Any other JSON reads the same as text."""
    return text.lstrip(" \t\r\n").startswith(("{", "["))


def _json(data: bytes) -> Any:
    try:
        return parse_json(data)
    except ValueError:
        return None


def _lead_into(pointers: Sequence[Pointer], place: Pointer) -> bool:
    return any(
        len(pointer) > len(place) and all(token in (key, "*") for token, key in zip(pointer, place, strict=False))
        for pointer in pointers
    )


def _stands_at(pointers: Sequence[Pointer], key: str) -> bool:
    return any(pointer in ((), (key,), ("*",)) for pointer in pointers)
