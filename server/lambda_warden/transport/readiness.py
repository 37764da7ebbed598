"""Whether a server over HTTP takes calls, as load balancers and orchestrators ask it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from lambda_warden.app import Warden

_GOOD_SECONDS: Final = 1.0
"""For how long an answer holds: anybody may ask, and none who does keeps the store busy."""

logger = logging.getLogger(__name__)


class Readiness:
    """Answers `/health` and `/ready`, which need no authentication and tell nothing else.

    Attributes:
        draining: the server ends, so it takes no new calls.
    """

    def __init__(self, warden: Warden) -> None:
        self.draining = False
        self._warden = warden
        self._lock = anyio.Lock()
        self._good_until = 0.0
        self._problem: str | None = None

    async def health(self, _: Request) -> Response:
        """The process lives."""
        return PlainTextResponse("ok\n")

    async def ready(self, _: Request) -> Response:
        """Calls would be decided on and recorded; what is wrong goes to stderr."""
        if self.draining or await self._found():
            return PlainTextResponse("not ready\n", status_code=503)
        return PlainTextResponse("ready\n")

    async def _found(self) -> str | None:
        async with self._lock:
            if time.monotonic() >= self._good_until:
                problem = await anyio.to_thread.run_sync(self._warden.problem)
                self._good_until = time.monotonic() + _GOOD_SECONDS
                if problem and problem != self._problem:
                    logger.error("not ready: %s", problem)
                self._problem = problem
            return self._problem
