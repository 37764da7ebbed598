"""`list_functions`: what may be invoked, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations

from lambda_warden.errors import ArgumentError
from lambda_warden.lazy import Lazy
from lambda_warden.tools.caller import caller_of
from lambda_warden.tools.tool import make_tool, tool_error, tool_result

if TYPE_CHECKING:
    from lambda_warden.listing.catalog import Catalog

DESCRIPTION = """\
List the AWS Lambda functions that may be invoked here, with the allowed aliases and versions, what each does, its \
payload schema and working examples, and its state in AWS. Nothing else can be invoked. Start here."""


def list_functions_tool(directory: Lazy[Catalog], principal: str) -> Tool:
    """The tool."""

    async def list_functions(arguments: Mapping[str, Any], context: Context[Any, Any]) -> CallToolResult:
        from lambda_warden.report.text import list_text

        try:
            result = await (await directory.ready()).list_functions(arguments, caller_of(context, principal))
        except ArgumentError as error:
            return tool_error(str(error))
        return tool_result(result, list_text(result))

    return make_tool(
        list_functions,
        name="list_functions",
        title="List invocable Lambda functions",
        description=DESCRIPTION,
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
        ),
    )
