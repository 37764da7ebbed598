"""Who calls, as the request tells: in both protocol eras, and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import Implementation

from lambda_warden.model.caller import Caller
from lambda_warden.tools.caller import caller_of

pytestmark = pytest.mark.anyio


async def seen(mode: str, name: str, version: str = "1.2.3", **options: Any) -> Caller:
    """What a server makes of a client that calls itself so."""
    callers: list[Caller] = []
    server: MCPServer[None] = MCPServer("test")

    @server.tool()
    async def look(context: Context[Any, Any]) -> None:
        callers.append(caller_of(context, "chat-ops"))

    async with Client(server, client_info=Implementation(name=name, version=version), mode=mode) as client:
        await client.call_tool("look", {}, **options)
    return callers[0]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_where_a_token_has_to_say_who_it_is_a_request_without_one_is_nobodys(mode: str) -> None:
    server: MCPServer[None] = MCPServer("test")

    @server.tool()
    async def look(context: Context[Any, Any]) -> str:
        return caller_of(context, None).principal

    async with Client(server, mode=mode) as client:
        with pytest.raises(MCPError, match="no access token"):
            await client.call_tool("look", {})


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_is_known_by_what_it_says_of_itself(mode: str) -> None:
    assert await seen(mode, "claude-code") == Caller("chat-ops", client_name="claude-code", client_version="1.2.3")


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("x" * 1000, "x" * 100),
        ("a\x1b[2J\n\u202eb", "a[2Jb"),
        ("\u200b" * 5000 + "late", None),
        ("", None),
        ("Łódź 猫", "Łódź 猫"),
    ],
    ids=["long", "control characters", "invisible", "empty", "letters of the world"],
)
async def test_a_name_is_taken_printable_and_bounded(said: str, taken: str | None) -> None:
    caller = await seen("auto", said, said)
    assert (caller.client_name, caller.client_version) == (taken, taken)


async def test_the_trace_of_the_request_is_the_callers() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    caller = await seen("auto", "host", meta={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert caller.trace_id == trace
