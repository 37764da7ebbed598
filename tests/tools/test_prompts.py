"""What a person starts by name: each prompt names tools that there are, and holds what it was given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mcp import Client, MCPError

from lambda_warden.app import Warden
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings
from support.warden import allow, write_manifest

pytestmark = pytest.mark.anyio

GIVEN = {
    "troubleshoot_function": {"function": "checkout:live", "symptom": "502s since noon"},
    "invoke_for_each": {"function": "resize:live", "items": "a, b and c"},
}


async def test_each_prompt_names_tools_that_there_are_and_what_it_was_given(tmp_path: Path) -> None:
    async with _client(tmp_path) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {prompt.name for prompt in (await client.list_prompts()).prompts} == GIVEN.keys()
        for name, given in GIVEN.items():
            (message,) = (await client.get_prompt(name, given)).messages
            assert message.role == "user"
            assert message.content.type == "text"
            assert all(value in message.content.text for value in given.values())
            named = set(re.findall(r"\b[a-z]+_[a-z]+\b", message.content.text)) - {"idempotency_key", "invocation_id"}
            assert named
            assert named <= tools


async def test_what_may_be_left_out_leaves_no_gap(tmp_path: Path) -> None:
    async with _client(tmp_path) as client:
        (message,) = (await client.get_prompt("troubleshoot_function", {"function": "f"})).messages
    assert message.content.type == "text"
    assert "What was seen" not in message.content.text


@pytest.mark.parametrize("arguments", [{}, {"function": "f"}])
async def test_what_is_needed_is_asked_for(arguments: dict[str, str], tmp_path: Path) -> None:
    async with _client(tmp_path) as client:
        with pytest.raises(MCPError, match="Missing"):
            await client.get_prompt("invoke_for_each", arguments)


def _client(folder: Path) -> Client:
    loaded = load_manifests([write_manifest(folder, "http://127.0.0.1:9", [allow("f")])])
    return Client(Warden(Settings(records=folder / "records.sqlite3"), loaded).server)
