"""A changed manifest comes into force whole, or not at all."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp.types import ElicitRequestParams, ElicitResult

from lambda_warden.manifests import watch
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.manifests.watch import Watcher
from lambda_warden.store.audit_log import RecordError
from support.scripted_endpoint import ScriptedEndpoint
from support.servers import serve_http
from support.warden import Warden, allow, arn, check_of, stdio, structured, text_of, warden, write_manifest

pytestmark = pytest.mark.anyio


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():
            await anyio.sleep(0.01)


def watching(running: Warden, folder: Path, **seconds: float) -> Watcher:
    assert running.inside is not None
    path = folder / "manifest.yaml"
    inside = running.inside
    timing = {"poll_seconds": 0.02, "wait_seconds": 20, **seconds}
    watcher = Watcher([path], load_manifests([path]), inside.apply, inside.reload_failed, **timing)
    watcher.start()
    return watcher


async def test_a_changed_file_comes_into_force_and_is_recorded(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        watcher = watching(running, tmp_path)
        assert (await running.invoke("g:live"))["outcome"] == "denied"
        write_manifest(tmp_path, endpoint.url, [allow("g", effect="read")])
        await until(lambda: any(kind == "reload" for kind, _, _ in running.records()))
        assert (await running.invoke("g:live"))["outcome"] == "succeeded"
        assert (await running.invoke("f:live"))["outcome"] == "denied"
        digest = hashlib.sha256((tmp_path / "manifest.yaml").read_bytes()).hexdigest()
        (reload,) = running.bodies("reload")
        assert (reload["manifest_sha256"], reload["rules"]) == (digest, 1)
        assert (reload["added"], reload["removed"]) == (f"{arn('g')} (live)", f"{arn('f')} (live)")
        assert running.bodies("intent")[0]["manifest_sha256"] == digest
        tools = {tool.name: tool for tool in (await running.client.list_tools(cache_mode="bypass")).tools}
        annotations = tools["invoke_function"].annotations
        assert annotations is not None
        assert annotations.read_only_hint is True
        watcher.stop()


@pytest.mark.parametrize(
    "broken",
    ["", "functions: [", "version: 1\ntargets: []\nfunctions: []\n", None],
    ids=["empty", "half written", "nothing allowed", "gone"],
)
async def test_a_broken_file_leaves_the_old_one_in_force_and_says_so(
    broken: str | None, endpoint: ScriptedEndpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "manifest.yaml"
    with caplog.at_level(logging.ERROR):
        async with warden(tmp_path, endpoint.url, allow("f")) as running:
            watcher = watching(running, tmp_path)
            if broken is None:
                path.unlink()
            else:
                path.write_text(broken)
            await until(lambda: "reload_failed" in running.kinds())
            assert str(path) in running.bodies("reload_failed")[0]["reason"]
            assert "stays in force" in caplog.text
            assert (await running.invoke("f:live"))["outcome"] == "succeeded"
            assert (await running.invoke("g:live"))["outcome"] == "denied"
            write_manifest(tmp_path, endpoint.url, [allow("f"), allow("g")])
            await until(lambda: any(kind == "reload" for kind, _, _ in running.records()))
            assert (await running.invoke("g:live"))["outcome"] == "succeeded"
            watcher.stop()
    assert str(path) in caplog.text


async def test_what_is_written_while_a_change_comes_into_force_comes_into_force_too(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    path = write_manifest(tmp_path, endpoint.url, [allow("f")])
    whole = path.read_text() + "deny:\n- arn: arn:aws:lambda:*:*:function:f\n"
    applied: list[int] = []
    failures: list[str] = []

    def apply(loaded: LoadedManifest) -> None:
        applied.append(len(loaded.rules.denies))
        path.write_text(whole)  # the writer goes on while its first half comes into force

    watcher = Watcher([path], load_manifests([path]), apply, failures.append, poll_seconds=0.02)
    watcher.start()
    path.write_text(path.read_text() + "# more is to come\n")
    await until(lambda: 1 in applied)
    watcher.stop()


async def test_a_file_whose_time_is_set_back_comes_into_force(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, endpoint.url, [allow("f")])
    loaded, before = load_manifests([path]), path.stat()
    path.write_text(path.read_text().replace("function:f", "function:g"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    applied: list[LoadedManifest] = []
    watcher = Watcher([path], loaded, applied.append, pytest.fail, poll_seconds=0.02)
    watcher.start()
    await until(lambda: len(applied) == 1)
    watcher.stop()


async def test_what_was_written_before_the_watch_began_comes_into_force(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    path = write_manifest(tmp_path, endpoint.url, [allow("f")])
    loaded = load_manifests([path])
    write_manifest(tmp_path, endpoint.url, [allow("f"), allow("g")])
    applied: list[int] = []
    failures: list[str] = []
    watcher = Watcher(
        [path], loaded, lambda new: applied.append(len(new.rules.all)), failures.append, poll_seconds=0.02
    )
    watcher.start()
    await until(lambda: applied == [2])
    watcher.stop()


async def test_a_changed_schema_file_comes_into_force(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    schema = tmp_path / "f.json"
    schema.write_text('{"type": "string"}')
    async with warden(tmp_path, endpoint.url, allow("f", payload={"schema": "f.json"})) as running:
        watcher = watching(running, tmp_path)
        assert (await running.invoke("f:live", payload=1))["outcome"] == "denied"
        schema.write_text('{"type": "integer"}')
        await until(lambda: any(kind == "reload" for kind, _, _ in running.records()))
        assert (await running.invoke("f:live", payload=1))["outcome"] == "succeeded"
        watcher.stop()


async def test_a_call_waits_until_the_files_stand_still_and_not_for_ever(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        assert running.inside is not None
        path = tmp_path / "manifest.yaml"
        watcher = watching(running, tmp_path, poll_seconds=60, still_seconds=0.02)
        running.inside.look_before_calls(watcher)
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"
        write_manifest(tmp_path, endpoint.url, [allow("g")])
        assert (await running.invoke("f:live"))["outcome"] == "denied"
        assert (await running.invoke("g:live"))["outcome"] == "succeeded"
        path.write_text("functions: [")
        assert (await running.invoke("g:live"))["outcome"] == "succeeded", "what is broken changes nothing"
        with monkeypatch.context() as patch:
            looks, read = count(), list[object]()
            patch.setattr(watch, "stamp_of", lambda path: (0, 0, next(looks)))
            patch.setattr(watch, "load_manifests", read.append)
            patch.setattr(watcher, "_wait_seconds", 0.1)
            result = await running.call("invoke_function", function="g:live")
        assert result.is_error
        assert "manifests go on changing" in text_of(result)
        assert read == [], "a file is not read while it is written"
        assert (await running.invoke("g:live"))["outcome"] == "succeeded"
        await anyio.to_thread.run_sync(watcher.stop)
    assert len(endpoint.started) == 4


async def test_a_reload_that_can_not_be_recorded_is_waited_for(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        assert running.inside is not None
        watcher = watching(running, tmp_path)
        running.inside.look_before_calls(watcher)
        records = running.inside._records
        append = records.append

        def full(kind: Any, *rest: Any) -> None:
            if kind == "reload":
                raise RecordError("the disk is full")
            append(kind, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(records, "append", full)
            patch.setattr(watcher, "_wait_seconds", 0.3)
            write_manifest(tmp_path, endpoint.url, [allow("g")])
            result = await running.call("invoke_function", function="f:live")
            assert result.is_error
            assert "manifests go on changing" in text_of(result)
        assert (await running.invoke("f:live"))["outcome"] == "denied"
        assert (await running.invoke("g:live"))["outcome"] == "succeeded"
        await anyio.to_thread.run_sync(watcher.stop)
    assert len(endpoint.started) == 1


async def test_a_file_that_changed_while_a_person_is_asked_decides(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        write_manifest(tmp_path, endpoint.url, [allow("g")])
        return ElicitResult(action="accept", content={"approve": True})

    rule = allow("f", effect="destructive")
    async with warden(tmp_path, endpoint.url, rule, person=person, mode="legacy") as running:
        assert running.inside is not None
        # Nothing looks at the files within the test but the call itself.
        watcher = watching(running, tmp_path, poll_seconds=600, still_seconds=0.02)
        running.inside.look_before_calls(watcher)
        assert (await running.invoke("f:live"))["outcome"] == "denied"
        await anyio.to_thread.run_sync(watcher.stop)
    assert endpoint.started == []


@pytest.mark.parametrize("transport", ["stdio", "streamable-http"])
async def test_the_next_call_is_decided_on_by_the_changed_manifest(
    transport: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    path = write_manifest(tmp_path, endpoint.url, [allow("f")])
    records = ["--records", str(tmp_path / "records.sqlite3")]
    with ExitStack() as stack:
        server: Any = stdio(path, tmp_path, *records)
        if transport != "stdio":
            server = stack.enter_context(serve_http(path, tmp_path, *records)).transport()
        async with Client(server) as client:
            for name, other in (("g", "f"), ("f", "g"), ("g", "f")):
                write_manifest(tmp_path, endpoint.url, [allow(name)])
                allowed = structured(await client.call_tool("invoke_function", {"function": f"{name}:live"}))
                denied = structured(await client.call_tool("invoke_function", {"function": f"{other}:live"}))
                assert (allowed["outcome"], denied["outcome"]) == ("succeeded", "denied")


async def test_without_reload_nothing_changes_and_sighup_ends_nothing(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    path = write_manifest(tmp_path, endpoint.url, [allow("f")])
    async with Client(stdio(path, tmp_path, "--no-reload")) as client:
        await client.list_tools()
        write_manifest(tmp_path, endpoint.url, [allow("g")])
        os.kill(_server_pid(path), signal.SIGHUP)
        for name, outcome in (("g", "denied"), ("f", "succeeded")):
            result = await client.call_tool("invoke_function", {"function": f"{name}:live"})
            assert structured(result)["outcome"] == outcome


@pytest.mark.parametrize(
    ("place", "warned"),
    [(".", True), ("work/a/b", True), ("../elsewhere", False), ("work/link", True), ("../lock leads back", True)],
)
def test_serve_warns_of_a_manifest_that_an_agent_could_edit(place: str, warned: bool, tmp_path: Path) -> None:
    """A link counts where it lies, since it can be replaced, and where it leads to."""
    working, elsewhere = tmp_path / "working", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (working / "work").mkdir(parents=True)
    (working / "work" / "link").symlink_to(elsewhere)
    folder = working / place
    folder.mkdir(parents=True, exist_ok=True)
    path = write_manifest(folder, "http://127.0.0.1:9", [allow("f")])
    if place == "../lock leads back":
        (working / "it.lock").touch()
        (folder / "manifest.lock").symlink_to(working / "it.lock")
    command = stdio(path, tmp_path)
    done = subprocess.run(
        [command.command, *command.args],
        env=os.environ | (command.env or {}),
        cwd=working,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("could allow itself anything" in done.stderr) == warned


async def test_sighup_reloads_a_running_server(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, endpoint.url, [allow("f")])
    server = stdio(path, tmp_path)
    log = tmp_path / "stderr.log"
    with log.open("w") as errlog:
        async with Client(stdio_client(server, errlog)) as client:
            result = structured(await client.call_tool("invoke_function", {"function": "g:live"}))
            assert check_of(result, "manifest_rule")["passed"] is False
            write_manifest(tmp_path, endpoint.url, [allow("g")])
            pid = _server_pid(path)
            os.kill(pid, signal.SIGHUP)
            await until(lambda: "the manifest was reloaded: 1 rules" in log.read_text())
            assert (
                structured(await client.call_tool("invoke_function", {"function": "g:live"}))["outcome"] == "succeeded"
            )


def _server_pid(manifest: Path) -> int:
    import psutil

    (found,) = [child.pid for child in psutil.Process().children() if str(manifest) in child.cmdline()]
    return found
