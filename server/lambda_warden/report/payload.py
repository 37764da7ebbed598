"""Payloads: bytes → JSON, text or base64 without secrets, within a byte budget, saying what was left out.

JSON that is too large becomes a preview that is JSON itself: arrays and objects keep their first entries, strings
their first characters, and each cut is listed with its place and size.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from pydantic import JsonValue

from lambda_warden.guard.redaction.text import redact_text
from lambda_warden.guard.redaction.value import redact_value
from lambda_warden.model.pointer import Pointer
from lambda_warden.model.result import Omission, PayloadFormat
from lambda_warden.model.strict_json import parse_json

DEPTH_LIMIT: Final = 64
"""Levels of nesting shown. Clients' own JSON readers give up at a few hundred."""
_OMISSIONS_LISTED: Final = 20
_PATH_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload, decoded and redacted, at its whole length; `format` is None where there were no bytes.

    `size` is that of JSON, written compactly, in bytes; `redacted` is how many places were replaced.
    """

    value: JsonValue | bytes
    format: PayloadFormat | None
    size: int = 0
    redacted: int = 0


@dataclass(frozen=True, slots=True)
class PayloadView:
    """A payload as a model sees it; `format` is None where there were no bytes."""

    value: JsonValue
    format: PayloadFormat | None
    truncated: bool = False
    omitted: tuple[Omission, ...] = ()


_WITHHELD: Final = Payload(
    "[redacted: the answer is not JSON, so the places that must not be shown can't be found in it]",
    "text",
    redacted=1,
)


def read_payload(data: bytes, redact: Sequence[Pointer] = ()) -> Payload:
    """Decode a payload and take out what must not be shown.

    What is neither JSON nor text is left as it is: nobody can tell a secret in it, and base64 shows none as such.

    Args:
        data: what the function returned.
        redact: the places of the answer that are replaced. If there are any, and the payload is not JSON in which
            they could be found, all of it is withheld.
    """
    if not data:
        return Payload(None, None)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _WITHHELD if redact else Payload(data, "base64")
    try:
        value: JsonValue = parse_json(data)  # type: ignore[assignment]
        encoded = _encoded(value)
        redacted = redact_value(value, redact, encoded)
        size = len(_encoded(redacted.value)) if redacted.count else len(encoded)
    except (ValueError, RecursionError):  # not JSON, or JSON that can't be passed on as it is (lone surrogates)
        if redact:
            return _WITHHELD
        shown = redact_text(text)
        return Payload(shown.text, "text", redacted=shown.count)
    return Payload(redacted.value, "json", size, redacted.count)


def preview(payload: Payload, budget: int) -> PayloadView:
    """Show a payload within a budget.

    Args:
        payload: decoded and redacted: what is cut off here can't leave half a secret behind.
        budget: bytes of compact JSON (or of text, or of base64) that the view may take; at least 16.
    """
    match payload.value:
        case bytes() as data:
            return _base64_view(data, budget)
        case str() as text if payload.format == "text":
            return _text_view(text, budget)
        case value:
            if payload.size <= budget and _depth_within(value, DEPTH_LIMIT):
                return PayloadView(value, payload.format)
            # A lone number has no parts.
            return _json_preview(value, budget) or _text_view(_encoded(value).decode(), budget)


@dataclass(frozen=True, slots=True)
class _Bounds:
    entries: int
    characters: int
    depth: int


def _bounds() -> Iterator[_Bounds]:
    """Ever tighter bounds. The last one leaves an empty container or a few characters of a string."""
    entries = 1024.0
    while entries >= 1:
        yield _Bounds(int(entries), int(max(8, entries * 24)), min(DEPTH_LIMIT, 4 + int(entries)))
        entries *= 0.7
    yield _Bounds(1, 8, 2)
    yield _Bounds(0, 2, 1)


def _json_preview(value: JsonValue, budget: int) -> PayloadView | None:
    """A part of the value that fits, or None: a lone number has no parts."""
    for bounds in _bounds():
        cut = _Cut(bounds)
        part = cut.apply(value, "", bounds.depth)
        if len(_encoded(part)) <= budget:
            return PayloadView(part, "json", bool(cut.omitted), tuple(cut.omitted[:_OMISSIONS_LISTED]))
    return None


class _Cut:
    """One pass over a JSON value that copies it within bounds and notes what it leaves out."""

    def __init__(self, bounds: _Bounds) -> None:
        self._bounds = bounds
        self.omitted: list[Omission] = []

    def apply(self, value: JsonValue, path: str, depth: int) -> JsonValue:
        entries = self._bounds.entries
        match value:
            case str() if len(value) > self._bounds.characters:
                self._note(path, self._bounds.characters, len(value), "characters")
                return value[: self._bounds.characters]
            case dict() | list() if value and depth == 0:
                self._note(path, 0, len(value), "members" if isinstance(value, dict) else "items")
                return {} if isinstance(value, dict) else []
            case dict():
                if len(value) > entries:
                    self._note(path, entries, len(value), "members")
                return {
                    key: self.apply(item, f"{path}/{_pointer(key)}", depth - 1)
                    for key, item in islice(value.items(), entries)
                }
            case list():
                if len(value) > entries:
                    self._note(path, entries, len(value), "items")
                return [self.apply(item, f"{path}/{i}", depth - 1) for i, item in enumerate(value[:entries])]
            case _:
                return value

    def _note(self, path: str, kept: int, total: int, unit: str) -> None:
        if len(path) > _PATH_LIMIT:
            path = path[:_PATH_LIMIT] + "…"
        self.omitted.append(Omission.model_construct(path=path, kept=kept, total=total, unit=unit))


def _text_view(text: str, budget: int) -> PayloadView:
    kept = text.encode()[:budget].decode(errors="ignore")
    if len(kept) == len(text):
        return PayloadView(text, "text")
    cut = Omission(path="", kept=len(kept), total=len(text), unit="characters")
    return PayloadView(kept, "text", True, (cut,))


def _base64_view(data: bytes, budget: int) -> PayloadView:
    kept = data[: budget // 4 * 3]
    value = base64.b64encode(kept).decode("ascii")
    if len(kept) == len(data):
        return PayloadView(value, "base64")
    return PayloadView(value, "base64", True, (Omission(path="", kept=len(kept), total=len(data), unit="bytes"),))


def _encoded(value: JsonValue) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _depth_within(value: JsonValue, limit: int) -> bool:
    level: list[JsonValue] = [value]
    for _ in range(limit + 1):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return True
    return False


def _pointer(key: str) -> str:
    """A key as it stands in a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
