"""`list_functions`: what may be invoked, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.mcpserver import Context

from lambda_warden.listing.catalog import Catalog
from lambda_warden.model.caller import Caller
from lambda_warden.model.request import ListArguments
from lambda_warden.model.result import ListResult
from lambda_warden.report.listing import report_list_denial
from lambda_warden.report.text import list_text
from lambda_warden.tools.schema import schema_of
from lambda_warden.tools.tool import ToolDeclaration

DESCRIPTION = """\
List the AWS Lambda functions that may be invoked here, with the allowed aliases and versions, what each does, its \
payload schema and working examples, and its state in AWS. Nothing else can be invoked. Start here."""


def list_functions_tool(catalog: Catalog) -> ToolDeclaration[ListResult]:
    """Declare `list_functions`."""

    async def handle(arguments: Mapping[str, Any], caller: Caller, _: Context[Any, Any]) -> ListResult:
        return await catalog.list_functions(arguments, caller)

    return ToolDeclaration(
        name="list_functions",
        title="List invocable Lambda functions",
        description=DESCRIPTION,
        parameters=schema_of(ListArguments, "validation"),
        result=ListResult,
        text=list_text,
        is_error=lambda result: result.outcome == "denied",
        denied=lambda _, decision: report_list_denial(decision),
        handler=handle,
    )
