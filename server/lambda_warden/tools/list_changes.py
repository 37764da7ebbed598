"""Tells clients that the tools may have changed, since the manifests did (MCP, `notifications/tools/list_changed`).

Up to revision 2025-11-25 each session is told. From 2026-07-28 on, who asked for it by `subscriptions/listen` is, and
others see it once what they have listed is as old as its `ttlMs`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

import anyio
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    SubscriptionFilter,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)

logger = logging.getLogger(__name__)

_SECONDS: Final = 10
"""That a session's client has to take the notification."""


class ListChanges:
    """The clients that are told.

    Args:
        most: how many may listen at once.
    """

    def __init__(self, most: int) -> None:
        self._bus = InMemorySubscriptionBus()
        self._listen = ListenHandler(self._bus, max_subscriptions=most)
        self._sessions: WeakSet[Connection] = WeakSet()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._telling: asyncio.Task[None] | None = None
        self._closed = False

    async def notice(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Middleware that remembers each session once it is open."""
        if ctx.method == "notifications/initialized":
            self._loop = asyncio.get_running_loop()
            self._sessions.add(ctx.session._connection)
        return await call_next(ctx)

    async def listen(
        self, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve `subscriptions/listen`: of what a client asks for, changes of the tools, which alone there are."""
        if self._closed:
            raise MCPError(INTERNAL_ERROR, "The server ends")
        self._loop = asyncio.get_running_loop()
        tools = SubscriptionFilter(tools_list_changed=params.notifications.tools_list_changed)
        return await self._listen(ctx, params.model_copy(update={"notifications": tools}))

    def tell(self) -> None:
        """Tell all of them. For any thread; waits for nothing."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the server has ended
                self._loop.call_soon_threadsafe(self._begin)

    def close(self) -> None:
        """End what clients listen to, for good: they are told that it ended."""
        self._closed = True
        self._listen.close()

    def _begin(self) -> None:
        self._telling = asyncio.get_running_loop().create_task(self._tell_all(list(self._sessions)))

    async def _tell_all(self, sessions: Iterable[Connection]) -> None:
        await self._bus.publish(ToolsListChanged())
        with anyio.move_on_after(_SECONDS):
            async with anyio.create_task_group() as group:
                for session in sessions:
                    group.start_soon(_tell, session)


async def _tell(session: Connection) -> None:
    try:
        await session.send_tool_list_changed()
    except Exception as error:  # noqa: BLE001 - whether a client hears of it ends nothing
        logger.debug("a client was not told that the tools changed: %s", type(error).__name__)
