"""Tasks: a client that declares them follows a call that goes on, as the specification of the extension has it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread
import pytest
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolRequest, CallToolRequestParams, CallToolResult, Request, RequestParams, Result
from pydantic import RootModel

from support import wire
from support.scripted_endpoint import Held, Reply, ScriptedEndpoint, refused, returned
from support.servers import serve_http
from support.warden import Warden, allow, always_yes, stdio, structured, warden, write_manifest

pytestmark = pytest.mark.anyio

EXTENSION = "io.modelcontextprotocol/tasks"
RULE = allow("f", effect="write", timeout_seconds=900)
CALL: dict[str, Any] = {"function": "f:live", "payload": {"order": 1, "none": None}}


class Raw(RootModel[dict[str, Any]]):
    """A result as it comes."""


class TaskParams(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class TaskRequest(Request[TaskParams, str]):
    name_param = "taskId"


class Handle(Result):
    """What a server gives in lieu of a result."""

    result_type: Literal["task"]
    task_id: str


class Tasks(ClientExtension):
    """A client that goes on with a task by itself, and gives its result as that of the call.

    Args:
        then: is called when there is a task.
    """

    identifier = EXTENSION

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self._then = then
        self.statuses: list[str] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Handle, resolve=self._resolve)]

    async def _resolve(self, handle: Handle, context: ClaimContext) -> CallToolResult:
        self._then()
        task = await ended(context.session, handle.task_id)
        self.statuses.append(task["status"])
        return CallToolResult.model_validate(task["result"])


async def ask(session: ClientSession, method: str, task_id: str, **more: Any) -> dict[str, Any]:
    request = TaskRequest(method=method, params=TaskParams(task_id=task_id, **more))
    return (await session.send_request(request, Raw)).root


async def refusal(session: ClientSession, method: str, task_id: str) -> MCPError:
    with pytest.raises(MCPError) as raised:
        await ask(session, method, task_id)
    return raised.value


async def ended(session: ClientSession, task_id: str) -> dict[str, Any]:
    """A task, once it works no more."""
    with anyio.fail_after(30):
        while (task := await ask(session, "tasks/get", task_id))["status"] == "working":
            await anyio.sleep(0.01)
    return task


async def invoke(session: ClientSession, **arguments: Any) -> dict[str, Any]:
    """The result of a call of `invoke_function`, as it comes."""
    params = CallToolRequestParams(name="invoke_function", arguments={**CALL, **arguments})
    return (await session.send_request(CallToolRequest(params=params), Raw)).root


def tasks_warden(folder: Path, endpoint: ScriptedEndpoint, **settings: Any) -> AbstractAsyncContextManager[Warden]:
    """A server, and a client that knows tasks."""
    return warden(folder, endpoint.url, RULE, extensions=[Tasks()], **settings)


def without_server_info(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "_meta"}


async def test_a_call_that_goes_on_is_a_task(held: Held, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with tasks_warden(tmp_path, endpoint) as running:
        session = running.client.session
        handle = without_server_info(await invoke(session, wait_seconds=0))
        task_id = handle["taskId"]
        working = without_server_info(await ask(session, "tasks/get", task_id))
        reads = len(running.bodies("read_result"))
        held.release()
        done = await ended(session, task_id)
        again = await ask(session, "tasks/get", task_id)
        read = structured(await running.call("read_result", invocation_id=task_id))
        (intent,) = [record for record in running.records() if record[0] == "intent"]
        reading = running.bodies("read_result")
    assert handle.pop("resultType") == "task"
    assert working.pop("resultType") == "complete"
    assert handle == working
    assert (handle["status"], handle["ttlMs"], handle["pollIntervalMs"]) == ("working", 86_400_000, 2000)
    assert "read_result" in handle["statusMessage"]
    assert task_id == intent[1], "the id of the call"
    assert done == again
    assert (done["resultType"], done["status"], done["createdAt"]) == ("complete", "completed", handle["createdAt"])
    assert datetime.fromisoformat(done["lastUpdatedAt"]) >= datetime.fromisoformat(done["createdAt"])
    assert done["result"]["structuredContent"] == read["invocation"]
    assert done["result"]["structuredContent"]["payload"] == CALL["payload"]
    assert (done["result"]["isError"], done["result"]["content"][0]["text"].startswith("succeeded")) == (False, True)
    assert (reads, len(reading)) == (0, 3), "what shows a result is on record, and what shows none is not"
    assert len(endpoint.started) == 1


async def test_an_answer_within_the_wait_is_a_plain_result(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with tasks_warden(tmp_path, endpoint) as running:
        plain = await invoke(running.client.session)
        listed = await running.client.call_tool("list_functions", {})
        error = await refusal(running.client.session, "tasks/get", plain["structuredContent"]["invocation_id"])
    assert (plain["resultType"], plain["structuredContent"]["outcome"]) == ("complete", "succeeded")
    assert listed.structured_content is not None
    assert error.error.code == -32602, "it never was a task"


@pytest.mark.parametrize(("mode", "extensions"), [("auto", []), ("legacy", []), ("legacy", [Tasks()])])
async def test_who_does_not_declare_tasks_gets_none(
    mode: str, extensions: list[Any], held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, RULE, mode=mode, extensions=extensions) as running:
        first = await invoke(running.client.session, wait_seconds=0)
        told = first["structuredContent"]
        errors = [
            (await refusal(running.client.session, method, told["invocation_id"])).error
            for method in ("tasks/get", "tasks/update", "tasks/cancel")
        ]
        held.release()
        whole = structured(await running.call("read_result", invocation_id=told["invocation_id"]))
    assert (told["outcome"], first.get("resultType", "complete")) == ("running", "complete")
    assert whole["invocation"]["outcome"] == "succeeded"
    if mode == "auto":
        assert {error.code for error in errors} == {-32021}
        assert errors[0].data == {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    else:
        assert {error.code for error in errors} == {-32601}


async def test_the_server_announces_tasks(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with tasks_warden(tmp_path, endpoint) as running:
        assert running.client.server_capabilities.extensions == {EXTENSION: {}}


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (returned(1), "succeeded"),
        (returned({"errorType": "E", "errorMessage": "no"}, error="Unhandled"), "function_error"),
        (refused(404, "ResourceNotFoundException"), "refused"),
        (Reply(fault="reset"), "unknown"),
    ],
    ids=["succeeded", "function error", "refused", "unknown"],
)
async def test_a_task_is_completed_also_by_an_error_and_a_client_has_the_result_of_its_call(
    reply: Reply, outcome: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    holding = Held()

    def answer(received: Any) -> Reply:
        holding(received)
        return reply

    endpoint.behaviours["f"] = answer
    client = Tasks(then=holding.release)
    async with warden(tmp_path, endpoint.url, RULE, extensions=[client], answer_within=0) as running:
        result = await running.call("invoke_function", **CALL)
    assert client.statuses == ["completed"]
    assert (result.is_error, structured(result)["outcome"]) == (outcome != "succeeded", outcome)
    assert len(endpoint.started) == 1


async def test_a_person_is_asked_before_there_is_a_task(held: Held, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    rule = allow("f", effect="destructive", timeout_seconds=900)
    async with warden(tmp_path, endpoint.url, rule, person=always_yes, extensions=[Tasks()]) as running:
        asked = await invoke(running.client.session, wait_seconds=0)
        assert (asked["resultType"], "taskId" in asked, endpoint.started) == ("input_required", False, [])
        held.release()
        assert structured(await running.call("invoke_function", **CALL, wait_seconds=0))["outcome"] == "succeeded"
        assert running.kinds().index("approval") < running.kinds().index("intent")
    assert len(endpoint.started) == 1


async def test_a_cancel_is_acknowledged_and_the_call_goes_on(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with tasks_warden(tmp_path, endpoint) as running:
        session = running.client.session
        task_id = (await invoke(session, wait_seconds=0))["taskId"]
        acknowledged = [
            without_server_info(await ask(session, "tasks/cancel", task_id)),
            without_server_info(await ask(session, "tasks/update", task_id, input_responses={"never": {}})),
        ]
        working = await ask(session, "tasks/get", task_id)
        held.release()
        await running.until_free()
        acknowledged.append(without_server_info(await ask(session, "tasks/cancel", task_id)))
        adopted = await invoke(session)
        done = await ask(session, "tasks/get", task_id)
    assert acknowledged == [{"resultType": "complete"}] * 3
    assert working["status"] == "working"
    assert adopted["structuredContent"]["replayed"] is True, "to cancel a task is not to have its answer"
    assert (done["status"], done["result"]["structuredContent"]["outcome"]) == ("completed", "succeeded")
    assert len(endpoint.started) == 1


async def test_the_same_call_again_is_the_same_task(held: Held, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with tasks_warden(tmp_path, endpoint) as running:
        session = running.client.session
        first, second = [await invoke(session, wait_seconds=0) for _ in range(2)]
        held.release()
        done = await ended(session, second["taskId"])
    assert first == second
    assert done["result"]["structuredContent"]["payload"] == CALL["payload"]
    assert len(endpoint.started) == 1


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
@pytest.mark.parametrize("is_over", [False, True], ids=["under way", "ended"])
async def test_the_task_of_another_principal_is_unknown(
    method: str, is_over: bool, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with tasks_warden(tmp_path, endpoint, principal="ann") as running:
        task_id = (await invoke(running.client.session, wait_seconds=0))["taskId"]
        if is_over:
            held.release()
            await running.until_free()
        async with tasks_warden(tmp_path, endpoint, principal="bob") as other:
            others = await refusal(other.client.session, method, task_id)
            nobodys = await refusal(other.client.session, method, "0" * 32)
        held.release()
        assert (await ended(running.client.session, task_id))["status"] == "completed"
    assert others.error == nobodys.error
    assert others.error.code == -32602


async def test_a_task_needs_an_id(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    class NoId(Request[RequestParams, str]):
        pass

    async with tasks_warden(tmp_path, endpoint) as running:
        with pytest.raises(MCPError) as raised:
            await running.client.session.send_request(NoId(method="tasks/get", params=RequestParams()), Raw)
    assert raised.value.error.code == -32602


async def test_a_task_outlives_its_server(held: Held, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """Over HTTP. The end of a server gives its calls up, so that nobody knows how they end."""
    other = endpoint.behaviours["g"] = Held()
    manifest = write_manifest(tmp_path, endpoint.url, [RULE, allow("g", timeout_seconds=900)])
    options = ("--records", str(tmp_path / "records.sqlite3"), "--shutdown-grace", "0")
    with serve_http(manifest, tmp_path, *options) as server:
        async with Client(server.transport(), extensions=[Tasks()]) as client:
            ids = [(await invoke(client.session, function=f"{name}:live", wait_seconds=0))["taskId"] for name in "fg"]
            await anyio.to_thread.run_sync(held.wait_for)
            other.release()
            before = await ended(client.session, ids[1])
    with serve_http(manifest, tmp_path, *options) as server:
        async with Client(server.transport(), extensions=[Tasks()]) as client:
            given_up, after = [await ask(client.session, "tasks/get", task_id) for task_id in ids]
    assert after == before
    assert (given_up["status"], given_up["result"]["isError"]) == ("completed", True)
    assert given_up["result"]["structuredContent"]["outcome"] == "unknown"
    assert len(endpoint.started) == 2


async def test_a_call_whose_server_was_killed_is_unknown(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    records = str(tmp_path / "records.sqlite3")
    server = stdio(write_manifest(tmp_path, endpoint.url, [RULE]), tmp_path, "--records", records)
    with subprocess.Popen(
        [server.command, *server.args],
        env=os.environ | (server.env or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(wire.invoke(1, extensions=(EXTENSION,), **CALL, wait_seconds=0))
        process.stdin.write(wire.invoke(2, **CALL, wait_seconds=0))
        process.stdin.flush()
        answers = wire.answers(process.stdout.readline() + process.stdout.readline())
        await anyio.to_thread.run_sync(held.wait_for)
        process.kill()
    task_id = answers[1]["result"]["taskId"]
    undeclared = answers[2]["result"]
    async with tasks_warden(tmp_path, endpoint) as running:
        done = await ask(running.client.session, "tasks/get", task_id)
    assert undeclared["resultType"] == "complete", "what one request declares says nothing of the next"
    result = done["result"]["structuredContent"]
    assert (done["status"], done["result"]["isError"], result["outcome"]) == ("completed", True, "unknown")
    assert "read_logs" in result["next_step"]
    assert len(endpoint.started) == 1
