"""members: JSON that is too long to be read whole, by its members: each short one has a line, whatever the others are.

So nobody can push an amount out of sight by a long text beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lambda_warden.report.visible import inline

DEPTH: Final = 8
"""Levels whose members are listed: 1 is that of the payload's own."""
SHORT_SHOWN: Final = 60
LONG_SHOWN: Final = 12
SHORT_CHARACTERS: Final = 100
"""A value that is not longer as JSON, hidden characters written as escapes, is short."""
LOOKED_AT: Final = 10_000
"""How many members are looked at, so that to list those of a payload with millions costs little more than to read it.
Longer texts do not count: they keep no short member off the list."""
_KEY_CHARACTERS: Final = 48
_POINTER_CHARACTERS: Final = 200
"""Of a longer pointer with more than three keys, the first and the last two are shown."""
_HEAD_CHARACTERS: Final = 40

_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemberLines:
    """The members of a payload, one a line, and how many of them have none.

    Attributes:
        short: those with a short value, outer ones first.
        more_short: how many short ones of the same levels are not among them.
        long: the beginning, the size and the digest of texts that are long.
        more_long: how many of these are not among them.
        deeper: how many members have members below the levels that are listed.
        unseen: how many were not looked at. What may be inside of these is not counted.
    """

    short: tuple[str, ...]
    more_short: int
    long: tuple[str, ...]
    more_long: int
    deeper: int
    unseen: int


def member_lines(value: object) -> MemberLines:
    """The members of a JSON value, as `parse` gives it, in the outer `DEPTH` levels."""
    short: list[str] = []
    long: list[str] = []
    short_count = long_count = 0
    walk = _MemberWalk()
    for path, member in walk.values(value):
        if not _is_long(member) and len(text := _written(member)) <= SHORT_CHARACTERS:
            short_count += 1
            if short_count <= SHORT_SHOWN:
                short.append(f"{_pointer(path)}: {text}")
        else:
            long_count += 1
            if long_count <= LONG_SHOWN:
                whole = member.decode() if isinstance(member, bytes) else str(member)
                long.append(f"{_pointer(path)}: {_cut(_written(member), whole, _HEAD_CHARACTERS)}")
    more_short, more_long = short_count - len(short), long_count - len(long)
    return MemberLines(tuple(short), more_short, tuple(long), more_long, walk.deeper, walk.unseen)


def parse(payload: bytes) -> Any:
    """A JSON value, or None for what can't be read. Numbers are bytes, as they are written: 12.50 is not 12.5."""
    try:
        return json.loads(payload, parse_int=str.encode, parse_float=str.encode)
    except (ValueError, RecursionError):
        return None


@dataclass(slots=True)
class _MemberWalk:
    """One way through the members, outer levels first, and what it left out."""

    room: int = LOOKED_AT
    deeper: int = 0
    unseen: int = 0

    def values(self, value: object) -> Iterator[tuple[_Path, Any]]:
        """The members that are no containers, or empty ones."""
        level: list[tuple[_Path, Any]] = [((), value)] if _is_container(value) else []
        for _ in range(DEPTH):
            below: list[tuple[_Path, Any]] = []
            for path, container in level:
                for key, member in self._looked_at(container):
                    if _is_container(member):
                        below.append(((*path, str(key)), member))
                    else:
                        yield (*path, str(key)), member
            level = below
        self.deeper = len(level)

    def _looked_at(self, container: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
        items: Iterable[tuple[str | int, Any]] = enumerate(container)
        if isinstance(container, dict):
            items = container.items()
        for done, (key, member) in enumerate(items):
            if self.room == 0:
                self.unseen += len(container) - done
                return
            self.room -= not _is_long(member)
            yield key, member


def _is_long(value: object) -> bool:
    """Whether a text or number is long however it is written."""
    return isinstance(value, str | bytes) and len(value) > SHORT_CHARACTERS


def _is_container(value: object) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _written(value: object) -> str:
    return inline(value.decode() if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False))


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
