"""JSON with comments, edited as text: one member is put in or taken out, and every other character stays.

Comments (`//`, `/* */`) and a comma behind the last member or item are read, as editors allow them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

_SPACE: Final = re.compile(r"(?:[ \t\r\n]|//[^\r\n]*|/\*.*?\*/)*", re.S)
_DECODER: Final = json.JSONDecoder()
_SCALAR: Final = re.compile(r'["\-0-9]|true|false|null')


class JsoncError(ValueError):
    """The text can't be read, or not be edited there."""


@dataclass(slots=True)
class _Node:
    """A value with the places of its first character and of the one behind its last."""

    start: int
    end: int
    value: Any
    members: dict[str, _Member] = field(default_factory=dict)


@dataclass(slots=True)
class _Member:
    """A member of an object: where its key begins, its value, and where the comma behind it stands, if one does."""

    start: int
    node: _Node
    comma: int | None = None


def loads(text: str) -> Any:
    """What a text means. One without any value is an empty object.

    Raises:
        JsoncError: if it can't be read.

    >>> loads('{"a": 1, /* or 2 */ "b": [2,],} // done')
    {'a': 1, 'b': [2]}
    """
    return _read(text).value


def set_member(text: str, name: str, key: str, value: Any) -> str:
    """The text with `value` as the member `key` of the object `name`, which is made if it is not there.

    Raises:
        JsoncError: if the text can't be read, or what stands there is no object.

    >>> print(set_member('{\\n  "servers": {} // mine\\n}', "servers", "a", 1))
    {
      "servers": {
        "a": 1
      } // mine
    }
    """
    if not text[_skip(text, _first(text)) :]:
        text += "\n{}\n" if text.strip() else "{}\n"
    root = _object(_read(text), "the whole")
    if name not in root.members:
        return _insert(text, root, name, {key: value}, 0)
    container = _object(root.members[name].node, name)
    if key not in container.members:
        return _insert(text, container, key, value, 1)
    node = container.members[key].node
    if node.value == value:
        return text
    return text[: node.start] + _dumps(text, value, 2) + text[node.end :]


def remove_member(text: str, name: str, key: str) -> str:
    """The text without the member `key` of the object `name`; as it was, if that is not there.

    Raises:
        JsoncError: as `set_member`.

    >>> remove_member('{"servers": {"a": 1, "b": 2}}', "servers", "b")
    '{"servers": {"a": 1}}'
    """
    root = _object(_read(text), "the whole")
    if name not in root.members:
        return text
    container = _object(root.members[name].node, name)
    if key not in container.members:
        return text
    member = container.members[key]
    before = [each for each in container.members.values() if each.start < member.start]
    start, end = _lines(text, member)
    # The comma before the last member goes with it.
    comma = before[-1].comma if before and member.comma is None else None
    head = text[:start] if comma is None else text[:comma] + text[comma + 1 : start]
    tail = text[end:]
    if len(container.members) == 1 and len(head.rstrip()) == container.start + 1 and tail.lstrip().startswith("}"):
        return head.rstrip() + tail.lstrip()
    return head + tail


def _lines(text: str, member: _Member) -> tuple[int, int]:
    """What goes with a member: its comma, and its lines where nothing else stands on them."""
    end = member.node.end if member.comma is None else member.comma + 1
    line = text.rfind("\n", 0, member.start) + 1
    if text[line : member.start].strip(" \t"):
        return len(text[: member.start].rstrip(" \t")), end
    rest = re.compile(r"[ \t]*\r?\n").match(text, end)
    return (line, rest.end()) if rest else (member.start, end)


def _insert(text: str, node: _Node, key: str, value: Any, depth: int) -> str:
    """Put a member behind the last one of an object, which stands in so many others."""
    last = max(node.members.values(), key=lambda member: member.start, default=None)
    newline, indent = _style(text)
    named = f"{json.dumps(key, ensure_ascii=False)}: "
    if last is not None and "\n" not in text[node.start : node.end]:
        place = last.node.end
        return f"{text[:place]}, {named}{json.dumps(value, ensure_ascii=False)}{text[place:]}"
    close = node.end - 1
    place = len(text[:close].rstrip())
    member = newline + indent * (depth + 1) + named + _dumps(text, value, depth + 1)
    if last is not None and last.comma is not None:
        member += ","
    if "\n" not in text[place:close]:
        member += newline + indent * depth
    if last is not None and last.comma is None:
        return text[: last.node.end] + "," + text[last.node.end : place] + member + text[place:]
    return text[:place] + member + text[place:]


def _style(text: str) -> tuple[str, str]:
    """How lines end here, and by what they are indented."""
    found = re.search(r"\n([ \t]+)\S", text)
    return "\r\n" if "\r\n" in text else "\n", found[1] if found else "  "


def _dumps(text: str, value: Any, depth: int) -> str:
    newline, indent = _style(text)
    return json.dumps(value, indent=indent, ensure_ascii=False).replace("\n", newline + indent * depth)


def _object(node: _Node, name: str) -> _Node:
    if not isinstance(node.value, dict):
        raise JsoncError(f"{name} is no object")
    return node


def _read(text: str) -> _Node:
    start = _skip(text, _first(text))
    if start == len(text):
        return _Node(start, start, {})
    try:
        node = _value(text, start)
    except RecursionError:
        raise JsoncError("it is nested too deeply") from None
    rest = _skip(text, node.end)
    if rest != len(text):
        raise _unexpected(text, rest, "the end")
    return node


def _value(text: str, start: int) -> _Node:
    match text[start : start + 1]:
        case "{":
            return _read_object(text, start)
        case "[":
            return _read_array(text, start)
    if not _SCALAR.match(text, start):
        raise _unexpected(text, start, "a value")
    try:
        value, end = _DECODER.raw_decode(text, start)
    except ValueError:
        raise _unexpected(text, start, "a value") from None
    return _Node(start, end, value)


def _read_object(text: str, start: int) -> _Node:
    made = _Node(start, start, {})
    place = _skip(text, start + 1)
    while text[place : place + 1] != "}":
        if text[place : place + 1] != '"':
            raise _unexpected(text, place, 'a key in quotes or "}"')
        key = _value(text, place)
        if key.value in made.members:
            raise JsoncError(f"line {_line(text, place)}: the key {key.value!r} stands there twice")
        colon = _skip(text, key.end)
        if text[colon : colon + 1] != ":":
            raise _unexpected(text, colon, '":"')
        member = _Member(place, _value(text, _skip(text, colon + 1)))
        made.members[key.value] = member
        made.value[key.value] = member.node.value
        place = _skip(text, member.node.end)
        if text[place : place + 1] == ",":
            member.comma, place = place, _skip(text, place + 1)
        elif text[place : place + 1] != "}":
            raise _unexpected(text, place, '"," or "}"')
    made.end = place + 1
    return made


def _read_array(text: str, start: int) -> _Node:
    made = _Node(start, start, [])
    place = _skip(text, start + 1)
    while text[place : place + 1] != "]":
        item = _value(text, place)
        made.value.append(item.value)
        place = _skip(text, item.end)
        if text[place : place + 1] == ",":
            place = _skip(text, place + 1)
        elif text[place : place + 1] != "]":
            raise _unexpected(text, place, '"," or "]"')
    made.end = place + 1
    return made


def _first(text: str) -> int:
    """Where a text begins, behind a byte order mark."""
    return 1 if text.startswith("\ufeff") else 0


def _skip(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _unexpected(text: str, place: int, expected: str) -> JsoncError:
    return JsoncError(f"line {_line(text, place)}: expected {expected}")


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
