"""One tool call starts a function at most once, and says `unknown` wherever it may have started."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from lambda_warden.store.audit_log import RecordError
from support.scripted_endpoint import (
    Behaviour,
    Held,
    Received,
    Reply,
    ScriptedEndpoint,
    echo,
    one_after_another,
    refused,
    returned,
)
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


@pytest.mark.parametrize(
    ("behaviour", "passes", "max_attempts"),
    [
        *((*row, 2) for row in DID_NOT_RUN.values()),
        *((*DID_NOT_RUN["429"], max_attempts) for max_attempts in (1, 5)),
    ],
    ids=[*DID_NOT_RUN, "429 once", "429 five times"],
)
async def test_what_did_not_run_is_refused_and_tried_again_only_if_the_reason_passes(
    behaviour: Behaviour, passes: bool, max_attempts: int, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = behaviour
    async with warden(tmp_path, endpoint.url, allow("f", max_attempts=max_attempts)) as running:
        result = await running.invoke("f:live")
        retries, (outcome,) = running.bodies("retry"), running.bodies("outcome")
        kinds = running.kinds()
    attempts = max_attempts if passes else 1
    assert result["outcome"] == "refused"
    assert ("call again" in result["next_step"]) == passes
    assert len(endpoint.started) == attempts
    assert kinds == ["intent", *["retry"] * (attempts - 1), "outcome"]
    assert [retry["attempt"] for retry in retries] == list(range(1, attempts))
    assert (result.get("attempts", 1), outcome.get("attempts", 1)) == (attempts, attempts)


async def test_without_a_word_in_the_rule_there_are_three_attempts(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: refused(429, "TooManyRequestsException")
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        assert (await running.invoke("f:live"))["attempts"] == 3
    assert len(endpoint.started) == 3


async def test_an_attempt_after_one_that_did_not_run_is_the_same_request(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = one_after_another(lambda _: refused(429, "TooManyRequestsException"), echo)
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        result = await running.invoke("f:live", payload={"order": 1}, client_context={"a": 1})
        kinds, (retry,) = running.kinds(), running.bodies("retry")
    assert (result["outcome"], result["payload"], result["attempts"]) == ("succeeded", {"order": 1}, 2)
    assert kinds == ["intent", "retry", "outcome"]
    assert (retry["error"], retry["status_code"], retry["attempt"]) == ("TooManyRequestsException", 429, 1)
    first, second = [_as_sent(received) for received in endpoint.started]
    assert first == second


@pytest.mark.parametrize("ending", MAY_HAVE_RUN.values(), ids=MAY_HAVE_RUN)
async def test_what_may_have_run_is_never_sent_again_also_after_attempts_that_did_not(
    ending: Behaviour, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = one_after_another(lambda _: refused(429, "TooManyRequestsException"), ending)
    async with warden(tmp_path, endpoint.url, allow("f", max_attempts=5)) as running:
        result = await running.invoke("f:live")
        kinds = running.kinds()
    assert (result["outcome"], result["attempts"]) == ("unknown", 2)
    assert len(endpoint.started) == 2
    assert kinds == ["intent", "retry", "outcome"]


async def test_what_ran_is_not_tried_again_whatever_the_function_says(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    error = {"errorType": "TooManyRequestsException", "errorMessage": "429", "statusCode": 429}
    endpoint.behaviours["f"] = lambda _: returned(error, error="Unhandled")
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        assert (await running.invoke("f:live"))["outcome"] == "function_error"
    assert len(endpoint.started) == 1


async def test_no_attempt_comes_before_the_time_that_aws_names(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    throttled: Behaviour = lambda _: refused(429, "TooManyRequestsException", retry_after=1)  # noqa: E731
    endpoint.behaviours["f"] = one_after_another(throttled, echo)
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"
        (retry,) = running.bodies("retry")
    assert 1000 <= retry["pause_ms"] <= 1500


async def test_no_attempt_is_waited_for_longer_than_a_call_may_take(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: refused(429, "TooManyRequestsException", retry_after=60)
    async with warden(tmp_path, endpoint.url, allow("f", timeout_seconds=20)) as running:
        result = await running.invoke("f:live")
        kinds = running.kinds()
    assert (result["outcome"], result["error"]["retry_after_seconds"]) == ("refused", 60)
    assert len(endpoint.started) == 1
    assert kinds == ["intent", "outcome"]


async def test_an_attempt_that_can_not_be_recorded_is_not_made(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.behaviours["f"] = lambda _: refused(429, "TooManyRequestsException")
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        assert running.inside is not None
        records = running.inside._records
        append = records.append

        def full(kind: Any, invocation_id: str, body: Mapping[str, Any]) -> None:
            if kind == "retry":
                raise RecordError("disk full")
            append(kind, invocation_id, body)

        monkeypatch.setattr(records, "append", full)
        result = await running.invoke("f:live")
        kinds = running.kinds()
    assert (result["outcome"], result["error"]["code"]) == ("refused", "TooManyRequestsException")
    assert len(endpoint.started) == 1
    assert kinds == ["intent", "outcome"]


async def test_a_probe_is_never_a_call_however_often_it_is_tried(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: refused(429, "TooManyRequestsException")
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        assert (await running.dry_run("f:live", payload=1))["would_invoke"] is False
    assert endpoint.started == []
    assert {received.body for received in endpoint.invocations} == {b""}


async def test_an_answer_later_than_the_rules_timeout_is_unknown_and_was_sent_once(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = held = Held()
    async with warden(tmp_path, endpoint.url, allow("f", timeout_seconds=1)) as running:
        result = await running.invoke("f:live")
        held.release()
        (outcome,) = running.bodies("outcome")
    assert result["outcome"] == "unknown"
    assert result["error"] == {"code": "DeadlineExceeded", "message": "there was no answer in time"}
    assert (outcome["outcome"], outcome["error"]) == ("unknown", "DeadlineExceeded")
    assert len(endpoint.started) == 1


@pytest.mark.parametrize("max_attempts", [1, 3])
async def test_an_endpoint_that_nobody_listens_on_is_refused(max_attempts: int, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with warden(tmp_path, url, allow("f", max_attempts=max_attempts)) as running:
            result = await running.invoke("f:live")
            errors = [retry["error"] for retry in running.bodies("retry")]
    assert result["outcome"] == "refused"
    assert result["error"]["code"] == "EndpointConnectionError"
    assert errors == ["EndpointConnectionError"] * (max_attempts - 1)


async def test_an_endpoint_that_comes_back_gets_the_call_once(tmp_path: Path) -> None:
    """Nobody listens at first, which is certain to start nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        asked: list[bytes] = []

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 202 Accepted\r\nx-amzn-RequestId: r-1\r\nContent-Length: 0\r\n\r\n")

        server = threading.Thread(target=answer, daemon=True)
        rule = allow("f", invocation_types=["Event"], max_attempts=10)
        async with warden(tmp_path, url, rule) as running, anyio.create_task_group() as group:
            results: list[dict[str, Any]] = []

            async def call() -> None:
                results.append(await running.invoke("f:live", invocation_type="Event"))

            group.start_soon(call)
            with anyio.fail_after(30):
                while "retry" not in running.kinds():
                    await anyio.sleep(0.01)
            listener.listen()
            server.start()
        server.join(30)
    assert [result["outcome"] for result in results] == ["accepted"]
    assert len(asked) == 1


async def test_a_redirect_is_not_followed(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: Reply(307, headers={"Location": endpoint.url + "/elsewhere"})
    async with warden(tmp_path, endpoint.url, *RULES) as running:
        result = await running.invoke("f:live")
    assert result["outcome"] == "unknown"
    assert len(endpoint.started) == 1
    assert not any("elsewhere" in received.path for received in endpoint.received)


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


def _as_sent(received: Received) -> tuple[str, Mapping[str, str], bytes, object]:
    return received.path, received.query, received.body, received.client_context
