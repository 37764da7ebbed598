"""Tasks, MCP's extension `io.modelcontextprotocol/tasks`: how a client that knows them gets an answer that takes long.

The server decides what becomes a task: here, a call of `invoke_function` that goes on when its caller's time is up. A
client that declares the extension gets a task where others get `running`. An answer within that time is a plain result,
and a person's question comes before, as the call's own result. A task is nothing of its own: its id is the call's
`invocation_id`, and what is told of it is what the store has of that call, whichever server is asked.

A function can't be stopped, so no task is ever `cancelled`: `tasks/cancel` is acknowledged, and the call goes on. None
is `failed` either, which is for errors of the protocol: a call that went wrong is `completed`, with its error as the
result, and so is one whose server ended, as `unknown`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, CallToolRequestParams, CallToolResult, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from lambda_warden.invocation.dispatcher import no_progress
from lambda_warden.invocation.earlier_calls import EarlierCall, EarlierCalls
from lambda_warden.model.result import InvokeResult
from lambda_warden.store.audit_log import RecordError
from lambda_warden.telemetry.logs import ask_of_call
from lambda_warden.tools.caller import caller_of
from lambda_warden.tools.function_tools import FunctionTools
from lambda_warden.tools.tool import ToolDeclaration, answer

logger = logging.getLogger(__name__)

_REVISIONS: Final = frozenset(MODERN_PROTOCOL_VERSIONS)
"""Of the protocol, in which a request may be answered by a task: earlier ones know one type of result each."""
_POLL_MS: Final = 2000

_Context = ServerRequestContext[Any, Any]
_T = TypeVar("_T")


class OfTask(RequestParams):
    """What each method takes. The responses of `tasks/update` are ignored: no task ever asks for any."""

    task_id: str


class Tasks(Extension):
    """The extension.

    Args:
        tool: `invoke_function`, whose calls become tasks.
        functions: the tools of single functions, whose calls do, too, and give the same results.
        earlier_calls: the calls that go on without their callers.
        principal: whom this server's calls are made for; None where each access token says so. Others' tasks are
            unknown.
        ttl_seconds: how long a call is kept, from its beginning.
    """

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(
        self,
        tool: ToolDeclaration[InvokeResult],
        functions: FunctionTools,
        earlier_calls: EarlierCalls,
        principal: str | None,
        ttl_seconds: float,
    ) -> None:
        self._tool = tool
        self._functions = functions
        self._earlier_calls = earlier_calls
        self._principal = principal
        self._ttl_ms = round(ttl_seconds * 1000)

    def methods(self) -> Sequence[MethodBinding]:
        """How a client asks for a task."""
        bound = partial(MethodBinding, params_type=OfTask, protocol_versions=_REVISIONS)
        return [
            bound("tasks/get", handler=self._get),
            bound("tasks/update", handler=self._acknowledge),
            bound("tasks/cancel", handler=self._acknowledge),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: _Context, call_next: CallNext
    ) -> HandlerResult:
        """Give a task for a call that goes on, where the client declares with this request that it knows tasks."""
        starts = params.name == self._tool.name or self._functions.named(params.name) is not None
        result = await call_next(ctx)
        if not starts or not isinstance(result, CallToolResult) or not _knows_tasks(ctx):
            return result
        shown = result.structured_content
        if shown["outcome"] != "running":
            return result
        try:
            call = await self._told(shown["invocation_id"], ctx)
        except RecordError as error:
            logger.error("%s is no task: %s", shown["invocation_id"], error)
            return result
        if call is None or call.result.outcome != "running":  # it ended just now
            return result if call is None else answer(self._tool, call.result)
        return {"resultType": "task", **self._task(call)}

    async def _get(self, ctx: _Context, params: OfTask) -> HandlerResult:
        require_client_extension(ctx, self.identifier)
        call = await _from_records(self._told(params.task_id, ctx))
        if call is None:
            raise _unknown()
        return self._task(call)

    async def _acknowledge(self, ctx: _Context, params: OfTask) -> HandlerResult:
        require_client_extension(ctx, self.identifier)
        if not await _from_records(self._earlier_calls.keeps(params.task_id, caller_of(ctx, self._principal))):
            raise _unknown()
        return {}

    async def _told(self, task_id: str, ctx: _Context) -> EarlierCall | None:
        ask_of_call(task_id)
        return await self._earlier_calls.told(task_id, caller_of(ctx, self._principal), 0, no_progress)

    def _task(self, call: EarlierCall) -> dict[str, Any]:
        task = {
            "taskId": call.result.invocation_id,
            "createdAt": call.began_at,
            "lastUpdatedAt": call.changed_at,
            "ttlMs": self._ttl_ms,
        }
        if call.result.outcome == "running":
            until = call.result.running_until
            message = (
                f"The function runs, until {until} at the latest. It can't be stopped; read_result waits for it, too."
            )
            return {**task, "status": "working", "statusMessage": message, "pollIntervalMs": _POLL_MS}
        result = answer(self._tool, call.result).model_dump(by_alias=True, mode="json", exclude_none=True)
        return {**task, "status": "completed", "result": result}


def _knows_tasks(ctx: _Context) -> bool:
    capabilities = ctx.session.client_capabilities
    declared = (capabilities.extensions if capabilities else None) or {}
    return ctx.protocol_version in _REVISIONS and Tasks.identifier in declared


def _unknown() -> MCPError:
    return MCPError(INVALID_PARAMS, "Unknown task: there is none with this id, or it has expired")


async def _from_records(asked: Awaitable[_T]) -> _T:
    """What the records tell.

    Raises:
        MCPError: if they can't be used; then nothing is shown.
    """
    try:
        return await asked
    except RecordError as error:
        logger.error("a task is not told of: %s", error)
        raise MCPError(INTERNAL_ERROR, "The records can't be used, so nothing is shown") from error
