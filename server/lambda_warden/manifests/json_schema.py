"""The JSON Schema of a manifest, for editors and for errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from lambda_warden.model.manifest import Manifest


def manifest_json_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest, for editors."""
    schema = Manifest.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:lambda-warden:manifest:1",
        **schema,
        "title": "lambda-warden manifest",
    }


def known_keys(model: type[BaseModel], parent: Sequence[str | int]) -> list[str]:
    """The keys that may stand at a place of a document of this model, read off its JSON Schema."""
    schema = model.model_json_schema(by_alias=True)
    node = schema
    for part in parent:
        node = node["items"] if isinstance(part, int) else node.get("properties", {}).get(part, {})
        # Of several kinds of value, the one that has keys.
        while kinds := [kind for name in ("anyOf", "oneOf") for kind in node.get(name, ())]:
            node = next((kind for kind in kinds if {"$ref", "oneOf"} & kind.keys()), {})
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return list(node.get("properties", {}))
