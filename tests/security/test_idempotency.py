"""A call with an idempotency key starts a function once, however often it is made, also over ends of the server."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp.client.session import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from lambda_warden.guard.request_digest import durable_name_of
from support.scripted_endpoint import (
    Behaviour,
    Held,
    Reply,
    ScriptedEndpoint,
    configured,
    echo,
    one_after_another,
    refused,
    returned,
)
from support.warden import Warden, allow, check_of, stdio, text_of, warden, write_manifest
from support.wire import request

pytestmark = pytest.mark.anyio

KEY = "order-1"
CALL = {"function": "f:live", "payload": {"order": 1}, "idempotency_key": KEY}
RULE = allow("f", "live", "7", invocation_types=["RequestResponse", "Event"])
TENANTS = {**RULE, "tenants": ["blue", "green"]}


async def call(running: Warden, key: str = KEY, **arguments: Any) -> dict[str, Any]:
    sent: dict[str, Any] = {**CALL, "idempotency_key": key, **arguments}
    return await running.invoke(sent.pop("function"), **sent)


async def test_the_same_call_gets_the_first_result_and_starts_nothing(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, RULE) as running:
        first = await call(running)
        again = await call(running)
        text = text_of(
            await running.call("invoke_function", function="f:live", payload={"order": 1}, idempotency_key=KEY)
        )
        kinds, (intent,), replays = running.kinds(), running.bodies("intent"), running.bodies("replay")
    assert first["outcome"] == "succeeded"
    assert "replayed" not in first
    assert again["replayed"] is True
    assert again["next_step"].startswith("Nothing was started now: this is the result of the first call")
    changed = {"replayed", "next_step"}
    assert {k: v for k, v in again.items() if k not in changed} == {k: v for k, v in first.items() if k not in changed}
    assert "Nothing was started now" in text
    assert [(replay["first"], replay["state"]) for replay in replays] == [(first["invocation_id"], "ended")] * 2
    assert len(endpoint.started) == 1
    assert [kind for kind in kinds if kind != "replay"] == ["intent", "outcome"]
    assert "replay" in kinds
    assert intent["idempotency_key"] == KEY


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (lambda _: returned({"errorType": "ValueError", "errorMessage": "no"}, error="Unhandled"), "function_error"),
        (lambda _: refused(500, "ServiceException"), "unknown"),
        (lambda _: Reply(fault="reset"), "unknown"),
        (lambda _: Reply(body=b'{"half": "of an answer"}', fault="cut"), "unknown"),
    ],
    ids=["failed", "500", "reset", "cut off"],
)
async def test_what_may_have_run_stays_what_it_was_and_is_not_started_again(
    behaviour: Behaviour, outcome: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = one_after_another(behaviour, echo)
    async with warden(tmp_path, endpoint.url, RULE) as running:
        first = await call(running)
        again = await call(running)
    assert (first["outcome"], again["outcome"], again["replayed"]) == (outcome, outcome, True)
    assert first.get("error") == again.get("error")
    assert first.get("function_error") == again.get("function_error")
    assert len(endpoint.started) == 1


async def test_an_event_is_queued_once(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, RULE) as running:
        first = await call(running, invocation_type="Event")
        again = await call(running, invocation_type="Event")
    assert (first["outcome"], again["outcome"], again["replayed"]) == ("accepted", "accepted", True)
    assert len(endpoint.started) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"payload": {"order": 2}},
        {"payload": None},
        {"function": "f:7"},
        {"invocation_type": "Event"},
        {"client_context": {"a": 1}},
        {"tenant_id": "blue"},
    ],
    ids=lambda other: next(iter(other.items())).__repr__(),
)
async def test_the_same_key_with_other_arguments_is_denied(
    other: dict[str, Any], endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    rule, first = (TENANTS, {"tenant_id": "green"}) if "tenant_id" in other else (RULE, {})
    async with warden(tmp_path, endpoint.url, rule) as running:
        await call(running, **first)
        denied = await call(running, **other)
        (record,) = running.bodies("denial")
    assert denied["outcome"] == "denied"
    assert check_of(denied, "idempotency")["passed"] is False
    assert "payload" not in denied
    assert record["check"] == "idempotency"
    assert len(endpoint.started) == 1


@pytest.mark.parametrize("spelling", [{"function": "f", "qualifier": "live"}, {"timeout_seconds": 60}], ids=repr)
async def test_another_spelling_of_the_same_call_is_the_same_call(
    spelling: dict[str, Any], endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, RULE) as running:
        await call(running)
        assert (await call(running, **spelling))["replayed"] is True
    assert len(endpoint.started) == 1


async def test_another_key_is_another_call(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, RULE) as running:
        for key in ("a", "A", "a/1"):
            assert "replayed" not in await call(running, key)
    assert len(endpoint.started) == 3


async def test_while_the_first_is_under_way_the_next_is_told_so(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, RULE) as running:
        async with anyio.create_task_group() as group:
            group.start_soon(call, running)
            await anyio.to_thread.run_sync(held.wait_for)
            meanwhile = await running.call(
                "invoke_function", function="f:live", payload={"order": 1}, idempotency_key=KEY
            )
            held.release()
        assert (await call(running))["outcome"] == "succeeded"
        first_id = running.records()[0][1]
    assert meanwhile.is_error
    result = meanwhile.structured_content
    assert result is not None
    assert (result["outcome"], result["replayed"], result["invocation_id"]) == ("in_progress", True, first_id)
    assert len(endpoint.started) == 1


async def test_of_twenty_that_are_made_at_once_one_starts(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = echo
    results: list[dict[str, Any]] = []

    async def one(running: Warden) -> None:
        results.append(await call(running))

    async with warden(tmp_path, endpoint.url, RULE) as running:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(one, running)
        assert sorted(running.kinds()) == ["intent", "outcome", *["replay"] * 19]
    assert len(endpoint.started) == 1
    assert sum(not result.get("replayed", False) for result in results) == 1
    assert {result["outcome"] for result in results} <= {"succeeded", "in_progress"}


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDeniedException"), (429, "TooManyRequestsException")], ids=["403", "429"]
)
async def test_a_call_that_was_refused_frees_its_key(
    status: int, code: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = one_after_another(lambda _: refused(status, code), echo)
    async with warden(tmp_path, endpoint.url, {**RULE, "max_attempts": 1}) as running:
        assert (await call(running))["outcome"] == "refused"
        second = await call(running, payload={"order": "corrected"})
        assert (second["outcome"], second.get("replayed")) == ("succeeded", None)
    assert len(endpoint.started) == 2


async def test_a_call_that_was_denied_takes_no_key(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    rule = {**RULE, "payload": {"max_bytes": 20}, "limits": {"per_day": 1}}
    async with warden(tmp_path, endpoint.url, rule, allow("g")) as running:
        assert (await call(running, payload="x" * 30))["outcome"] == "denied"
        assert (await call(running))["outcome"] == "succeeded"
        assert check_of(await call(running, "order-2"), "limits")["passed"] is False
        assert (await call(running, "order-2", function="g:live"))["outcome"] == "succeeded"


async def test_a_replay_takes_no_limit(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, {**RULE, "limits": {"per_day": 2}}) as running:
        for _ in range(5):
            assert (await call(running))["outcome"] == "succeeded"
        assert (await call(running, "order-2"))["outcome"] == "succeeded"
    assert len(endpoint.started) == 2


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_a_person_is_asked_once_for_a_key(mode: str, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    asked: list[str] = []

    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"approve": len(asked) == 1})

    rule = {**RULE, "effect": "destructive"}
    async with warden(tmp_path, endpoint.url, rule, person=person, mode=mode) as running:
        first, again = await call(running), await call(running)
        assert (first["outcome"], again["outcome"], again["replayed"]) == ("succeeded", "succeeded", True)
        other = await call(running, payload={"order": 2})
        assert check_of(other, "idempotency")["passed"] is False
        assert len(asked) == 1
        declined = await call(running, "order-2")
        assert check_of(declined, "approval")["passed"] is False
        kinds = running.kinds()
    assert len(endpoint.started) == 1
    assert kinds == ["approval", "intent", "outcome", "replay", "denial", "approval", "denial"]


async def test_what_is_allowed_no_longer_is_not_replayed(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """A key opens nothing: the decision comes first."""
    async with warden(tmp_path, endpoint.url, RULE) as running:
        assert (await call(running))["outcome"] == "succeeded"
    async with warden(tmp_path, endpoint.url, allow("f", "7")) as running:
        denied = await call(running)
    assert (denied["outcome"], check_of(denied, "qualifier")["passed"]) == ("denied", False)
    assert "payload" not in denied


async def test_other_principals_have_keys_of_their_own(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    for principal in ("local", "chat-ops"):
        async with warden(tmp_path, endpoint.url, RULE, principal=principal) as running:
            assert "replayed" not in await call(running)
            assert (await call(running))["replayed"] is True
    assert len(endpoint.started) == 2


async def test_a_result_survives_a_restart_of_the_server(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, RULE) as running:
        first = await call(running)
    async with warden(tmp_path, endpoint.url, RULE) as running:
        again = await call(running)
    assert (again["payload"], again["invocation_id"]) == (first["payload"], first["invocation_id"])
    assert again["replayed"] is True
    assert len(endpoint.started) == 1


async def test_what_was_redacted_and_cut_stays_so(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    secret = "AKIAIOSFODNN7EXAMPLE"
    endpoint.behaviours["f"] = lambda _: returned({"card": "4111", "note": secret, "rest": "x" * 5000})
    rule = {**RULE, "result": {"redact": ["/card"], "max_bytes": 400}}
    async with warden(tmp_path, endpoint.url, rule) as running:
        first, again = await call(running), await call(running)
    stored = running.records_file.read_bytes()
    assert again["replayed"] is True
    assert (again["payload"], again["omitted"], again["redacted"]) == (
        first["payload"],
        first["omitted"],
        first["redacted"],
    )
    assert again["outside_data"] == first["outside_data"]
    for hidden in (secret, "4111"):
        assert hidden not in json.dumps(again)
        assert hidden.encode() not in stored


@pytest.mark.parametrize("payload", [rb'"\ud800"', rb'{"\udfff": 1}', b"\xff\xfe", b"", b"NaN", b"1e400"], ids=repr)
async def test_whatever_a_function_returns_is_kept(payload: bytes, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: returned(payload)
    async with warden(tmp_path, endpoint.url, RULE) as running:
        first, again = await call(running), await call(running)
        kinds = running.kinds()
    assert (first["outcome"], again["outcome"], again["replayed"]) == ("succeeded", "succeeded", True)
    assert first.get("payload") == again.get("payload")
    assert [kind for kind in kinds if kind != "replay"] == ["intent", "outcome"]
    assert "replay" in kinds


@pytest.mark.parametrize(
    ("logs", "way"),
    [
        ({}, "somebody who can read the function's log can find it by that time"),
        (
            {"logs": {"read": "any"}},
            "read_logs with function arn:aws:lambda:us-east-1:123456789012:function:f:live and",
        ),
    ],
)
async def test_a_call_whose_server_was_killed_is_unknown_and_is_not_started_again(
    logs: dict[str, Any], way: str, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    rule = {**RULE, **logs}
    records = tmp_path / "records.sqlite3"
    server = stdio(write_manifest(tmp_path, endpoint.url, [rule]), tmp_path, "--records", str(records))
    process = subprocess.Popen(
        [server.command, *server.args], env=server.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdin is not None
        process.stdin.write(request(1, "tools/call", {"name": "invoke_function", "arguments": CALL}))
        process.stdin.flush()
        await anyio.to_thread.run_sync(held.wait_for)
        process.kill()
        process.wait(30)
    assert process.returncode == -signal.SIGKILL
    held.release()

    async with warden(tmp_path, endpoint.url, rule) as running:
        lost = await call(running)
        with closing(sqlite3.connect(records)) as db:
            ((sent,),) = db.execute("SELECT at FROM events WHERE kind = 'intent'").fetchall()
        log = await running.read_logs(invocation_id=lost["invocation_id"])
        assert running.kinds()[:3] == ["intent", "outcome", "replay"]
    for result in (lost, log) if logs else (lost,):
        assert f"It was sent at {sent[:19]}+00:00" in result["next_step"]
        assert way in result["next_step"]
    assert (lost["outcome"], lost["replayed"]) == ("unknown", True)
    assert "the server stopped before it knew" in lost["next_step"]
    assert len(endpoint.started) == 1


# Durable functions: AWS runs one execution for each name.


async def test_a_durable_function_is_called_by_a_name_that_follows_from_the_key(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.configurations["f"] = configured(Timeout=9, DurableConfig={"ExecutionTimeout": 3600})
    async with warden(tmp_path, endpoint.url, RULE) as running:
        await call(running)
        await running.invoke("f:live", payload=1)
        await call(running, "order-2", durable_execution_name="mine")
        intent, without, own = running.bodies("intent")
        await running.invoke("f:live", payload={"order": 1}, idempotency_key=KEY)
    names = [received.headers.get("x-amz-durable-execution-name") for received in endpoint.started]
    assert names == [durable_name_of("local", KEY), None, "mine"]
    assert intent["durable_execution_name"] == names[0]
    assert "durable_execution_name" not in without
    assert own["durable_execution_name"] == "mine"


async def test_a_function_that_is_not_durable_is_called_without_a_name(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    for answer in (configured(Timeout=9), lambda _: refused(403, "AccessDeniedException")):
        endpoint.configurations["f"] = answer
        async with warden(tmp_path, endpoint.url, RULE) as running:
            await call(running, f"order-{len(endpoint.started)}")
    assert [received.headers.get("x-amz-durable-execution-name") for received in endpoint.started] == [None, None]


# What starts nothing has no use for a key.


async def test_a_dry_run_ignores_keys(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, RULE) as running:
        for _ in range(2):
            probe = await call(running, invocation_type="DryRun")
            assert (probe["outcome"], probe.get("replayed")) == ("accepted", None)
            checked = await running.dry_run("f:live", payload={"order": 1}, idempotency_key=KEY)
            assert checked["would_invoke"] is True
        assert "replayed" not in await call(running)
        assert (await running.dry_run("f:live", payload="another", idempotency_key=KEY))["would_invoke"] is True
        assert all(
            "idempotency_key" not in intent for intent in running.bodies("intent") if intent["tool"] == "dry_run"
        )
    assert len(endpoint.started) == 1


@pytest.mark.parametrize("key", ["x" * 129, "a b", "a\n", "ä", 7, ["a"]], ids=repr)
async def test_a_key_that_is_none_is_one_clear_error(key: object, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, RULE) as running:
        result = await running.invoke("f:live", idempotency_key=key)
    assert "idempotency_key" in check_of(result, "arguments")["reason"]
    assert endpoint.started == []
