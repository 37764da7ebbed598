"""Checks payloads against the JSON Schema of their rule (2020-12), by the jsonschema-rs library.

The library matches patterns in time that grows with the text alone, and stops at the first error. What its recursion
in native code could not survive (deep nesting) is refused before it, since a crash there would end the server.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Never

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError, ValidationErrorKind

from lambda_warden.jsontools.pointer import write_pointer

JsonSchema = dict[str, Any]
Path = Sequence[str | int]

LEVELS: Final = 200
"""Of nesting in a payload that is held to a schema. The library's recursion has no bound of its own on every way."""
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DESCRIBED_VALUES: Final = 10_000
"""Of a payload with more, an error below `anyOf` and `oneOf` is not described: the library would collect all of them,
which takes seconds and hundreds of megabytes."""
_MESSAGE_LIMIT: Final = 200
_VALUE_LIMIT: Final = 40
_OPTIONS_SHOWN: Final = 3
_MASK: Final = "\0value\0"
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SINGLE: Final = ("not", "if", "then", "else")


class SchemaError(ValueError):
    """A schema can't be used. `path` leads to what is wrong with it."""

    def __init__(self, message: str, path: Path = ()) -> None:
        self.path = tuple(path)
        super().__init__(message)


class Misfit(NamedTuple):
    """What is wrong with a payload: the reason quotes it; the keyword of the schema that it breaks does not."""

    reason: str
    keyword: str | None = None


class PayloadSchema:
    """A compiled schema. Never reads a file or the network: a `$ref` outside the schema is an error.

    Raises:
        SchemaError: if the schema itself is not valid 2020-12, refers to what it does not hold, refers to itself
            without looking into the payload, or has a pattern with look-around or backreferences, which no engine
            matches in time that grows with the text alone. The message says where.
    """

    def __init__(self, schema: JsonSchema) -> None:
        try:
            _check_dialect(schema)
            self._validator = Draft202012Validator(
                schema, retriever=_refuse, pattern_options=RegexOptions(), mask=_MASK
            )
            _check_loops(schema)
        except ValidationError as error:
            raise _invalid(error) from None
        except (SchemaError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of the library is no Exception
            raise SchemaError(f"the schema can't be read: {_shortened(str(error) or type(error).__name__)}") from None
        self.schema = schema

    def problem(self, payload: object) -> str | None:
        """The first thing that is wrong with a payload and its place, or None if it fits. Raises nothing."""
        found = self.misfit(payload)
        return found.reason if found else None

    def misfit(self, payload: object) -> Misfit | None:
        """The first thing that is wrong with a payload, or None if it fits.

        Raises nothing: a payload that could not be checked does not fit.
        """
        try:
            values = _measure(payload)
            if self._validator.is_valid(payload):
                return None
            if values > _DESCRIBED_VALUES and _has_options(self.schema):
                return Misfit(f"$: {_shown(payload)} does not fit (it is too large to say where)")
            self._validator.validate(payload)
        except ValidationError as error:
            reason = f"{_shortened(json_path(error.instance_path))}: {_shortened(_said(error))}"
            return Misfit(reason, _keyword(self.schema, error.schema_path))
        except (KeyboardInterrupt, SystemExit):
            raise
        except _UncheckedError as error:
            return Misfit(f"$: {error}")
        except BaseException as error:  # noqa: BLE001 - a panic of the library is no Exception, and a doubt, too
            return Misfit(f"$: the schema can't be applied ({type(error).__name__})")
        return Misfit("$: the schema can't be applied")


def json_path(path: Path) -> str:
    """A place in a payload as a JSONPath (RFC 9535).

    >>> json_path(["items", 2, "unit price"])
    '$.items[2]["unit price"]'
    """
    return "$" + "".join(
        f".{part}" if isinstance(part, str) and part.isidentifier() else f"[{json.dumps(part, ensure_ascii=False)}]"
        for part in path
    )


class _UncheckedError(Exception):
    """A payload is not handed to the library."""


def _keyword(schema: JsonSchema, path: Path) -> str:
    """Where a schema has the keyword that is broken, and what that says: words of the schema alone."""
    value: object = schema
    tokens: list[str] = []
    for token in path:
        try:
            value = value[token]  # type: ignore[index]
        except (LookupError, TypeError):
            break  # no token of the schema's
        tokens.append(str(token))
    return f"{_shortened(write_pointer(tokens))}: {_shortened(json.dumps(value, ensure_ascii=False))}"


def _refuse(uri: str) -> Never:
    raise ValueError(f"{uri} is not in the schema")


def _invalid(error: ValidationError) -> SchemaError:
    """What is wrong with a schema, in words for whoever wrote it."""
    path, kind = error.instance_path, error.kind
    if isinstance(kind, ValidationErrorKind.Referencing):
        return SchemaError(f"a $ref leads to no schema in the schema itself: {_shortened(error.message)}")
    where = f"not a valid JSON Schema at {_shortened(json_path(path))}"
    if isinstance(kind, ValidationErrorKind.Format) and kind.format == "regex":
        pattern = _shortened(str(error.instance))
        what = f"{pattern!r} is no regular expression, or has look-around or backreferences, which are not read"
        return SchemaError(f"{where}: {what}", path)
    return SchemaError(f"{where}: {_shortened(_said(error))}", path)


def _check_dialect(root: JsonSchema) -> None:
    """Refuse other dialects, also of a part: they read the same keywords in another way.

    Raises:
        SchemaError: if one is declared.
    """
    declared = [root["$schema"]] if "$schema" in root else []
    declared += [part["$schema"] for part in _parts(root) if isinstance(part.get("$schema"), str)]
    for dialect in declared:
        if dialect != _DIALECT:
            raise SchemaError(f"$schema is {dialect!r}; only {_DIALECT} is read")


def _check_loops(root: JsonSchema) -> None:
    """Refuse references that lead back to themselves without a step into the payload: they check nothing.

    Raises:
        SchemaError: if there is one.
    """
    anchors = {each["$anchor"]: each for each in _parts(root) if isinstance(each.get("$anchor"), str)}
    anchors |= {each["$dynamicAnchor"]: each for each in _parts(root) if isinstance(each.get("$dynamicAnchor"), str)}
    open_parts: set[int] = set()
    done: set[int] = set()

    def visit(part: object) -> None:
        if not isinstance(part, dict) or id(part) in done:
            return
        if id(part) in open_parts:
            raise SchemaError("a $ref leads back to itself, and so checks nothing")
        open_parts.add(id(part))
        for below in _in_place(part):
            visit(below)
        for key in ("$ref", "$dynamicRef"):
            if isinstance(reference := part.get(key), str):
                visit(_target(root, anchors, reference))
        open_parts.discard(id(part))
        done.add(id(part))

    for part in _parts(root):
        visit(part)


def _parts(value: object) -> Iterator[JsonSchema]:
    """Every object in a schema."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield each
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)


def _in_place(part: JsonSchema) -> Iterator[object]:
    """The schemas that are applied to the same value as this one."""
    yield from (part[key] for key in _SINGLE if key in part)
    for key in _LISTS:
        if isinstance(part.get(key), list):
            yield from part[key]
    if isinstance(part.get("dependentSchemas"), dict):
        yield from part["dependentSchemas"].values()


def _target(root: JsonSchema, anchors: Mapping[str, JsonSchema], reference: str) -> object:
    """What a reference within a schema leads to; None for one by address, which the library has resolved."""
    if not reference.startswith("#"):
        return None
    if not reference.startswith("#/"):
        return root if reference == "#" else anchors.get(reference[1:])
    found: object = root
    for token in reference[2:].split("/"):
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            found = found.get(key) if isinstance(found, dict) else None
    return found


def _has_options(schema: JsonSchema) -> bool:
    return any("anyOf" in part or "oneOf" in part for part in _parts(schema))


def _measure(payload: object) -> int:
    """How many values a payload holds.

    Raises:
        _UncheckedError: if it is nested too deeply, or holds a number that JSON does not have.
    """
    count, level = 1, [payload]
    for _ in range(LEVELS + 1):
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, float) and not math.isfinite(each):
                raise _UncheckedError("NaN and Infinity are no JSON numbers")
        if not below:
            return count
        count += len(below)
        level = below
    raise _UncheckedError(f"is nested deeper than {LEVELS} levels, which is not held to a schema")


def _said(error: ValidationError) -> str:
    """One error: what the value is, and what would be right."""
    kind, shown = error.kind, _shown(error.instance)
    match kind:
        case ValidationErrorKind.AnyOf() | ValidationErrorKind.OneOfNotValid():
            firsts = [errors[0] for errors in kind.context[:_OPTIONS_SHOWN] if errors]
            options = " or ".join(_said_below(first, error) for first in firsts)
            more = ", …" if len(kind.context) > len(firsts) else ""
            return f"{shown} fits none of {len(kind.context)} options ({options}{more})"
        case ValidationErrorKind.OneOfMultipleValid():
            return f"{shown} fits more than one option of oneOf"
        case ValidationErrorKind.FalseSchema() if error.schema_path[-1:] == ["additionalProperties"]:
            return "no keys are allowed here"
        case ValidationErrorKind.FalseSchema():
            return f"{shown} is not allowed here"
        case ValidationErrorKind.Contains():
            return f"{shown} does not hold as many items as it has to that fit {error.schema_path[-1]}"
        case ValidationErrorKind.Constant():
            return f"{shown} is not {_shown(kind.expected_value)}, which was expected"
        case ValidationErrorKind.PropertyNames():
            return f"a key is wrong: {error.message}"
        case _:
            return error.message.replace(_MASK, shown)


def _said_below(error: ValidationError, parent: ValidationError) -> str:
    """An error of one option: with its place, where that is deeper."""
    deeper = error.instance_path[len(parent.instance_path) :]
    text = error.message.replace(_MASK, _shown(error.instance))
    return f"{json_path(deeper)[1:]}: {text}" if deeper else text


def _shown(value: object) -> str:
    """A short value as it stands, and of others their kind and size."""
    match value:
        case dict():
            return f"an object with {_counted(len(value), 'key')}"
        case list():
            return f"an array of {_counted(len(value), 'item')}"
        case str() if len(value) > _VALUE_LIMIT:
            return f"a string of {len(value):,} characters"
        case _:
            text = json.dumps(value, ensure_ascii=False)
            return text if len(text) <= 2 * _VALUE_LIMIT else "a number of many digits"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _shortened(text: str) -> str:
    return text if len(text) <= _MESSAGE_LIMIT else text[:_MESSAGE_LIMIT] + "…"
