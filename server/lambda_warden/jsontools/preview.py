"""Shortens JSON to a byte budget so that it keeps its shape, with a note of everything left out.

The budget is shared out from the top: an object keeps its keys, small values stay whole, and what is left goes in equal
parts to the large ones. Only what is shown is visited, so a preview costs no more for a larger value.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from json.encoder import encode_basestring
from typing import Any, Final, Literal, NamedTuple, TypeGuard

from pydantic import JsonValue

DEPTH_LIMIT: Final = 64
"""Levels of nesting shown. Clients' own JSON readers give up at a few hundred."""

Unit = Literal["items", "members", "characters", "bytes"]
Place = tuple[str | int, ...]
"""Where something stands in a JSON value: the key or the index at each level."""

MANY_MEMBERS: Final = 64
"""An object with more keeps only its first, where its keys would take half of the room."""
ENTRIES_SHARED: Final = 8
"""Entries that are looked at together, where not all of them fit."""
_ITEM_ROOM: Final = 256
_ENOUGH: Final = 0.7
"""Where whole items fill this part of the room, none is shown in part."""
_TOO_LARGE: Final = sys.maxsize


@dataclass(frozen=True, slots=True)
class Cut:
    """A place at which a preview shows less than there is; `total` is None where nobody knows how much there is."""

    place: Place
    kept: int
    total: int | None
    unit: Unit


class JsonPreview(NamedTuple):
    """What fits of a value, and what was cut: outer places before inner ones."""

    value: JsonValue
    cuts: list[Cut]


class _Entry(NamedTuple):
    """An item or a member of a container: `overhead` is what it takes beside its value, in bytes."""

    token: str | int
    overhead: int
    value: JsonValue
    open_levels: int


class _Child(NamedTuple):
    entry: _Entry
    part: JsonValue
    cuts: list[Cut]


def json_size(value: JsonValue, limit: int) -> int | None:
    """The size of a value as compact JSON in UTF-8, in bytes; None if it is above `limit`, or nested too deeply."""
    size = _Fitting().size(value, limit, DEPTH_LIMIT)
    return None if size > limit else size


def preview_json(value: JsonValue, budget: int, open_levels: int = 0) -> JsonPreview | None:
    """Show what fits of a value.

    Args:
        value: any JSON value without lone surrogates, NaN and infinities. Parts of it are part of the preview.
        budget: bytes of compact JSON in UTF-8 that the preview may take; at least 2.
        open_levels: at how many levels the value was itself cut off: there it, its last entry, and so on, go on in a
            way that nobody knows.

    Returns:
        The preview, or None: a lone number may be longer than the budget, and has no parts.
    """
    if _floor(value) > budget:
        return None
    fitting = _Fitting()
    cuts: list[Cut] = []
    part = fitting.fit(_Entry("", 0, value, open_levels), budget, DEPTH_LIMIT, (), cuts)
    return JsonPreview(part, cuts)


class _Fitting:
    """The sizes of what was measured, for one preview."""

    def __init__(self) -> None:
        # By identity and levels left. Negative: more than so many bytes.
        self._sizes: dict[tuple[int, int], int] = {}

    def size(self, value: JsonValue, limit: int, levels: int) -> int:
        """Bytes of compact JSON, or some number above the limit where they are more, or are nested too deeply."""
        if isinstance(value, str):
            return _text_size(value) if len(value) + 2 <= limit else _TOO_LARGE
        if not _is_container(value):
            return _scalar_size(value)
        if not value:
            return 2
        if levels == 0 or 2 * len(value) > limit:
            return _TOO_LARGE
        place = (id(value), levels)
        known = self._sizes.get(place, 0)
        if known > 0 or -known >= limit:
            return known if known > 0 else _TOO_LARGE
        size = 1  # two brackets, and a comma fewer than entries
        if isinstance(value, list):
            for item in value:
                size += 1 + self.size(item, limit - size, levels - 1)
                if size > limit:
                    break
        else:
            for key, item in value.items():
                size += _text_size(key) + 2
                size += self.size(item, limit - size, levels - 1)
                if size > limit:
                    break
        self._sizes[place] = size if size <= limit else -limit
        return size if size <= limit else _TOO_LARGE

    def fit(self, entry: _Entry, room: int, levels: int, place: Place, cuts: list[Cut]) -> JsonValue:
        """The part of a value that fits into `room` bytes, which are no fewer than its `_floor`."""
        value = entry.value
        whole = self.size(value, room, levels) <= room
        if whole and not entry.open_levels:
            return value
        if isinstance(value, str):
            return _shortened_text(value, room, place, cuts, known=not entry.open_levels)
        if not _is_container(value):
            return value
        entries = _entries(value, entry.open_levels)
        if whole:
            children = [self._whole(entry, levels - 1, place) for entry in entries]
        elif not levels:
            children = []
        elif isinstance(value, list):
            children = self._first_items(entries, room - 2, levels - 1, place)
        else:
            children = self._members(entries, len(value), room - 2, levels - 1, place)
        unit: Unit = "items" if isinstance(value, list) else "members"
        if entry.open_levels or len(children) < len(value):
            cuts.append(Cut(place, len(children), None if entry.open_levels else len(value), unit))
        for child in children:
            cuts += child.cuts
        if isinstance(value, list):
            return [child.part for child in children]
        return {str(child.entry.token): child.part for child in children}

    def _members(self, entries: Iterable[_Entry], count: int, room: int, levels: int, place: Place) -> list[_Child]:
        """All members if their keys fit, with what then fits of their values."""
        room += 1  # there is a comma fewer than members
        limit = room // 2 if count > MANY_MEMBERS else room
        kept: list[_Entry] = []
        left = limit
        source = iter(entries)
        for entry in source:
            needed = entry.overhead + _floor(entry.value)
            if needed <= left:
                left -= needed
                kept.append(entry)
            elif count > MANY_MEMBERS:
                # Too many keys: the first members as they are tell more than the first keys without their values.
                return self._first_items([*kept, entry, *islice(source, room)], room - 1, levels, place)
        return self._share(kept, room - sum(entry.overhead for entry in kept), levels, place)

    def _first_items(self, entries: Iterable[_Entry], room: int, levels: int, place: Place) -> list[_Child]:
        """The first entries, whole as far as they go; where few would fit, some of them in part."""
        room += 1  # there is a comma fewer than items
        left = room
        together = max(1, min(ENTRIES_SHARED, room // _ITEM_ROOM))
        shown: list[_Child] = []
        source = iter(entries)
        while some := list(islice(source, together)):
            whole = 0
            for entry in some:
                needed = entry.overhead + self.size(entry.value, left, levels)
                if needed > left:
                    break
                left -= needed
                whole += 1
            if whole == len(some) or room - left >= _ENOUGH * room:
                shown += [self._whole(entry, levels, place) for entry in some[:whole]]
                if whole < len(some):
                    break
                continue
            # Few are whole, so all of them share the room, as far as there is any for them.
            left += sum(entry.overhead + self.size(entry.value, room, levels) for entry in some[:whole])
            begun: list[_Entry] = []
            for entry in some:
                needed = entry.overhead + _floor(entry.value)
                if needed > left:
                    break
                left -= needed
                begun.append(entry)
            shown += self._share(begun, left + sum(_floor(entry.value) for entry in begun), levels, place)
            break
        return shown

    def _whole(self, entry: _Entry, levels: int, place: Place) -> _Child:
        """An entry whose value fits; one that was cut off before is noted as such."""
        cuts: list[Cut] = []
        value = entry.value
        if entry.open_levels:
            value = self.fit(entry, self.size(value, _TOO_LARGE, levels), levels, (*place, entry.token), cuts)
        return _Child(entry, value, cuts)

    def _share(self, entries: Sequence[_Entry], room: int, levels: int, place: Place) -> list[_Child]:
        """Each value whole if that takes no more than an equal share, and else what fits into such a share.

        What nested values leave of their share goes to those after them, and at last to text, which fills any room.
        """
        needs = [self.size(entry.value, room, levels) for entry in entries]
        order = sorted(range(len(entries)), key=lambda i: (_is_divisible(entries[i].value), needs[i]))
        large: list[int] = []
        for rank, i in enumerate(order):
            # What needs most comes last: if this one gets more than its share, all after it do.
            if _is_divisible(entries[i].value) and needs[i] > room // (len(order) - rank):
                large = order[rank:]
                break
            room -= needs[i]
        large.sort(key=lambda i: (isinstance(entries[i].value, str), i))
        children = {i: self._whole(entries[i], levels, place) for i in order[: len(order) - len(large)]}
        for rank, i in enumerate(large):
            share = room // (len(large) - rank)
            cuts: list[Cut] = []
            part = self.fit(entries[i], share, levels, (*place, entries[i].token), cuts)
            children[i] = _Child(entries[i], part, cuts)
            room -= self.size(part, share, levels)
        return [children[i] for i in range(len(entries))]


def _entries(value: list[Any] | dict[str, Any], open_levels: int = 0) -> Iterable[_Entry]:
    last = len(value) - 1
    inner = max(0, open_levels - 1)
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield _Entry(i, 1, item, inner if i == last else 0)
    else:
        for i, (key, item) in enumerate(value.items()):
            yield _Entry(key, _text_size(key) + 2, item, inner if i == last else 0)


def _is_container(value: JsonValue) -> TypeGuard[list[JsonValue] | dict[str, JsonValue]]:
    return isinstance(value, list | dict)


def _is_divisible(value: JsonValue) -> bool:
    return isinstance(value, str | list | dict)


def _floor(value: JsonValue) -> int:
    """The fewest bytes that a value can be shown in: an empty string, object or array, or a number as it is."""
    return 2 if _is_divisible(value) else _scalar_size(value)


def _scalar_size(value: JsonValue) -> int:
    return len(repr(value)) if isinstance(value, float) or type(value) is int else 5 if value is False else 4


def _text_size(text: str) -> int:
    quoted = encode_basestring(text)
    return len(quoted) if quoted.isascii() else len(quoted.encode())


def _shortened_text(text: str, room: int, place: Place, cuts: list[Cut], *, known: bool) -> str:
    # No character takes less than a byte; how many fit is found by halves.
    fits, above = 0, min(len(text), room - 2) + 1
    while above - fits > 1:
        middle = (fits + above) // 2
        if _text_size(text[:middle]) <= room:
            fits = middle
        else:
            above = middle
    if not known or fits < len(text):
        cuts.append(Cut(place, fits, len(text) if known else None, "characters"))
    return text[:fits]
