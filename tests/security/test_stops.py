"""Calls that a person paused, and functions that failed too often, are not sent: counted at a socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client.session import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from lambda_warden.store.audit_log import AuditLog
from lambda_warden.store.opening import open_store
from support.scripted_endpoint import Held, Reply, ScriptedEndpoint, refused, returned
from support.warden import allow, always_yes, check_of, structured, text_of, warden

pytestmark = pytest.mark.anyio

FAILS = returned({"errorMessage": "broken"}, error="Unhandled")


async def test_list_functions_says_so_and_counts_a_function_under_two_rules_once(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f"), allow("f", "7", effect="read")) as running:
        with another_process(tmp_path) as log:
            log.pause("ann", "incident 7")
            paused = await running.call("list_functions")
            log.resume("ann")
        after = await running.list_functions()
    listed = structured(paused)
    assert listed["notes"][0].startswith("No call is sent now: ann has paused all calls since 20")
    assert "incident 7" in text_of(paused)
    assert "1 of 1 functions" in text_of(paused)
    assert ("paused" in str(after), after["total"], len(after["functions"])) == (False, 1, 2)


@contextmanager
def another_process(folder: Path) -> Iterator[AuditLog]:
    """The records, as `lambda-warden pause` opens them beside a server."""
    with closing(open_store(folder / "records.sqlite3").audit_log()) as log:
        yield log


async def test_while_calls_are_paused_none_is_sent_and_those_under_way_end(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    results: list[dict[str, Any]] = []
    rules = (allow("f"), allow("g", effect="read"))
    async with warden(tmp_path, endpoint.url, *rules) as running:

        async def call() -> None:
            results.append(await running.invoke("f:live"))

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            with anyio.fail_after(30):
                while not endpoint.started:
                    await anyio.sleep(0.01)
            with another_process(tmp_path) as log:
                log.pause("ann", "incident 7")
            denied = await running.invoke("g:live")
            would = await running.dry_run("g:live")
            probed = await running.invoke("g:live", invocation_type="DryRun")
            held.release()
        assert [result["outcome"] for result in results] == ["succeeded"]
        received = len(endpoint.received)
    async with warden(tmp_path, endpoint.url, *rules) as running:  # another server
        assert (await running.invoke("g:live"))["outcome"] == "denied"
        assert len(endpoint.received) == received
        with another_process(tmp_path) as log:
            log.resume("ann")
        assert (await running.invoke("g:live"))["outcome"] == "succeeded"
        records = [body for body in running.bodies("denial") if body["check"] == "paused"]
    for answer in (denied, would, probed):
        reason = check_of(answer, "paused")["reason"]
        assert reason.startswith("ann has paused all calls since 20")
        assert reason.endswith(": incident 7")
        assert "only a person can resume" in answer["next_step"]
    assert would["would_invoke"] is False
    assert [body["tool"] for body in records] == ["invoke_function", "dry_run", "invoke_function", "invoke_function"]
    assert "incident 7" in records[0]["reason"]
    assert len(endpoint.started) == 2


async def test_nobody_is_asked_for_a_call_that_is_paused_and_one_paused_meanwhile_is_not_sent(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    asked: list[str] = []

    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        with another_process(tmp_path) as log:
            log.pause("ann")
        return await always_yes(context, params)

    async with warden(tmp_path, endpoint.url, allow("f", effect="destructive"), person=person) as running:
        meanwhile = await running.invoke("f:live")
        before = await running.invoke("f:live")
    assert check_of(meanwhile, "paused")["passed"] is check_of(before, "paused")["passed"] is False
    assert len(asked) == 1
    assert endpoint.started == []


@pytest.mark.parametrize(
    "fault", [FAILS, refused(500, "ServiceException"), Reply(fault="reset")], ids=["error", "unknown", "lost"]
)
async def test_a_function_that_fails_again_and_again_is_left_alone(
    fault: Reply, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    rules = (allow("f", "live", "7", stop_after_failures={"count": 2}), allow("g"))
    endpoint.behaviours["f"] = lambda _: fault
    async with warden(tmp_path, endpoint.url, *rules) as running:
        first, _, denied = [await running.invoke("f:live", payload=number) for number in range(3)]
        would = await running.dry_run("f:live")
        assert (await running.invoke("f:7"))["outcome"] == first["outcome"], "another version of it is not stopped"
        assert (await running.invoke("g:live"))["outcome"] == "succeeded"
        assert (await running.invoke("f:live", invocation_type="DryRun"))["outcome"] != "denied", "it starts nothing"
    for answer in (denied, would):
        reason = check_of(answer, "stop_after_failures")["reason"]
        assert reason.startswith("the function failed 2 times in a row, so it is stopped; calls go through again in ")
        assert f"`lambda-warden resume --function {denied['function']}:live`" in reason
    assert would["would_invoke"] is False
    assert len([received for received in endpoint.started if received.qualifier == "live"]) == 3  # with one of g
    endpoint.behaviours.clear()
    async with warden(tmp_path, endpoint.url, *rules) as running:  # another server
        assert (await running.invoke("f:live"))["outcome"] == "denied"
        with another_process(tmp_path) as log:
            assert log.resume_function(f"{denied['function']}:live", "ann")
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"


async def test_a_success_in_between_ends_the_run_and_refusals_do_not_count(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    replies = [FAILS, returned("ok"), FAILS, refused(404, "ResourceNotFoundException"), FAILS]
    replying = iter(replies)
    endpoint.behaviours["f"] = lambda _: next(replying)
    rule = allow("f", stop_after_failures={"count": 2, "cool_down_seconds": 86_400})
    async with warden(tmp_path, endpoint.url, rule) as running:
        outcomes = [(await running.invoke("f:live"))["outcome"] for _ in range(6)]
    assert outcomes == ["function_error", "succeeded", "function_error", "refused", "function_error", "denied"]
