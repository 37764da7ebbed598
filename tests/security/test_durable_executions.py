"""Durable executions are followed to their end, by who started them, as long as the rules allow it, without secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import CallToolResult

from lambda_warden.guard.durable import decide_execution
from lambda_warden.manifests.load import load_manifests
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.builders import ref, rule, rules, target
from support.scripted_endpoint import Behaviour, Held, Received, Reply, ScriptedEndpoint, refused
from support.strategies import function_refs, versions
from support.warden import Rule, Warden, allow, arn, check_of, structured, text_of, warden, write_manifest

pytestmark = pytest.mark.anyio

EXECUTION = arn("f") + ":7/durable-execution/order-1/0192f"
OTHER = arn("g") + ":7/durable-execution/order-1/0192f"
SECRET = "AKIA" + "QZJXKVWQ2Z7Y4XQK"
BOTH = {"invocation_types": ["RequestResponse", "Event"]}
STARTED, ENDED = 1_795_600_000.25, 1_795_603_600.5
ERROR = {"ErrorType": "PaymentDeclined", "ErrorMessage": "card declined", "StackTrace": ["at step charge"]}


def starting(execution: str = EXECUTION) -> Behaviour:
    """A durable function: an Event is accepted, other calls give nothing yet, and both name the execution."""

    def behaviour(received: Received) -> Reply:
        status = 202 if received.invocation_type == "Event" else 200
        return Reply(status, b"", {"X-Amz-Durable-Execution-Arn": execution})

    return behaviour


def told(status: str, execution: str = EXECUTION, function: str = arn("f"), **fields: Any) -> Behaviour:
    """What GetDurableExecution answers."""
    body = {
        "DurableExecutionArn": execution,
        "DurableExecutionName": "order-1",
        "FunctionArn": function,
        "InputPayload": json.dumps({"input": SECRET}),
        "StartTimestamp": STARTED,
        "Status": status,
        "Version": "7",
        **({} if status == "RUNNING" else {"EndTimestamp": ENDED}),
        **fields,
    }
    return lambda _: Reply(body=json.dumps(body).encode())


async def started(running: Warden, endpoint: ScriptedEndpoint, execution: str = EXECUTION, **arguments: Any) -> str:
    """Make a call that starts an execution; gives its invocation id."""
    endpoint.behaviours["f"] = starting(execution)
    result = await running.invoke("f:live", **{"invocation_type": "Event", **arguments})
    assert result["durable_execution_arn"] == execution
    invocation_id: str = result["invocation_id"]
    return invocation_id


async def read_after(
    endpoint: ScriptedEndpoint, folder: Path, behaviour: Behaviour, *changes: Rule, **arguments: Any
) -> CallToolResult:
    """What is read of an execution that was started by an Event."""
    endpoint.executions[EXECUTION] = behaviour
    async with warden(folder, endpoint.url, *(changes or [allow("f", **BOTH)])) as running:
        return await running.call("read_result", invocation_id=await started(running, endpoint), **arguments)


STATES: dict[str, tuple[Behaviour, str, Mapping[str, Any]]] = {
    "succeeded": (told("SUCCEEDED", Result='{"refunded": true}'), '{"refunded": true}', {"format": "json"}),
    "succeeded with text": (told("SUCCEEDED", Result="done"), "done", {"format": "text"}),
    "succeeded with nothing": (told("SUCCEEDED"), "", {}),
    "failed": (
        told("FAILED", Error=ERROR),
        '{"errorType":"PaymentDeclined","errorMessage":"card declined","stackTrace":["at step charge"]}',
        {"format": "json"},
    ),
    "failed with data": (
        told("FAILED", Error={"ErrorType": "E", "ErrorData": '{"order": 7}'}),
        '{"errorType":"E","errorData":{"order":7}}',
        {"format": "json"},
    ),
    "failed without a word": (told("FAILED"), "", {}),
    "timed out": (
        told("TIMED_OUT", Error={"ErrorMessage": "execution timed out"}),
        '{"errorMessage":"execution timed out"}',
        {"format": "json"},
    ),
    "stopped": (told("STOPPED", Error={"ErrorMessage": "by hand"}), '{"errorMessage":"by hand"}', {"format": "json"}),
}


@pytest.mark.parametrize(("behaviour", "content", "about"), STATES.values(), ids=STATES.keys())
async def test_an_ended_execution_is_told_with_what_it_gave(
    behaviour: Behaviour,
    content: str,
    about: Mapping[str, Any],
    endpoint: ScriptedEndpoint,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    reply = await read_after(endpoint, tmp_path, behaviour)
    result, status = structured(reply), json.loads(behaviour(endpoint.received[0]).body)["Status"].lower()
    assert not reply.is_error
    assert result["execution"] == {
        "status": status,
        "started_at": "2026-11-25T09:46:40+00:00",
        "ended_at": "2026-11-25T10:46:40+00:00",
        "version": "7",
    }
    assert (result["content"], result["part"], result["function"]) == (content, "payload", arn("f") + ":live")
    assert {**result, **about} == result
    assert ("function_error" in result) == (status != "succeeded")
    assert "kept_until" not in result
    text = text_of(reply)
    assert f"Durable execution: {status}, version 7, started 2026-11-25" in text
    assert not content or f"│ {content}" in text.splitlines()
    assert SECRET not in str(reply), "the payload that it was started with is nobody's answer"


async def test_an_event_is_followed_from_accepted_to_its_end(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, allow("f", **BOTH)) as running:
        endpoint.behaviours["f"] = starting()
        accepted = await running.invoke("f:live", invocation_type="Event")
        assert accepted["outcome"] == "accepted"
        assert "read_result with this invocation_id and part payload" in accepted["next_step"]
        invocation_id = accepted["invocation_id"]
        endpoint.executions[EXECUTION] = told("RUNNING")
        reply = await running.call("read_result", invocation_id=invocation_id)
        result = structured(reply)
        assert (result["outcome"], result["execution"]["status"], reply.is_error) == ("running", "running", False)
        assert "ended_at" not in result["execution"]
        assert "Durable execution: running" in text_of(reply)
        items = list(range(2000))
        endpoint.executions[EXECUTION] = told("SUCCEEDED", Result=json.dumps({"items": items}))
        whole, more = "", {"max_bytes": 4096}
        while not whole or "cursor" in more:
            page = structured(await running.call("read_result", invocation_id=invocation_id, **more))
            whole, more = whole + page["content"], {"cursor": page["next_cursor"]} if "next_cursor" in page else {}
        assert json.loads(whole)["items"] == items
        found = structured(await running.call("read_result", invocation_id=invocation_id, query="items[-1]"))
        assert (found["value"], found["execution"]["status"]) == (1999, "succeeded")
        bodies = running.bodies("read_result")
    assert len(endpoint.started) == 1
    assert len(bodies) == len(endpoint.executions_asked) > 3
    assert all((body["durable_execution_arn"], body["principal"]) == (EXECUTION, "local") for body in bodies)
    assert all(body["function"] == arn("f") + ":live" for body in bodies)


async def test_the_kept_answer_of_a_call_that_waited_for_it_comes_first(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        endpoint.behaviours["f"] = lambda _: Reply(200, b"[1]", {"X-Amz-Durable-Execution-Arn": EXECUTION})
        invocation_id = (await running.invoke("f:live"))["invocation_id"]
        assert structured(await running.call("read_result", invocation_id=invocation_id))["content"] == "[1]"
        assert endpoint.executions_asked == []
        assert (await running.call("read_result", invocation_id=invocation_id, part="log")).is_error
    assert endpoint.executions_asked == []


@pytest.mark.parametrize("call", [{"wait_seconds": 0}, {"idempotency_key": "order-1"}], ids=repr)
@pytest.mark.parametrize("results", [{}, {"results_ttl": 0}], ids=["kept", "not kept"])
async def test_the_whole_result_of_a_call_comes_before_the_execution_that_it_started(
    call: dict[str, Any], results: dict[str, Any], endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    held = Held()

    def start(received: Received) -> Reply:
        held(received)
        return starting()(received)

    endpoint.behaviours["f"] = start
    endpoint.executions[EXECUTION] = told("SUCCEEDED", Result="[1]")
    if "wait_seconds" not in call:
        held.release()
    async with warden(tmp_path, endpoint.url, allow("f", **BOTH), **results) as running:
        first = await running.invoke("f:live", invocation_type="Event", **call)
        held.release()
        invocation_id = first["invocation_id"]
        whole = structured(await running.call("read_result", invocation_id=invocation_id))["invocation"]
        assert (whole["outcome"], whole["durable_execution_arn"]) == ("accepted", EXECUTION)
        assert "read_result with this invocation_id and part payload" in whole["next_step"]
        assert endpoint.executions_asked == []
        followed = structured(await running.call("read_result", invocation_id=invocation_id, part="payload"))
        assert (followed["content"], followed["execution"]["status"]) == ("[1]", "succeeded")
    assert len(endpoint.started) == 1


SECRETS: dict[str, tuple[Behaviour, list[str]]] = {
    "in a result": (told("SUCCEEDED", Result=json.dumps({"note": f"id {SECRET}", "password": "hunter2-x"})), []),
    "in a result that is text": (told("SUCCEEDED", Result=f"key {SECRET} password=hunter2-x"), []),
    "in a message": (told("FAILED", Error={"ErrorType": "E", "ErrorMessage": f"{SECRET} password=hunter2-x"}), []),
    "in a stack": (told("FAILED", Error={"StackTrace": [f"at {SECRET}", "password=hunter2-x"]}), []),
    "in data": (told("FAILED", Error={"ErrorData": json.dumps({"a": SECRET, "password": "hunter2-x"})}), []),
    "in data that is text": (told("STOPPED", Error={"ErrorData": f"{SECRET} password=hunter2-x"}), []),
    "at a place": (told("SUCCEEDED", Result='{"card": {"number": "hunter2-x"}}'), ["/card/number"]),
    "at a place of data": (told("FAILED", Error={"ErrorData": '{"card": {"number": "hunter2-x"}}'}), ["/card/number"]),
    "at a place that can't be found": (told("FAILED", Error={"ErrorData": "card hunter2-x"}), ["/card/number"]),
    "at a place of an error": (told("FAILED", Error={"ErrorMessage": "hunter2-x"}), ["/errorMessage"]),
}


@pytest.mark.parametrize(("behaviour", "redact"), SECRETS.values(), ids=SECRETS.keys())
async def test_no_secret_is_shown(
    behaviour: Behaviour, redact: list[str], endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    reply = await read_after(endpoint, tmp_path, behaviour, allow("f", result={"redact": redact}, **BOTH))
    assert structured(reply)["redacted"] > 0
    assert "sha256" in structured(reply)
    assert [secret for secret in (SECRET, "hunter2-x") if secret in str(reply)] == []


async def test_a_large_error_is_bounded(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    error = {"ErrorMessage": "m" * 200_000, "StackTrace": ["f" * 1000] * 200}
    endpoint.executions[EXECUTION] = told("FAILED", Error=error)
    async with warden(tmp_path, endpoint.url, allow("f", **BOTH), output_tokens=2_000) as running:
        invocation_id = await started(running, endpoint)
        reply = await running.call("read_result", invocation_id=invocation_id, max_bytes=1024 * 1024)
    assert len(json.dumps(structured(reply)).encode()) + len(text_of(reply).encode()) <= 2_000 * 3
    assert structured(reply)["next_cursor"]


async def test_anothers_execution_is_as_one_that_never_was(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.executions[EXECUTION] = told("SUCCEEDED", Result="1")
    async with warden(tmp_path, endpoint.url, allow("f", **BOTH), principal="them") as theirs:
        invocation_id = await started(theirs, endpoint)
    async with warden(tmp_path, endpoint.url, allow("f", **BOTH), principal="us") as ours:
        denied = await ours.call("read_result", invocation_id=invocation_id)
        assert denied == await ours.call("read_result", invocation_id="0" * 32)
        assert denied.is_error
    assert endpoint.executions_asked == []


CHANGED: dict[str, tuple[list[Rule], dict[str, Any], str]] = {
    "the rule is gone": ([allow("g")], {}, "manifest_rule"),
    "it is denied": ([allow("f", **BOTH)], {"deny": [{"arn": arn("f")}]}, "manifest_rule"),
    "another qualifier": ([allow("f", "7", **BOTH)], {}, "qualifier"),
    "another principal": ([allow("f", principals=["chat-ops"], **BOTH)], {}, "principal"),
}


@pytest.mark.parametrize(("changed", "keys", "check"), CHANGED.values(), ids=CHANGED.keys())
async def test_the_rule_in_force_has_to_allow_it_still(
    changed: list[Rule], keys: dict[str, Any], check: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.executions[EXECUTION] = told("SUCCEEDED", Result="1")
    async with warden(tmp_path, endpoint.url, allow("f", **BOTH)) as running:
        invocation_id = await started(running, endpoint)
        assert running.inside is not None
        running.inside.apply(load_manifests([write_manifest(tmp_path, endpoint.url, changed, **keys)]))
        reply = await running.call("read_result", invocation_id=invocation_id)
        (denial,) = running.bodies("denial")
    result = structured(reply)
    assert (result["outcome"], reply.is_error) == ("denied", True)
    assert check_of(result, check)["passed"] is False
    assert f"✗ {check}: " in text_of(reply)
    assert (denial["tool"], denial["check"]) == ("read_result", check)
    assert (denial["function"], denial["durable_execution_arn"]) == (arn("f") + ":live", EXECUTION)
    assert endpoint.executions_asked == []


async def test_an_execution_of_another_function_is_not_asked_for(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.executions[OTHER] = told("SUCCEEDED", OTHER, arn("g"), Result="1")
    async with warden(tmp_path, endpoint.url, allow("f", **BOTH), allow("g")) as running:
        invocation_id = await started(running, endpoint, OTHER)
        result = structured(await running.call("read_result", invocation_id=invocation_id))
        assert running.kinds() == ["intent", "outcome", "denial"]
    assert (result["outcome"], check_of(result, "durable_execution")["passed"]) == ("denied", False)
    assert endpoint.executions_asked == []


@given(
    called=function_refs(),
    other=function_refs(),
    same=st.booleans(),
    version=st.sampled_from(["1", "7", "$LATEST", "$LATEST.PUBLISHED", "x", "07", ""]) | versions,
)
def test_only_an_execution_of_the_very_function_and_version_passes(
    called: FunctionRef, other: FunctionRef, same: bool, version: str
) -> None:
    spec = rule(
        called.name,
        qualifiers=[called.qualifier],
        region=called.region,
        account=called.account,
        partition=called.partition,
    )
    started = called if same else other
    execution = f"{started.function_arn}:{version}/durable-execution/order-1/0192f"
    decided = decide_execution(called, execution, rules(spec, targets=[target(called.account, called.region)]))
    fixed = called.qualifier.isdigit() or called.qualifier == "$LATEST"
    fits = version == called.qualifier if fixed else version not in ("x", "07", "")
    assert decided.decision.allowed == (started.function_arn == called.function_arn and fits)


@pytest.mark.parametrize(
    "execution",
    [
        arn("f") + ":7",
        arn("f") + ":7/durable-execution/order-1",
        arn("f") + ":live/durable-execution/order-1/a",
        arn("f") + ":7/durable-execution/order-1/a/b",
        arn("f") + ":7/durable-execution/../order-1/a",
        arn("f") + ":7/durable-execution/order-1/a\n",
        arn("f", "eu-west-1") + ":7/durable-execution/order-1/a",
        arn("ff") + ":7/durable-execution/order-1/a",
    ],
)
def test_what_is_no_execution_of_it_does_not_pass(execution: str) -> None:
    assert decide_execution(ref("f"), EXECUTION, rules(rule("f"))).decision.allowed
    assert not decide_execution(ref("f"), execution, rules(rule("f"))).decision.allowed


REFUSALS: dict[str, tuple[Behaviour, str]] = {
    "not there": (lambda _: refused(404, "ResourceNotFoundException", "gone"), "ResourceNotFoundException"),
    "not allowed": (lambda _: refused(403, "AccessDeniedException", SECRET), "AccessDeniedException"),
    "another execution": (told("SUCCEEDED", OTHER, Result="1"), "AnotherExecution"),
    "another function": (told("SUCCEEDED", function=arn("g"), Result="1"), "AnotherExecution"),
    "a status that is none": (told("PAUSED"), "KeyError"),
    "no answer": (lambda _: Reply(body=b"[]"), ""),
    "no time": (told("RUNNING", StartTimestamp="soon"), ""),
}


@pytest.mark.parametrize(("behaviour", "code"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_what_aws_does_not_tell_is_refused(
    behaviour: Behaviour, code: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    reply = await read_after(endpoint, tmp_path, behaviour)
    result = structured(reply)
    assert (result["outcome"], reply.is_error) == ("refused", True)
    assert code in (result["error"]["code"], "")
    assert "refused: nothing was read." in text_of(reply)
    assert SECRET not in str(reply)


async def test_what_can_not_be_recorded_is_not_asked_for(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RecordError("the disk is full")

    async with warden(tmp_path, endpoint.url, allow("f", **BOTH)) as running:
        invocation_id = await started(running, endpoint)
        monkeypatch.setattr(SqliteAuditLog, "append", fail)
        assert "could not be recorded" in text_of(await running.call("read_result", invocation_id=invocation_id))
        monkeypatch.setattr(SqliteAuditLog, "find_invocation", fail)
        assert "records can't be read" in text_of(await running.call("read_result", invocation_id=invocation_id))
    assert endpoint.executions_asked == []


async def test_a_defect_is_a_denial(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f", **BOTH)) as running:
        invocation_id = await started(running, endpoint)
        monkeypatch.setattr("lambda_warden.results.durable.decide_execution", None)
        result = structured(await running.call("read_result", invocation_id=invocation_id))
    assert (result["outcome"], check_of(result, "internal")["passed"]) == ("denied", False)
    assert endpoint.executions_asked == []
