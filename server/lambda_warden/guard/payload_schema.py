"""Payloads against the JSON Schema of their rule (2020-12), by the jsonschema library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

JsonSchema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SHOWN = 5
_MESSAGE_LIMIT = 200


class PayloadSchema:
    """A compiled schema. Never reads a file or the network: a `$ref` outside the schema is an error.

    Raises:
        ValueError: if the schema itself is not valid 2020-12, or refers to what it does not hold; the message says
            where.
    """

    def __init__(self, schema: JsonSchema) -> None:
        declared = schema.get("$schema", _DIALECT)
        if declared != _DIALECT:
            raise ValueError(f"$schema is {declared!r}; only {_DIALECT} is read")
        try:
            Draft202012Validator.check_schema(schema)
            _check_references(schema)
        except SchemaError as error:
            raise ValueError(f"not a valid JSON Schema at {error.json_path}: {error.message}") from error
        except RecursionError:
            raise ValueError("the schema is nested too deeply") from None
        self.schema = schema
        self._validator = Draft202012Validator(schema, registry=Registry())

    def problems(self, payload: object) -> list[str]:
        """What is wrong with a payload, the first few problems, each with its place; empty if it fits."""
        try:
            errors = sorted(self._validator.iter_errors(payload), key=lambda error: error.json_path)
        except Exception as error:  # noqa: BLE001 - a payload that could not be checked does not fit
            return [f"the schema can't be applied ({type(error).__name__})"]
        shown = [f"{_cut(error.json_path)}: {_cut(error.message)}" for error in errors[:_SHOWN]]
        if len(errors) > _SHOWN:
            shown.append(f"and {len(errors) - _SHOWN} more")
        return shown


def _check_references(schema: JsonSchema) -> None:
    """Follow every reference once, so that one that leads nowhere is seen when the schema is loaded."""
    root = DRAFT202012.create_resource(schema)
    pending = [(root, Registry().resolver_with_root(root))]
    while pending:
        part, resolver = pending.pop()
        reference = part.contents.get("$ref") if isinstance(part.contents, dict) else None
        if isinstance(reference, str) and not _leads_to_schema(resolver.lookup, reference):
            raise ValueError(f"$ref {reference!r} leads to no schema in the schema itself")
        pending.extend((below, resolver.in_subresource(below)) for below in part.subresources())


def _leads_to_schema(lookup: Callable[[str], Any], reference: str) -> bool:
    try:
        return isinstance(lookup(reference).contents, dict | bool)
    except (Unresolvable, ValueError):  # ValueError: a JSON pointer that names an array's item by a word
        return False


def _cut(text: str) -> str:
    return text if len(text) <= _MESSAGE_LIMIT else text[:_MESSAGE_LIMIT] + "…"
