"""The MCP conformance suite against the server over HTTP, and against the least that the SDK can serve.

`conformance.yaml` has every check that fails, with the reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2
import pytest
import uvicorn
import yaml
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from support.npm import CONFORMANCE, NODE, needs_npm
from support.servers import HttpServer, serve_http
from support.warden import allow, write_manifest

pytestmark = [needs_npm, pytest.mark.slow, pytest.mark.timeout(900)]

Checks = set[tuple[str, str]]
"""Scenario and check."""
KNOWN: Checks = {
    (scenario, check)
    for group in yaml.safe_load((Path(__file__).parent / "conformance.yaml").read_text())
    for scenario, checks in group["fails"].items()
    for check in checks
}
SCENARIO = re.compile(r"^[✓✗] (\S+): ", re.M)
REVISIONS = ["2025-11-25", "2026-07-28"]


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_fails_is_known_and_fails_on_a_bare_server_too(revision: str, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    with serve_http(manifest, tmp_path) as server, sending_the_token_of(server) as url:
        failed, passed = run_suite(url, revision, tmp_path / "warden")
    with serve_bare() as url:
        failed_bare, passed_bare = run_suite(url, revision, tmp_path / "bare")
    assert failed == KNOWN & (failed | passed)
    assert failed <= failed_bare
    assert {scenario for scenario, _ in failed | passed} == {scenario for scenario, _ in failed_bare | passed_bare}


def test_what_is_known_to_fail_is_in_the_suite() -> None:
    listed = subprocess.run([NODE, CONFORMANCE, "list", "--server"], capture_output=True, text=True, check=True).stdout
    assert {scenario for scenario, _ in KNOWN} <= set(re.findall(r"^ +- (\S+)", listed, re.M))


def run_suite(url: str, revision: str, folder: Path) -> tuple[Checks, Checks]:
    """Run all scenarios that a revision of the protocol requires or has pending: what failed, and what did not."""
    command = [NODE, CONFORMANCE, "server", "--url", url, "--requirements", revision, "--output-dir", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False).stdout
    failed: Checks = set()
    passed: Checks = set()
    for path in folder.glob("*/checks.json"):
        (scenario,) = re.findall(r"^server-(.+)-\d{4}-\d\d-\d\dT", path.parent.name)
        for check in json.loads(path.read_text()):
            (failed if check["status"] == "FAILURE" else passed).add((scenario, check["id"]))
    assert set(SCENARIO.findall(ran)) == {scenario for scenario, _ in failed | passed}, ran
    return failed, passed - failed


@contextmanager
def sending_the_token_of(warden: HttpServer) -> Iterator[str]:
    """A proxy before a server, since the suite can't be told of a header."""
    client = httpx2.AsyncClient(base_url=warden.origin, timeout=None)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    async def forward(request: Request) -> Response:
        headers = [*request.headers.raw, (b"authorization", f"Bearer {warden.token}".encode())]
        wanted = client.build_request(request.method, request.url.path, headers=headers, content=await request.body())
        answer = await client.send(wanted, stream=True)
        done = BackgroundTask(answer.aclose)
        return StreamingResponse(answer.aiter_raw(), answer.status_code, dict(answer.headers), background=done)

    routes = [Route("/{path:path}", forward, methods=["GET", "POST", "DELETE"])]
    with serving(Starlette(routes=routes, lifespan=lifespan)) as url:
        yield url


@contextmanager
def serve_bare() -> Iterator[str]:
    """Serve one tool that does nothing, over HTTP."""
    bare = MCPServer[None]("bare")
    bare.tool()(nothing)
    with serving(bare.streamable_http_app()) as url:
        yield url


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        thread.join()


def nothing() -> str:
    """Do nothing."""
    return "nothing"
