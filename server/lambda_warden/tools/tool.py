"""A tool whose arguments and results are pydantic models of our own, served by the SDK's `MCPServer`.

The SDK derives a tool from a function's signature. Three of its habits don't fit a guard, so the tool is put
together by hand: it reads JSON out of strings (a payload would not arrive as it was sent), it drops arguments
that it does not know (`qualifer` would be a call without qualifier), and it reports bad arguments as text without
a structured result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from lambda_warden.pipeline import Asker

AskerOf = Callable[[Context[Any, Any]], "Asker"]
"""Gives the asker of one call."""

Handler = Callable[[Mapping[str, Any], Context[Any, Any]], Awaitable[CallToolResult | InputRequiredResult]]


class _AsSent(FuncMetadata):
    """Hands the arguments to the handler untouched; the pipeline checks them."""

    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        return {"arguments": arguments_to_validate}


class _PlainSchema(GenerateJsonSchema):
    """JSON Schema without a title for each field, which would tell a model nothing and cost it tokens."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        inner = schema["schema"]
        if self.mode == "serialization" and inner["type"] == "nullable" and schema.get("default", ...) is None:
            # A result leaves out what has its default (see `tool_result`), so that this is there and not null, or not.
            return self.generate_inner(inner["schema"])
        return super().default_schema(schema)


def make_tool(
    handler: Handler,
    *,
    name: str,
    title: str,
    description: str,
    arguments: type[BaseModel],
    result: type[BaseModel],
    annotations: ToolAnnotations,
) -> Tool:
    """Put a tool together.

    Args:
        handler: takes the arguments as the client sent them, and the context of the call; returns a result that fits
            `result`, or a question to answer first.
        name: as clients call it.
        title: as people see it.
        description: as the model reads it.
        arguments: the model that the input schema is made of.
        result: the model that the output schema is made of.
        annotations: hints for the host.
    """
    return Tool(
        fn=handler,
        name=name,
        title=title,
        description=description,
        parameters=_schema(arguments, "validation"),
        fn_metadata=_AsSent(arg_model=ArgModelBase, output_schema=_schema(result, "serialization")),
        is_async=True,
        context_kwarg="context",
        annotations=annotations,
    )


def tool_result(result: BaseModel, text: str, *, is_error: bool = False) -> CallToolResult:
    """A structured result beside its text. Fields that have their default are left out, as the schema allows."""
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=result.model_dump(mode="json", exclude_defaults=True),
        is_error=is_error,
    )


def tool_error(message: str) -> CallToolResult:
    """An error as the model reads it. The SDK would put `Error executing tool NAME:` before a raised one."""
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)


def _schema(model: type[BaseModel], mode: Any) -> dict[str, Any]:
    schema = model.model_json_schema(mode=mode, schema_generator=_PlainSchema)
    for definition in schema.get("$defs", {}).values():
        definition.pop("title", None)
    return {key: value for key, value in schema.items() if key not in ("title", "description")}
