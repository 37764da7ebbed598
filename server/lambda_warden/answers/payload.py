"""Decodes payloads to JSON, text or base64 without secrets, within a byte budget, saying what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import JsonValue

from lambda_warden.answers.decode_body import Response, decode_body
from lambda_warden.answers.http_stream import as_response
from lambda_warden.answers.media_type import media_type_of_bytes, media_type_of_text
from lambda_warden.jsontools.part import parse_json_part
from lambda_warden.jsontools.pointer import Pointer
from lambda_warden.jsontools.strict_json import json_bytes, may_hold_surrogates, parse_json
from lambda_warden.model.api_gateway import BODY
from lambda_warden.model.result import PayloadFormat
from lambda_warden.redaction.boundary import withhold_doubtful, without_partial_word
from lambda_warden.redaction.policy import BUILT_IN, Detectors
from lambda_warden.redaction.text import redact_text
from lambda_warden.redaction.value import redact_value


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload, decoded and redacted, as far as it was read; `format` is None where there were no bytes.

    Attributes:
        value: JSON, or text, or bytes where `format` is base64.
        format: how it is shown.
        redacted: how many places were replaced.
        media_type: what it looks like, where it is not JSON and that can be told.
        total: bytes that the function returned.
        in_part: whether fewer bytes than that were read.
        open_levels: at how many levels JSON that was read in part goes on (see `JsonPart`).
        response: what is known of it as an API Gateway response, if it is one.
        streamed: whether it came as an HTTP streaming answer; `value` is the response that it stands for.
    """

    value: JsonValue | bytes
    format: PayloadFormat | None
    redacted: int = 0
    media_type: str | None = None
    total: int = 0
    in_part: bool = False
    open_levels: int = 0
    response: Response | None = None
    streamed: bool = False


_WITHHELD: Final = Payload(
    "[redacted: the answer is not JSON, so the places that must not be shown can't be found in it]",
    "text",
    redacted=1,
)


def read_payload(
    data: bytes, redact: Sequence[Pointer] = (), *, total: int | None = None, detectors: Detectors = BUILT_IN
) -> Payload:
    """Decode a payload and take out what must not be shown.

    The body of an API Gateway response that holds JSON or text becomes that, so that pointers lead into it. What is
    neither JSON nor text is left as it is: nobody can tell a secret in it, and base64 shows none as such.

    JSON is read strictly, and numbers as Python does: integers of up to 4,300 digits exactly, all others as doubles.
    What two readers could understand differently (a repeated key, NaN, 1e400) is shown as the text that it is.

    Args:
        data: what the function returned, or its beginning.
        redact: the places of the answer that are replaced. If there are any, and the payload is not JSON in which
            they could be found, all of it is withheld.
        total: bytes that the function returned, if `data` may be fewer.
        detectors: what is redacted wherever it stands.
    """
    total = len(data) if total is None else total
    if not data:
        return Payload(None, None, total=total, in_part=total > 0)
    in_part = total > len(data)
    response = as_response(data, in_part=in_part)
    told = data if response is None else response
    read = _read_part(told, redact, total, detectors) if in_part else _read_whole(told, redact, detectors)
    return read if response is None else replace(read, total=total, streamed=True)


def _read_whole(data: bytes, redact: Sequence[Pointer], detectors: Detectors) -> Payload:
    try:
        value: JsonValue = parse_json(data)  # type: ignore[assignment]
        escaped = _check_escapes(value, data)
    except (ValueError, RecursionError):  # not JSON, or JSON that can't be passed on as it is (lone surrogates)
        return _read_other(data, redact, len(data), detectors)
    response = decode_body(value, redact)
    encoded = _encoded(data, response, escaped=escaped)
    redacted = redact_value(value, redact, encoded, owned=True, detectors=detectors)
    count = redacted.count + (response.withheld if response else 0)
    return Payload(redacted.value, "json", count, total=len(data), response=response)


def _read_part(data: bytes, redact: Sequence[Pointer], total: int, detectors: Detectors) -> Payload:
    data = _whole_characters(data)
    try:
        value, open_levels, open_text = parse_json_part(data)
        escaped = _check_escapes(value, data)
    except (ValueError, RecursionError):
        return _read_other(data, redact, total, detectors)
    value, withheld = withhold_doubtful(value, open_levels, redact)
    body_is_cut = open_text and open_levels == 2 and isinstance(value, dict) and next(reversed(value)) == BODY
    response = None if body_is_cut else decode_body(value, redact)
    encoded = _encoded(data, response, escaped=escaped)
    redacted = redact_value(value, redact, encoded, owned=True, detectors=detectors)
    count = redacted.count + withheld + (response.withheld if response else 0)
    return Payload(redacted.value, "json", count, total=total, in_part=True, open_levels=open_levels, response=response)


def _read_other(data: bytes, redact: Sequence[Pointer], total: int, detectors: Detectors) -> Payload:
    in_part = total > len(data)
    if redact:
        return replace(_WITHHELD, total=total)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Payload(data, "base64", media_type=media_type_of_bytes(data), total=total, in_part=in_part)
    redacted = redact_text(without_partial_word(text) if in_part else text, detectors=detectors)
    media_type = media_type_of_text(redacted.text)
    return Payload(redacted.text, "text", redacted.count, media_type, total, in_part)


def _encoded(data: bytes, response: Response | None, *, escaped: bool) -> bytes | None:
    """The JSON that came, where it is good for finding secrets in the value that was read from it."""
    decoded = response is not None and response.decoded is not None
    return None if decoded or escaped else data


def _check_escapes(value: JsonValue, data: bytes) -> bool:
    """Whether JSON has escapes that it need not use: without them, it is as good as any for finding secrets in it.

    Raises:
        ValueError: if the value has lone surrogates, which no answer of ours can have.
    """
    if may_hold_surrogates(data):
        json_bytes(value)
    return b"\\u" in data or b"\\/" in data


def _whole_characters(data: bytes) -> bytes:
    """UTF-8 without a character that is cut at its end."""
    for length in (1, 2, 3):
        lead = data[-length] if length <= len(data) else 0
        if lead >= 0xC0:
            return data[:-length] if length < 2 + (lead >= 0xE0) + (lead >= 0xF0) else data
        if lead < 0x80:
            break
    return data
