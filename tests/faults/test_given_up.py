"""Calls that nobody waits for any more: broken off at once, on record, and with nothing of them left behind."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import psutil
import pytest

from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.invocation import dispatcher
from support.audit import verify
from support.scripted_endpoint import (
    Held,
    ScriptedEndpoint,
    echo,
    one_after_another,
    refused,
    scripted_endpoint,
)
from support.warden import Warden, allow, arn, check_of, structured, warden

pytestmark = pytest.mark.anyio

MODES = ["2026-07-28", "legacy"]
# With a timeout of its own, so that nobody asks AWS for the function's, over connections that stay open.
RULE = allow("f", timeout_seconds=900)


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    """One for each test: nobody else is connected to it."""
    with scripted_endpoint() as running:
        yield running


def connections_to(endpoint: ScriptedEndpoint) -> int:
    """The sockets of this process that are connected to it."""
    port = urlsplit(endpoint.url).port
    return sum(bool(found.raddr) and found.raddr.port == port for found in psutil.Process().net_connections("tcp"))


async def until_nothing_is_left(endpoint: ScriptedEndpoint) -> None:
    with anyio.fail_after(30):
        while connections_to(endpoint) or any(found.name.startswith("invocation") for found in threading.enumerate()):
            await anyio.sleep(0.01)


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_that_its_client_cancelled_goes_on_in_its_slot_and_ends_on_record(
    mode: str, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, RULE, allow("g", timeout_seconds=9), mode=mode, concurrency=1) as running:
        async with anyio.create_task_group() as group:
            group.start_soon(running.invoke, "f:live")
            await anyio.to_thread.run_sync(held.wait_for)
            group.cancel_scope.cancel()
        assert check_of(await running.invoke("g:live", wait_seconds=0), "busy")["passed"] is False
        assert connections_to(endpoint)
        held.release()
        await running.until_free()
        assert (await running.invoke("g:live", payload=1))["payload"] == 1
        bodies = running.bodies("outcome")
    assert [body["outcome"] for body in bodies] == ["succeeded"] * 2
    assert len(endpoint.started) == 2


@pytest.mark.parametrize("mode", MODES)
async def test_many_calls_cancelled_at_once_all_end_on_record(
    mode: str, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    calls = 20
    async with warden(tmp_path, endpoint.url, RULE, mode=mode) as running:
        async with anyio.create_task_group() as group:
            for number in range(calls):
                group.start_soon(_invoke, running, number)
            await anyio.to_thread.run_sync(held.wait_for, calls)
            group.cancel_scope.cancel()
        held.release()
        await running.until_free()
        outcomes = [body["outcome"] for body in running.bodies("outcome")]
        assert len(running.bodies("intent")) == calls
    assert outcomes == ["succeeded"] * calls
    assert verify(running.records_file).problems == ()
    await until_nothing_is_left(endpoint)


async def _invoke(running: Warden, payload: object) -> None:
    await running.invoke("f:live", payload=payload)


async def test_a_call_whose_caller_left_while_it_waited_for_its_record_is_not_made_and_the_same_call_is(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, RULE) as running:
        with closing(sqlite3.connect(running.records_file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as group:
                group.start_soon(running.invoke, "f:live")
                await _until_under_way(running)
                group.cancel_scope.cancel()
            await running.until_left()
            other.execute("COMMIT")
        await running.until_free()
        assert "replayed" not in await running.invoke("f:live")
        assert running.kinds() == ["denial", "intent", "outcome"]
    assert len(endpoint.started) == 1


async def test_a_call_that_is_cancelled_between_two_attempts_makes_the_next_one(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.behaviours["f"] = one_after_another(lambda _: refused(429, "TooManyRequestsException"), echo)
    pausing, goes_on = threading.Event(), threading.Event()

    def noted(handle: InvocationHandle, seconds: float) -> None:
        pausing.set()
        assert goes_on.wait(30)

    monkeypatch.setattr(InvocationHandle, "wait", noted)
    async with warden(tmp_path, endpoint.url, RULE) as running:
        async with anyio.create_task_group() as group:
            group.start_soon(running.invoke, "f:live")
            assert await anyio.to_thread.run_sync(pausing.wait, 30)
            group.cancel_scope.cancel()
        goes_on.set()
        await running.until_recorded("intent", "retry", "outcome")
        (outcome,) = running.bodies("outcome")
    assert outcome["outcome"] == "succeeded"
    assert len(endpoint.started) == 2


async def test_a_call_that_is_cancelled_while_it_waits_for_a_slot_is_on_record_and_not_sent(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, RULE, concurrency=1) as running:
        assert running.inside is not None
        slots = running.inside._pipeline._dispatcher._slots
        async with anyio.create_task_group() as group:
            group.start_soon(running.invoke, "f:live")
            await anyio.to_thread.run_sync(held.wait_for)
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(running.invoke, "f:live")
                with anyio.fail_after(30):
                    while not slots.queued:
                        await anyio.sleep(0.01)
                waiting.cancel_scope.cancel()
            with anyio.fail_after(30):
                while slots.queued:
                    await anyio.sleep(0.01)
            held.release()
        await running.until_free()
        kinds = running.kinds()
        (denial,) = running.bodies("denial")
    assert kinds == ["intent", "denial", "outcome"]
    assert (denial["check"], denial["reason"]) == ("busy", "cancelled while it waited for its turn")
    assert len(endpoint.started) == 1


async def test_the_servers_end_breaks_off_what_is_under_way_and_waits_for_its_record(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with (
        warden(tmp_path, endpoint.url, RULE, shutdown_grace=0) as running,
        anyio.create_task_group() as group,
    ):
        group.start_soon(running.invoke, "f:live")
        await anyio.to_thread.run_sync(held.wait_for)
        group.cancel_scope.cancel()
    (outcome,) = running.bodies("outcome")
    assert outcome["outcome"] == "unknown"
    await until_nothing_is_left(endpoint)


async def _until_under_way(running: Warden) -> None:
    assert running.inside is not None
    with anyio.fail_after(30):
        while not running.inside._pipeline._dispatcher.under_way:
            await anyio.sleep(0.01)


# Progress: only clients that ask for it hear of it.


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "_FIRST_PROGRESS_SECONDS", 0.02)
    monkeypatch.setattr(dispatcher, "_PROGRESS_SECONDS", 0.02)


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_asks_hears_how_a_slow_call_gets_on(
    mode: str, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    reports: list[tuple[float, float | None, str | None]] = []
    enough = anyio.Event()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, total, message))
        if len(reports) == 3:
            enough.set()

    async def release() -> None:
        with anyio.fail_after(30):
            await enough.wait()
        held.release()

    async with warden(tmp_path, endpoint.url, RULE, mode=mode) as running, anyio.create_task_group() as group:
        group.start_soon(release)
        call = {"function": "f:live", "payload": 1, "timeout_seconds": 30}
        result = await running.client.call_tool("invoke_function", call, progress_callback=report)
    assert structured(result)["payload"] == 1
    elapsed = [seconds for seconds, _, _ in reports]
    assert elapsed == sorted(elapsed)
    assert all(total is not None and 29 <= total <= 31 for _, total, _ in reports), reports
    assert all(
        (message or "").startswith("running: ") and "of at most 30 s" in (message or "") for *_, message in reports
    )


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("mode", MODES)
async def test_a_client_whose_ears_fail_still_gets_the_result(
    mode: str, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcp.server.mcpserver import Context

    failed = anyio.Event()

    async def broken(*_: object) -> None:
        failed.set()
        raise ConnectionError("gone")

    monkeypatch.setattr(Context, "report_progress", broken)

    async def release() -> None:
        with anyio.fail_after(30):
            await failed.wait()
        held.release()

    async with warden(tmp_path, endpoint.url, RULE, mode=mode) as running, anyio.create_task_group() as group:
        group.start_soon(release)
        assert (await running.invoke("f:live", payload=1))["payload"] == 1
    assert len(endpoint.started) == 1


# A server that has enough to do says so.


async def test_when_the_queue_is_full_a_call_is_denied_at_once_and_on_record(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, RULE, concurrency=1, queue=0) as running:
        async with anyio.create_task_group() as group:
            group.start_soon(running.invoke, "f:live")
            await anyio.to_thread.run_sync(held.wait_for)
            denied = await running.invoke("f:live", payload="again")
            held.release()
        (record,) = running.bodies("denial")
    assert denied["outcome"] == "denied"
    assert check_of(denied, "busy")["reason"] == "busy: 1 calls are under way, and 0 wait already"
    assert "Wait some seconds" in denied["next_step"]
    assert (record["check"], record["payload_bytes"]) == ("busy", 7)
    assert len(endpoint.started) == 1


async def test_a_call_whose_turn_does_not_come_in_its_time_is_denied(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, RULE, concurrency=1) as running, anyio.create_task_group() as group:
        group.start_soon(running.invoke, "f:live")
        await anyio.to_thread.run_sync(held.wait_for)
        denied = await running.invoke("f:live", timeout_seconds=1)
        held.release()
    assert check_of(denied, "busy")["reason"] == "busy: no slot was free within 1 s"
    assert len(endpoint.started) == 1


async def test_a_dry_run_that_finds_no_slot_says_so(held: Held, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with (
        warden(tmp_path, endpoint.url, RULE, concurrency=1, queue=0) as running,
        anyio.create_task_group() as group,
    ):
        group.start_soon(running.invoke, "f:live")
        await anyio.to_thread.run_sync(held.wait_for)
        probe = await running.dry_run("f:live")
        held.release()
    assert probe["would_invoke"] is False
    assert check_of(probe, "busy")["passed"] is False


async def test_no_more_calls_are_under_way_than_there_are_slots(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, RULE, concurrency=2) as running:
        assert running.inside is not None
        slots = running.inside._pipeline._dispatcher._slots
        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(_invoke, running, number)
            await anyio.to_thread.run_sync(held.wait_for, 2)
            with anyio.fail_after(30):
                while slots.queued < 3:
                    await anyio.sleep(0.01)
            assert len(endpoint.started) == 2
            assert running.kinds() == ["intent"] * 2, "what waits has not taken anything yet"
            held.release()
        assert sorted(received.body for received in endpoint.started) == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_quick_function_is_served_while_a_slow_one_has_all_it_can_have(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with (
        warden(tmp_path, endpoint.url, RULE, allow("quick"), concurrency=8) as running,
        anyio.create_task_group() as group,
    ):
        for number in range(30):
            group.start_soon(_invoke, running, number)
        await anyio.to_thread.run_sync(held.wait_for, 6)
        for number in range(5):
            assert (await running.invoke("quick:live", payload=number))["payload"] == number
        assert sum("quick" not in (received.function or "") for received in endpoint.started) == 6
        held.release()
    assert len(endpoint.started) == 35


async def test_a_target_has_no_more_calls_under_way_than_its_own_limit(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    """The functions of the other target have nothing to do with it."""
    other = {"arn": "arn:aws:lambda:us-east-1:210987654321:function:other", "qualifiers": ["live"]}
    targets = [
        {"account": "123456789012", "regions": ["us-east-1"], "endpoint_url": endpoint.url, "concurrency": 2},
        {"account": "210987654321", "regions": ["us-east-1"], "endpoint_url": endpoint.url},
    ]
    endpoint.behaviours["g"] = held
    rules = (allow("f", "live", "7"), allow("g", "live", "7"), other)
    async with (
        warden(tmp_path, endpoint.url, *rules, keys={"targets": targets}) as running,
        anyio.create_task_group() as group,
    ):
        for name in ("f:live", "g:live", "f:7", "g:7"):
            group.start_soon(running.invoke, arn(name))
        await anyio.to_thread.run_sync(held.wait_for, 2)
        answer = await running.invoke("210987654321:function:other:live", payload=1)
        assert answer["payload"] == 1
        assert len(endpoint.started) == 3
        held.release()
    assert len(endpoint.started) == 5
