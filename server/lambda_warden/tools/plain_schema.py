"""JSON Schema of models, with nothing that would tell a model nothing and cost it tokens."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema


class PlainSchema(GenerateJsonSchema):
    """Without a title for each field, and without null where a result leaves a field out."""

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
