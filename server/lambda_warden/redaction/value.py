"""Secrets in JSON values, found by their form, by the name of their member, and by the places a rule lists."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Final

from pydantic import JsonValue

from lambda_warden.jsontools.pointer import Pointer, pointers_below
from lambda_warden.jsontools.strict_json import encoded_pieces
from lambda_warden.redaction.text import (
    Suspicion,
    closes_key,
    is_mark,
    mark,
    opens_key,
    redact_text,
    secret_named,
    suspicion,
)

PLACE: Final = "[redacted]"
"""What stands at a place that a rule lists."""

# Members that name the member beside them: environment variables, parameters and tags, as AWS's APIs give them.
NAMES_BY_RANK: Final = ("name", "Name", "key", "Key", "ParameterKey", "ParameterName")
"""Members whose string names the member beside them: of several, the first of these."""
NAMES: Final = frozenset(NAMES_BY_RANK)
VALUES: Final = frozenset(("value", "Value", "ParameterValue"))
"""Members that another may name."""
HEADER: Final = "authorization"
"""A string under such a name is the value of that header."""
DYNAMODB_STRING: Final = "S"
"""As the only member of an object, it has the name of that."""
_PART: Final = 8  # entries of a large container that are searched at once
_SEARCHES: Final = 4  # times that any string is searched as part of a container, however deep it lies
_NAMES_KEPT: Final = 4096
_COLUMN: Final = 1024  # values that are looked at together: few enough for a processor's cache
_SHORT: Final = 64  # items of an array that is looked at together with others
_SCALARS: Final = frozenset((int, float, bool, type(None)))
_LEAVES: Final = _SCALARS | {str}
_CONTAINER: Final = dict | list


@dataclass(frozen=True, slots=True)
class RedactedValue:
    """A JSON value without its secrets, and how many places were replaced."""

    value: JsonValue
    count: int


def redact_value(
    value: JsonValue, pointers: Sequence[Pointer] = (), encoded: bytes | None = None, *, owned: bool = False
) -> RedactedValue:
    """Replace what is secret in a JSON value. Without secrets it is returned itself.

    Strings and keys are redacted as text is. The string that is the value of a member whose name says that it is a
    secret is replaced whole, and so are the strings of a list there.

    Args:
        value: any JSON value, nested as deeply as may be.
        pointers: the places to replace whole by `[redacted]`, whatever is there. A string that holds JSON text is
            one place: no pointer leads into it.
        encoded: the value as JSON in UTF-8 that escapes nothing it need not, where that is at hand already.
        owned: whether nobody else uses the value, so that it may be changed in place.
    """
    among = suspicion(encoded) if encoded is not None else _suspicion_of(value)
    if not among and not pointers:
        return RedactedValue(value, 0)
    walk = _Walk(among)
    redacted = walk.redact(value if owned else _copied(value), pointers)
    return RedactedValue(redacted, walk.count) if walk.count else RedactedValue(value, 0)


def _suspicion_of(value: JsonValue) -> Suspicion:
    try:
        return suspicion(*encoded_pieces(value))
    except ValueError:  # nested too deeply, or lone surrogates
        return suspicion(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What the name of a string says of it: the kind of secret it is, or that it is a header with credentials."""

    kind: str | None
    header: bool


_NOTHING: Final = _Meaning(None, False)


def names_header(name: str) -> bool:
    """Whether a name says that a string is the value of a header with credentials."""
    return name.lower().endswith(HEADER)


class _Walk:
    """One pass over a value, which changes it in place. It keeps its own stack, so that no nesting is too deep.

    Values that have their name in common, as the items of an array, are looked at together: the objects among them
    that have the same keys are the rows of a table, and are gone through by its columns.

    A container is suspect if anything below it may be secret; in any other, only what pointers lead to is changed.
    `suspect` is 0 for these, or else one more than how often parts of the container may still be searched at once.
    """

    def __init__(self, among: Suspicion) -> None:
        self._among = among
        self._keys_in_items = any(form.kind == "private-key" for form in among.forms)
        self._plain_keys: set[str] = set()
        self._meanings: dict[str, _Meaning] = {}
        self._open: list[tuple[Any, list[Pointer], str | None, int]] = []
        self._columns: list[tuple[Sequence[Any], str | None, int]] = []
        self.count = 0

    def redact(self, value: JsonValue, pointers: Sequence[Pointer]) -> JsonValue:
        root = self._entry(value, list(pointers), None, 1 + _SEARCHES if self._among else 0)
        while self._open or self._columns:
            if self._columns:
                self._redact_alike(*self._columns.pop())
                continue
            container, below, name, suspect = self._open.pop()
            if isinstance(container, dict):
                self._redact_object(container, below, name, suspect)
            else:
                self._redact_array(container, below, name, suspect)
        return root

    def _entry(self, value: JsonValue, pointers: list[Pointer], name: str | None, suspect: int) -> JsonValue:
        """The value without its secrets, where `name` says what it is; what is in a container goes later."""
        if () in pointers:
            self.count += value != PLACE
            return PLACE
        match value:
            case str():
                return self._text(value, name) if suspect else value
            case dict() | list() if value and (suspect or pointers):
                self._open.append((value, pointers, name, suspect))
                return value
            case _:
                return value

    def _redact_object(
        self, members: dict[str, JsonValue], pointers: list[Pointer], name: str | None, suspect: int
    ) -> None:
        beside = None
        suspects: Iterable[str] = ()
        if suspect:
            named = not NAMES.isdisjoint(members)
            if named:
                beside = next((text for key in NAMES_BY_RANK if isinstance(text := members.get(key), str)), None)
            if named or suspect == 1 or len(members) <= _PART:
                suspects = list(members)
            else:
                suspect -= 1
                suspects = self._suspect_keys(members)
        aimed = _aimed(pointers, members) if pointers else set()
        # One search for all strings: in most objects, nothing is secret but by its name.
        texts = [item for key in suspects if isinstance(item := members[key], str)]
        plain = not self._among.in_text("\n".join(texts))
        for key in suspects:
            item = members[key]
            if pointers:
                aimed.discard(key)
            elif not isinstance(item, str | dict | list):
                continue
            if key in VALUES and beside is not None:
                item_name: str | None = beside
            else:
                item_name = name if key == DYNAMODB_STRING and len(members) == 1 else key
            safe = plain if isinstance(item, str) else isinstance(item, list) and self._are_plain_texts(item)
            if safe and not pointers and self._meaning(item_name) is _NOTHING:
                continue
            members[key] = self._entry(item, pointers_below(pointers, key), item_name, suspect)
        for key in aimed:
            members[key] = self._entry(members[key], pointers_below(pointers, key), None, 0)
        if not self._plain_keys.issuperset(suspects):
            self._rename(members, suspects)

    def _are_plain_texts(self, items: list[Any]) -> bool:
        try:
            return not self._among.in_text("\n".join(items))
        except TypeError:  # not only texts
            return False

    def _rename(self, members: dict[str, JsonValue], suspects: Iterable[str]) -> None:
        renamed = {key: shown for key in suspects if (shown := self._key(key)) != key}
        if not renamed:
            return
        before = list(members.items())
        members.clear()
        copies = 1
        for key, item in before:
            shown = unique = renamed.get(key, key)
            while unique in members:  # two keys that are secrets
                copies += 1
                unique = f"{shown} ({copies})"
            members[unique] = item

    def _redact_array(self, items: list[JsonValue], pointers: list[Pointer], name: str | None, suspect: int) -> None:
        suspects: Iterable[int] = ()
        together = len(items) > _PART and not pointers
        if suspect:
            if together:
                self._add_columns(items, name, suspect)
            # A private key may stand in an array line by line, and the name of an array goes for each item.
            whole = self._keys_in_items or self._meaning(name) is not _NOTHING
            if whole or suspect == 1 or len(items) <= _PART:
                suspects = range(len(items))
            else:
                suspect -= 1
                suspects = self._suspect_texts(items) if together else self._suspect_indexes(items)
        aimed = _aimed(pointers, map(str, range(len(items)))) if pointers else set()
        in_key = False
        for index in suspects:
            item = items[index]
            if together and not isinstance(item, str):
                continue
            below = pointers
            if pointers:
                below = pointers_below(pointers, str(index))
                aimed.discard(str(index))
            if not isinstance(item, str) or () in below:
                items[index] = self._entry(item, below, name, suspect)
            elif in_key:  # a private key, each line of which is an item
                in_key = not closes_key(item)
                self.count += 1
                items[index] = mark("private-key")
            else:
                in_key = self._keys_in_items and opens_key(item)
                items[index] = self._entry(item, below, name, suspect)
        for token in aimed:
            items[int(token)] = self._entry(items[int(token)], pointers_below(pointers, token), None, 0)

    def _add_columns(self, values: Sequence[JsonValue], name: str | None, suspect: int) -> None:
        """Have containers looked at together that lie in others under one name."""
        if _LEAVES.issuperset(map(type, values)):
            return
        containers = [value for value in values if isinstance(value, _CONTAINER) and value]
        for start in range(0, len(containers), _COLUMN):
            self._columns.append((containers[start : start + _COLUMN], name, suspect))

    def _redact_alike(self, containers: Sequence[Any], name: str | None, suspect: int) -> None:
        apart: list[Any] = []
        shapes: dict[tuple[str, ...], list[dict[str, JsonValue]]] = defaultdict(list)
        short: list[list[JsonValue]] = []
        for container in containers:
            if isinstance(container, dict):
                shapes[tuple(container)].append(container)
            else:
                (short if len(container) <= _SHORT else apart).append(container)
        for shape, rows in shapes.items():
            if len(rows) > _PART and self._is_table(shape):
                self._redact_rows(rows, shape, name, suspect)
            else:
                apart += rows
        items = list(chain.from_iterable(short))
        if self._may_be_secret(items, name):
            apart += short
        else:
            self._add_columns(items, name, suspect)
        self._open_suspects(apart, name, suspect)

    def _is_table(self, shape: Sequence[str]) -> bool:
        """Whether what objects with these keys hold can be told column by column: no name beside, no key a secret."""
        if not NAMES.isdisjoint(shape) and not VALUES.isdisjoint(shape):
            return False
        return all(key in self._plain_keys or self._is_plain_key(key) for key in shape)

    def _redact_rows(
        self, rows: list[dict[str, JsonValue]], shape: Sequence[str], name: str | None, suspect: int
    ) -> None:
        for key in shape:
            column = list(map(itemgetter(key), rows))
            if _SCALARS.issuperset(map(type, column)):
                continue
            item_name = name if key == DYNAMODB_STRING and len(shape) == 1 else key
            self._redact_texts(rows, key, column, item_name)
            self._add_columns(column, item_name, suspect)

    def _redact_texts(
        self, rows: list[dict[str, JsonValue]], key: str, column: Sequence[JsonValue], name: str | None
    ) -> None:
        kind = self._meaning(name).kind
        if kind:
            shown = mark(kind)
            for row, text in zip(rows, column, strict=True):
                if isinstance(text, str) and text and not (text[0] == shown[0] and is_mark(text)):
                    row[key] = shown
                    self.count += 1
        elif self._may_be_secret(column, name):
            for start in range(0, len(rows), _PART):
                part = column[start : start + _PART]
                if self._may_be_secret(part, name):
                    for row, text in zip(rows[start : start + _PART], part, strict=True):
                        if isinstance(text, str):
                            row[key] = self._text(text, name)

    def _may_be_secret(self, values: Sequence[JsonValue], name: str | None) -> bool:
        """Whether strings among values of this name may be secrets, or hold some."""
        text = _joined(values)
        return bool(text) and (self._meaning(name) is not _NOTHING or self._among.in_text(text))

    def _open_suspects(self, containers: list[Any], name: str | None, suspect: int) -> None:
        """Have containers looked at one by one, as far as there may be secrets in them."""
        if suspect == 1 or self._meaning(name) is not _NOTHING:
            self._open += [(container, [], name, suspect) for container in containers]
            return
        for start in range(0, len(containers), _PART):
            part = containers[start : start + _PART]
            if self._among.in_json(part):
                self._open += [(container, [], name, suspect - 1) for container in part]

    def _suspect_keys(self, members: dict[str, JsonValue]) -> list[str]:
        found: list[str] = []
        entries = iter(members.items())
        while part := dict(islice(entries, _PART)):
            if self._among.in_json(part):
                found += part
        return found

    def _suspect_texts(self, items: list[JsonValue]) -> list[int]:
        indexes = [index for index, item in enumerate(items) if isinstance(item, str)]
        parts = (indexes[start : start + _PART] for start in range(0, len(indexes), _PART))
        return [index for part in parts if self._among.in_text(_joined([items[i] for i in part])) for index in part]

    def _suspect_indexes(self, items: list[JsonValue]) -> list[int]:
        found: list[int] = []
        for start in range(0, len(items), _PART):
            part = items[start : start + _PART]
            if self._among.in_json(part):
                found += range(start, start + len(part))
        return found

    def _text(self, text: str, name: str | None) -> str:
        meaning = self._meaning(name)
        if meaning.kind:
            if not text or is_mark(text):
                return text
            self.count += 1
            return mark(meaning.kind)
        if meaning.header:
            return self._plain_text(f"{HEADER}: {text}").removeprefix(f"{HEADER}: ")
        return self._plain_text(text)

    def _meaning(self, name: str | None) -> _Meaning:
        if name is None:
            return _NOTHING
        meaning = self._meanings.get(name)
        if meaning is None:
            meaning = _Meaning(secret_named(name), names_header(name))
            meaning = meaning if meaning != _NOTHING else _NOTHING
            if len(self._meanings) < _NAMES_KEPT:
                self._meanings[name] = meaning
        return meaning

    def _key(self, key: str) -> str:
        if key in self._plain_keys:
            return key
        shown = self._plain_text(key)
        if shown == key and len(self._plain_keys) < _NAMES_KEPT:
            self._plain_keys.add(key)
        return shown

    def _is_plain_key(self, key: str) -> bool:
        plain = not self._among.in_text(key) or not redact_text(key, self._among).count
        if plain and len(self._plain_keys) < _NAMES_KEPT:
            self._plain_keys.add(key)
        return plain

    def _plain_text(self, text: str) -> str:
        if not self._among.in_text(text):
            return text
        redacted = redact_text(text, self._among)
        self.count += redacted.count
        return redacted.text


def _joined(values: Sequence[Any]) -> str:
    """The strings among values."""
    try:
        return "\n".join(values)
    except TypeError:  # not only strings
        return "\n".join([value for value in values if isinstance(value, str)])


def _copied(value: JsonValue) -> JsonValue:
    """The value with containers of its own, to any depth."""
    root = [value]
    left: list[Any] = [root]
    while left:
        container = left.pop()
        for place, item in container.items() if isinstance(container, dict) else enumerate(container):
            if isinstance(item, dict | list):
                container[place] = item.copy()
                left.append(container[place])
    return root[0]


def _aimed(pointers: list[Pointer], tokens: Iterable[str]) -> set[str]:
    """Those of a container's tokens that pointers name."""
    named = {pointer[0] for pointer in pointers if pointer}
    return set(tokens) if "*" in named else named.intersection(tokens)
