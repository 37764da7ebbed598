"""An error is a result, too: in its structure, which fits the tool's schema, and in its text, with what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp.types import CallToolResult

from lambda_warden.manifests.watch import Watcher
from lambda_warden.store.audit_log import RecordError
from support.kept import CALL, keep_returned
from support.scripted_endpoint import ScriptedEndpoint
from support.warden import Warden, allow, structured, text_of, warden

pytestmark = pytest.mark.anyio

TOOLS = {
    "list_functions": {},
    "dry_run": {"function": "f:live"},
    "invoke_function": {"function": "f:live"},
    "read_logs": {"function": "f:live"},
    "read_result": {"invocation_id": CALL},
}


async def holds(running: Warden, tool: str, reply: CallToolResult, *said: str) -> dict[str, Any]:
    """The structure of an error, of which the text has each string, too."""
    result = structured(reply)
    assert reply.is_error
    schemas = {each.name: each.output_schema for each in (await running.client.list_tools()).tools}
    Draft202012Validator(schemas[tool] or False).validate(result)
    whys = [result.get("error", {}).get("message"), *(check["reason"] for check in result.get("checks", []))]
    for words in said:
        assert words in str(whys)
        assert words in text_of(reply)
    assert f"Next: {result['next_step']}" in text_of(reply)
    assert result["next_step"]
    return result


@pytest.mark.parametrize("tool", TOOLS)
async def test_an_argument_that_is_wrong_is_told_in_both_views(
    tool: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        reply = await running.call(tool, **TOOLS[tool], no_such_argument=1)
        result = await holds(running, tool, reply, "no_such_argument")
    assert result.get("outcome", "denied") == "denied"
    assert [check["name"] for check in result["checks"] if check["passed"] is False] == ["arguments"]


@pytest.mark.parametrize("tool", TOOLS)
async def test_that_the_manifest_is_changing_is_told_in_both_views(
    tool: str, endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f")) as running:

        async def never(_: Watcher) -> bool:
            return False

        assert running.inside is not None
        monkeypatch.setattr(Watcher, "until_current", never)
        running.inside.look_before_calls(Watcher.__new__(Watcher))
        reply = await running.call(tool, **TOOLS[tool])
        await holds(running, tool, reply, "the manifests go on changing")
        (denial,) = running.bodies("denial")
    assert denial["check"] == "manifest_changed"


@pytest.mark.parametrize(
    ("tool", "arguments", "outcome", "said"),
    [
        ("list_functions", {"cursor": "x"}, "denied", "is not one that list_functions gave"),
        ("read_result", {"invocation_id": "f" * 32}, "not_found", "no such result, or it has expired"),
        ("read_result", {"invocation_id": CALL, "part": "log"}, "not_found", "this call left no log"),
        ("read_result", {"invocation_id": CALL, "query": "a["}, "denied", "query"),
        ("read_result", {"invocation_id": CALL, "query": "abs(a)"}, "denied", "can't be applied"),
        ("read_result", {"invocation_id": CALL, "cursor": "x"}, "denied", "is not one that read_result gave"),
        ("read_logs", {"function": "f:live"}, "denied", "logs"),
        ("read_logs", {"function": "g:live"}, "denied", "no rule"),
        ("read_logs", {"invocation_id": "f" * 32}, "denied", "is not that of a call made here"),
    ],
)
async def test_what_can_not_be_read_is_told_in_both_views(
    tool: str, arguments: dict[str, Any], outcome: str, said: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        assert running.inside is not None
        assert running.inside.results is not None
        keep_returned(running.inside.results, CALL, b'{"a":"b"}')
        result = await holds(running, tool, await running.call(tool, **arguments), said)
    assert result["outcome"] == outcome


async def test_a_read_that_can_not_be_recorded_is_told_in_both_views(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise RecordError("the disk is full")

    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        assert running.inside is not None
        assert running.inside.results is not None
        keep_returned(running.inside.results, CALL, b'{"a":"b"}')
        monkeypatch.setattr(running.inside._records, "append", full)
        reply = await running.call("read_result", invocation_id=CALL)
        result = await holds(running, "read_result", reply, "could not be recorded, so nothing is shown")
    assert result["outcome"] == "refused"
    assert "content" not in result
