"""The beginning of a JSON text → the part of the value that stands there.

The text is completed by what closes its open containers, and then read as strictly as any other.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pydantic import JsonValue
from pydantic_core import from_json

from lambda_warden.model.strict_json import parse_json

_SPACE: Final = b" \t\r\n"
_SCALAR: Final = b"+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BACKSLASH: Final = ord("\\")
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*+(?:"|\Z)', re.DOTALL)


class JsonPart(NamedTuple):
    """A part of a value.

    It goes on at `open_levels` levels: it itself, its last entry, the last entry of that one, and so on. `open_text`
    says that the innermost of these is a string; all others are containers.
    """

    value: JsonValue
    open_levels: int
    open_text: bool = False


def parse_json_part(data: bytes) -> JsonPart:
    """Read the beginning of a JSON text. What stands incomplete at its end is left out, unless it is a string value.

    Raises:
        ValueError: if it is not the beginning of strict JSON (see `parse_json`), or that of a lone number or word.
    """
    if not _ends_in_string(data):
        return _ending_between_strings(data.rstrip(_SCALAR).rstrip(_SPACE))
    start = _last_quote(data, len(data))
    text: JsonValue = from_json(data[start:], allow_partial="trailing-strings")
    head = data[:start].rstrip(_SPACE)
    if not head:
        return JsonPart(text, 1, open_text=True)
    if head.endswith(b":"):
        head, key = _without_string(head[:-1].rstrip(_SPACE))
        part = _closed(head)
        innermost = _innermost(part)
        if not isinstance(innermost, dict) or key in innermost:
            raise ValueError("an object has a key twice")
        innermost[key] = text
        return JsonPart(part.value, part.open_levels + 1, open_text=True)
    part = _closed(head)
    innermost = _innermost(part)
    if not isinstance(innermost, list):  # half a key
        return part
    innermost.append(text)
    return JsonPart(part.value, part.open_levels + 1, open_text=True)


def _ending_between_strings(head: bytes) -> JsonPart:
    if head.endswith(b":"):
        return _closed(_without_string(head[:-1].rstrip(_SPACE))[0])
    if head.endswith(b'"'):
        try:
            return _closed(head)
        except ValueError:  # it may be a key
            return _closed(_without_string(head)[0])
    return _closed(head)


def _closed(head: bytes) -> JsonPart:
    """Read a text that ends with a whole entry of its innermost container, or where such a container opens."""
    head = head.removesuffix(b",").rstrip(_SPACE)
    closing: list[bytes] = []  # of all containers that may be open, outermost first
    node: JsonValue = from_json(head, allow_inf_nan=False, allow_partial=True)
    while isinstance(node, dict | list):
        closing.append(b"}" if isinstance(node, dict) else b"]")
        node = None if not node else node[-1] if isinstance(node, list) else next(reversed(node.values()))
    levels = _opened(head)  # exact unless strings hold brackets that have no partner
    try:
        return _completed(head, closing, levels)
    except ValueError:
        exactly = _opened(_STRING.sub(b"", head))
        if exactly == levels:
            raise
        return _completed(head, closing, exactly)


def _completed(head: bytes, closing: list[bytes], levels: int) -> JsonPart:
    if not 0 < levels <= len(closing):
        raise ValueError("not the beginning of an object or array")
    value: JsonValue = parse_json(head + b"".join(reversed(closing[:levels])))  # type: ignore[assignment]
    return JsonPart(value, levels)


def _opened(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[") - text.count(b"}") - text.count(b"]")


def _innermost(part: JsonPart) -> JsonValue:
    node = part.value
    for _ in range(part.open_levels - 1):
        if isinstance(node, dict):
            node = next(reversed(node.values()))
        elif isinstance(node, list):
            node = node[-1]
    return node


def _ends_in_string(data: bytes) -> bool:
    rest = data.replace(b"\\\\", b"")  # backslashes that escape no quote
    return (rest.count(b'"') - rest.count(b'\\"')) % 2 == 1


def _without_string(head: bytes) -> tuple[bytes, str]:
    """What stands before the string that a text ends with, and that string."""
    start = _last_quote(head, len(head) - 1)
    text: JsonValue = from_json(head[start:])
    if not isinstance(text, str):
        raise ValueError("no key before a colon")
    return head[:start].rstrip(_SPACE), text


def _last_quote(data: bytes, end: int) -> int:
    """Where the last quote before `end` stands that is not escaped."""
    while (at := data.rfind(b'"', 0, end)) >= 0:
        before = at
        while before and data[before - 1] == _BACKSLASH:
            before -= 1
        if (at - before) % 2 == 0:
            return at
        end = at
    raise ValueError("a string does not begin")
