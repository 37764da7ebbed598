"""One tool call starts a function at most once, and says `unknown` wherever it may have started."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from support.scripted_endpoint import Behaviour, Received, Reply, ScriptedEndpoint, echo, refused, returned
from support.warden import Warden, allow, arn, warden

pytestmark = pytest.mark.anyio

RULES = (allow("f", "live", "$LATEST", invocation_types=["RequestResponse", "Event"]),)

MAY_HAVE_RUN: dict[str, Behaviour] = {
    "500 ServiceException": lambda _: refused(500, "ServiceException"),
    "502 without a body": lambda _: Reply(502),
    "503": lambda _: refused(503, "ServiceUnavailable"),
    "504 in HTML": lambda _: Reply(504, b"<html>timeout</html>", {"Content-Type": "text/html"}),
    "connection reset": lambda _: Reply(fault="reset"),
    "answer cut off": lambda _: Reply(body=b'{"half": "of an answer"}', fault="cut"),
}

DID_NOT_RUN: dict[str, tuple[Behaviour, bool]] = {
    "429": (lambda _: refused(429, "TooManyRequestsException"), True),
    "403": (lambda _: refused(403, "AccessDeniedException"), False),
    "404": (lambda _: refused(404, "ResourceNotFoundException"), False),
    "409 being updated": (lambda _: refused(409, "ResourceConflictException"), True),
    "413": (lambda _: refused(413, "RequestTooLargeException"), False),
}


@pytest.mark.parametrize("invocation_type", ["RequestResponse", "Event"])
@pytest.mark.parametrize("behaviour", MAY_HAVE_RUN.values(), ids=MAY_HAVE_RUN)
async def test_what_may_have_run_is_unknown_and_was_sent_once(
    behaviour: Behaviour, invocation_type: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = behaviour
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        result = await running.call("invoke_function", function="f:live", invocation_type=invocation_type)
    assert result.is_error
    assert result.structured_content is not None
    assert result.structured_content["outcome"] == "unknown"
    assert "Do not call it again" in result.structured_content["next_step"]
    assert len(endpoint.started) == 1


@pytest.mark.parametrize(("behaviour", "passes"), DID_NOT_RUN.values(), ids=DID_NOT_RUN)
async def test_what_did_not_run_is_refused_and_was_sent_once(
    behaviour: Behaviour, passes: bool, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = behaviour
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        result = await running.invoke("f:live")
    assert result["outcome"] == "refused"
    assert ("call again" in result["next_step"]) == passes
    assert len(endpoint.started) == 1


async def test_an_answer_later_than_the_timeout_is_unknown_and_was_sent_once(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    released = threading.Event()

    def wait(received: Received) -> Reply:
        released.wait(30)
        return echo(received)

    endpoint.behaviours["f"] = wait
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        result = await running.invoke("f:live", timeout_seconds=1)
        released.set()
    assert result["outcome"] == "unknown"
    assert result["error"]["code"] == "ReadTimeoutError"
    assert len(endpoint.started) == 1


async def test_an_endpoint_that_nobody_listens_on_is_refused(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with warden(tmp_path, url, *RULES) as running:
            result = await running.invoke("f:live")
    assert result["outcome"] == "refused"
    assert result["error"]["code"] == "EndpointConnectionError"


async def test_a_redirect_is_not_followed(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: Reply(307, headers={"Location": endpoint.url + "/elsewhere"})
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        result = await running.invoke("f:live")
    assert result["outcome"] == "unknown"
    assert [received.path for received in endpoint.received] == [endpoint.invocations[0].path]


async def test_slow_functions_keep_nobody_waiting(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """Twenty calls are held at the endpoint at once; the server still answers, and then each gets its own answer."""
    calls = 20
    all_there = threading.Barrier(calls + 1)
    released = threading.Event()

    def hold(received: Received) -> Reply:
        all_there.wait(30)
        released.wait(30)
        return echo(received)

    endpoint.behaviours["f"] = hold
    results: dict[int, dict[str, Any]] = {}

    async def call(running: Warden, number: int) -> None:
        results[number] = await running.invoke("f:live", payload=number)

    async with warden(tmp_path, endpoint.url, *RULES) as running, anyio.create_task_group() as group:
        for number in range(calls):
            group.start_soon(call, running, number)
        await anyio.to_thread.run_sync(all_there.wait, 30)
        assert (await running.invoke("g:live"))["outcome"] == "denied"
        assert not results
        released.set()
    assert {number: result["payload"] for number, result in results.items()} == {n: n for n in range(calls)}
    assert len(endpoint.started) == calls


async def test_a_call_that_the_client_gave_up_still_ends_on_record(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    arrived, released = threading.Event(), threading.Event()

    def hold(received: Received) -> Reply:
        arrived.set()
        released.wait(30)
        return echo(received)

    endpoint.behaviours["f"] = hold
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        async with anyio.create_task_group() as group:
            group.start_soon(running.invoke, "f:live")
            await anyio.to_thread.run_sync(arrived.wait, 30)
            group.cancel_scope.cancel()
        assert [kind for kind, _, _ in running.records()] == ["intent"]
        released.set()
        with anyio.fail_after(30):
            while len(running.records()) < 2:
                await anyio.sleep(0.01)
        (intent, intent_id, _), (outcome, outcome_id, body) = running.records()
    assert (intent, outcome) == ("intent", "outcome")
    assert intent_id == outcome_id
    assert json.loads(body)["outcome"] == "succeeded"
    assert len(endpoint.started) == 1


async def test_what_is_sent_is_the_canonical_arn_and_its_qualifier(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: returned("ok", version="7")
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        for spelling in ("f:live", "123456789012:function:f:live", arn("f") + ":live"):
            await running.invoke(spelling)
        await running.invoke("f", qualifier="live")
        await running.invoke("f")
    sent = [(received.function, received.qualifier) for received in endpoint.started]
    assert sent == [(arn("f"), "live")] * 4 + [(arn("f"), "$LATEST")]


async def test_a_call_lost_behind_a_proxy_is_unknown(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """urllib3 reports a connection that a proxy dropped after the request as it reports a proxy that is not there."""
    monkeypatch.setenv("HTTP_PROXY", endpoint.url)
    endpoint.behaviours["f"] = lambda _: Reply(fault="reset")
    async with warden(tmp_path, "http://127.0.0.1:9", *RULES) as running:
        result = await running.invoke("f:live")
    assert (result["outcome"], result["error"]["code"]) == ("unknown", "ProxyConnectionError")
    assert len(endpoint.started) == 1


async def test_a_proxy_that_is_not_there_means_that_nothing_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused.getsockname()[1]}")
        async with warden(tmp_path, "http://127.0.0.1:9", *RULES) as running:
            result = await running.invoke("f:live")
    assert (result["outcome"], result["error"]["code"]) == ("refused", "ProxyConnectionError")


async def test_a_call_that_was_given_up_while_it_waited_for_its_record_is_not_sent(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        with closing(sqlite3.connect(running.records_file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with anyio.move_on_after(0.3) as left:
                await running.invoke("f:live")
            other.execute("COMMIT")
        assert left.cancelled_caught
        with anyio.fail_after(30):
            while [kind for kind, _, _ in running.records()] != ["intent", "outcome"]:
                await anyio.sleep(0.02)
        assert json.loads(running.records()[1][2])["outcome"] == "refused"
    assert endpoint.started == []


async def test_a_call_whose_client_left_ends_on_record(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """The server's life ends while the function runs; the records stay open until its outcome is in them."""
    arrived, released = threading.Event(), threading.Event()

    def hold(received: Received) -> Reply:
        arrived.set()
        released.wait(30)
        return echo(received)

    endpoint.behaviours["f"] = hold
    async with warden(tmp_path, endpoint.url, *RULES) as running, anyio.create_task_group() as group:
        group.start_soon(running.invoke, "f:live")
        await anyio.to_thread.run_sync(arrived.wait, 30)
        group.cancel_scope.cancel()
    released.set()
    with anyio.fail_after(30):
        while len(running.records()) < 2:
            await anyio.sleep(0.02)
    assert json.loads(running.records()[1][2])["outcome"] == "succeeded"


async def test_no_more_calls_are_under_way_than_there_are_slots(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """A call that its client gave up keeps its slot as long as it runs."""
    released = threading.Event()

    def hold(received: Received) -> Reply:
        released.wait(30)
        return echo(received)

    endpoint.behaviours["f"] = hold
    async with warden(tmp_path, endpoint.url, *RULES, concurrency=2) as running:
        for _ in range(5):
            with anyio.move_on_after(0.3):
                await running.invoke("f:live")
        assert len(endpoint.started) == 2
        released.set()
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"
    assert len(endpoint.started) == 3
