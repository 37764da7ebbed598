"""JSON Schemas of the tools, in the words that every host and model takes, and none that cost tokens for nothing."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode


class _PlainSchema(GenerateJsonSchema):
    """Without a title for each field, and without null where a field may be left out."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """No field has one."""
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        """The schema of a field with a default."""
        inner = schema["schema"]
        if self.mode == "serialization" and inner["type"] == "nullable" and schema.get("default", ...) is None:
            # A result leaves out what has its default (see `tool_result`), so that this is there and not null, or not.
            return self.generate_inner(inner["schema"])
        return super().default_schema(schema)


def schema_of(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    """The schema of a tool's arguments (`validation`) or of its result (`serialization`)."""
    schema = model.model_json_schema(mode=mode, schema_generator=_PlainSchema)
    for definition in schema.get("$defs", {}).values():
        definition.pop("title", None)
    return {key: value for key, value in schema.items() if key not in ("title", "description")}
