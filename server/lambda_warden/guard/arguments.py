"""Parses a client's arguments, or gives one error: which argument is wrong, how, and what would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lambda_warden.errors import ArgumentError, shown

_Model = TypeVar("_Model", bound=BaseModel)

_TYPE_NAMES = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "dict_type": "a JSON object",
    "missing": "it to be given",
    "recursion_loop": "JSON that is nested less deeply",
}

_SUBJECT = re.compile(r"^(Input|String|Value) should ")  # how pydantic's messages begin


def parse_arguments(model: type[_Model], arguments: Mapping[str, Any]) -> _Model:
    """Check a tool's arguments against its model, strictly: a string is not taken for a number.

    Null and the empty string mean that an optional argument is not given: many hosts send one of them for each.

    Raises:
        ArgumentError: for the first argument that is unknown, missing or of the wrong form.
    """
    fields = model.model_fields
    given = {
        name: value
        for name, value in arguments.items()
        if not (value is None or value == "") or name not in fields or fields[name].is_required()
    }
    try:
        return model.model_validate(given, strict=True)
    except ValidationError as error:
        raise _argument_error(model, error) from None


def _argument_error(model: type[BaseModel], error: ValidationError) -> ArgumentError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "arguments"
    match first["type"]:
        case "extra_forbidden":
            return unknown_argument(name, model.model_fields)
        case "missing":
            return ArgumentError(name, "is missing", "it to be given")
        case kind:
            got = first["input"]
            problem = f"{shown(got)} is not accepted" if isinstance(got, str) else f"{_json_type(got)} is not accepted"
            expected = _TYPE_NAMES.get(kind) or _SUBJECT.sub("it to ", first["msg"])
            return ArgumentError(name, problem, expected)


def unknown_argument(name: str, known: Iterable[str]) -> ArgumentError:
    """The error for an argument that a tool does not know; `known` are those that it does."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"{near[0]!r}, perhaps, or " if near else ""
    argument = name if name.isidentifier() else shown(name)
    return ArgumentError(argument, "is not an argument of this tool", f"{hint}one of: {', '.join(known)}")


def _json_type(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return f"a number ({value})" if abs(value) < 1e15 else "a number"
        case list():
            return "an array"
        case dict():
            return "an object"
        case None:
            return "null"
        case _:
            return f"a value of type {type(value).__name__}"
