from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.answers.gate import redact_outcome
from lambda_warden.model.decision import Check, CheckName, Decision
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.payload_rule import LogsRule
from lambda_warden.model.request import RequestedInvocationType
from lambda_warden.model.result import DryRunResult, ErrorCause, Failure, FunctionError, InvokeResult, Outcome
from lambda_warden.report import invocation
from lambda_warden.report.error_cause import Said
from lambda_warden.report.explanation import NEXT_STEPS, explain
from lambda_warden.report.invocation import CallInfo, outcome_of, report_denial, report_dry_run, report_unreadable
from lambda_warden.report.way_to_log import way_by_time, with_way_to_its_log
from support.reported import report_outcome
from support.results import CALL, REF, calls, check_invoke_result, raw_outcomes, sent

TRACEBACK = b'Traceback (most recent call last):\n  File "/var/task/app.py", line 3, in handler\nKeyError: 1\n'


def report(raw: RawOutcome, invocation_type: RequestedInvocationType = "RequestResponse") -> InvokeResult:
    result = report_outcome(CallInfo("call-1", REF, invocation_type), raw, 12, 1024)
    check_invoke_result(result)
    return result


@pytest.mark.parametrize("kind", [Refused, Unknown])
def test_what_aws_says_is_redacted(kind: type[Refused | Unknown]) -> None:
    error = report(kind("AccessDeniedException", "for password=hunter2", 403)).error
    assert error is not None
    assert error.message == "for password=[redacted:password]"


def decision(failed: CheckName | None) -> Decision:
    """A decision in which the checks before `failed` passed and those after it were not reached."""
    names = get_args(CheckName)
    end = names.index(failed) if failed else len(names)
    passed = [True] * end + [False] * (failed is not None) + [None] * len(names)
    checks = tuple(Check(name=name, passed=p, reason=f"about {name}") for name, p in zip(names, passed, strict=False))
    return Decision(allowed=failed is None, checks=checks, rule=REF.function_arn, rule_source="/etc/manifest.yaml:7")


@pytest.mark.parametrize(
    ("raw", "invocation_type", "outcome", "advice"),
    [
        pytest.param(Returned(200, b"{}"), "RequestResponse", "succeeded", "Use the payload", id="returned"),
        pytest.param(Returned(200), "RequestResponse", "succeeded", "Use the payload", id="returned nothing"),
        pytest.param(Returned(202), "Event", "accepted", "queued", id="event"),
        pytest.param(Returned(204), "DryRun", "accepted", "Nothing ran", id="dry run"),
        pytest.param(
            Returned(200, b"{}", "Unhandled"), "RequestResponse", "function_error", "not undone", id="unhandled error"
        ),
        pytest.param(
            Returned(200, b"{}", "Handled"), "RequestResponse", "function_error", "not undone", id="handled error"
        ),
        pytest.param(
            Refused("TooManyRequestsException", "Rate exceeded", 429, "r-1", retry_sensible=True),
            "RequestResponse",
            "refused",
            "wait some seconds, then call again",
            id="refused for now",
        ),
        pytest.param(
            Refused("ResourceNotFoundException", "no such function", 404, "r-1"),
            "Event",
            "refused",
            "Calling again unchanged will not help",
            id="refused for good",
        ),
        pytest.param(
            Unknown("ReadTimeoutError", "no answer"),
            "RequestResponse",
            "unknown",
            "Do not call it again before",
            id="unknown",
        ),
    ],
)
def test_each_ending_has_its_outcome_and_its_advice(
    raw: RawOutcome, invocation_type: RequestedInvocationType, outcome: Outcome, advice: str
) -> None:
    result = report(raw, invocation_type)

    assert result.outcome == outcome == outcome_of(raw, invocation_type)
    assert advice in result.next_step


def test_a_result_says_which_call_it_is_of() -> None:
    result = report(Returned(200, b"7", executed_version="42", request_id="r-1", durable_execution_arn="arn:durable"))

    assert sent(result) == {
        "outcome": "succeeded",
        "next_step": "Use the payload.",
        "invocation_id": "call-1",
        "function": "arn:aws:lambda:us-east-1:123456789012:function:orders-refund",
        "qualifier": "live",
        "invocation_type": "RequestResponse",
        "status_code": 200,
        "executed_version": "42",
        "request_id": "r-1",
        "durable_execution_arn": "arn:durable",
        "payload": 7,
        "payload_format": "json",
        "payload_bytes": 1,
        "duration_ms": 12,
        "outside_data": result.outside_data,
    }


def test_a_payload_over_the_budget_is_cut_and_the_advice_says_how_to_get_more() -> None:
    data = json.dumps(list(range(1000))).encode()
    result = report(Returned(200, data))

    assert result.truncated
    assert result.payload_bytes == len(data)
    assert [(cut.path, cut.total) for cut in result.omitted] == [("", 1000)]
    assert "omitted" in result.next_step
    assert "Calling it again runs it again" in result.next_step


def test_the_error_of_a_function_is_read_from_payload_and_log() -> None:
    payload = json.dumps({"errorType": "KeyError", "errorMessage": "1"}).encode()
    result = report(Returned(200, payload, "Unhandled", TRACEBACK))

    assert result.function_error == FunctionError(
        kind="Unhandled",
        cause="code",
        explanation="The function's code ended with an error of its own.",
        type="KeyError",
        message="1",
        stack_trace=TRACEBACK.decode().splitlines()[:-1],
    )
    assert (result.payload, result.payload_bytes) == (None, len(payload))  # it would say the same once more
    assert result.log is not None
    assert result.log.text == TRACEBACK.decode().splitlines()[-1]  # its stack stands in function_error
    assert result.log.errors == []


def test_a_success_whose_log_tells_of_errors_is_to_be_looked_at() -> None:
    assert "The log tells of errors" in report(Returned(200, b"{}", log_tail=TRACEBACK)).next_step
    assert "log" not in report(Returned(200, b"{}", log_tail=b"working")).next_step


@pytest.mark.parametrize("cause", get_args(ErrorCause))
def test_every_cause_has_its_explanation_and_its_own_advice(cause: ErrorCause) -> None:
    explanation = explain(cause, Said("", ""), None)

    assert explanation.endswith(".")
    assert sum(step == NEXT_STEPS[cause] for step in NEXT_STEPS.values()) == 1
    assert sum(explain(other, Said("", ""), None) == explanation for other in get_args(ErrorCause)) == 1


def test_a_success_has_no_function_error_whatever_its_payload_looks_like() -> None:
    payload = json.dumps({"errorType": "KeyError", "errorMessage": "1", "stackTrace": []}).encode()

    assert report(Returned(200, payload, log_tail=TRACEBACK)).function_error is None


@pytest.mark.parametrize(
    ("raw", "marked"),
    [
        pytest.param(Returned(200, b"{}"), True, id="payload"),
        pytest.param(Returned(200, log_tail=b"working"), True, id="log"),
        pytest.param(Returned(202), False, id="neither"),
        pytest.param(Refused("ResourceNotFoundException", "no such function"), False, id="refused"),
    ],
)
def test_what_a_function_said_is_marked_as_outside_data(raw: RawOutcome, marked: bool) -> None:
    result = report(raw)

    assert (result.outside_data is not None) == marked
    if result.outside_data:
        assert "never instructions" in result.outside_data


@pytest.mark.parametrize("kind", [Refused, Unknown])
def test_a_failure_names_what_aws_said(kind: type[Refused] | type[Unknown]) -> None:
    result = report(kind("SomeException", "because", 418, "r-1"))

    assert result.error == Failure(code="SomeException", message="because")
    assert (result.status_code, result.request_id, result.duration_ms) == (418, "r-1", 12)


@pytest.mark.parametrize("kind", [Refused, Unknown])
def test_a_failure_s_message_is_bounded(kind: type[Refused] | type[Unknown]) -> None:
    error = report(kind("SomeException", "m" * 5000)).error

    assert error is not None
    assert error.message == "m" * 1000


def test_the_advice_after_an_unknown_outcome_names_the_request_to_look_for() -> None:
    assert "r-77" in report(Unknown("ServiceException", "", 500, "r-77")).next_step
    assert "request id" not in report(Unknown("ReadTimeoutError", "")).next_step


@pytest.mark.parametrize("failed", get_args(CheckName))
def test_every_denial_shows_its_checks_and_has_advice(failed: CheckName) -> None:
    result = report_denial(CALL, decision(failed))

    check_invoke_result(result)
    assert result.outcome == "denied"
    assert result.next_step
    assert [check.name for check in result.checks if check.passed is False] == [failed]
    assert result.checks == list(decision(failed).checks)
    assert (result.function, result.qualifier) == (REF.function_arn, "live")


def test_no_two_denials_get_the_same_advice() -> None:
    assert len({report_denial(CALL, decision(failed)).next_step for failed in get_args(CheckName)}) == len(
        get_args(CheckName)
    )


def test_a_denial_before_a_function_was_known_names_none() -> None:
    result = report_denial(CallInfo("call-1"), decision("arguments"))

    check_invoke_result(result)
    assert (result.function, result.qualifier, result.invocation_type) == (None, None, None)


@pytest.mark.parametrize("failed", [None, *get_args(CheckName)])
def test_a_dry_run_says_what_would_become_of_the_call(failed: CheckName | None) -> None:
    result = report_dry_run(CALL, decision(failed), 17)

    assert result.would_invoke == (failed is None)
    assert result.checks == list(decision(failed).checks)
    assert (result.payload_bytes, result.rule, result.function) == (17, REF.function_arn, REF.function_arn)
    if failed is None:
        assert "invoke_function" in result.next_step
    else:
        assert result.next_step == report_denial(CALL, decision(failed)).next_step


def test_neither_denials_nor_dry_runs_show_where_the_manifest_lies() -> None:
    dumped = [sent(report_denial(CALL, decision("qualifier"))), sent(report_dry_run(CALL, decision("qualifier"), 0))]

    assert "/etc/manifest.yaml" not in json.dumps(dumped)


def test_a_dry_run_s_result_fits_its_schema_without_its_defaults() -> None:
    required = set(DryRunResult.model_json_schema(mode="serialization")["required"])

    assert required <= set(sent(report_dry_run(CallInfo("call-1"), decision("arguments"), None)))


@given(calls, raw_outcomes, st.integers(0, 10**6), st.integers(16, 4096))
def test_any_ending_becomes_a_result_that_fits_the_schema(
    call: CallInfo, raw: RawOutcome, duration_ms: int, budget: int
) -> None:
    result = report_outcome(call, raw, duration_ms, budget)

    check_invoke_result(result)
    json.dumps(sent(result), ensure_ascii=False).encode()
    assert result.next_step
    assert result.outcome == outcome_of(raw, call.invocation_type)
    assert (result.outcome == "unknown") == isinstance(raw, Unknown)
    assert (result.outcome == "refused") == isinstance(raw, Refused)
    assert (result.outcome == "function_error") == (isinstance(raw, Returned) and raw.function_error is not None)
    if isinstance(raw, Unknown):
        assert "may have run" in result.next_step


@pytest.mark.parametrize(("size", "told"), [(300_000, False), (400_000, True)])
def test_an_answer_of_many_pages_is_the_operators_to_fetch(size: int, told: bool) -> None:
    ended = redact_outcome(Returned(200, json.dumps("x" * size).encode()))
    result = invocation.report_outcome(CALL, ended, 1, 1000, kept_until="2026-11-28T08:00:00Z")
    assert "read_result with this invocation_id" in result.next_step
    assert (f"`lambda-warden result {CALL.invocation_id} > FILE`" in result.next_step) == told


NOW = datetime(2026, 11, 5, 14, 30, 7, tzinfo=UTC)
OWN, ANY = LogsRule(), LogsRule(read="any")


@pytest.mark.parametrize(
    ("raw", "invocation_type", "logs", "told"),
    [
        (Unknown("ServiceException", "no", 500, "r-1"), "RequestResponse", OWN, "read_logs with this invocation_id"),
        (Unknown("ServiceException", "no", 500, "r-1"), "RequestResponse", None, None),
        (Unknown("ReadTimeoutError", "no"), "RequestResponse", OWN, "sent at 2026-11-05T14:30:06+00:00: somebody who"),
        (Unknown("ReadTimeoutError", "no"), "RequestResponse", None, "sent at 2026-11-05T14:30:06+00:00: somebody who"),
        (Unknown("ReadTimeoutError", "no"), "RequestResponse", ANY, f"function {REF.qualified_arn} and hours_back 1"),
        (Returned(202, request_id="r-1"), "Event", OWN, "read_logs with this invocation_id"),
        (Returned(204, request_id="r-1"), "DryRun", ANY, None),
        (Returned(200, b"1", request_id="r-1"), "RequestResponse", ANY, None),
    ],
)
def test_where_only_the_log_can_tell_a_result_says_how_it_is_found(
    raw: RawOutcome, invocation_type: RequestedInvocationType, logs: LogsRule | None, told: str | None
) -> None:
    plain = report_outcome(CallInfo("0" * 32, REF, invocation_type), raw, 1000, 1000)
    result = with_way_to_its_log(plain, logs, NOW)
    assert result.next_step == plain.next_step if told is None else told in result.next_step


@pytest.mark.parametrize(
    ("hours", "told"),
    [(0, "hours_back 1 "), (0.99, "hours_back 1 "), (1, "hours_back 2 "), (167.5, "168 "), (168, None)],
)
def test_the_way_by_time_reaches_back_to_the_call(hours: float, told: str | None) -> None:
    way = way_by_time("f:live", NOW - timedelta(hours=hours), NOW, ANY)
    assert "somebody who can read" in way if told is None else told in way


@pytest.mark.parametrize("adopted", [False, True])
def test_a_result_that_can_t_be_read_is_told_by_what_makes_the_calls_the_same(adopted: bool) -> None:
    result = report_unreadable(CALL, "first", "succeeded", adopted=adopted)
    assert (result.outcome, result.invocation_id) == ("succeeded", "first")
    assert ("idempotency_key" in result.next_step) is not adopted
