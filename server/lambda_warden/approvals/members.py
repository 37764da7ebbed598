"""members: JSON that is too long to be read whole, by its members: each short one has a line, whatever the others are.

So nobody can push an amount out of sight by a long text beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from lambda_warden.report.visible import inline

DEPTH: Final = 8
"""Levels whose members are listed: 1 is that of the payload's own."""
SHORT_SHOWN: Final = 60
LONG_SHOWN: Final = 12
SHORT_CHARACTERS: Final = 100
"""A value that is not longer as JSON, hidden characters written as escapes, is short."""
_KEY_CHARACTERS: Final = 48
_POINTER_CHARACTERS: Final = 200
"""Of a longer pointer with more than three keys, the first and the last two are shown."""
_HEAD_CHARACTERS: Final = 40


class _Number(str):
    """A number, as it is written: 12.50 is not 12.5 to who reads it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class MemberLines:
    """The members of a payload, one a line, and how many of them have none.

    Attributes:
        short: those with a short value, outer ones first.
        more_short: how many short ones of the same levels are not among them.
        long: the beginning, the size and the digest of texts that are long.
        more_long: how many of these are not among them.
        deeper: how many members have members below the levels that are listed.
    """

    short: tuple[str, ...]
    more_short: int
    long: tuple[str, ...]
    more_long: int
    deeper: int


def member_lines(payload: bytes) -> MemberLines:
    """The members of JSON in the outer `DEPTH` levels. What is no JSON has none."""
    short: list[str] = []
    long: list[str] = []
    short_count = long_count = deeper = 0
    for path, value in _members(parse(payload)):
        if _is_container(value):
            deeper += 1
            continue
        text = _written(value)
        if len(text) <= SHORT_CHARACTERS:
            short_count += 1
            if short_count <= SHORT_SHOWN:
                short.append(f"{_pointer(path)}: {text}")
        else:
            long_count += 1
            if long_count <= LONG_SHOWN:
                long.append(f"{_pointer(path)}: {_cut(text, str(value), _HEAD_CHARACTERS)}")
    return MemberLines(tuple(short), short_count - len(short), tuple(long), long_count - len(long), deeper)


def parse(payload: bytes) -> Any:
    """A JSON value with its numbers as they are written, or None for what can't be read."""
    try:
        return json.loads(payload, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return None


def _members(value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The members that are no containers, or empty ones: outer levels first. Then the containers of the last level."""
    level: list[tuple[tuple[str, ...], Any]] = [((), value)] if _is_container(value) else []
    for _ in range(DEPTH):
        below = [
            ((*path, str(key)), member)
            for path, container in level
            for key, member in (container.items() if isinstance(container, dict) else enumerate(container))
        ]
        yield from ((path, member) for path, member in below if not _is_container(member))
        level = [(path, member) for path, member in below if _is_container(member)]
    yield from level


def _is_container(value: object) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _written(value: object) -> str:
    return inline(str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False))


def _pointer(path: tuple[str, ...]) -> str:
    keys = [f"/{_cut(inline(key), key, _KEY_CHARACTERS)}" for key in path]
    if len(keys) > 3 and sum(map(len, keys)) > _POINTER_CHARACTERS:
        keys[1:-2] = [f"/… ({len(keys) - 3:,} more keys)"]
    return "".join(keys)


def _cut(shown: str, whole: str, limit: int) -> str:
    """A text or, of a longer one, its beginning, size and digest."""
    if len(shown) <= limit:
        return shown
    digest = hashlib.sha256(whole.encode(errors="surrogatepass")).hexdigest()
    return f"{shown[:limit]}… ({len(whole):,} characters, SHA-256 {digest[:16]}…)"
