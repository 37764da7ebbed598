"""What hosts make of arguments on their way: null or "" for each that is not given, and objects as JSON text."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.scripted_endpoint import ScriptedEndpoint
from support.warden import Warden, allow, warden

pytestmark = pytest.mark.anyio

OBJECTS = {"schema": {"type": "object", "required": ["id"]}}


@pytest.fixture
async def running(endpoint: ScriptedEndpoint, tmp_path: Path) -> AsyncIterator[Warden]:
    rules = [allow("f"), allow("objects", payload=OBJECTS, logs={})]
    async with warden(tmp_path, endpoint.url, *rules) as running:
        yield running


@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty"])
async def test_a_host_may_send_nothing_for_every_optional_argument(
    nothing: str | None, running: Warden, endpoint: ScriptedEndpoint
) -> None:
    tools = (await running.client.list_tools()).tools
    needed = {"function": "f:live"}
    for tool in tools:
        everything = dict.fromkeys(tool.input_schema["properties"], nothing)
        if tool.name == "invoke_function":
            assert (await running.invoke(**everything | needed))["outcome"] == "succeeded"
        elif tool.name == "dry_run":
            assert (await running.dry_run(**everything | needed))["would_invoke"]
        elif tool.name == "list_functions":
            assert (await running.list_functions(**everything))["total"] == 2
    assert [invocation.body for invocation in endpoint.started] == [b""]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"function": "objects:live", "payload": ' {"id": 1.0}'}, b' {"id": 1.0}'),
        ({"function": "objects:live", "payload_json": '{"id": 1.0}'}, b'{"id": 1.0}'),
        ({"function": "f:live", "payload_json": '"{\\"id\\": 1}"'}, b'"{\\"id\\": 1}"'),
        ({"function": "f:live", "payload_json": "[1]", "payload": {}}, b"[1]"),
        ({"function": "f:live", "payload_json": '""'}, b'""'),
        ({"function": "f:live", "payload": [1]}, b"[1]"),
    ],
)
async def test_what_is_decided_on_is_what_is_sent(
    arguments: dict[str, Any], sent: bytes, running: Warden, endpoint: ScriptedEndpoint
) -> None:
    assert (await running.invoke(**arguments))["outcome"] == "succeeded"
    assert (await running.dry_run(**arguments))["payload_bytes"] == len(sent)
    assert endpoint.started[0].body == sent


async def test_one_key_stands_for_the_text_and_for_the_object_that_it_says(
    running: Warden, endpoint: ScriptedEndpoint
) -> None:
    first = await running.invoke("objects:live", payload={"id": 1}, idempotency_key="k")
    again = await running.invoke("objects:live", payload='{"id":1}', idempotency_key="k")
    assert (again["replayed"], again["invocation_id"]) == (True, first["invocation_id"])
    assert len(endpoint.started) == 1


async def test_a_client_context_as_json_text_is_sent_as_the_object(running: Warden, endpoint: ScriptedEndpoint) -> None:
    await running.invoke("f:live", client_context='{"custom": {"a": 1}}')
    assert base64.b64decode(endpoint.started[0].headers["x-amz-client-context"]) == b'{"custom":{"a":1}}'
