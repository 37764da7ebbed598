"""Who calls, read from the request of a tool call."""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import Context

from lambda_warden.model.caller import Caller


def caller_of(context: Context[Any, Any], principal: str) -> Caller:  # noqa: ARG001
    """The caller of one request.

    Args:
        context: of the request.
        principal: of the server.
    """
    return Caller(principal)
