"""A server over HTTP in this process, so that tests can set its times and look into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from mcp.server.auth.provider import TokenVerifier
from sse_starlette.sse import AppStatus

from lambda_warden import app
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings
from lambda_warden.transport.http import HttpServer as Serving
from lambda_warden.transport.http import listen
from lambda_warden.transport.http_app import make_app
from lambda_warden.transport.local_token import LocalToken
from lambda_warden.transport.readiness import Readiness
from support.servers import HttpServer
from support.warden import Rule, write_manifest

TOKEN = "t" * 43


@asynccontextmanager
async def serving_inside(
    folder: Path, url: str, *rules: Rule, verifier: TokenVerifier | None = None, **settings: Any
) -> AsyncIterator[HttpServer]:
    """Serve the rules. Whoever sends TOKEN is this machine's user, unless `verifier` says who anybody is."""
    loaded = load_manifests([write_manifest(folder, url, rules)])
    given = {"records": folder / "records.sqlite3", "sign_requests": False, "http": "127.0.0.1:0", **settings}
    configured = Settings(**given)
    inside = app.Warden(configured, loaded)
    readiness = Readiness(inside)
    with listen(configured) as listener:
        served = make_app(inside, configured, readiness, verifier or LocalToken(TOKEN))
        async with running(Serving(inside, served, readiness), listener):
            yield HttpServer(f"http://127.0.0.1:{listener.getsockname()[1]}", TOKEN)


@asynccontextmanager
async def running(server: uvicorn.Server, listener: Any) -> AsyncIterator[None]:
    """Run a server of uvicorn's while the test does."""
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, [listener])
        with anyio.fail_after(30):
            while not server.started:
                await anyio.sleep(0.01)
        try:
            yield
        finally:
            server.should_exit = True
    AppStatus.should_exit = False
