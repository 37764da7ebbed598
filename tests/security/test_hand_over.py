"""A call outlives its caller: it goes on, its answer is kept for who asks, and the same call starts nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.scripted_endpoint import Held, Reply, ScriptedEndpoint, echo, one_after_another, refused, returned
from support.warden import Warden, allow, check_of, structured, text_of, warden

pytestmark = pytest.mark.anyio

READ, WRITE = allow("f", effect="read", timeout_seconds=900), allow("f", effect="write", timeout_seconds=900)
CALL: dict[str, Any] = {"function": "f:live", "payload": {"order": 1}}


@pytest.fixture
def slow(endpoint: ScriptedEndpoint) -> Held:
    """The first call of it is held, those after it are answered at once."""
    held = Held()
    endpoint.behaviours["f"] = one_after_another(held, echo)
    return held


async def invoke(running: Warden, **arguments: Any) -> dict[str, Any]:
    return structured(await running.call("invoke_function", **{**CALL, **arguments}))


async def read(running: Warden, invocation_id: str, **arguments: Any) -> dict[str, Any]:
    return structured(await running.call("read_result", invocation_id=invocation_id, **arguments))


async def leave(running: Warden, held: Held, **arguments: Any) -> None:
    """Make a call, and go away while it is under way."""
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: invoke(running, **arguments))
        await anyio.to_thread.run_sync(held.wait_for)
        group.cancel_scope.cancel()
    await anyio.sleep(0.1)  # for the server to hear of it; else it says that the call is in progress


@pytest.mark.parametrize("wait", [{"wait_seconds": 0}, {"wait_seconds": 1}, {"timeout_seconds": 1}], ids=repr)
@pytest.mark.parametrize("results", [{}, {"results_ttl": 0}], ids=["kept", "not kept"])
async def test_when_its_time_is_up_a_caller_is_told_how_to_get_the_answer(
    wait: dict[str, int], results: dict[str, Any], slow: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, WRITE, **results) as running:
        first = await invoke(running, **wait)
        waiting = await read(running, first["invocation_id"], wait_seconds=0)
        slow.release()
        whole = await read(running, first["invocation_id"])
        text = text_of(await running.call("read_result", invocation_id=first["invocation_id"]))
        again = await read(running, first["invocation_id"])
    assert (first["outcome"], "running_until" in first) == ("running", True)
    assert "read_result" in first["next_step"]
    assert (waiting["outcome"], waiting["invocation"]["outcome"]) == ("running", "running")
    assert "outcome" not in whole, "found"
    assert whole["invocation"]["outcome"] == "succeeded"
    assert whole["invocation"]["payload"] == {"order": 1}
    assert "succeeded: " in text
    assert "data from outside" in whole["outside_data"]
    assert again == whole
    assert len(endpoint.started) == 1


async def test_without_a_word_of_its_caller_a_call_is_waited_for_as_the_operator_says(
    slow: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, WRITE, answer_within=0) as running:
        assert (await invoke(running))["outcome"] == "running"
        slow.release()


async def test_a_page_and_a_query_of_a_call_that_went_on(
    slow: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, WRITE) as running:
        first = await invoke(running, wait_seconds=0)
        slow.release()
        await running.until_free()
        assert (await read(running, first["invocation_id"], query="order"))["value"] == 1
        assert (await read(running, first["invocation_id"], part="payload"))["content"] == '{"order": 1}'


@pytest.mark.parametrize("rule", [READ, WRITE], ids=["read", "write"])
@pytest.mark.parametrize("left", ["cancelled", "handed over"])
@pytest.mark.parametrize("ended", [False, True], ids=["under way", "ended"])
@pytest.mark.parametrize("key", [None, "order-1"])
async def test_the_same_call_adopts_one_whose_answer_reached_nobody(
    rule: dict[str, Any],
    left: str,
    ended: bool,
    key: str | None,
    slow: Held,
    endpoint: ScriptedEndpoint,
    tmp_path: Path,
) -> None:
    keyed = {} if key is None else {"idempotency_key": key}
    async with warden(tmp_path, endpoint.url, rule) as running:
        if left == "cancelled":
            await leave(running, slow, **keyed)
        else:
            await invoke(running, wait_seconds=0, **keyed)
        if ended:
            slow.release()
            await running.until_free()
            adopted = await invoke(running, **keyed)
        else:
            still = await invoke(running, wait_seconds=0, **keyed)
            slow.release()
            adopted = await invoke(running, **keyed)
            assert (still["outcome"], still["replayed"]) == ("running", True)
            assert still["invocation_id"] == adopted["invocation_id"]
        assert (adopted["outcome"], adopted["payload"], adopted["replayed"]) == ("succeeded", {"order": 1}, True)
        assert adopted["next_step"].startswith("Nothing was started now")
        assert len(endpoint.started) == 1
        after = await invoke(running, **keyed)
        (intent, *_) = running.bodies("replay")
    assert after.get("replayed", False) is (key is not None), "what was delivered is replayed only for its key"
    assert len(endpoint.started) == (2 if key is None else 1)
    assert intent["principal"] == "local"


async def test_a_key_that_comes_with_the_second_try_belongs_to_the_first(
    slow: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, WRITE) as running:
        await invoke(running, wait_seconds=0)
        slow.release()
        assert (await invoke(running, idempotency_key="order-1"))["replayed"] is True
        assert (await invoke(running, idempotency_key="order-1"))["replayed"] is True
    assert len(endpoint.started) == 1


@pytest.mark.parametrize(
    ("rule", "first", "second", "starts"),
    [
        (WRITE, {}, {}, 1),
        (WRITE, {}, {"idempotency_key": "a"}, 1),
        (WRITE, {"idempotency_key": "a"}, {"idempotency_key": "b"}, 2),
        (WRITE, {}, {"payload": {"order": 2}}, 2),
        (READ, {}, {}, 2),
    ],
    ids=["same", "with a key", "two keys", "other", "reads"],
)
async def test_while_the_first_is_wanted_the_same_call_is_in_progress(
    rule: dict[str, Any],
    first: dict[str, Any],
    second: dict[str, Any],
    starts: int,
    slow: Held,
    endpoint: ScriptedEndpoint,
    tmp_path: Path,
) -> None:
    async with warden(tmp_path, endpoint.url, rule) as running, anyio.create_task_group() as group:
        group.start_soon(lambda: invoke(running, **first))
        await anyio.to_thread.run_sync(slow.wait_for)
        met = await invoke(running, **second)
        slow.release()
        if starts == 1:
            assert (met["outcome"], met["replayed"]) == ("in_progress", True)
            assert (await read(running, met["invocation_id"]))["invocation"]["outcome"] == "succeeded"
    assert len(endpoint.started) == starts


async def test_who_left_while_the_store_was_waited_for_and_came_back_starts_it_once(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store may be busy for as long as another server writes to it, or a disk takes."""
    admit, waits, free = SqliteAuditLog.admit, threading.Event(), threading.Event()

    def late(*args: Any, **keys: Any) -> Any:
        if not waits.is_set():
            waits.set()
            free.wait(30)
        return admit(*args, **keys)

    monkeypatch.setattr(SqliteAuditLog, "admit", late)
    async with warden(tmp_path, endpoint.url, WRITE) as running:
        async with anyio.create_task_group() as group:
            group.start_soon(invoke, running)
            await anyio.to_thread.run_sync(waits.wait)
            group.cancel_scope.cancel()
        await running.until_left()
        assert (await invoke(running))["outcome"] == "succeeded"
        free.set()
        await running.until_free()
        assert running.kinds() == ["intent", "outcome", "denial"]
    assert len(endpoint.started) == 1


async def test_a_client_that_gives_up_without_a_word_gets_the_answer_it_asks_for_again(
    slow: Held, endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambda_warden.store.same_call.SILENT_SECONDS", 0.0)
    results = []

    async def call(running: Warden) -> None:
        results.append(await invoke(running))

    async with warden(tmp_path, endpoint.url, READ) as running, anyio.create_task_group() as group:
        group.start_soon(call, running)
        await anyio.to_thread.run_sync(slow.wait_for)
        group.start_soon(call, running)
        await running.until_recorded("intent", "replay")
        slow.release()
    assert [result["payload"] for result in results] == [{"order": 1}] * 2
    assert len(endpoint.started) == 1


@pytest.mark.parametrize("lost", [lambda _: refused(500, "ServiceException"), lambda _: Reply(fault="reset")])
async def test_after_an_unknown_one_the_same_call_has_to_name_it(
    lost: Any, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = one_after_another(lost, echo)
    async with warden(tmp_path, endpoint.url, WRITE) as running:
        first = await invoke(running)
        denials = [
            await invoke(running, **more)
            for more in ({}, {"idempotency_key": "new"}, {"after_unknown": "0" * 32}, {"invocation_type": None})
        ]
        told = await read(running, first["invocation_id"])
        other = await invoke(running, payload={"order": 2})
        named = await invoke(running, after_unknown=first["invocation_id"])
        again = await invoke(running)
        intents = running.bodies("intent")
    assert first["outcome"] == "unknown"
    for denied in denials:
        assert denied["outcome"] == "denied"
        assert first["invocation_id"] in check_of(denied, "after_unknown")["reason"]
        assert "after_unknown" in denied["next_step"]
    assert told["invocation"] == first
    assert [call["outcome"] for call in (other, named, again)] == ["succeeded"] * 3
    assert [intent.get("after_unknown") for intent in intents] == [None, None, first["invocation_id"], None]
    assert len(endpoint.started) == 4


async def test_what_only_reads_may_follow_an_unknown_one(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = one_after_another(lambda _: refused(500, "ServiceException"), echo)
    async with warden(tmp_path, endpoint.url, READ) as running:
        assert [(await invoke(running))["outcome"] for _ in range(2)] == ["unknown", "succeeded"]


async def test_a_refused_call_that_was_handed_over_is_told_and_not_adopted(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    held = Held()

    def throttled(received: Any) -> Reply:
        held(received)
        return refused(404, "ResourceNotFoundException")

    endpoint.behaviours["f"] = one_after_another(throttled, echo)
    async with warden(tmp_path, endpoint.url, WRITE) as running:
        first = await invoke(running, wait_seconds=0)
        held.release()
        assert (await read(running, first["invocation_id"]))["invocation"]["outcome"] == "refused"
        assert "replayed" not in await invoke(running)


async def test_an_answer_is_adopted_for_its_time_alone(slow: Held, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, WRITE, adopt_within=0) as running:
        first = await invoke(running, wait_seconds=0)
        slow.release()
        await running.until_free()
        assert "replayed" not in await invoke(running)
        assert (await read(running, first["invocation_id"]))["invocation"]["outcome"] == "succeeded"
    assert len(endpoint.started) == 2


async def test_a_secret_in_an_answer_that_is_kept_for_its_caller_is_redacted(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    held, secret = Held(), "AKIA" + "IOSFODNN7EXAMPLE"

    def tells(received: Any) -> Reply:
        held(received)
        return returned({"key": secret})

    endpoint.behaviours["f"] = tells
    async with warden(tmp_path, endpoint.url, WRITE) as running:
        first = await invoke(running, wait_seconds=0)
        held.release()
        whole = await read(running, first["invocation_id"])
    assert secret not in str(whole)
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("*.sqlite3*") if path.is_file())


async def test_nobody_reads_the_result_of_another_ones_call(
    slow: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, WRITE, principal="ann") as running:
        first = await invoke(running, wait_seconds=0)
        async with warden(tmp_path, endpoint.url, WRITE, principal="bob") as other:
            slow.release()
            await running.until_free()
            assert (await read(other, first["invocation_id"]))["outcome"] == "not_found"
            assert "replayed" not in await invoke(other)
        assert (await read(running, first["invocation_id"]))["invocation"]["payload"] == {"order": 1}


async def test_a_call_of_another_server_on_the_store_is_waited_for(
    slow: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, WRITE) as one, warden(tmp_path, endpoint.url, WRITE) as other:
        first = await invoke(one, wait_seconds=0)
        adopted: list[dict[str, Any]] = []

        async def adopt() -> None:
            adopted.append(await invoke(other))

        async with anyio.create_task_group() as group:
            group.start_soon(adopt)
            await anyio.sleep(0.1)
            slow.release()
    assert (adopted[0]["invocation_id"], adopted[0]["payload"]) == (first["invocation_id"], {"order": 1})
    assert len(endpoint.started) == 1


async def test_an_answer_that_could_not_be_given_for_want_of_a_record_is_not_given_up(
    slow: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    folder = tmp_path / "sink"
    folder.mkdir()
    sink = f"file://{folder}/records.jsonl?required=true"
    async with warden(tmp_path, endpoint.url, WRITE, sinks=(sink,)) as running:
        first = await invoke(running, wait_seconds=0)
        slow.release()
        await running.until_free()
        folder.rename(tmp_path / "away")
        failed = await invoke(running)
        (tmp_path / "away").rename(folder)
        adopted = await invoke(running)
    assert (failed["outcome"], check_of(failed, "record")["passed"]) == ("denied", False)
    assert (adopted["outcome"], adopted["invocation_id"]) == ("succeeded", first["invocation_id"])
    assert len(endpoint.started) == 1
