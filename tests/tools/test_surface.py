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

from lambda_warden.app import Warden
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
        assert tool["inputSchema"]["additionalProperties"] is False


async def _surface(folder: Path, effect: str) -> dict[str, dict[str, Any]]:
    loaded = load_manifests([write_manifest(folder, "http://127.0.0.1:9", [allow("f", effect=effect)])])
    async with Client(Warden(Settings(records=folder / "records.sqlite3"), loaded).server) as client:
        tools = (await client.list_tools()).tools
    return {tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools}
