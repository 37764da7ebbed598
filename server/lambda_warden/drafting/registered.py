"""Payload schemas, as the EventBridge schema registry has them. Pure.

The registry keeps JSON Schema of Draft 4 and OpenAPI 3, which it exports as Draft 4 (EventBridge Schemas API reference,
ExportSchema). Manifests have JSON Schema 2020-12.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lambda_warden.errors import shown
from lambda_warden.guard.payload_schema import PayloadSchema
from lambda_warden.jsontools.strict_json import parse_json

_DRAFT_4 = "http://json-schema.org/draft-04/schema"
_BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def registered_schemas(contents: Iterable[tuple[str, str]]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The schema of each function, and what is wrong with the others.

    Args:
        contents: names of functions, and what the registry says of each.
    """
    schemas: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for name, content in contents:
        try:
            schema = _schema(content)
            if schemas.setdefault(name, schema) != schema:
                problems.append(f"the schema of one {name} is used for all functions of this name")
        except ValueError as error:
            problems.append(f"no schema for {name}: {error}")
    return schemas, problems


def _schema(content: str) -> dict[str, Any]:
    read = parse_json(content.encode())
    if not isinstance(read, dict):
        raise ValueError(f"{shown(content)} is no JSON object")
    schema: dict[str, Any] = _of_draft_4(read)
    if str(schema.get("$schema")).rstrip("#") == _DRAFT_4:
        del schema["$schema"]
    PayloadSchema(schema)
    return schema


def _of_draft_4(schema: Any) -> Any:
    """The same in 2020-12, where a bound that is exclusive is a number, and no word beside it."""
    if isinstance(schema, list):
        return [_of_draft_4(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {key: _of_draft_4(value) for key, value in schema.items()}
    for exclusive, bound in _BOUNDS.items():
        if isinstance(is_exclusive := made.get(exclusive), bool):
            del made[exclusive]
            if is_exclusive and bound in made:
                made[exclusive] = made.pop(bound)
    return made
