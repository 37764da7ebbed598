"""Limits of a rule and of a principal, taken before the call and given back where AWS refused it."""

from __future__ import annotations

import itertools
import json
import threading
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from lambda_warden.invocation import pipeline
from lambda_warden.invocation.delivery import Delivery
from support.scripted_endpoint import Held, Received, Reply, ScriptedEndpoint, configured, echo, refused
from support.warden import Warden, allow, check_of, warden

pytestmark = pytest.mark.anyio


async def test_a_rules_calls_a_minute_are_counted_over_all_spellings(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    rule = allow("f", "live", "7", limits={"per_minute": 3})
    async with warden(tmp_path, endpoint.url, rule, allow("g")) as running:
        for spelling in ("f:live", "f:7", "123456789012:function:f:live"):
            assert (await running.invoke(spelling))["outcome"] == "succeeded"
        denied = await running.invoke("f:live")
        assert denied["outcome"] == "denied"
        assert "limit of 3 calls a minute; there is room in " in check_of(denied, "limits")["reason"]
        assert (await running.invoke("g:live"))["outcome"] == "succeeded"
        assert (await running.invoke("f:live", invocation_type="DryRun"))["outcome"] == "accepted"
        kinds = [kind for kind, _, _ in running.records()]
    assert len(endpoint.started) == 4
    assert kinds.count("denial") == 1


async def test_limits_survive_a_restart(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    rule = allow("f", limits={"per_day": 1})
    async with warden(tmp_path, endpoint.url, rule) as running:
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"
    async with warden(tmp_path, endpoint.url, rule) as running:
        assert "1 calls a day" in check_of(await running.invoke("f:live"), "limits")["reason"]
    assert len(endpoint.started) == 1


async def test_a_principals_limit_counts_all_its_rules(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    keys = {"principals": {"chat-ops": {"limits": {"per_minute": 2}}}}
    async with warden(tmp_path, endpoint.url, allow("f"), allow("g"), keys=keys, principal="chat-ops") as running:
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"
        assert (await running.invoke("g:live"))["outcome"] == "succeeded"
        assert "this principal" in check_of(await running.invoke("f:live"), "limits")["reason"]
    async with warden(tmp_path, endpoint.url, allow("f"), allow("g"), keys=keys, principal="other") as running:
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"


@pytest.mark.parametrize(("code", "status"), [("TooManyRequestsException", 429), ("AccessDeniedException", 403)])
async def test_what_aws_refused_does_not_count(
    code: str, status: int, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = lambda _: refused(status, code)
    async with warden(tmp_path, endpoint.url, allow("f", limits={"per_day": 1, "concurrent": 1})) as running:
        for _ in range(3):
            assert (await running.invoke("f:live"))["outcome"] == "refused"
        endpoint.behaviours.clear()
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"
        assert (await running.invoke("f:live"))["outcome"] == "denied"


async def test_what_may_have_run_counts(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: refused(500, "ServiceException")
    async with warden(tmp_path, endpoint.url, allow("f", limits={"per_day": 1})) as running:
        assert (await running.invoke("f:live"))["outcome"] == "unknown"
        assert (await running.invoke("f:live"))["outcome"] == "denied"


async def test_a_lost_call_keeps_its_slot(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """The connection broke, so the function may still be running."""
    endpoint.behaviours["f"] = lambda _: Reply(fault="reset")
    async with warden(tmp_path, endpoint.url, allow("f", limits={"concurrent": 1})) as running:
        assert (await running.invoke("f:live"))["outcome"] == "unknown"
        denied = await running.invoke("f:live", payload="another call", timeout_seconds=1)
        assert "calls at once" in check_of(denied, "limits")["reason"]
        assert running.kinds() == ["intent", "outcome", "denial"]


async def test_no_more_than_so_many_run_at_once_and_the_others_wait(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def count(received: Received) -> Reply:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.05)
        with lock:
            under_way -= 1
        return echo(received)

    endpoint.behaviours["f"] = count
    outcomes: list[str] = []

    async def call(running: Warden, number: int) -> None:
        outcomes.append((await running.invoke("f:live", payload=number, timeout_seconds=60))["outcome"])

    rule = allow("f", limits={"concurrent": 3})
    async with warden(tmp_path, endpoint.url, rule) as running, anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(call, running, number)
    assert outcomes == ["succeeded"] * 8
    assert most <= 3
    assert len(endpoint.started) == 8


async def test_who_finds_no_room_in_its_time_is_denied(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    arrived, released = threading.Semaphore(0), threading.Event()

    def hold(received: Received) -> Reply:
        arrived.release()
        released.wait(30)
        return echo(received)

    endpoint.behaviours["f"] = hold
    results: list[dict[str, Any]] = []

    async def call(running: Warden, number: int, patience: int) -> None:
        results.append(await running.invoke("f:live", payload=number, timeout_seconds=patience))

    async with warden(tmp_path, endpoint.url, allow("f", limits={"concurrent": 3})) as running:
        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(call, running, number, 60)
            for _ in range(3):
                await anyio.to_thread.run_sync(arrived.acquire)
            for number in range(3, 8):
                group.start_soon(call, running, number, 1)
            with anyio.fail_after(30):
                while len(results) < 5:
                    await anyio.sleep(0.01)
            released.set()
        outcomes = sorted(result["outcome"] for result in results)
        assert outcomes == ["denied"] * 5 + ["succeeded"] * 3
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"
    assert len(endpoint.started) == 4


async def test_a_caller_that_waits_less_gets_no_slot_sooner(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """How long a slot is held does not depend on `timeout_seconds`: the function runs on."""
    released = threading.Event()

    def hold(received: Received) -> Reply:
        released.wait(30)
        return echo(received)

    endpoint.behaviours["f"] = hold
    async with warden(tmp_path, endpoint.url, allow("f", limits={"concurrent": 1})) as running:
        assert (await running.invoke("f:live", timeout_seconds=1))["outcome"] == "running"
        (_, _, intent), *_ = running.records()
        released.set()
    assert json.loads(intent)["lease_seconds"] >= 900


@pytest.mark.parametrize(
    ("configuration", "lease"),
    [
        ({"Timeout": 30}, 45),
        ({"Timeout": 5400, "CapacityProviderConfig": {}}, 5415),
        ({"Timeout": 30, "DurableConfig": {"ExecutionTimeout": 3600}}, 5415),
        ({}, 5415),
    ],
    ids=["ordinary", "managed", "durable", "not told"],
)
async def test_a_slot_is_held_for_as_long_as_the_function_may_run(
    configuration: dict[str, Any], lease: float, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.configurations["f"] = configured(**configuration)
    async with warden(tmp_path, endpoint.url, allow("f", limits={"concurrent": 1})) as running:
        await running.invoke("f:live")
        (intent,) = running.bodies("intent")
    assert intent["lease_seconds"] == lease


async def test_who_leaves_while_it_waits_for_room_is_on_record(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, waits = Delivery.wait_for_room, threading.Event()

    def seen(delivery: Delivery) -> bool:
        may_wait = look(delivery)
        waits.set()
        return may_wait

    monkeypatch.setattr(Delivery, "wait_for_room", seen)
    # It does not look for room again while its caller leaves.
    monkeypatch.setattr(pipeline, "growing_pauses", lambda: itertools.repeat(20.0))
    async with warden(tmp_path, endpoint.url, allow("f", limits={"concurrent": 1})) as running:
        await running.invoke("f:live", wait_seconds=0)
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: running.invoke("f:live", payload="another call"))
            assert await anyio.to_thread.run_sync(waits.wait, 30)
            group.cancel_scope.cancel()
        await running.until_recorded("intent", "denial")
        held.release()
        assert running.bodies("denial")[0]["reason"] == "cancelled while it waited for its turn"
    assert len(endpoint.started) == 1


@pytest.mark.parametrize("known", [False, True], ids=["before there is known to be none", "after that"])
async def test_who_leaves_while_room_is_looked_for_is_on_record(
    known: bool, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f", limits={"concurrent": 1})) as running:
        assert running.inside is not None
        where, name = (Delivery, "wait_for_room") if known else (running.inside._records, "admit")
        look, looking, left = getattr(where, name), threading.Event(), threading.Event()

        def slow(*arguments: Any) -> Any:
            found = look(*arguments)
            looking.set()
            left.wait(30)
            return found

        await running.invoke("f:live", wait_seconds=0)
        monkeypatch.setattr(where, name, slow)
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: running.invoke("f:live", payload="another call"))
            await anyio.to_thread.run_sync(looking.wait)
            group.cancel_scope.cancel()
        await anyio.sleep(0.1)  # for the server to hear of it
        left.set()
        await running.until_recorded("intent", "denial")
        held.release()
    assert len(endpoint.started) == 1


async def test_a_slot_is_held_no_longer_than_the_function_may_run(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.configurations["f"] = configured(FunctionName="f", Timeout=30)
    async with warden(tmp_path, endpoint.url, allow("f", limits={"concurrent": 1})) as running:
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"
        assert running.bodies("intent")[0]["lease_seconds"] == 45
