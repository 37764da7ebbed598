"""What a worker thread does with a call: real records, a real socket, and what goes wrong between them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.guard.decide import decide
from lambda_warden.guard.request_digest import request_digest
from lambda_warden.invocation import execution as module
from lambda_warden.invocation import recording
from lambda_warden.invocation.delivery import Delivery
from lambda_warden.invocation.execution import NOT_ADMITTED, NOT_RECORDED, Execution
from lambda_warden.invocation.stages import AllowedCall, CompletedCall, DeniedCall, ReplayedCall, Stopped
from lambda_warden.model.caller import Caller
from lambda_warden.model.outcome import Refused
from lambda_warden.model.target import Target
from lambda_warden.policy import Policy
from lambda_warden.report.invocation import CallInfo
from lambda_warden.settings import Settings
from lambda_warden.store.audit_log import Field, IdempotencyClaim, Kind, LimitExceeded, RecordError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.builders import ACCOUNT, NAME, REGION, ref, request, rule, rules
from support.scripted_endpoint import Reply, ScriptedEndpoint, refused, returned

THROTTLED = refused(429, "TooManyRequestsException")

SETTINGS: dict[str, Any] = {"record_payloads": False, "read_timeout": 960.0, "output_bytes": 75_000}


class AuditLog(SqliteAuditLog):
    """Records of which some kinds can't be written."""

    failing: tuple[Kind, ...] = ()

    def append(self, kind: Kind, invocation_id: str, body: Mapping[str, Field]) -> None:
        if kind in self.failing:
            raise RecordError(f"{kind}: the disk is full")
        super().append(kind, invocation_id, body)

    def admit(self, *args: Any) -> Any:
        if "intent" in self.failing:
            raise RecordError("intent: the disk is full")
        return super().admit(*args)

    def finish(self, *args: Any, **keys: Any) -> None:
        if "outcome" in self.failing:
            raise RecordError("outcome: the disk is full")
        super().finish(*args, **keys)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[AuditLog]:
    with closing(AuditLog(tmp_path / "records.sqlite3")) as opened:
        yield opened


def kept(tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    with closing(sqlite3.connect(tmp_path / "records.sqlite3")) as db:
        found = db.execute("SELECT kind, body FROM events WHERE kind != 'start' ORDER BY position").fetchall()
    return [(kind, json.loads(body)) for kind, body in found]


def allowed(endpoint: ScriptedEndpoint, call_id: str = "call-1", **keys: Any) -> AllowedCall:
    """A call that nothing speaks against."""
    known = rules(rule(**keys), targets=[Target(account=ACCOUNT, regions=[REGION], endpoint_url=endpoint.url)])
    decided = decide(ref(), request(), known)
    assert decided.rule is not None
    policy = Policy(Settings(records=Path("unused"), sign_requests=False), known)
    info = CallInfo(call_id, ref(), "RequestResponse")
    return AllowedCall(info, decided.decision, ref(), request(b'{"a":1}'), decided.rule, policy)


def carry_out(records: AuditLog, call: AllowedCall, **keys: Any) -> Stopped:
    made = Execution(lambda: call.policy, records, None, **{**SETTINGS, **keys})
    stopped = made.carry_out("invoke_function", call, InvocationHandle(), Delivery())
    assert not isinstance(stopped, LimitExceeded)
    return stopped


def test_a_call_is_recorded_before_it_is_sent_and_when_it_has_ended(
    records: AuditLog, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    before: list[str] = []

    def answer(_: object) -> Reply:
        before.extend(kind for kind, _ in kept(tmp_path))
        return returned({"b": 2})

    endpoint.behaviours[NAME] = answer
    ending = carry_out(records, allowed(endpoint))
    assert isinstance(ending, CompletedCall)
    assert (ending.result.outcome, ending.result.payload, ending.result.attempts) == ("succeeded", {"b": 2}, 1)
    assert before == ["intent"]
    assert [kind for kind, _ in kept(tmp_path)] == ["intent", "outcome"]


def test_a_call_that_can_not_be_recorded_is_not_sent(
    records: AuditLog, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    records.failing = ("intent",)
    stopped = carry_out(records, allowed(endpoint))
    assert isinstance(stopped, DeniedCall)
    assert stopped.decision.failed is not None
    assert (stopped.decision.failed.name, stopped.decision.failed.reason) == ("record", NOT_RECORDED)
    assert endpoint.received == []
    assert [kind for kind, _ in kept(tmp_path)] == ["denial"]


def test_a_defect_while_a_call_is_admitted_is_a_denial(
    records: AuditLog, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("payload: hunter2")

    monkeypatch.setattr(module, "intent_record", fail)
    stopped = carry_out(records, allowed(endpoint))
    assert isinstance(stopped, DeniedCall)
    assert stopped.decision.failed is not None
    assert (stopped.decision.failed.name, stopped.decision.failed.reason) == ("internal", NOT_ADMITTED)
    assert endpoint.received == []
    assert "hunter2" not in caplog.text


def test_an_outcome_that_can_not_be_recorded_is_still_given(
    records: AuditLog, endpoint: ScriptedEndpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records.failing = ("outcome",)
    ending = carry_out(records, allowed(endpoint))
    assert isinstance(ending, CompletedCall)
    assert ending.result.outcome == "succeeded"
    assert [kind for kind, _ in kept(tmp_path)] == ["intent"]
    assert "the outcome of call-1 is not on record" in caplog.text


def test_each_further_attempt_is_recorded_before_it_is_made(
    records: AuditLog, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    replies = iter([THROTTLED, THROTTLED, returned("ok")])
    before: list[list[str]] = []

    def answer(_: object) -> Reply:
        before.append([kind for kind, _ in kept(tmp_path)])
        return next(replies)

    endpoint.behaviours[NAME] = answer
    ending = carry_out(records, allowed(endpoint))
    assert isinstance(ending, CompletedCall)
    assert (ending.result.outcome, ending.result.attempts) == ("succeeded", 3)
    assert before == [["intent"], ["intent", "retry"], ["intent", "retry", "retry"]]
    bodies = [body for kind, body in kept(tmp_path) if kind == "retry"]
    assert [(body["attempt"], body["error"]) for body in bodies] == [
        (1, "TooManyRequestsException"),
        (2, "TooManyRequestsException"),
    ]
    assert kept(tmp_path)[-1][1]["attempts"] == 3


def test_after_a_retry_that_can_not_be_recorded_there_is_no_attempt(
    records: AuditLog, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    records.failing = ("retry",)
    endpoint.behaviours[NAME] = lambda _: THROTTLED
    ending = carry_out(records, allowed(endpoint))
    assert isinstance(ending, CompletedCall)
    assert isinstance(ending.raw, Refused)
    assert (ending.raw.code, ending.result.attempts) == ("TooManyRequestsException", 1)
    assert len(endpoint.started) == 1
    assert [kind for kind, _ in kept(tmp_path)] == ["intent", "outcome"]


@pytest.mark.parametrize(("max_attempts", "sent"), [(1, 1), (2, 2)])
def test_a_rule_says_how_many_attempts_there_are(
    max_attempts: int, sent: int, records: AuditLog, endpoint: ScriptedEndpoint
) -> None:
    endpoint.behaviours[NAME] = lambda _: THROTTLED
    ending = carry_out(records, allowed(endpoint, max_attempts=max_attempts))
    assert isinstance(ending, CompletedCall)
    assert (ending.result.attempts, len(endpoint.started)) == (sent, sent)


def test_a_defect_in_the_report_hides_neither_that_a_call_ran_nor_its_record(
    records: AuditLog,
    endpoint: ScriptedEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("answer: hunter2")

    monkeypatch.setattr(module, "report_outcome", fail)
    ending = carry_out(records, allowed(endpoint))
    assert isinstance(ending, CompletedCall)
    assert ending.result.outcome == "succeeded"
    assert ending.result.payload is None
    assert ending.result.truncated
    assert "could not be shown" in ending.result.next_step
    assert [(kind, body.get("outcome")) for kind, body in kept(tmp_path)] == [
        ("intent", None),
        ("outcome", "succeeded"),
    ]
    assert "hunter2" not in caplog.text


def test_a_defect_in_keeping_a_payload_keeps_no_outcome_off_the_record(
    records: AuditLog, endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = allowed(endpoint)
    keep = recording._kept

    def fail(payload: bytes | None, *about: Any) -> str | None:
        if payload == call.request.payload:
            return keep(payload, *about)
        raise RuntimeError("a defect")

    monkeypatch.setattr(recording, "_kept", fail)
    endpoint.behaviours[NAME] = lambda _: returned("another")
    ending = carry_out(records, call, record_payloads=True)
    assert isinstance(ending, CompletedCall)
    (_, intent), (kind, outcome) = kept(tmp_path)
    assert intent["payload"] == '{"a": 1}'
    assert (kind, outcome["outcome"]) == ("outcome", "succeeded")
    assert "payload" not in outcome
    assert outcome["answer_bytes"] == 9


def test_clients_that_can_not_be_made_are_a_refusal_on_record(
    records: AuditLog, endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    ending = carry_out(records, allowed(endpoint))
    assert isinstance(ending, CompletedCall)
    assert isinstance(ending.raw, Refused)
    assert "nobody" in ending.raw.message
    assert kept(tmp_path)[-1][1]["outcome"] == "refused"


def test_a_version_that_must_not_run_is_told_and_recorded(
    records: AuditLog, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours[NAME] = lambda _: returned("ok", version="8")
    ending = carry_out(records, allowed(endpoint, expect_version=["7"]))
    assert isinstance(ending, CompletedCall)
    assert ending.result.violation
    assert [kind for kind, _ in kept(tmp_path)] == ["intent", "outcome", "violation"]


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (returned({"b": 2}), "ended"),
        (returned({"errorMessage": "x"}, error="Unhandled"), "ended"),
        (refused(500, "ServiceException"), "ended"),
        (refused(404, "ResourceNotFoundException"), None),
    ],
    ids=["succeeded", "function error", "unknown", "refused"],
)
def test_a_key_belongs_to_the_first_call_unless_that_did_not_run(
    reply: Reply, state: str | None, records: AuditLog, endpoint: ScriptedEndpoint
) -> None:
    endpoint.behaviours[NAME] = lambda _: reply
    wanted = IdempotencyClaim("local", "order-1", request_digest(ref(), request(b'{"a":1}'), Caller()), 3600)
    first = carry_out(records, replace(allowed(endpoint), claim=wanted))
    assert isinstance(first, CompletedCall)
    second = carry_out(records, replace(allowed(endpoint, "call-2"), claim=wanted))
    if state is None:
        assert isinstance(second, CompletedCall)
        assert len(endpoint.started) == 2
    else:
        assert isinstance(second, ReplayedCall)
        assert (second.first.invocation_id, second.first.state) == ("call-1", state)
        assert json.loads(second.first.result or "null")["outcome"] == first.result.outcome
        assert len(endpoint.started) == 1


def test_a_call_that_was_given_up_before_its_turn_is_on_record_and_not_sent(
    records: AuditLog, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    handle = InvocationHandle()
    handle.give_up("shutdown")
    call = allowed(endpoint)
    made = Execution(lambda: call.policy, records, None, **SETTINGS)
    ending = made.carry_out("invoke_function", call, handle, Delivery())
    assert isinstance(ending, CompletedCall)
    assert ending.raw == Refused("Shutdown", "the server was stopped, before the call was sent", retry_sensible=True)
    assert endpoint.received == []
    assert [(kind, body.get("error")) for kind, body in kept(tmp_path)] == [("intent", None), ("outcome", "Shutdown")]


def test_a_large_answer_is_recorded_with_the_size_and_digest_of_the_whole(
    records: AuditLog, endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambda_warden.aws.invoke.HELD_BYTES", 8)
    monkeypatch.setattr("lambda_warden.aws.invoke.START_BYTES", 4)
    endpoint.behaviours[NAME] = lambda _: returned(b'"0123456789"')
    ending = carry_out(records, allowed(endpoint))
    assert isinstance(ending, CompletedCall)
    assert ending.result.payload_sha256 is None, "what was not read may hold a secret, which it would let be guessed"
    outcome = kept(tmp_path)[-1][1]
    assert outcome["answer_bytes"] == 12
    assert outcome["answer_sha256"] == hashlib.sha256(b'"0123456789"').hexdigest()
