"""What a tool is: one declaration, which the SDK's `MCPServer` serves.

The SDK derives a tool from a function's signature. Three of its habits don't fit a guard, so the tool is put
together by hand: it reads JSON out of strings (a payload would not arrive as it was sent), it drops arguments
that it does not know (`qualifer` would be a call without qualifier), and it reports bad arguments as text without
a structured result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel

from lambda_warden.approvals.approver import Approver
from lambda_warden.errors import ArgumentError
from lambda_warden.guard.decide import denied
from lambda_warden.guard.rules import Rules
from lambda_warden.model.caller import Caller, acting_for
from lambda_warden.model.decision import Decision
from lambda_warden.model.result import ToolResult
from lambda_warden.report.outgoing import outgoing
from lambda_warden.telemetry.logs import new_call
from lambda_warden.tools.caller import caller_of
from lambda_warden.tools.connection import while_connected
from lambda_warden.tools.schema import schema_of

_Result = TypeVar("_Result", bound=ToolResult)

ApproverOf = Callable[[Context[Any, Any]], Approver]
"""Gives the approver of one call."""


def reads(_: Rules) -> ToolAnnotations:
    """The hints of a tool that changes nothing, and asks AWS."""
    return ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolDeclaration(Generic[_Result]):
    """One tool, whole.

    Attributes:
        name: as clients call it.
        title: as people see it.
        description: as the model reads it.
        annotations: hints for the host, which may follow from the rules in force.
        parameters: what it takes, as JSON Schema.
        result: what it gives.
        text: the result for hosts that show the model text alone.
        is_error: whether a result is an error.
        denied: the result of a call that was not carried out, by its id and the decision.
        handler: does the work, with the arguments as the client sent them: whoever decides on them checks them. It
            gives a result, or a question to answer first; an ArgumentError is a denial.
    """

    name: str
    title: str
    description: str
    annotations: Callable[[Rules], ToolAnnotations] = reads
    parameters: Mapping[str, Any]
    result: type[_Result]
    text: Callable[[_Result], str]
    is_error: Callable[[_Result], bool] = lambda _: False
    denied: Callable[[str, Decision], _Result]
    handler: Callable[[Mapping[str, Any], Caller, Context[Any, Any]], Awaitable[_Result | InputRequiredResult]]


class _AsSent(FuncMetadata):
    """Hands the arguments to the handler untouched."""

    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        return {"arguments": arguments_to_validate}


def answer(tool: ToolDeclaration[_Result], result: _Result) -> CallToolResult:
    """A result as a client gets it: as text and as structure, each with all of it, errors too."""
    said, structured = outgoing(result)
    return CallToolResult(
        content=[TextContent(type="text", text=tool.text(said))],
        structured_content=structured,
        is_error=tool.is_error(result),
    )


def served(tool: ToolDeclaration[Any], principal: str | None, rules: Rules) -> Tool:
    """A tool as the SDK serves it.

    Args:
        tool: its declaration.
        principal: whom its calls are made for; None where the access token of each says so.
        rules: those in force.
    """

    async def call(arguments: Mapping[str, Any], context: Context[Any, Any]) -> CallToolResult | InputRequiredResult:
        async with while_connected(context):
            try:
                caller = caller_of(context, principal)
                with acting_for(caller):
                    result = await tool.handler(arguments, caller, context)
            except ArgumentError as error:
                result = tool.denied(new_call(), denied("arguments", str(error), ()))
            return result if isinstance(result, InputRequiredResult) else answer(tool, result)
        raise ToolError("the client has gone")  # nobody gets it

    returned: type[BaseModel] = tool.result
    return Tool(
        fn=call,
        name=tool.name,
        title=tool.title,
        description=tool.description,
        parameters=dict(tool.parameters),
        fn_metadata=_AsSent(arg_model=ArgModelBase, output_schema=schema_of(returned, "serialization")),
        is_async=True,
        context_kwarg="context",
        annotations=tool.annotations(rules),
    )
