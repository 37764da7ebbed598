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

from lambda_warden.tools.schemas import schemas

if TYPE_CHECKING:
    from lambda_warden.approvals.approver import Approver

ApproverOf = Callable[[Context[Any, Any]], "Approver"]
"""Gives the approver of one call."""

Handler = Callable[[Mapping[str, Any], Context[Any, Any]], Awaitable[CallToolResult | InputRequiredResult]]


class _AsSent(FuncMetadata):
    """Hands the arguments to the handler untouched; the pipeline checks them."""

    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        return {"arguments": arguments_to_validate}


def make_tool(
    handler: Handler,
    *,
    name: str,
    title: str,
    description: str,
    annotations: ToolAnnotations,
) -> Tool:
    """Put a tool together.

    Args:
        handler: takes the arguments as the client sent them, and the context of the call; returns a result that fits
            the tool's output schema, or a question to answer first.
        name: as clients call it, and as its schemas are filed.
        title: as people see it.
        description: as the model reads it.
        annotations: hints for the host.
    """
    return Tool(
        fn=handler,
        name=name,
        title=title,
        description=description,
        parameters=schemas()[name]["input"],
        fn_metadata=_AsSent(arg_model=ArgModelBase, output_schema=schemas()[name]["output"]),
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
