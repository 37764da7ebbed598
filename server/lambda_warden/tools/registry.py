"""All tools, in the order in which clients list them."""

from __future__ import annotations

from typing import Any

from lambda_warden.invocation.pipeline import Pipeline
from lambda_warden.listing.catalog import Catalog
from lambda_warden.logs.reader import Logs
from lambda_warden.results.durable import DurableExecutions
from lambda_warden.results.kept import KeptResults
from lambda_warden.tools.dry_run import dry_run_tool
from lambda_warden.tools.invoke_function import invoke_function_tool
from lambda_warden.tools.list_functions import list_functions_tool
from lambda_warden.tools.read_logs import read_logs_tool
from lambda_warden.tools.read_result import read_result_tool
from lambda_warden.tools.tool import ApproverOf, ToolDeclaration


def declared_tools(
    catalog: Catalog,
    pipeline: Pipeline,
    logs: Logs,
    results: KeptResults | None,
    executions: DurableExecutions,
    approver: ApproverOf,
) -> list[ToolDeclaration[Any]]:
    """The tools of a server.

    Args:
        catalog: lists functions.
        pipeline: invokes them.
        logs: reads their logs.
        results: kept results, or None if none are kept.
        executions: follows durable executions.
        approver: gives who asks a person, for one call.
    """
    return [
        list_functions_tool(catalog),
        dry_run_tool(pipeline, approver),
        invoke_function_tool(pipeline, approver),
        read_logs_tool(logs),
        read_result_tool(results, pipeline.earlier_calls, executions),
    ]
