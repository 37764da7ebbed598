"""A client that can open a page brings its person to the one where they decide (MCP's URL mode of elicitation)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from mcp.client.context import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from support.approvals import approver, decide, found
from support.scripted_endpoint import ScriptedEndpoint
from support.warden import allow, warden

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("mode", ["auto", "legacy"])]

PAGE = "http://127.0.0.1:8766/a-path-that-nobody-guesses"
BY_OPERATOR = allow("f", "7", effect="write", approval={"by": "operator"})


@dataclass
class Person:
    """Is brought to pages, and may decide there."""

    records: Path
    action: Literal["accept", "decline", "cancel"] = "accept"
    decides: bool = False
    asked: list[ElicitRequestURLParams] = field(default_factory=list)

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        self.asked.append(params)
        if self.decides:
            assert decide(self.records, params.url.rpartition("/")[2])
        return ElicitResult(action=self.action)


def served(folder: Path, url: str, person: Person, mode: str) -> Any:
    return warden(
        folder,
        url,
        BY_OPERATOR,
        person=person,
        mode=mode,
        approvals_secret_file=approver()[0],
        approvals_url=PAGE,
    )


async def test_who_decides_on_the_page_lets_the_call_through_at_once(
    endpoint: ScriptedEndpoint, mode: str, tmp_path: Path
) -> None:
    person = Person(tmp_path / "records.sqlite3", decides=True)
    async with served(tmp_path, endpoint.url, person, mode) as running:
        result = await running.invoke("f:7", payload={})
        (asked,) = person.asked
        assert result["outcome"] == "succeeded"
        assert asked.url.startswith(f"{PAGE}/requests/")
        assert ":f:7 (write)" in asked.message
    assert len(endpoint.started) == 1


async def test_to_open_the_page_approves_nothing_and_nobody_is_brought_there_twice(
    endpoint: ScriptedEndpoint, mode: str, tmp_path: Path
) -> None:
    person = Person(tmp_path / "records.sqlite3")
    async with served(tmp_path, endpoint.url, person, mode) as running:
        results = [await running.invoke("f:7", payload={}, wait_seconds=0) for _ in range(3)]
        assert [result["outcome"] for result in results] == ["approval_pending"] * 3
        assert len(person.asked) == 1
        assert decide(running.records_file, results[0]["approval_id"])
        assert (await running.invoke("f:7", payload={}))["outcome"] == "succeeded"
    assert len(endpoint.started) == 1


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_who_does_not_go_there_declines_the_call(
    action: Literal["decline", "cancel"], endpoint: ScriptedEndpoint, mode: str, tmp_path: Path
) -> None:
    person = Person(tmp_path / "records.sqlite3", action)
    async with served(tmp_path, endpoint.url, person, mode) as running:
        result = await running.invoke("f:7", payload={})
        assert result["outcome"] == "denied"
        approval_id = person.asked[0].url.rpartition("/")[2]
        assert found(running.records_file, approval_id).state == "pending"
        assert running.bodies("approval")[0]["answer"] == "declined"
    assert not endpoint.started
