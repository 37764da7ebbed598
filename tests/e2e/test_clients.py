"""Clients of both protocol eras, over both transports, and a client that is not written in Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from lambda_warden.local.demo import DemoEnvironment
from support import loopback_only
from support.processes import listeners
from support.servers import HttpServer, serve_http
from support.warden import check_of, stdio, structured

pytestmark = pytest.mark.anyio

INSPECTOR = shutil.which("mcp-inspector")
TOOLS = sorted(path.stem for path in (Path(__file__).parents[1] / "tools" / "snapshots").glob("*.json"))
ERAS = {"2026-07-28": "2026-07-28", "auto": "2026-07-28", "legacy": "2025-11-25"}


@pytest.mark.parametrize(("mode", "revision"), ERAS.items())
async def test_stdio(mode: str, revision: str, demo: DemoEnvironment, tmp_path: Path) -> None:
    async with Client(stdio(demo.manifest, tmp_path), mode=mode) as client:
        assert client.protocol_version == revision
        await _check(client)


@pytest.mark.parametrize(("mode", "revision"), ERAS.items())
async def test_streamable_http(mode: str, revision: str, http: HttpServer) -> None:
    async with Client(http.transport(), mode=mode) as client:
        assert client.protocol_version == revision
        await _check(client)


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_a_person_is_asked_through_the_client(mode: str, demo: DemoEnvironment, tmp_path: Path) -> None:
    asked: list[str] = []

    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"approve": len(asked) == 1})

    server = stdio(demo.manifest, tmp_path)
    refund = {"function": "order-refund:live", "payload": {"orderId": "A-1001", "amount": 1}}
    async with Client(server, mode=mode, elicitation_callback=person) as client:
        approved = structured(await client.call_tool("invoke_function", refund))
        declined = structured(await client.call_tool("invoke_function", refund))
    assert approved["payload"]["refunded"] == 1
    assert (declined["outcome"], check_of(declined, "approval")["reason"]) == ("denied", "a person declined this call")
    assert len(asked) == 2
    assert all('"amount":1' in question for question in asked)


async def test_streamable_http_listens_on_this_machine_only(http: HttpServer) -> None:
    assert listeners(psutil.Process()) >= {urlsplit(http.url).netloc}
    assert {address.rsplit(":", 1)[0] for address in listeners(psutil.Process())} == {"127.0.0.1"}


@pytest.mark.skipif(INSPECTOR is None, reason="the MCP Inspector (npm) is not installed")
def test_the_mcp_inspector_lists_and_invokes(demo: DemoEnvironment, tmp_path: Path) -> None:
    server = stdio(demo.manifest, tmp_path)
    listed = _inspect(server.command, server.args, tmp_path, "tools/list")
    assert sorted(tool["name"] for tool in listed["tools"]) == TOOLS
    call = ["tools/call", "--tool-name", "invoke_function"]
    call += ["--tool-arg", "function=order-lookup:live", "--tool-arg", 'payload={"orderId": "A-1001"}']
    result = _inspect(server.command, server.args, tmp_path, *call)
    assert result["structuredContent"]["payload"]["customer"] == "Ada"


async def _check(client: Client) -> None:
    assert sorted(tool.name for tool in (await client.list_tools()).tools) == TOOLS
    # The client checks structured content against the output schema that the server announced.
    result = await client.call_tool("invoke_function", {"function": "order-lookup:1", "payload": {"orderId": "A-1002"}})
    assert structured(result)["payload"]["customer"] == "Grace"
    denied = await client.call_tool("invoke_function", {"function": "order-lookup:2"})
    assert denied.is_error
    assert structured(denied)["outcome"] == "denied"


def _inspect(command: str, arguments: list[str], home: Path, *method: str) -> dict[str, Any]:
    environment = os.environ | loopback_only.environment(str(home))
    found = subprocess.run(
        [str(INSPECTOR), "--cli", command, *arguments, "--method", *method],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer


@pytest.fixture(scope="module")
def http(demo: DemoEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    with serve_http(demo.manifest, tmp_path_factory.mktemp("home")) as server:
        yield server
