"""Reads the part of a JSON value that stands in the beginning of its text.

The text gets an end of our own and is read once, by a reader that forgives what is missing. It forgives more than that,
and stops there: only where it came as far as our end, all that stands before is strict JSON.
"""

from __future__ import annotations

import secrets
from typing import Any, Final, NamedTuple

import jiter
from pydantic import JsonValue

from lambda_warden.jsontools.strict_json import parse_usual_json

_SPACES: Final = b" \t\r\n"
_SCALAR: Final = b"+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BACKSLASH: Final = ord("\\")
_BLOCK: Final = 4096
_END: Final = secrets.token_hex()
"""What a text ends with where it would go on. Nobody can have written it there."""
_VALUE: Final = f'"{_END}"'.encode()
_ENTRY: Final = _VALUE + b":" + _VALUE
"""A member of an object; in an array an item, behind which the reader stops."""


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
    text: JsonValue = None
    is_open = _ends_in_string(data)
    end = len(data) if is_open else _stripped(data, _stripped(data, len(data), _SCALAR), _SPACES)
    if is_open or data[end - 1 : end] == b'"':  # it may be a key, so it is put back where it turns out to be none
        start = _last_quote(data, end if is_open else end - 1)
        text = jiter.from_json(data[start:end], partial_mode="trailing-strings")
        end = _stripped(data, start, _SPACES)
        if is_open and not end:
            return JsonPart(text, 1, open_text=True)
    match data[end - 1 : end]:
        case b":":
            rest = _VALUE
        case b"," | b"[" | b"{":
            rest = _ENTRY
        case last if last and text is None:
            rest = b"," + _ENTRY
        case _:
            raise ValueError("not the beginning of an object or array")
    containers = _read(b"".join((memoryview(data)[:end], rest)))
    is_there = _replace_end(containers[-1], text)
    return JsonPart(containers[0], len(containers) + (is_open and is_there), open_text=is_open and is_there)


def _read(text: bytes) -> list[Any]:
    """The containers that are open where a text ends with our end, outermost first."""
    node: Any = parse_usual_json(text, partial=True)
    containers: list[Any] = []
    while isinstance(node, dict | list) and node:
        containers.append(node)
        node = node[-1] if isinstance(node, list) else next(reversed(node.values()))
    if node != _END:
        raise ValueError("not the beginning of strict JSON")
    return containers


def _replace_end(innermost: Any, text: JsonValue) -> bool:
    """Take out our end, and put the string there that stood in its place, unless that is a key; whether it is none."""
    if isinstance(innermost, list):
        del innermost[-1]
        if text is not None:
            innermost.append(text)
        return text is not None
    key, _ = innermost.popitem()
    if key == _END or text is None:
        return False
    innermost[key] = text
    return True


def _ends_in_string(data: bytes) -> bool:
    rest = data.replace(b"\\\\", b"")  # backslashes that escape no quote
    return (rest.count(b'"') - rest.count(b'\\"')) % 2 == 1


def _stripped(data: bytes, end: int, characters: bytes) -> int:
    """Where data that goes to `end` ends without some characters; no large part of it is copied."""
    while end:
        block = data[max(0, end - _BLOCK) : end]
        if kept := block.rstrip(characters):
            return end - len(block) + len(kept)
        end -= len(block)
    return 0


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
