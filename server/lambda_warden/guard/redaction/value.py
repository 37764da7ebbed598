"""Secrets in JSON values, found by their form, by the name of their member, and by the places a rule lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from lambda_warden.guard.redaction.text import (
    Suspicion,
    closes_key,
    is_mark,
    mark,
    opens_key,
    redact_text,
    secret_named,
    suspicion,
)
from lambda_warden.model.pointer import Pointer

PLACE: Final = "[redacted]"
"""What stands at a place that a rule lists."""

# Members that name the member beside them: environment variables, parameters and tags, as AWS's APIs give them.
_NAMES: Final = ("name", "Name", "key", "Key", "ParameterKey", "ParameterName")
_VALUES: Final = ("value", "Value", "ParameterValue")
_HEADER: Final = "authorization"
_DYNAMODB_STRING: Final = "S"


@dataclass(frozen=True, slots=True)
class RedactedValue:
    """A JSON value without its secrets, and how many places were replaced."""

    value: JsonValue
    count: int


def redact_value(value: JsonValue, pointers: Sequence[Pointer] = (), encoded: bytes | None = None) -> RedactedValue:
    """Replace what is secret in a JSON value. The value itself is left as it is; without secrets it is returned.

    Strings and keys are redacted as text is. The string that is the value of a member whose name says that it is a
    secret is replaced whole, and so are the strings of a list there.

    Args:
        value: any JSON value, nested as deeply as may be.
        pointers: the places to replace whole by `[redacted]`, whatever is there. A string that holds JSON text is
            one place: no pointer leads into it.
        encoded: the value as JSON in UTF-8 that escapes nothing it need not, where that is at hand already.
    """
    if encoded is None:
        encoded = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    among = suspicion(encoded)
    if not among and not pointers:
        return RedactedValue(value, 0)
    walk = _Walk(among)
    redacted = walk.redact(value, pointers)
    return RedactedValue(redacted, walk.count) if walk.count else RedactedValue(value, 0)


class _Walk:
    """One pass over a value, which copies it. It keeps its own stack, so that no nesting is too deep for it."""

    def __init__(self, among: Suspicion) -> None:
        self._among = among
        self._plain_keys: set[str] = set()
        self._kinds: dict[str, str | None] = {}
        self._objects: list[tuple[dict[str, JsonValue], dict[str, JsonValue], list[Pointer], str | None]] = []
        self._arrays: list[tuple[list[JsonValue], list[JsonValue], list[Pointer], str | None]] = []
        self.count = 0

    def redact(self, value: JsonValue, pointers: Sequence[Pointer]) -> JsonValue:
        root = self._copy(value, list(pointers), None)
        while self._objects or self._arrays:
            if self._objects:
                self._fill_object(*self._objects.pop())
            else:
                self._fill_array(*self._arrays.pop())
        return root

    def _copy(self, value: JsonValue, pointers: list[Pointer], name: str | None) -> JsonValue:
        """The value without its secrets, where `name` says what it is; containers are filled later."""
        if () in pointers:
            self.count += value != PLACE
            return PLACE
        match value:
            case str():
                return self._text(value) if name is None else self._named_text(value, name)
            case dict():
                members: dict[str, JsonValue] = {}
                self._objects.append((value, members, pointers, name))
                return members
            case list():
                items: list[JsonValue] = []
                self._arrays.append((value, items, pointers, name))
                return items
            case _:
                return value

    def _fill_object(
        self, source: dict[str, JsonValue], target: dict[str, JsonValue], pointers: list[Pointer], name: str | None
    ) -> None:
        beside = next((text for key in _NAMES if isinstance(text := source.get(key), str)), None)
        copies = 1
        for key, item in source.items():
            shown = unique = self._key(key)
            while unique in target:  # two keys that are secrets
                copies += 1
                unique = f"{shown} ({copies})"
            if key in _VALUES and beside is not None:
                item_name: str | None = beside
            else:
                item_name = name if key == _DYNAMODB_STRING and len(source) == 1 else key
            target[unique] = self._copy(item, _below(pointers, key), item_name)

    def _fill_array(
        self, source: list[JsonValue], target: list[JsonValue], pointers: list[Pointer], name: str | None
    ) -> None:
        in_key = False
        for index, item in enumerate(source):
            below = _below(pointers, str(index)) if pointers else pointers
            if not isinstance(item, str) or () in below:
                target.append(self._copy(item, below, name))
            elif in_key:  # a private key, each line of which is an item
                in_key = not closes_key(item)
                self.count += 1
                target.append(mark("private-key"))
            else:
                in_key = opens_key(item)
                target.append(self._copy(item, below, name))

    def _named_text(self, text: str, name: str) -> str:
        if name not in self._kinds:
            self._kinds[name] = secret_named(name)
        if kind := self._kinds[name]:
            if not text or is_mark(text):
                return text
            self.count += 1
            return mark(kind)
        if name.lower().endswith(_HEADER):
            return self._text(f"{_HEADER}: {text}").removeprefix(f"{_HEADER}: ")
        return self._text(text)

    def _key(self, key: str) -> str:
        if key in self._plain_keys:
            return key
        shown = self._text(key)
        if shown == key:
            self._plain_keys.add(key)
        return shown

    def _text(self, text: str) -> str:
        if not self._among or not self._among.in_text(text):
            return text
        redacted = redact_text(text, self._among)
        self.count += redacted.count
        return redacted.text


def _below(pointers: list[Pointer], token: str) -> list[Pointer]:
    return [pointer[1:] for pointer in pointers if pointer and pointer[0] in ("*", token)] if pointers else pointers
