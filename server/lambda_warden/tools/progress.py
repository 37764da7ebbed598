"""Progress notifications: how a client hears that its request is still under way."""

from __future__ import annotations

import logging
from typing import Any

from mcp.server.mcpserver import Context

from lambda_warden.invocation.dispatcher import Progress

logger = logging.getLogger(__name__)


def progress_to(context: Context[Any, Any]) -> Progress:
    """Tells the client how a call gets on, if it asked for that (a progressToken in the request's _meta)."""

    async def progress(elapsed: float, total: float | None, message: str) -> None:
        limit = "" if total is None else f" of at most {total:.0f} s"
        try:
            await context.report_progress(round(elapsed, 1), total, f"{message}: {elapsed:.0f} s{limit}")
        except Exception as error:  # noqa: BLE001 - whether the client hears of it must not decide how a call ends
            logger.debug("no progress was reported: %s", type(error).__name__)

    return progress
