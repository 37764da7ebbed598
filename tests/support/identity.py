"""A server over HTTP whose callers are known by the access tokens of an issuer, and real clients with such tokens."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import uvicorn
from mcp import Client
from mcp.client.extension import ClientExtension
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client

from lambda_warden import app
from lambda_warden.approvals.server_key import team_origin
from lambda_warden.approvals_page.team import TeamPages
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings
from lambda_warden.transport.authentication.alb import AlbTokens
from lambda_warden.transport.authentication.approvers import ApproverTokens
from lambda_warden.transport.authentication.verifier import identity_from
from lambda_warden.transport.http_app import make_app
from lambda_warden.transport.readiness import Readiness
from support.issuer import RESOURCE, Issuer
from support.warden import Rule, Warden, write_manifest


@dataclass(frozen=True)
class Served:
    """A server, and how it is called."""

    url: str
    issuer: Issuer
    folder: Path
    inside: app.Warden

    @asynccontextmanager
    async def client(
        self,
        token: str | None = None,
        *,
        person: ElicitationFnT | None = None,
        extensions: Sequence[ClientExtension] = (),
        mode: str = "auto",
        **claims: Any,
    ) -> AsyncIterator[Warden]:
        """A client that sends a token, or one with these claims."""
        made = self.issuer.token(**claims) if token is None else token
        options: dict[str, Any] = {"elicitation_callback": person, "extensions": extensions, "mode": mode}
        async with client_with(self.url, made, **options) as client:
            yield Warden(client, self.folder / "records.sqlite3", self.inside)


@asynccontextmanager
async def client_with(url: str, token: str, **options: Any) -> AsyncIterator[Client]:
    """A client that sends a token. `options` are those of `Client`."""
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), **options) as client,
    ):
        yield client


@asynccontextmanager
async def identity_warden(
    folder: Path,
    url: str,
    issuer: Issuer,
    *rules: Rule,
    keys: dict[str, Any] | None = None,
    load_balancer: bool = False,
    **settings: Any,
) -> AsyncIterator[Served]:
    """A server in this process, over HTTP. `keys` are further keys of the manifest.

    `load_balancer`: its region's keys are the issuer's at /alb.
    """
    loaded = load_manifests([write_manifest(folder, url, rules, **(keys or {}))])
    made = Settings(
        **{
            "records": folder / "records.sqlite3",
            "sign_requests": False,
            "auth_issuer": issuer.url,
            "public_url": RESOURCE,
            **settings,
        }
    )
    identity = identity_from(made)
    assert identity is not None
    warden = app.Warden(made, loaded, authentic=False, identity=identity)
    pages = None
    if warden.approvals_key is not None:
        alb = AlbTokens(made, f"{issuer.url}/alb") if load_balancer else None
        caller_of = ApproverTokens(made, identity.verifier, alb).caller_of
        pages = TeamPages(warden.approvals, warden.approvals_key, caller_of, team_origin(made)).app()
    served = uvicorn.Server(
        uvicorn.Config(
            make_app(warden, made, Readiness(warden), identity.verifier, identity.auth, approvals=pages),
            host="127.0.0.1",
            port=0,
            http="h11",
            log_config=None,
        )
    )
    thread = threading.Thread(target=served.run, daemon=True)
    thread.start()
    try:
        with anyio.fail_after(30):
            while not served.started:
                await anyio.sleep(0.01)
        port = served.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}/mcp", issuer, folder, warden)
    finally:
        served.should_exit = True
        await anyio.to_thread.run_sync(thread.join)
