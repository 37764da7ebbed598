"""JSON Schemas of payloads, from samples of them or as they are given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genson import SchemaBuilder

from lambda_warden.guard.payload_schema import PayloadSchema
from lambda_warden.jsontools.strict_json import parse_json
from lambda_warden.manifests.document import SIZE_LIMIT
from lambda_warden.manifests.regular_file import read_regular

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas_of(folder: Path, names: Iterable[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The schema of each function that the folder has something for, and what is wrong with the others.

    `NAME.schema.json` is a schema; `NAME.json` and `NAME/*.json` are payloads. What the samples all have is required,
    and no further member may be sent: a person who reviews the schema can widen it.
    """
    schemas: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for name in dict.fromkeys(names):
        try:
            if schema := _schema(folder, name):
                PayloadSchema(schema)
                schemas[name] = schema
        except (OSError, ValueError) as error:
            problems.append(f"no schema for {name}: {error}")
    return schemas, problems


def _schema(folder: Path, name: str) -> dict[str, Any] | None:
    given = folder / f"{name}.schema.json"
    if given.exists():
        schema = _read(given)
        if not isinstance(schema, dict):
            raise ValueError(f"{given.name} holds no JSON object. Expected a JSON Schema")
        return schema
    samples = [path for path in (folder / f"{name}.json",) if path.exists()] + sorted((folder / name).glob("*.json"))
    if not samples:
        return None
    builder = SchemaBuilder(schema_uri=_DIALECT)
    for path in samples:
        builder.add_object(_read(path))
    closed: dict[str, Any] = _closed(builder.to_schema())
    return closed


def _read(path: Path) -> Any:
    data = read_regular(path, SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise ValueError(f"{path.name} is over {SIZE_LIMIT:,} bytes")
    try:
        return parse_json(data)
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from None


def _closed(schema: Any) -> Any:
    """The schema with `additionalProperties: false` wherever it lists properties."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {
        key: {name: _closed(each) for name, each in value.items()} if key == "properties" else _closed(value)
        for key, value in schema.items()
    }
    return made | ({"additionalProperties": False} if schema.get("type") == "object" else {})


def schema_text(schema: Mapping[str, Any]) -> str:
    """A schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
