"""Reduces a JSON Schema to the few words that every model's service takes as they are.

What is left: one `type` everywhere, `description`, `properties`, `required`, `items`, the `enum` of strings, `minimum`
and `maximum`. References are written out. What else the schema says stands as words in the description, so that a model
can keep to it. The reduced schema only helps a model to write a value: it may let pass what the whole one refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from lambda_warden.jsontools.pointer import parse_pointer

JsonSchema = dict[str, Any]

LEVELS: Final = 6
"""Of objects and arrays in each other. OpenAI takes ten under `strict`, and the arguments around take some."""
_PARTS: Final = 1000
"""Schemas in a reduced one at most: references can make a small one endless."""
_LOOKS: Final = 20_000
"""At schemas that it is put together of: choices of choices double with each."""
_STEPS: Final = 20
"""Of references and combinations until a value's type."""
_NOTE_CHARACTERS: Final = 300
_MEMBER: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
"""What Anthropic and OpenAI take as the name of a member."""
_NOTED: Final[tuple[str, ...]] = (
    *("enum", "const", "pattern", "format", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
    *("multipleOf", "exclusiveMinimum", "exclusiveMaximum", "default", "examples", "anyOf", "oneOf", "not", "if"),
    *("then", "else", "prefixItems", "contains", "patternProperties", "additionalProperties", "propertyNames"),
    *("minProperties", "maxProperties", "dependentRequired", "dependentSchemas"),
)
_TYPES: Final = ("object", "array", "string", "integer", "number", "boolean")
_PYTHON: Final[Mapping[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
}
_TELLING: Final = {
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


def plain_schema(schema: JsonSchema, said: Callable[[str], str]) -> JsonSchema:
    """Reduce a schema.

    Args:
        schema: a valid JSON Schema (2020-12), which refers to nothing outside it.
        said: makes of a text in it what a model may read.

    >>> plain_schema({"type": ["string", "null"], "pattern": "^A-[0-9]+$"}, str)
    {'type': 'string', 'description': '{"pattern":"^A-[0-9]+$"}'}
    """
    return _Reduction(schema, said).reduce(schema, LEVELS)


class _Reduction:
    def __init__(self, root: JsonSchema, said: Callable[[str], str]) -> None:
        self._root = root
        self._said = said
        self._left = _PARTS
        self._looks = _LOOKS

    def reduce(self, schema: object, levels: int) -> JsonSchema:
        """One schema within the root, with at most so many levels below it."""
        self._left -= 1
        whole = self._whole(schema, _STEPS)
        kind = _kind(whole)
        made: JsonSchema = {"type": kind or "string"}
        noted = {key: whole[key] for key in _NOTED if key in whole and not isinstance(whole[key], bool)}
        if kind == "object":
            made |= self._members(whole, levels, noted)
        elif kind == "array":
            made["items"] = self.reduce(whole.get("items"), levels - 1) if self._deeper(levels) else {"type": "string"}
        elif kind == "string" and (choices := _choices(whole)):
            made["enum"] = [self._said(each) for each in choices]
            noted.pop("enum", None), noted.pop("const", None)
        elif kind in ("integer", "number"):
            made |= {key: whole[key] for key in ("minimum", "maximum") if key in whole}
        if about := self._about(whole, noted, is_any=kind is None and "type" not in whole):
            made["description"] = about
        return made

    def _deeper(self, levels: int) -> bool:
        return levels > 0 and self._left > 0

    def _members(self, whole: JsonSchema, levels: int, noted: JsonSchema) -> JsonSchema:
        """Those that can be said, under the names that can; what else there is comes to what is noted."""
        required = [name for name in whole.get("required", ()) if isinstance(name, str)]
        members = dict.fromkeys(required, True) | whole.get("properties", {})
        told = [name for name, part in members.items() if part is not False and _MEMBER.fullmatch(name)]
        if not self._deeper(levels):
            told = []
        if more := {name: part for name, part in members.items() if name not in told and part is not False}:
            noted["properties"] = more
        made: JsonSchema = {}
        if told:
            made["properties"] = {name: self.reduce(members[name], levels - 1) for name in told}
        if needed := [name for name in dict.fromkeys(required) if name in told]:
            made["required"] = needed
        return made

    def _about(self, whole: JsonSchema, noted: JsonSchema, *, is_any: bool) -> str:
        described = whole.get("description")
        parts = [described] if isinstance(described, str) and described else []
        if noted:
            text = json.dumps(noted, ensure_ascii=False, separators=(",", ":"))
            parts.append(text if len(text) <= _NOTE_CHARACTERS else text[:_NOTE_CHARACTERS] + "…")
        elif is_any:
            parts.append("Any JSON value.")
        return self._said(" ".join(parts)) if parts else ""

    def _whole(self, schema: object, steps: int) -> JsonSchema:
        """A schema with what it refers to and is put together of, in one: of several choices, what they share."""
        self._looks -= 1
        if not isinstance(schema, dict) or steps == 0 or self._looks < 0:
            return {}
        whole = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        parts = [self._whole(self._target(schema["$ref"]), steps - 1)] if isinstance(schema.get("$ref"), str) else []
        parts += [self._whole(part, steps - 1) for part in schema.get("allOf", ())]
        for key in ("anyOf", "oneOf"):
            choices = [self._whole(each, steps - 1) for each in schema.get(key, ())]
            choices = [each for each in choices if each.get("type") != "null"]
            if len(choices) == 1 or (choices and all(map(_choices, choices))):
                del whole[key]
            parts += [_shared(choices)] if choices else []
        for part in parts:
            whole = _joined(part, whole)
        return whole

    def _target(self, reference: str) -> object:
        """What a reference within the root leads to; None where it is no pointer, or to nothing."""
        found: object = self._root
        try:
            for token in parse_pointer(unquote(reference.removeprefix("#"))):
                found = found[int(token) if isinstance(found, list) else token]  # type: ignore[index]
        except (LookupError, TypeError, ValueError):
            return None
        return found


def _kind(whole: Mapping[str, Any]) -> str | None:
    """The type of a value that fits; None where it may be any."""
    declared = whole.get("type")
    for kind in declared if isinstance(declared, list) else [declared]:
        if kind in _TYPES:
            return str(kind)
    if found := [kind for each in _values(whole) if (kind := _PYTHON.get(type(each)))]:
        return "string" if "string" in found else found[0]
    return next((kind for kind, keys in _TELLING.items() if not whole.keys().isdisjoint(keys)), None)


def _values(whole: Mapping[str, Any]) -> list[Any]:
    return [whole["const"]] if "const" in whole else list(whole.get("enum", ()))


def _choices(whole: Mapping[str, Any]) -> list[str]:
    """The strings that a value has to be one of; empty where it may be anything else. Gemini takes no empty one."""
    values = [each for each in _values(whole) if each is not None]
    return values if all(isinstance(each, str) and each for each in values) else []


def _shared(choices: list[JsonSchema]) -> JsonSchema:
    """What can be said of a value that fits one of several schemas: which is the first one's type, if they differ."""
    if len(choices) == 1:
        return choices[0]
    first = _kind(choices[0])
    made: JsonSchema = {"type": first} if first else {}
    if all(map(_choices, choices)):
        return made | {"enum": list(dict.fromkeys(value for each in choices for value in _choices(each)))}
    if first == "object":
        made["properties"] = {name: part for each in reversed(choices) for name, part in _properties(each)}
    return made


def _properties(whole: JsonSchema) -> Iterator[tuple[str, Any]]:
    found = whole.get("properties")
    yield from found.items() if isinstance(found, dict) else ()


def _joined(part: JsonSchema, whole: JsonSchema) -> JsonSchema:
    """Both in one. What `whole` says itself wins."""
    made = {**part, **whole}
    if properties := {**dict(_properties(part)), **dict(_properties(whole))}:
        made["properties"] = properties
    if required := [*part.get("required", ()), *whole.get("required", ())]:
        made["required"] = list(dict.fromkeys(required))
    return made
