"""`read_logs`, from a call to its log: what is found, what comes late, and what is said where nothing is."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import anyio
import pytest

from lambda_warden.aws import logs as aws_logs
from lambda_warden.logs import reader as orchestration
from security.test_logs import ANY, OWN, answering, invoked, now_ms, reading, run, stream
from support.logs_endpoint import Logged, LogsEndpoint
from support.scripted_endpoint import Reply, ScriptedEndpoint, configured
from support.warden import allow, arn, check_of, text_of

pytestmark = pytest.mark.anyio

GROUP = "/aws/lambda/f"
ASYNC = {"invocation_types": ["Event", "RequestResponse"], **OWN}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestration, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(orchestration, "_LONGEST_PAUSE_SECONDS", 0.02)


async def test_the_log_of_a_queued_call_is_waited_for_until_its_end_is_there(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    request_id = str(uuid.uuid4())
    events = run(request_id, "one", "two")
    logs.groups[GROUP] = [
        Logged(each.stream, each.timestamp, each.message, late)
        for each, late in zip(events, [2, 2, 3, 4, 4], strict=True)
    ]
    async with reading(tmp_path, endpoint, logs, allow("f", **ASYNC)) as running:
        invocation_id = await invoked(running, endpoint, "f", request_id, invocation_type="Event")
        early = await running.read_logs(invocation_id=invocation_id, wait_seconds=0)
        assert (early["outcome"], len(logs.searches)) == ("not_found", 1)
        reply = await running.call("read_logs", invocation_id=invocation_id, wait_seconds=30)
    result = reply.structured_content or {}
    assert not reply.is_error
    assert (result["outcome"], result["complete"], result["attempts"]) == ("found", True, 1)
    assert result["text"].split("\n")[1:3] == ["one", "two"]
    assert len(logs.searches) == 5
    assert result["report"] == {
        "duration_ms": 12.5,
        "billed_duration_ms": 13,
        "memory_size_mb": 128,
        "max_memory_used_mb": 64,
    }
    assert (result["function"], result["qualifier"], result["request_id"]) == (arn("f"), "live", request_id)
    assert (result["log_group"], result["log_streams"]) == (GROUP, [stream()])
    assert any("up to two times" in note for note in result["notes"])
    text = text_of(reply)
    assert "1 attempt, complete" in text
    assert "│ one\n│ two\n" in text


async def test_a_log_without_its_end_is_given_when_the_time_is_over(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    request_id = str(uuid.uuid4())
    logs.groups[GROUP] = run(request_id, "one")[:2]
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        result = await running.read_logs(function="f:live", request_id=request_id, wait_seconds=1)
    assert (result["outcome"], result.get("complete", False), "report" in result) == ("found", False, False)
    assert "more wait_seconds" in result["next_step"]
    assert len(logs.searches) > 2


async def test_a_log_group_that_is_not_there_yet_is_waited_for(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    request_id = str(uuid.uuid4())
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        result = await running.read_logs(function="f:live", request_id=request_id, wait_seconds=3)
        assert (result["outcome"], "error" in result) == ("not_found", False)
        assert len(logs.searches) > 1
        reply = await running.call("read_logs", function="f:live", request_id=request_id, wait_seconds=0)
        assert not reply.is_error


async def test_what_aws_refuses_is_not_waited_for(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    logs.refusal = "AccessDeniedException"
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        reply = await running.call("read_logs", function="f:live", request_id=str(uuid.uuid4()), wait_seconds=60)
    result = reply.structured_content or {}
    assert reply.is_error
    assert (result["outcome"], result["error"]["code"]) == ("refused", "AccessDeniedException")
    assert "lambda-warden iam-policy" in result["next_step"]
    assert len(logs.received) == 1


async def test_every_attempt_is_found_in_whichever_stream_in_the_order_of_time(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    request_id, other = str(uuid.uuid4()), str(uuid.uuid4())
    first, second = stream("9"), stream("10")
    logs.groups[GROUP] = [
        *run(request_id, "second attempt", where=second, at=now_ms() + 60_000),
        *run(other, "not mine", where=second, at=now_ms() + 60_100),
        *run(request_id, "first attempt", where=first, at=now_ms()),
        *run(other, "not mine", where=first, at=now_ms() - 100),
    ]
    logs.page_size = 2
    async with reading(tmp_path, endpoint, logs, allow("f", **ASYNC)) as running:
        invocation_id = await invoked(running, endpoint, "f", request_id, invocation_type="Event")
        result = await running.read_logs(invocation_id=invocation_id)
    assert (result["attempts"], result["log_streams"]) == (2, [first, second])
    assert [line for line in result["text"].split("\n") if "RequestId" not in line] == [
        "first attempt",
        "second attempt",
    ]


async def test_the_search_begins_shortly_before_the_call(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    request_id = str(uuid.uuid4())
    logs.groups[GROUP] = []
    async with reading(tmp_path, endpoint, logs, allow("f", **ASYNC)) as running:
        for invocation_type, hours in {"RequestResponse": 0, "Event": 6}.items():
            logs.received.clear()
            before = now_ms()
            invocation_id = await invoked(running, endpoint, "f", request_id, invocation_type=invocation_type)
            await running.read_logs(invocation_id=invocation_id, wait_seconds=0)
            (asked,) = logs.received
            assert before - 301_000 < asked.body["startTime"] < now_ms()
            assert hours * 3600 <= (asked.body["endTime"] - before) / 1000 - 900 < hours * 3600 + 700


async def test_the_search_goes_on_for_as_long_as_a_function_on_managed_instances_may_run(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    logs.groups[GROUP] = []
    endpoint.configurations["f"] = configured(Timeout=5400, CapacityProviderConfig={})
    async with reading(tmp_path, endpoint, logs, allow("f", **ASYNC)) as running:
        invocation_id = await invoked(running, endpoint, "f", str(uuid.uuid4()))
        await running.read_logs(invocation_id=invocation_id, wait_seconds=0)
    (asked,) = logs.received
    assert 5400 <= (asked.body["endTime"] - now_ms()) / 1000 < 5400 + 700


async def test_side_by_side_invocations_are_told_by_the_configuration(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    request_id = str(uuid.uuid4())
    mine = json.dumps({"message": "mine", "requestId": request_id})
    logs.groups[GROUP] = run(request_id, "whose?", mine)
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        endpoint.catalog = Reply(body=json.dumps({"CapacityProviderConfig": {"X": 1}}).encode())
        result = await running.read_logs(function="f:live", request_id=request_id)
    assert "whose?" not in result["text"]
    assert mine in result["text"]
    assert any("side by side" in note for note in result["notes"])


async def test_more_than_can_be_read_is_said_to_be_cut_and_its_report_is_there_all_the_same(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_logs, "BYTES_LIMIT", 2000)
    request_id = str(uuid.uuid4())
    logs.groups[GROUP] = run(request_id, *(f"line {number}" for number in range(1000)))
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        result = await running.read_logs(function="f:live", request_id=request_id, wait_seconds=60)
    assert (result["outcome"], result["truncated"], result["complete"]) == ("found", True, True)
    assert 1000 < result["text_bytes"] < 2500
    assert result["report"]["duration_ms"] == 12.5
    assert len(logs.searches) == 1


async def test_the_pages_are_the_log_and_a_cursor_of_a_log_that_changed_is_an_error(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    request_id = str(uuid.uuid4())
    logs.groups[GROUP] = run(request_id, *(f"line {number} é" for number in range(100)))
    asked: dict[str, Any] = {"function": "f:live", "request_id": request_id}
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        whole = await running.read_logs(**asked)
        first = await running.read_logs(**asked, max_bytes=300)
        texts, page = [first["text"]], first
        while "next_cursor" in page:
            page = await running.read_logs(**asked, max_bytes=300, cursor=page["next_cursor"])
            texts.append(page["text"])
        assert "".join(texts) == whole["text"]
        assert len(texts) > 3
        logs.groups[GROUP] = run(request_id, "late", *(f"line {number} é" for number in range(100)))
        reply = await running.call("read_logs", **asked, max_bytes=300, cursor=first["next_cursor"])
        assert reply.is_error
        assert "changed" in check_of(reply.structured_content or {}, "arguments")["reason"]


async def test_no_one_reads_more_at_once_than_the_rule_says(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    request_id = str(uuid.uuid4())
    logs.groups[GROUP] = run(request_id, *(f"line {number}" for number in range(100)))
    async with reading(tmp_path, endpoint, logs, allow("f", logs={"read": "any", "max_bytes": 400})) as running:
        for wanted in ({}, {"max_bytes": 100_000}):
            result = await running.read_logs(function="f:live", request_id=request_id, **wanted)
            assert len(result["text"].encode()) <= 400 < result["text_bytes"]
            assert result["next_cursor"]


async def test_a_call_whose_request_id_is_not_known_has_no_log_that_can_be_told(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = lambda received: Reply(fault="reset")
    async with reading(tmp_path, endpoint, logs, allow("f", **OWN)) as running:
        made = await running.invoke("f:live")
        assert made["outcome"] == "unknown"
        result = await running.read_logs(invocation_id=made["invocation_id"])
    assert result["outcome"] == "not_found"
    assert "No request id" in result["notes"][0]
    assert logs.received == []


async def test_an_unknown_outcome_with_a_request_id_has_a_log(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    request_id = str(uuid.uuid4())
    logs.groups[GROUP] = run(request_id, "it ran")
    endpoint.behaviours["f"] = lambda received: Reply(500, b"{}", {"x-amzn-RequestId": request_id})
    async with reading(tmp_path, endpoint, logs, allow("f", **OWN)) as running:
        made = await running.invoke("f:live")
        assert made["outcome"] == "unknown"
        result = await running.read_logs(invocation_id=made["invocation_id"])
    assert "it ran" in result["text"]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"qualifier": "live"},
        {"request_id": "4f2c1d7e-0000-4000-8000-000000000001"},
        {"invocation_id": "0" * 32, "function": "f:live"},
        {"invocation_id": "0" * 32, "qualifier": "live"},
        {"invocation_id": "0" * 32, "wait_seconds": 61},
        {"invocation_id": 7},
        {"invocation": "0" * 32},
    ],
)
async def test_an_invocation_is_named_in_one_way(
    arguments: dict[str, Any], endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        result = await running.read_logs(**arguments)
    assert (result["outcome"], check_of(result, "arguments")["passed"]) == ("denied", False)


async def test_a_dry_run_has_no_log(endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path) -> None:
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        asked = await running.dry_run("f:live")
        made = await running.invoke("f:live", invocation_type="DryRun")
        for invocation_id in (asked["invocation_id"], made["invocation_id"]):
            assert (await running.read_logs(invocation_id=invocation_id))["outcome"] == "denied"
    assert logs.received == []


async def test_who_gives_up_ends_the_waiting(endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = answering(str(uuid.uuid4()))
    async with reading(tmp_path, endpoint, logs, allow("f", **OWN)) as running:
        made = await running.invoke("f:live")
        with anyio.move_on_after(0.3):
            await running.read_logs(invocation_id=made["invocation_id"], wait_seconds=60)
        await anyio.sleep(0.2)
        asked = len(logs.received)
        await anyio.sleep(0.3)
        assert asked == len(logs.received) > 0


# The newest failures

ERROR = "[ERROR] KeyError: 'rates-2026-11'\nTraceback (most recent call last):\n  File \"/var/task/f.py\", line 3\n"


def failed_run(request_id: str, at: int, **more: Any) -> list[Logged]:
    """An uncaught exception, which names no invocation, between the marks of one."""
    return run(request_id, "INFO loading\n", ERROR, at=at, **more)


async def test_the_newest_failing_invocations_are_found_without_a_request_id(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    good, older, newer, timed_out = (str(uuid.uuid4()) for _ in range(4))
    now = now_ms()
    logs.groups[GROUP] = [
        *run(good, "errors: 0, no failure", at=now - 5000),
        *failed_run(older, now - 60_000),
        *failed_run(newer, now - 10_000, where=stream("9")),
        *run(timed_out, f"2026-11-25T10:00:00.000Z {timed_out} Task timed out after 3.00 seconds\n\n", at=now - 30_000),
    ]
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        reply = await running.call("read_logs", function="f:live", hours_back=2)
        result = reply.structured_content or {}
        failures = result["failures"]
        assert [failure["request_id"] for failure in failures] == [newer, timed_out, older]
        assert failures[0]["lines"][0] == "[ERROR] KeyError: 'rates-2026-11'"
        assert "Task timed out" in failures[1]["lines"][0]
        assert result["outcome"] == "found"
        assert "next_cursor" not in result
        assert "never instructions" in result["outside_data"]
        text = text_of(reply)
        assert "│ [ERROR] KeyError: 'rates-2026-11'" in text
        assert text.index(newer) < text.index(timed_out) < text.index(older)
        (search,) = logs.searches
        assert 7200_000 <= now_ms() - search.body["startTime"] < 7200_000 + 60_000
        whole = await running.read_logs(function="f:live", request_id=newer)
        assert "INFO loading" in whole["text"]


async def test_pages_of_failures_hold_each_of_them_once_also_where_time_stands_still(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path
) -> None:
    now = now_ms()
    ids = [str(uuid.uuid4()) for _ in range(37)]
    logs.groups[GROUP] = [
        Logged(stream(str(number)), now - (5000 if number < 25 else 100 * number), f"RequestId: {each} Error: {text}")
        for number, each in enumerate(ids)
        for text in ("Runtime exited with error: signal: killed", "ERROR again")
    ]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        for _ in range(6):
            page = await running.read_logs(function="f:live", **cursor)
            seen += [failure["request_id"] for failure in page["failures"]]
            if "next_cursor" not in page:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == len(ids)
        assert set(seen) == set(ids)
        small = await running.read_logs(function="f:live", max_bytes=256)
        assert 1 <= len(small["failures"]) < 10
        for wrong in ("x", "YXQ6MTo="):
            reply = await running.call("read_logs", function="f:live", cursor=wrong)
            assert check_of(reply.structured_content or {}, "arguments")["passed"] is False


async def test_that_nothing_failed_is_said(endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path) -> None:
    logs.groups[GROUP] = [Logged(stream(), now_ms() - number, "errors: 0") for number in range(50)]
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        result = await running.read_logs(function="f:live")
    assert (result["outcome"], "No failure was logged" in result["next_step"]) == ("not_found", True)


async def test_failures_are_found_behind_many_lines_of_one_invocation_and_behind_many_that_are_none(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_logs, "_FAILURE_EVENTS", 50)
    logs.page_size = 25
    talkative, hidden, now = str(uuid.uuid4()), str(uuid.uuid4()), now_ms()
    logs.groups[GROUP] = [
        *(Logged(stream(), now - number, f"[ERROR]\t2026-11-25T10:00:00Z\t{talkative}\tx") for number in range(180)),
        *(Logged(stream(), now - 5000 - number, "errors: 0") for number in range(180)),
        Logged(stream(), now - 9000, f"[ERROR]\t2026-11-25T10:00:00Z\t{hidden}\tx"),
    ]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        for _ in range(5):
            page = await running.read_logs(function="f:live", **cursor)
            seen += [failure["request_id"] for failure in page.get("failures", [])]
            if "next_cursor" not in page:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert seen == [talkative, hidden]
        assert "next_cursor" not in page
        monkeypatch.setattr(orchestration, "_SEARCHES", 1)
        logs.groups[GROUP] = logs.groups[GROUP][180:]
        page = await running.read_logs(function="f:live")
        assert (page["outcome"], "next_cursor" in page) == ("not_found", True)
        assert "newest part" in page["next_step"]


async def test_a_search_without_an_end_is_cut(
    endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_logs, "_PAGES", 1)
    logs.empty_pages = True
    logs.groups[GROUP] = [Logged(stream(), now_ms(), "ERROR")]
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        result = await running.read_logs(function="f:live")
    assert (result["outcome"], "fewer hours_back" in result["next_step"]) == ("not_found", True)


@pytest.mark.parametrize(
    ("lines", "cause", "errors"),
    [
        (["working"], None, []),
        (["[ERROR] KeyError: 'rates-2026-11'\n"], "code", ["KeyError: 'rates-2026-11'"]),
        (
            [
                "[ERROR]\t2026-11-05T10:00:00.000Z\t@\tcheckout failed\rTraceback (most recent call last):\r"
                '  File "/var/task/f.py", line 4, in rate\r    get()\r'
                "ConnectionRefusedError: [Errno 111] Connection refused\r\r"
                "The above exception was the direct cause of the following exception:\r\r"
                "Traceback (most recent call last):\r"
                '  File "/var/task/f.py", line 9, in handler\r    rate()\r'
                "CheckoutError: no rate\n"
            ],
            "network",
            ["no rate", "Connection refused"],
        ),
        (["2026-11-05T10:00:00.000Z @ Task timed out after 3.00 seconds\n"], "timeout", ["Task timed out"]),
    ],
)
async def test_the_cause_of_an_error_in_a_log_stands_in_both_views(
    lines: list[str],
    cause: str | None,
    errors: list[str],
    endpoint: ScriptedEndpoint,
    logs: LogsEndpoint,
    tmp_path: Path,
) -> None:
    request_id = str(uuid.uuid4())
    filler = [f"line {number}\n" for number in range(200)]
    logs.groups[GROUP] = run(request_id, *(line.replace("@", request_id) for line in lines), *filler)
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY)) as running:
        reply = await running.call("read_logs", function="f:live", request_id=request_id, max_bytes=256)
        result = reply.structured_content or {}
        after = await running.read_logs(
            function="f:live", request_id=request_id, max_bytes=256, cursor=result["next_cursor"]
        )
    assert result.get("cause") == cause
    told = json.dumps(result.get("errors", []))
    for words in errors:
        assert words in told
        assert words in text_of(reply)
    assert (told == "[]") == (not errors)
    assert (f"Cause of its last error: {cause}" in text_of(reply)) == (cause is not None)
    assert "errors" not in after
