"""The agent's surface, held against a snapshot: a change of what a model sees is a change of a file in review.

After a wanted change: `UPDATE_SNAPSHOTS=1 pytest tests/tools`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.server.mcpserver import MCPServer

from lambda_warden.app import Warden
from lambda_warden.errors import SettingsError
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings
from support.warden import allow, write_manifest

pytestmark = pytest.mark.anyio

SNAPSHOTS = Path(__file__).parent / "snapshots"


async def test_the_tools_are_as_in_the_snapshots(tmp_path: Path) -> None:
    surface = await _surface(tmp_path, "destructive")
    seen = {name: json.dumps(tool, indent=2, ensure_ascii=False) + "\n" for name, tool in surface.items()}
    if os.environ.get("UPDATE_SNAPSHOTS"):
        for name, text in seen.items():
            (SNAPSHOTS / f"{name}.json").write_text(text)
    assert seen == {path.stem: path.read_text() for path in SNAPSHOTS.glob("*.json")}


@pytest.mark.parametrize(
    ("effect", "read_only", "destructive"),
    [("read", True, False), ("write", False, False), ("destructive", False, True)],
)
async def test_the_hints_follow_from_the_effects_in_the_manifest(
    effect: str, read_only: bool, destructive: bool, tmp_path: Path
) -> None:
    hints = (await _surface(tmp_path, effect))["invoke_function"]["annotations"]
    assert (hints["readOnlyHint"], hints["destructiveHint"]) == (read_only, destructive)


async def test_schemas_are_valid_and_describe_every_argument(tmp_path: Path) -> None:
    for tool in (await _surface(tmp_path, "write")).values():
        Draft202012Validator.check_schema(tool["inputSchema"])
        Draft202012Validator.check_schema(tool["outputSchema"])
        assert all(argument["description"] for argument in tool["inputSchema"]["properties"].values())


PLAIN = {"type", "description", "enum", "minimum", "maximum"}


async def test_arguments_are_described_in_words_that_every_host_takes(tmp_path: Path) -> None:
    for tool in (await _surface(tmp_path, "write")).values():
        schema = tool["inputSchema"]
        assert schema.keys() <= {"type", "properties", "required"}
        for argument in schema["properties"].values():
            assert argument.keys() <= PLAIN
            assert argument["type"] in ("string", "integer", "object")


async def test_an_argument_that_is_not_declared_is_an_error_all_the_same(tmp_path: Path) -> None:
    async with _client(tmp_path, "write") as client:
        for tool in (await client.list_tools()).tools:
            needed = dict.fromkeys(tool.input_schema.get("required", []), "f")
            result = await client.call_tool(tool.name, needed | {"no_such_argument": None})
            assert result.is_error
            assert "no_such_argument" in json.dumps([block.model_dump() for block in result.content])


async def test_where_no_results_are_kept_none_are_offered(tmp_path: Path) -> None:
    async with _client(tmp_path, "write", results_ttl=0) as client:
        assert (await client.list_resource_templates()).resource_templates == []


async def test_where_no_results_can_be_kept_calls_go_on_and_none_are_offered(tmp_path: Path) -> None:
    (tmp_path / "results.sqlite3").mkdir()
    async with _client(tmp_path, "write") as client:
        assert (await client.list_resource_templates()).resource_templates == []
    with pytest.raises(SettingsError):
        _server(tmp_path, "write", results=tmp_path / "results.sqlite3")


BYTES = 7_800
"""Of the names, descriptions and arguments of all tools, as compact JSON, which a model has to read: 1,900 tokens by
the tokenizers that are public (o200k_base 1,773, cl100k_base 1,725, that of Claude 2 1,892)."""


async def test_the_tools_take_little_of_a_models_context(tmp_path: Path) -> None:
    surface = (await _surface(tmp_path, "write")).values()
    read = [{key: tool[key] for key in ("name", "description", "inputSchema")} for tool in surface]
    assert len(json.dumps(read, ensure_ascii=False, separators=(",", ":"))) <= BYTES


def _server(folder: Path, effect: str, **settings: Any) -> MCPServer[None]:
    loaded = load_manifests([write_manifest(folder, "http://127.0.0.1:9", [allow("f", effect=effect)])])
    return Warden(Settings(**{"records": folder / "records.sqlite3", **settings}), loaded).server


def _client(folder: Path, effect: str, **settings: Any) -> Client:
    return Client(_server(folder, effect, **settings))


async def _surface(folder: Path, effect: str) -> dict[str, dict[str, Any]]:
    async with _client(folder, effect) as client:
        tools = (await client.list_tools()).tools
    return {tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools}
