"""A question that one server asked is answered on another, if both have the key; else it counts for nothing."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitResult, InputRequiredResult

from lambda_warden.app import Warden as Server
from lambda_warden.errors import SettingsError
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings
from support.scripted_endpoint import ScriptedEndpoint
from support.warden import Warden, allow, always_yes, check_of, structured, warden, write_manifest

pytestmark = pytest.mark.anyio

REFUND = allow("refund", effect="destructive")
SENT: dict[str, Any] = {"function": "refund:live", "payload": {"amount": 1}}
ONE, TWO = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


async def _ask(on: Warden) -> str | None:
    asked = await on.client.session.call_tool("invoke_function", SENT, allow_input_required=True)
    assert isinstance(asked, InputRequiredResult)
    return asked.request_state


async def _answer(on: Warden, state: str | None) -> dict[str, Any]:
    yes = ElicitResult(action="accept", content={"approve": True})
    answered = await on.client.session.call_tool(
        "invoke_function", SENT, input_responses={"approval": yes}, request_state=state
    )
    return structured(answered)


def _key_file(folder: Path, name: str, *keys: str) -> Path:
    path = folder / name
    path.write_text("\n".join(keys))
    return path


@asynccontextmanager
async def _two_servers(folder: Path, url: str, first: Path | None, second: Path | None) -> AsyncIterator[list[Warden]]:
    """Two servers of the same records, each with its key file."""
    async with (
        warden(folder, url, REFUND, person=always_yes, mode="2026-07-28", state_key_file=first) as one,
        warden(folder, url, REFUND, person=always_yes, mode="2026-07-28", state_key_file=second) as other,
    ):
        yield [one, other]


@pytest.mark.parametrize(("first", "second"), [((ONE,), (ONE,)), ((ONE,), (TWO, ONE))], ids=["same", "being changed"])
async def test_a_question_of_one_server_is_answered_on_another_once(
    first: tuple[str, ...], second: tuple[str, ...], endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    files = _key_file(tmp_path, "first", *first), _key_file(tmp_path, "second", *second)
    async with _two_servers(tmp_path, endpoint.url, *files) as (one, other):
        state = await _ask(one)
        assert (await _answer(other, state))["outcome"] == "succeeded"
        for server in (one, other):
            again = await _answer(server, state)
            assert "used already" in check_of(again, "approval")["reason"]
    assert len(endpoint.started) == 1


async def test_without_a_common_key_it_counts_for_nothing(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    own, others = _key_file(tmp_path, "one", ONE), _key_file(tmp_path, "two", TWO)
    for files in ((None, None), (own, None), (own, others)):
        async with _two_servers(tmp_path, endpoint.url, *files) as (one, other):
            state = await _ask(one)
            with pytest.raises(MCPError, match="requestState"):
                await _answer(other, state)
    assert endpoint.connections == 0


@pytest.mark.parametrize("content", ["", "short", f"{ONE}\nshort"])
def test_a_file_without_keys_is_refused(content: str, tmp_path: Path) -> None:
    loaded = load_manifests([write_manifest(tmp_path, "http://127.0.0.1:9", [REFUND])])
    settings = Settings(records=tmp_path / "records.sqlite3", state_key_file=_key_file(tmp_path, "key", content))
    with pytest.raises(SettingsError, match="key file"):
        Server(settings, loaded)
