"""A request over HTTP ends with its client's connection.

From protocol revision 2026-07-28 on the SDK sees to that. In the sessions before, a request goes on whose client's
connection broke, and its answer goes nowhere, since nothing keeps it for who comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from mcp.server.mcpserver import Context
from starlette.requests import Request

_SESSION: Final = "mcp-session-id"


@asynccontextmanager
async def while_connected(context: Context[Any, Any]) -> AsyncIterator[None]:
    """Cancel the body of the `with` when the client of a session over HTTP has gone; go on behind it then.

    Elsewhere, over stdio and from 2026-07-28 on, it changes nothing.
    """
    request = context.request_context.request
    if not isinstance(request, Request) or _SESSION not in request.headers:
        yield
        return
    # A task group would wrap what is raised inside.
    with anyio.CancelScope() as scope:
        watching = asyncio.get_running_loop().create_task(_cancel_when_gone(request, scope))
        try:
            yield
        finally:
            watching.cancel()


async def _cancel_when_gone(request: Request, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
