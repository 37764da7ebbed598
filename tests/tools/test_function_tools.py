"""A function as a tool of its own, by real clients: the same answers, guard and records as by invoke_function."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import ToolListChangedNotification

from lambda_warden.manifests.load import load_manifests
from lambda_warden.manifests.watch import Watcher
from support.approvals import approver, decide
from support.scripted_endpoint import Held, ScriptedEndpoint
from support.servers import serve_http
from support.warden import allow, always_yes, check_of, stdio, structured, text_of, warden, write_manifest
from tools.test_tasks import Tasks

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])
F = allow("f", expose="tool", effect="write", timeout_seconds=900)


async def names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


@ERAS
async def test_a_function_is_a_tool_behind_those_that_are_always_there(
    mode: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    schema = {"type": "object", "required": ["order"], "properties": {"order": {"type": "string", "minLength": 2}}}
    rules = [
        allow("f", expose={"tool": "refund"}, effect="destructive", approval="never", payload={"schema": schema}),
        allow("g", expose="tool", effect="read"),
        allow("h"),
    ]
    async with warden(tmp_path, endpoint.url, *rules, mode=mode) as running:
        tools = {tool.name: tool for tool in (await running.client.list_tools()).tools}
        done = structured(await running.call("refund", payload={"order": "A-1"}))
        same = await running.invoke("f:live", payload={"order": "A-1"})
        misfit = structured(await running.call("refund", payload={"order": "A"}))
        unknown = await running.call("refund", payload={"order": "A-1"}, qualifier="live")
        bodies = [running.bodies(kind) for kind in ("intent", "denial")]
    assert list(tools)[-2:] == ["refund", "g"]
    assert len(tools) == 7
    hints = {name: tools[name].annotations for name in ("refund", "g")}
    assert [(each.read_only_hint, each.destructive_hint, each.idempotent_hint) for each in hints.values() if each] == [
        (False, True, False),
        (True, False, True),
    ]
    assert tools["refund"].output_schema == tools["invoke_function"].output_schema
    assert done.keys() == same.keys()
    assert (done["outcome"], done["payload"]) == ("succeeded", {"order": "A-1"})
    assert (misfit["outcome"], check_of(misfit, "payload_schema")["passed"]) == ("denied", False)
    assert unknown.is_error
    assert "qualifier: is not an argument of this tool" in text_of(unknown)
    assert [[(body["tool"], body.get("check")) for body in each] for each in bodies] == [
        [("refund", None), ("invoke_function", None)],
        [("refund", "payload_schema"), ("refund", "arguments")],
    ]
    first, second = endpoint.started
    assert (first.path, first.body) == (second.path, second.body)


async def test_a_key_is_one_whichever_tool_it_comes_by(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, F) as running:
        first = structured(await running.call("f", payload={"n": 1}, idempotency_key="k"))
        second = await running.invoke("f:live", payload={"n": 1}, idempotency_key="k")
        third = structured(await running.call("f", payload={"n": 1}, idempotency_key="k"))
        other = structured(await running.call("f", payload={"n": 2}, idempotency_key="k"))
        tools = [body["tool"] for body in running.bodies("replay")]
    assert [each["outcome"] for each in (first, second, third, other)] == ["succeeded"] * 3 + ["denied"]
    assert second["payload"] == third["payload"] == {"n": 1}
    assert tools == ["invoke_function", "f"]
    assert len(endpoint.started) == 1


async def test_a_call_that_goes_on_has_its_answer_by_read_result_and_its_log_by_read_logs(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, {**F, "logs": {}}) as running:
        left = structured(await running.call("f", payload={"n": 1}, wait_seconds=0))
        held.release()
        read = structured(await running.call("read_result", invocation_id=left["invocation_id"]))
        log = await running.read_logs(invocation_id=left["invocation_id"], wait_seconds=0)
    assert log["outcome"] != "denied", "the call is its caller's own"
    assert left["outcome"] == "running"
    assert read["invocation"]["payload"] == {"n": 1}
    assert len(endpoint.started) == 1


async def test_a_call_that_goes_on_is_a_task_for_who_knows_them(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    tasks = Tasks(then=held.release)
    async with warden(tmp_path, endpoint.url, F, extensions=[tasks]) as running:
        result = structured(await running.call("f", payload={"n": 1}, wait_seconds=0))
    assert (result["outcome"], result["payload"], tasks.statuses) == ("succeeded", {"n": 1}, ["completed"])


@ERAS
async def test_a_person_is_asked_and_a_call_out_of_band_waits(
    mode: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    rules = [
        allow("f", expose="tool", effect="destructive"),
        allow("g", "7", expose="tool", approval={"by": "operator"}),
    ]
    options: dict[str, Any] = {"mode": mode, "person": always_yes, "approvals_secret_file": approver()[0]}
    async with warden(tmp_path, endpoint.url, *rules, **options) as running:
        approved = structured(await running.call("f", payload={"n": 1}, reason="asked for"))
        waiting = structured(await running.call("g", payload={"n": 1}, wait_seconds=0))
        assert decide(running.records_file, waiting["approval_id"])
        done = structured(await running.call("g", payload={"n": 1}))
    assert [each["outcome"] for each in (approved, waiting, done)] == ["succeeded", "approval_pending", "succeeded"]
    assert len(endpoint.started) == 2


async def test_a_tool_whose_function_an_entry_denies_is_not_shown_and_denied(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    deny = [{"arn": "arn:aws:lambda:*:*:function:f"}]
    async with warden(tmp_path, endpoint.url, F, keys={"deny": deny}) as running:
        shown = await names(running.client)
        result = structured(await running.call("f", payload=1))
        denials = [(body["tool"], body["check"]) for body in running.bodies("denial")]
    assert "f" not in shown
    assert (result["outcome"], denials) == ("denied", [("f", "manifest_rule")])
    assert endpoint.received == []


async def test_after_a_reload_the_tools_are_those_of_the_manifest_then(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, F) as running:
        inside = running.inside
        assert inside is not None
        path = write_manifest(tmp_path, endpoint.url, [allow("f"), allow("g", expose="tool")])
        inside.apply(load_manifests([path]))
        shown = (await running.client.session.list_tools()).tools
        gone = await running.call("f", payload=1)
        there = structured(await running.call("g", payload=1))
    assert [tool.name for tool in shown][5:] == ["g"]
    assert gone.is_error
    assert "Unknown tool: f" in text_of(gone)
    assert there["outcome"] == "succeeded"
    assert len(endpoint.started) == 1


async def test_a_name_means_one_function_as_long_as_the_server_runs(
    endpoint: ScriptedEndpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    of_f, of_g = (allow(name, expose={"tool": "t"}) for name in "fg")
    async with warden(tmp_path, endpoint.url, of_f) as running:
        assert running.inside is not None
        for rules, shown in (([of_g], []), ([allow("g"), {**of_f, "qualifiers": ["8"]}], ["t"])):
            running.inside.apply(load_manifests([write_manifest(tmp_path, endpoint.url, rules)]))
            listed = (await running.client.session.list_tools()).tools
            assert [tool.name for tool in listed][5:] == shown
            result = await running.call("t", payload=1)
            assert result.is_error == (shown == [])
        assert (await running.invoke("g:live", payload=1))["outcome"] == "succeeded"
    assert "t is no tool before a restart" in caplog.text
    assert [":function:f" in str(each.function) for each in endpoint.started] == [True, False]


async def test_while_the_manifest_is_changing_nothing_is_decided(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Watcher) -> bool:
        return False

    async with warden(tmp_path, endpoint.url, F) as running:
        assert running.inside is not None
        monkeypatch.setattr(Watcher, "until_current", never)
        running.inside.look_before_calls(Watcher.__new__(Watcher))
        undecided = structured(await running.call("f", payload=1))
    assert check_of(undecided, "manifest_changed")["passed"] is False
    assert endpoint.received == []


class Heard:
    """A client of each era that hears that the tools changed."""

    def __init__(self) -> None:
        self.event = anyio.Event()

    async def __call__(self, message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.event.set()

    async def listen(self, client: Client, *, task_status: Any) -> None:
        async with client.listen(tools_list_changed=True) as changes:
            task_status.started()
            async for _ in changes:
                self.event.set()


@asynccontextmanager
async def connected(transport: str, mode: str, manifest: Path, home: Path, heard: Heard) -> AsyncIterator[Client]:
    with ExitStack() as stack:
        server: Any = stdio(manifest, home)
        if transport == "http":
            server = stack.enter_context(serve_http(manifest, home)).transport()
        async with Client(server, mode=mode, message_handler=heard) as client:
            yield client


@ERAS
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_clients_are_told_of_a_reload_and_then_see_the_tools_that_there_are(
    transport: str, mode: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    manifest, heard = write_manifest(tmp_path, endpoint.url, [F]), Heard()
    async with connected(transport, mode, manifest, tmp_path, heard) as client, anyio.create_task_group() as group:
        before = (await names(client))[5:]
        assert structured(await client.call_tool("f", {"payload": 1}))["outcome"] == "succeeded"
        capabilities = client.server_capabilities
        assert capabilities is not None
        assert capabilities.tools is not None
        assert capabilities.tools.list_changed is True
        if mode != "legacy":
            await group.start(lambda task_status: heard.listen(client, task_status=task_status))
        with anyio.fail_after(60):
            for number in itertools.count():
                # Again where the client's stream was not open yet: what is told then is told to nobody.
                write_manifest(tmp_path, endpoint.url, [allow("g", expose="tool", description=str(number))])
                await client.call_tool("dry_run", {})  # it is decided on by the files as they are now
                with anyio.move_on_after(1):
                    await heard.event.wait()
                    break
        after = (await names(client))[5:]
        group.cancel_scope.cancel()
    assert (before, after) == (["f"], ["g"])


async def test_without_reload_no_change_is_announced(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, F, mode="legacy", reload=False) as running:
        capabilities = running.client.server_capabilities
    assert capabilities is not None
    assert capabilities.tools is not None
    assert not capabilities.tools.list_changed
