"""Real clients that wait for an answer no longer than they want to, behind one function."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client, MCPError, StdioServerParameters

from support.npm import CLIENTS, NODE
from support.servers import HttpServer

Kind = Literal[
    "python", "python-legacy", "typescript", "typescript-v1", "typescript-legacy", "openai-agents", "fastmcp"
]
KINDS: Final[tuple[Kind, ...]] = (
    "python",
    "python-legacy",
    "typescript",
    "typescript-v1",
    "typescript-legacy",
    "openai-agents",
    "fastmcp",
)
Server = HttpServer | StdioServerParameters
"""A server that runs, or how to start one."""


@dataclass(frozen=True)
class Got:
    """What a client made of a call: its structured result, or the words of an error."""

    result: dict[str, Any] | None
    error: str = ""


Call = Callable[[str, dict[str, Any]], Awaitable[Got]]
"""Calls a tool with arguments. Several calls may be under way at once."""


@asynccontextmanager
async def connected(kind: Kind, server: Server, timeout: float) -> AsyncIterator[Call]:
    """Connect a client that waits so many seconds for each answer.

    Skips the test where the client is not installed.
    """
    connect = _CONNECT[kind]
    async with connect(server, timeout) as call:
        yield call


def _python(mode: str) -> Callable[[Server, float], Any]:
    @asynccontextmanager
    async def connect(server: Server, timeout: float) -> AsyncIterator[Call]:
        reached = server.transport() if isinstance(server, HttpServer) else server
        async with Client(reached, mode=mode) as client:

            async def call(tool: str, arguments: dict[str, Any]) -> Got:
                try:
                    result = await client.call_tool(tool, arguments, read_timeout_seconds=timeout)
                except MCPError as error:
                    return Got(None, str(error))
                return Got(result.structured_content)

            yield call

    return connect


@asynccontextmanager
async def _openai_agents(server: Server, timeout: float) -> AsyncIterator[Call]:
    agents = pytest.importorskip("agents.mcp")
    options: dict[str, Any] = {"client_session_timeout_seconds": timeout}
    if isinstance(server, HttpServer):
        reached = {"url": server.url, "headers": server.authorization}
        connection = agents.MCPServerStreamableHttp(reached, **options)
    else:
        connection = agents.MCPServerStdio(server.model_dump(exclude_none=True), **options)
    async with connection as client:

        async def call(tool: str, arguments: dict[str, Any]) -> Got:
            try:
                result = await client.call_tool(tool, arguments)
            except Exception as error:  # noqa: BLE001 - of several kinds, by what its SDK raised
                return Got(None, repr(error))
            return Got(result.structured_content)

        yield call


@asynccontextmanager
async def _fastmcp(server: Server, timeout: float) -> AsyncIterator[Call]:
    fastmcp = pytest.importorskip("fastmcp")
    transports = pytest.importorskip("fastmcp.client.transports")
    if isinstance(server, HttpServer):
        transport = transports.StreamableHttpTransport(server.url, headers=server.authorization)
    else:
        environment = os.environ | (server.env or {})
        transport = transports.StdioTransport(server.command, server.args, env=environment, keep_alive=False)
    async with fastmcp.Client(transport, timeout=timeout) as client:

        async def call(tool: str, arguments: dict[str, Any]) -> Got:
            try:
                result = await client.call_tool(tool, arguments, raise_on_error=False)
            except Exception as error:  # noqa: BLE001 - of several kinds, by what its SDK raised
                return Got(None, repr(error))
            return Got(result.structured_content)

        yield call


def _typescript(sdk: str, mode: str) -> Callable[[Server, float], Any]:
    @asynccontextmanager
    async def connect(server: Server, timeout: float) -> AsyncIterator[Call]:
        reached = (
            {"url": server.url, "headers": server.authorization}
            if isinstance(server, HttpServer)
            else {"command": server.command, "args": server.args, "env": os.environ | (server.env or {})}
        )
        options = {"sdk": sdk, "mode": mode, "timeout": round(timeout * 1000), "server": reached}
        command = [NODE, str(CLIENTS / "client.mjs"), json.dumps(options)]
        async with AsyncExitStack() as stack:
            process = await stack.enter_async_context(await anyio.open_process(command, stderr=None))
            group = await stack.enter_async_context(anyio.create_task_group())
            waiting: dict[int, tuple[anyio.Event, list[Got]]] = {}
            numbers = itertools.count()
            stdin, stdout = process.stdin, process.stdout
            assert stdin is not None
            assert stdout is not None

            async def read() -> None:
                lines = BufferedByteReceiveStream(stdout)
                while True:
                    try:
                        told = json.loads(await lines.receive_until(b"\n", 50_000_000))
                    except (anyio.IncompleteRead, anyio.EndOfStream):
                        return
                    answered, got = waiting.pop(told["id"])
                    got.append(Got((told.get("result") or {}).get("structuredContent"), told.get("error", "")))
                    answered.set()

            async def call(tool: str, arguments: dict[str, Any]) -> Got:
                number, got = next(numbers), list[Got]()
                answered = anyio.Event()
                waiting[number] = answered, got
                await stdin.send(json.dumps({"id": number, "tool": tool, "arguments": arguments}).encode() + b"\n")
                await answered.wait()
                return got[0]

            group.start_soon(read)
            yield call
            await stdin.aclose()
            await process.wait()

    return connect


_CONNECT: Final[dict[Kind, Callable[[Server, float], Any]]] = {
    "python": _python("auto"),
    "python-legacy": _python("legacy"),
    "typescript": _typescript("v2", "auto"),
    "typescript-legacy": _typescript("v2", "legacy"),
    "typescript-v1": _typescript("v1", "legacy"),
    "openai-agents": _openai_agents,
    "fastmcp": _fastmcp,
}
