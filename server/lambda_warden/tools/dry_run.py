"""`dry_run`: what would become of a call, check by check, without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.mcpserver import Context

from lambda_warden.invocation.pipeline import Pipeline
from lambda_warden.model.caller import Caller
from lambda_warden.model.request import InvokeArguments
from lambda_warden.model.result import DryRunResult
from lambda_warden.report.invocation import CallInfo, report_dry_run
from lambda_warden.report.text import dry_run_text
from lambda_warden.tools.schema import described_by, schema_of
from lambda_warden.tools.tool import ApproverOf, ToolDeclaration

DESCRIPTION = """\
Check a Lambda invocation without running it: takes the arguments of invoke_function and answers every check with \
its reason (name, the operator's rule, qualifier, invocation type, payload size and schema, then AWS's own DryRun). \
Use it before a call that changes something, or to learn why one was denied."""


def dry_run_tool(pipeline: Pipeline, approver: ApproverOf) -> ToolDeclaration[DryRunResult]:
    """Declare `dry_run`. A negative answer is an answer; only arguments that can't be read are an error."""

    async def handle(arguments: Mapping[str, Any], caller: Caller, context: Context[Any, Any]) -> DryRunResult:
        return await pipeline.dry_run(arguments, caller, approver(context))

    return ToolDeclaration(
        name="dry_run",
        title="Check a Lambda invocation",
        description=DESCRIPTION,
        parameters=described_by("invoke_function", schema_of(InvokeArguments, "validation")),
        result=DryRunResult,
        text=dry_run_text,
        is_error=_is_not_checked,
        denied=lambda invocation_id, decision: report_dry_run(CallInfo(invocation_id), decision, None),
        handler=handle,
    )


def _is_not_checked(result: DryRunResult) -> bool:
    names = ("arguments", "resolve", "manifest_changed")
    return any(check.name in names and check.passed is False for check in result.checks)
