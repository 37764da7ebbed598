"""`dry_run`: what would become of a call, check by check, without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations

from lambda_warden.lazy import Lazy
from lambda_warden.tools.caller import caller_of
from lambda_warden.tools.tool import ApproverOf, make_tool, tool_result

if TYPE_CHECKING:
    from lambda_warden.invocation.pipeline import Pipeline

DESCRIPTION = """\
Check a Lambda invocation without running it: takes the arguments of invoke_function and answers every check with \
its reason (name, the operator's rule, qualifier, invocation type, payload size and schema, then AWS's own DryRun). \
Use it before a call that changes something, or to learn why one was denied."""


def dry_run_tool(pipeline: Lazy[Pipeline], approver: ApproverOf, principal: str) -> Tool:
    """The tool. A negative answer is an answer; only arguments that can't be read are an error."""

    async def dry_run(arguments: Mapping[str, Any], context: Context[Any, Any]) -> CallToolResult:
        from lambda_warden.report.text import dry_run_text

        result = await (await pipeline.ready()).dry_run(arguments, caller_of(context, principal), approver(context))
        unreadable = any(check.name in ("arguments", "resolve") and check.passed is False for check in result.checks)
        return tool_result(result, dry_run_text(result), is_error=unreadable)

    return make_tool(
        dry_run,
        name="dry_run",
        title="Check a Lambda invocation",
        description=DESCRIPTION,
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
        ),
    )
