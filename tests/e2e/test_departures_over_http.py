"""Over HTTP the call of a client that cancels or goes away goes on, and the same call adopts it."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import pytest
from mcp import Client

from support import wire
from support.scripted_endpoint import Held, ScriptedEndpoint
from support.servers import HttpServer, serve_http
from support.warden import allow, structured, write_manifest

pytestmark = pytest.mark.anyio

WAIT = 60.0
"""Seconds that nothing takes, unless a test fails."""
CALL: dict[str, Any] = {"function": "f:live", "payload": 1}
MODES = pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])


def serving(folder: Path, url: str) -> AbstractContextManager[HttpServer]:
    manifest = write_manifest(folder, url, [allow("f", timeout_seconds=900)])
    return serve_http(manifest, folder, "--records", str(folder / "records.sqlite3"))


@MODES
async def test_the_call_of_a_client_that_cancels_goes_on_and_is_adopted(
    mode: str, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with serving(tmp_path, endpoint.url) as server:
        async with Client(server.transport(), mode=mode) as client, anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "invoke_function", CALL)
            await anyio.to_thread.run_sync(held.wait_for)
            group.cancel_scope.cancel()
        await assert_adopted(server, mode, held)
    assert len(endpoint.started) == 1


@MODES
async def test_the_call_of_a_client_that_disconnects_goes_on_and_is_adopted(
    mode: str, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    """It says nothing: its connection ends."""
    with serving(tmp_path, endpoint.url) as server:
        with closing(await anyio.to_thread.run_sync(posted, server, mode)):
            await anyio.to_thread.run_sync(held.wait_for)
        await assert_adopted(server, mode, held)
    assert len(endpoint.started) == 1


def posted(server: HttpServer, mode: str) -> HTTPConnection:
    """A connection on which a call was made, and no answer read."""
    legacy, address = mode == "legacy", urlsplit(server.url)
    connection = HTTPConnection(address.netloc, timeout=WAIT)
    headers = server.headers
    if legacy:
        connection.request("POST", address.path, wire.handshake().splitlines()[0], headers)
        opened = connection.getresponse()
        opened.read()
        headers |= {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
    else:
        headers |= {"mcp-protocol-version": mode, "mcp-method": "tools/call", "mcp-name": "invoke_function"}
    connection.request("POST", address.path, wire.invoke(1, legacy=legacy, **CALL), headers)
    return connection


async def assert_adopted(server: HttpServer, mode: str, held: Held) -> None:
    """The same call from a new connection starts nothing, and gets the answer of the one that was left."""
    async with Client(server.transport(), mode=mode) as client:
        with anyio.fail_after(WAIT):
            while True:
                met = structured(await client.call_tool("invoke_function", {**CALL, "wait_seconds": 0}))
                if met["outcome"] != "in_progress":  # until the server has heard that its caller left
                    break
        assert (met["outcome"], met["replayed"]) == ("running", True)
        held.release()
        adopted = structured(await client.call_tool("invoke_function", CALL))
    assert (adopted["outcome"], adopted["payload"], adopted["replayed"]) == ("succeeded", 1, True)
