"""outgoing: the one gate that a result passes on its way to the model: what nobody sees in it is shown, and counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from pydantic_core import to_json

from lambda_warden.model.result import ToolResult
from lambda_warden.report.visible import inline, scripts_mixed_in, show

_KEYS: Final = 8
_KEY_CHARACTERS: Final = 64
_ESCAPE: Final = re.compile(rb'\\[^nt"\\]')
"""In JSON, the escape of a character that nobody sees."""

_Result = TypeVar("_Result", bound=ToolResult)


def outgoing(result: _Result) -> tuple[_Result, dict[str, Any]]:
    """A result with what there is to say of hidden characters and keys, to make its text of; and its structure.

    Fields that have their default are left out of the structure, as its schema allows.
    """
    structured = result.model_dump(mode="json", exclude_defaults=True)
    if _is_plain(to_json(structured)):
        return result, structured
    shown, hidden = _shown(structured)
    said: dict[str, Any] = {}
    if hidden:
        said["hidden_characters"] = hidden
    if mixed := mixed_script_keys(structured):
        said["mixed_script_keys"] = mixed
    return (result.model_copy(update=said) if said else result), shown | said


def _is_plain(data: bytes) -> bool:
    """Whether everybody sees all of a JSON text, as of most: told by its bytes, in a fraction of the time."""
    return data.isascii() and b"\x7f" not in data and _ESCAPE.search(data) is None


def mixed_script_keys(value: object) -> list[str]:
    """The first keys in a JSON value that mix scripts, each with these; and how many more there are."""
    found = dict.fromkeys(key for key in _keys(value) if scripts_mixed_in(key))
    told = [f"{inline(key[:_KEY_CHARACTERS])} ({', '.join(scripts_mixed_in(key))})" for key in list(found)[:_KEYS]]
    return told if len(found) <= _KEYS else [*told, f"… and {len(found) - _KEYS:,} more"]


def _keys(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value
            waiting.extend(reversed(value.values()))
        elif isinstance(value, list):
            waiting.extend(reversed(value))


def _shown(value: Any) -> tuple[Any, int]:
    if isinstance(value, str):
        return show(value)
    if isinstance(value, list):
        items = [_shown(item) for item in value]
        return [item for item, _ in items], sum(hidden for _, hidden in items)
    if not isinstance(value, dict):
        return value, 0
    members: dict[str, Any] = {}
    count = 0
    for key, member in value.items():
        name, in_key = show(key)
        shown, in_member = _shown(member)
        members[_distinct(name, value, members) if in_key else name] = shown
        count += in_key + in_member
    return members, count


def _distinct(name: str, *taken: dict[str, Any]) -> str:
    """A name for a key that is written with escapes, unless another key is written so itself."""
    number, free = 1, name
    while any(free in names for names in taken):
        number += 1
        free = f"{name} ({number})"
    return free
