"""JSON Schemas of the tools, in a plain subset of JSON Schema.

What a model's service does not take makes it refuse the whole request: OpenAI an array without `items`, and under
`strict` most keywords; google-genai `additionalProperties`. So the schema of arguments says what a model needs to write
them (types, descriptions, choices, bounds of numbers), and the models of `model/request.py` check the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode


class _PlainSchema(GenerateJsonSchema):
    """Without what tells a model nothing, and without null where a field may be left out."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """No field has one."""
        return False

    def str_schema(self, schema: Any) -> dict[str, Any]:
        """The schema of a string: whoever gets it wrong is told what would be right."""
        return {"type": "string"} if self.mode == "validation" else super().str_schema(schema)

    def default_schema(self, schema: Any) -> dict[str, Any]:
        """The schema of a field with a default."""
        inner, is_argument = schema["schema"], self.mode == "validation"
        if inner["type"] == "nullable" and schema.get("default", ...) is None:
            # A result leaves out what has its default (see `served`), so that this is there and not null, or not.
            return self.generate_inner(inner["schema"])
        return self.generate_inner(inner) if is_argument else super().default_schema(schema)

    def model_schema(self, schema: Any) -> dict[str, Any]:
        """The schema of a model. Its own name and docstring are for those who read the code."""
        made = super().model_schema(schema)
        return {key: value for key, value in made.items() if key not in ("title", "additionalProperties")}


@cache
def schema_of(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    """The schema of a tool's arguments (`validation`) or result (`serialization`). Made once; not to be changed."""
    schema = model.model_json_schema(mode=mode, schema_generator=_PlainSchema)
    schema.pop("description", None)
    if mode == "serialization":
        nested = schema.pop("$defs", {})
        schema["properties"] = {name: _brief(part, nested) for name, part in schema["properties"].items()}
    return schema


def described_by(tool: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of arguments that another tool has, too: what may be left out is described there, once.

    A model reads every tool's arguments before it does anything, so a second description of each costs it for nothing.
    """
    about = {"description": f"As for {tool}."}
    arguments = {
        name: argument if name in schema["required"] else argument | about
        for name, argument in schema["properties"].items()
    }
    return {**schema, "properties": arguments}


def _brief(schema: Any, nested: Mapping[str, Any]) -> Any:
    """A schema with the names of what an object within a result holds, instead of a schema of each.

    A client that validates results checks the schema itself first, which takes it 0.2 ms for each schema within it.
    """
    if isinstance(schema, list):
        return [_brief(part, nested) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" not in schema:
        return {key: _brief(value, nested) for key, value in schema.items()}
    model = nested[schema["$ref"].rsplit("/", 1)[-1]]
    if "properties" not in model:
        return model
    about = schema.get("description") or model["description"]
    return {"type": "object", "description": f"{about} Holds {', '.join(model['properties'])}."}
