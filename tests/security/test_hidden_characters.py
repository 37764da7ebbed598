"""No tool hands a character on that nobody sees, through a real client: in its text or in its structure."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from mcp.types import CallToolResult, TextResourceContents

from lambda_warden.report.visible import is_hidden
from security.test_logs import OWN, invoked, reading, run
from support.logs_endpoint import LogsEndpoint
from support.scripted_endpoint import ScriptedEndpoint, refused, returned
from support.warden import allow, arn, structured, text_of, warden

pytestmark = pytest.mark.anyio

HIDDEN = "\u2800\u200b\u202e\u3164\U000e0041\U0001d173\U0001bca0\U00013430\U000110bd\ufe0f\x1b"
SAID = f"paid{HIDDEN}"


def check(reply: CallToolResult, *, at_least: int = len(HIDDEN)) -> dict[str, Any]:
    """Both views show what is hidden, and count it alike."""
    result, text = structured(reply), text_of(reply)
    for view in (json.dumps(result, ensure_ascii=False), text):
        assert [each for each in view if is_hidden(each)] == []
        assert "\\u2800" in view
        assert "U000e0041" in view
    assert result["hidden_characters"] >= at_least
    assert f"Hidden: {result['hidden_characters']} characters" in text
    return result


async def test_what_a_function_returns_and_what_is_kept_of_it(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: returned({SAID: [SAID], "\u0430mount": 1}, log=SAID)
    async with warden(tmp_path, endpoint.url, allow("f"), results=tmp_path / "results.sqlite3") as running:
        result = check(await running.call("invoke_function", function="f:live"), at_least=2 * len(HIDDEN))
        call = result["invocation_id"]
        kept = check(await running.call("read_result", invocation_id=call, query="*"))
        page = check(await running.call("read_result", invocation_id=call, part="log"))
        (resource,) = (await running.client.read_resource(f"lambda-warden://invocations/{call}/log")).contents
    assert result["mixed_script_keys"] == ["\u0430mount (Cyrillic, Latin)"]
    assert len(result["payload"]) == 2
    assert len(kept["value"]) == 2
    assert page["total_bytes"] == len(SAID.encode()), "what is kept is as it was"
    assert isinstance(resource, TextResourceContents)
    assert resource.text == SAID
    assert (resource.meta or {})["lambda-warden/hidden-characters"] == len(HIDDEN)


async def test_how_a_function_fails(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: returned(
        {"errorType": SAID, "errorMessage": SAID, "stackTrace": [SAID]}, error="Unhandled"
    )
    endpoint.behaviours["g"] = lambda _: refused(400, "InvalidParameterValueException", SAID)
    async with warden(tmp_path, endpoint.url, allow("f"), allow("g")) as running:
        check(await running.call("invoke_function", function="f:live"))
        check(await running.call("invoke_function", function="g:live"))
        check(await running.call("dry_run", function="g:live"))


async def test_what_aws_says_of_functions(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.catalog = [{"FunctionName": "f", "FunctionArn": arn("f"), "Description": SAID, "Handler": SAID}]
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        check(await running.call("list_functions"), at_least=2 * len(HIDDEN))


async def test_a_log(endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path) -> None:
    request_id = str(uuid.uuid4())
    logs.groups["/aws/lambda/f"] = run(request_id, SAID)
    async with reading(tmp_path, endpoint, logs, allow("f", **OWN)) as running:
        call = await invoked(running, endpoint, "f", request_id)
        check(await running.call("read_logs", invocation_id=call))


async def test_an_error_of_arguments(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, allow("f"), results=tmp_path / "results.sqlite3") as running:
        for tool in ("invoke_function", "list_functions", "read_logs", "read_result", "dry_run"):
            reply = await running.call(tool, **{SAID: SAID, "function": SAID})
            views = text_of(reply) + json.dumps(reply.structured_content, ensure_ascii=False)
            assert [each for each in views if is_hidden(each)] == []
