"""Secrets in JSON values, found by their form, by the name of their member, and by the places a rule lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue
from pydantic_core import to_json

from lambda_warden.jsontools.pointer import Pointer, pointers_below
from lambda_warden.jsontools.strict_json import parse_json
from lambda_warden.redaction.policy import BUILT_IN, Detectors
from lambda_warden.redaction.text import (
    Suspicion,
    closes_key,
    is_mark,
    mark,
    named_number,
    named_value,
    opens_key,
    redact_text,
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
"""A string under a name that ends so is the value of that header."""
TYPED: Final = frozenset(("S", "stringValue", "StringValue", "string_value"))
"""Members that hold a value and its type (DynamoDB, OpenTelemetry, SQS): they have the name of their object."""
_NAMES_KEPT: Final = 4096
_NOTHING_BELOW: Final = frozenset(("null", "true", "false", '""', "[]", "{}", ""))
"""Texts in which no place is, so that none has to be withheld."""


@dataclass(frozen=True, slots=True)
class RedactedValue:
    """A JSON value without its secrets, and how many places were replaced."""

    value: JsonValue
    count: int


def redact_value(
    value: JsonValue,
    pointers: Sequence[Pointer] = (),
    encoded: bytes | None = None,
    *,
    owned: bool = False,
    detectors: Detectors = BUILT_IN,
) -> RedactedValue:
    """Replace what is secret in a JSON value. Without secrets it is returned itself.

    Strings and keys are redacted as text is. The string that is the value of a member whose name says that it is a
    secret is replaced whole, and so are the strings of a list there.

    Args:
        value: any JSON value, nested as deeply as may be.
        pointers: the places to replace whole by `[redacted]`, whatever is there. A string on the way is read
            as JSON, redacted and written back; where it is none, it is replaced whole.
        encoded: the value as JSON in UTF-8 that escapes nothing it need not, where that is at hand already.
        owned: whether nobody else uses the value, so that it may be changed in place.
        detectors: what is looked for.
    """
    among = suspicion(encoded, detectors=detectors) if encoded is not None else _suspicion_of(value, detectors)
    if not among and not pointers:
        return RedactedValue(value, 0)
    walk = _Walk(among, owned=owned)
    redacted = walk.redact(value, pointers)
    return RedactedValue(redacted, walk.count) if walk.count else RedactedValue(value, 0)


def _suspicion_of(value: JsonValue, detectors: Detectors) -> Suspicion:
    try:
        return suspicion(to_json(value), detectors=detectors)
    except ValueError:  # nested too deeply, or lone surrogates
        encoded = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
        return suspicion(encoded, detectors=detectors)


class _Walk:
    """One pass over a value, which changes it in place or copies it. It keeps its own stack: no nesting is too deep.

    Where no text can hold a secret, only what pointers lead to is looked at.
    """

    def __init__(self, among: Suspicion, *, owned: bool) -> None:
        self._among = among
        self._searches = bool(among)
        self._owned = owned
        self._plain_keys: set[str] = set()
        self._open: list[tuple[Any, list[Pointer], str | None]] = []
        self.count = 0

    def redact(self, value: JsonValue, pointers: Sequence[Pointer]) -> JsonValue:
        root = self._entry(value, list(pointers), None)
        while self._open:
            container, below, name = self._open.pop()
            if isinstance(container, dict):
                self._redact_object(container, below, name)
            else:
                self._redact_array(container, below, name)
        return root

    def _entry(self, value: JsonValue, pointers: list[Pointer], name: str | None, *, aimed: bool = True) -> JsonValue:
        """The value without its secrets, where `name` says what it is; what is in a container goes later.

        `aimed` says that pointers lead here by name, and not only by `*`.
        """
        if () in pointers:
            self.count += value != PLACE
            return PLACE
        if isinstance(value, str):
            shown = self._text(value, name) if self._searches else value
            return self._inside(shown, pointers) if pointers and (aimed or _may_be_json(shown)) else shown
        if self._searches and name is not None and isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value, name)
        if isinstance(value, dict | list) and value and (self._searches or pointers):
            value = value if self._owned else value.copy()
            self._open.append((value, pointers, name))
        return value

    def _redact_object(self, members: dict[str, JsonValue], pointers: list[Pointer], name: str | None) -> None:
        beside = None
        if not NAMES.isdisjoint(members):
            beside = next((text for key in NAMES_BY_RANK if isinstance(text := members.get(key), str)), None)
        typed = len(members) == 1 or "DataType" in members
        for key in members if self._searches else _aimed(pointers, members):
            if key in VALUES and beside is not None:
                item_name: str | None = beside
            else:
                item_name = name if typed and key in TYPED else key
            aimed = any(pointer and pointer[0] == key for pointer in pointers)
            members[key] = self._entry(members[key], pointers_below(pointers, key), item_name, aimed=aimed)
        if self._searches and not self._plain_keys.issuperset(members):
            self._rename(members)

    def _rename(self, members: dict[str, JsonValue]) -> None:
        renamed = {key: shown for key in members if (shown := self._key(key)) != key}
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

    def _redact_array(self, items: list[JsonValue], pointers: list[Pointer], name: str | None) -> None:
        in_key = False
        indexes = range(len(items))
        for index in indexes if self._searches else map(int, _aimed(pointers, map(str, indexes))):
            item = items[index]
            below = pointers_below(pointers, str(index)) if pointers else pointers
            aimed = any(pointer and pointer[0] == str(index) for pointer in pointers)
            if not isinstance(item, str) or () in below:
                items[index] = self._entry(item, below, name)
            elif in_key:  # a private key, each line of which is an item
                in_key = not closes_key(item)
                self.count += 1
                items[index] = mark("private-key")
            else:
                in_key = opens_key(item)
                items[index] = self._entry(item, below, name, aimed=aimed)

    def _text(self, text: str, name: str | None) -> str:
        if name is None:
            return self._plain_text(text)
        if name.lower().endswith(HEADER):
            return self._plain_text(f"{HEADER}: {text}").removeprefix(f"{HEADER}: ")
        kind = named_value(name, text, self._among.detectors)
        if kind is None or not text or is_mark(text):
            return self._plain_text(text)
        self.count += 1
        return mark(kind)

    def _number(self, number: float, name: str) -> JsonValue:
        kind = named_number(name, number, self._among.detectors)
        if kind is None:
            return number
        self.count += 1
        return mark(kind)

    def _inside(self, text: str, pointers: Sequence[Pointer]) -> str:
        """A string on the way of pointers: JSON without what they lead to, or nothing of it."""
        if is_mark(text) or text.strip() in _NOTHING_BELOW:
            return text
        try:
            inner = parse_json(text.encode())
        except (ValueError, RecursionError):
            inner = None
        if not isinstance(inner, dict | list | str):
            self.count += 1
            return PLACE
        redacted = redact_value(inner, pointers, owned=True, detectors=self._among.detectors)
        self.count += redacted.count
        return json.dumps(redacted.value, ensure_ascii=False) if redacted.count else text

    def _key(self, key: str) -> str:
        if key in self._plain_keys:
            return key
        shown = self._plain_text(key)
        if shown == key and len(self._plain_keys) < _NAMES_KEPT:
            self._plain_keys.add(key)
        return shown

    def _plain_text(self, text: str) -> str:
        if not self._among.in_text(text):
            return text
        redacted = redact_text(text, self._among)
        self.count += redacted.count
        return redacted.text


def _may_be_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[", '"')


def _aimed(pointers: list[Pointer], tokens: Iterable[str]) -> set[str]:
    """Those of a container's tokens that pointers name."""
    named = {pointer[0] for pointer in pointers if pointer}
    return set(tokens) if "*" in named else named.intersection(tokens)
