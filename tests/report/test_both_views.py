"""A host gives its model either the structured result alone or the text alone: each has every fact that a job needs."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from pydantic import BaseModel

from lambda_warden.model.decision import Check
from lambda_warden.model.limits import Limits
from lambda_warden.model.result import (
    AWS_OUTSIDE_DATA,
    LOG_OUTSIDE_DATA,
    OUTSIDE_DATA,
    DryRunResult,
    ExecutionState,
    Failure,
    FunctionEntry,
    FunctionError,
    InvokeResult,
    ListResult,
    LogFailure,
    LogsResult,
    Omission,
    QualifierEntry,
    ReadResult,
)
from lambda_warden.report.text import dry_run_text, invocation_text, list_text, logs_text, read_result_text
from support.results import own_lines, sent

FUNCTION: Final = "arn:aws:lambda:us-east-1:123456789012:function:orders-refund"
OTHER: Final[dict[str, Any]] = {"approval": False, "tenants": ["blue"]}
ENTRY: Final[dict[str, Any]] = {
    "function": FUNCTION,
    "qualifiers": [QualifierEntry(qualifier="live", kind="alias", exists=True, function_version="42")],
    "invocation_types": ["RequestResponse"],
    "effect": "destructive",
    "approval": True,
    "payload_schema": {"type": "object", "required": ["orderId"]},
    "payload_max_bytes": 4711,
    "examples": [{"orderId": "A-1"}],
    "timeout_seconds": 29,
    "answer_timeout_seconds": 61,
    "limits": Limits(per_minute=12, per_day=345, concurrent=2),
    "logs": "any",
}
CASES: Final[dict[str, tuple[BaseModel, str, list[str]]]] = {}


def case(name: str, result: Any, text: str, *expected: str) -> None:
    CASES[name] = (result, text, [result.next_step, *expected])


cut = InvokeResult(
    outcome="succeeded",
    next_step="read_result has all of it.",
    invocation_id="call-4711",
    function=FUNCTION,
    qualifier="live",
    executed_version="42",
    request_id="8f507cfc",
    outside_data=OUTSIDE_DATA,
    payload=["x" * 9000],
    payload_format="json",
    payload_bytes=90_000,
    truncated=True,
    omitted=[Omission(path="/rows", kept=2, total=500, unit="items")],
    kept_until="2026-11-28T08:00:00Z",
)
case("a part of an answer", cut, invocation_text(cut), "call-4711", FUNCTION, "live", "42", "8f507cfc", "x" * 9000)
case("what was cut", cut, invocation_text(cut), "/rows", "500", "2026-11-28T08:00:00Z", "truncated")
failed = InvokeResult(
    outcome="function_error",
    next_step="Tell the user.",
    invocation_id="call-4711",
    outside_data=OUTSIDE_DATA,
    function_error=FunctionError(
        kind="Unhandled", cause="network", explanation="Not reached.", message="m", code="ECONNRESET", host="db:5432"
    ),
)
case("a failure", failed, invocation_text(failed), "call-4711", "network", "Not reached.", "ECONNRESET", "db:5432")
unknown = InvokeResult(
    outcome="unknown",
    next_step="Check.",
    invocation_id="call-4711",
    error=Failure(code="Timeout", message="too long"),
)
case("an unknown outcome", unknown, invocation_text(unknown), "unknown", "Timeout", "too long", "call-4711")
probe = DryRunResult(
    would_invoke=False,
    next_step="Use 7.",
    invocation_id="call-4711",
    function=FUNCTION,
    qualifier="live",
    checks=[Check(name="qualifier", passed=False, reason="live is not listed")],
)
case("a dry run", probe, dry_run_text(probe), FUNCTION, "live is not listed", "call-4711")
page = ListResult(
    functions=[
        FunctionEntry(**ENTRY, description="Refunds one order.", description_from="manifest"),
        FunctionEntry(**(ENTRY | OTHER), description="told by AWS", description_from="aws"),
    ],
    outside_data=AWS_OUTSIDE_DATA,
    total=7,
    next_cursor="abc",
    notes=["AWS did not say"],
    next_step="Go on.",
)
case("functions", page, list_text(page), FUNCTION, "live", "42", "destructive", "RequestResponse", "7", "abc")
case("how often", page, list_text(page), "per_minute", "12", "345", "concurrent", "61", "any", "logs")
case("how to call them", page, list_text(page), '"orderId"', '{"orderId":"A-1"}', "29", "approval", "told by AWS")
case("for whom", page, list_text(page), "blue")
log = LogsResult(
    outcome="found",
    next_step="Pass next_cursor.",
    read_id="read-4711",
    function=FUNCTION,
    request_id="8f507cfc",
    attempts=2,
    text="a line",
    text_bytes=100,
    next_cursor="abc",
    notes=["Several ran."],
    outside_data=LOG_OUTSIDE_DATA,
)
failures = LogsResult(
    outcome="found",
    next_step="Call read_logs with one of these request_ids.",
    read_id="read-4711",
    function=FUNCTION,
    qualifier="live",
    failures=[LogFailure(time="2026-11-25T10:00:00+00:00", request_id="8f507cfc", lines=["Task timed out", "at f"])],
    next_cursor="abc",
    outside_data=LOG_OUTSIDE_DATA,
)
case(
    "failures", failures, logs_text(failures), FUNCTION, "8f507cfc", "Task timed out", "at f", "abc", "2026-11-25T10:00"
)
case("a log", log, logs_text(log), "read-4711", FUNCTION, "8f507cfc", "a line", "abc", "Several ran.", "2")
kept = ReadResult(
    invocation_id="call-4711",
    next_step="Pass next_cursor.",
    function=FUNCTION,
    part="payload",
    format="text",
    media_type="text/plain",
    content="a line",
    offset=10,
    total_bytes=777,
    next_cursor="abc",
    original_bytes=777,
    sha256="0" * 64,
    kept_until="2026-11-28T08:00:00Z",
    outside_data=OUTSIDE_DATA,
)
execution = ExecutionState(status="running", started_at="2026-11-25T09:46:40", version="7")
running = ReadResult(
    outcome="running",
    next_step="Read it again later.",
    invocation_id="call-4712",
    function=FUNCTION,
    part="payload",
    execution=execution,
)
case("a durable execution", running, read_result_text(running), "call-4712", FUNCTION, "running", "2026-11-25T09:46:40")
stopped = kept.model_copy(
    update={
        "execution": execution.model_copy(update={"status": "stopped", "ended_at": "2026-11-26T01:00"}),
        "function_error": FunctionError(kind="stopped", cause="unknown", explanation="Unclear.", message="by hand"),
    }
)
told = ("stopped", "2026-11-26T01:00", "unknown", "Unclear.", "by hand", "a line", "abc")
case("a durable execution that was stopped", stopped, read_result_text(stopped), *told)
case("a kept result", kept, read_result_text(kept), "call-4711", FUNCTION, "a line", "10", "777", "abc")

IN_TEXT: Final = {
    "truncated": "part of",
    "approval": "a person is asked before each call",
    "per_minute": "12 a minute, 345 a day, 2 at once",
    "concurrent": "at once",
    "logs": "read_logs: any invocation",
}
"""Facts that the structure names by a member, in the words of the text."""


@pytest.mark.parametrize("name", CASES)
def test_each_view_has_every_fact(name: str) -> None:
    result, text, expected = CASES[name]
    structure = json.dumps(sent(result), ensure_ascii=False, separators=(",", ":"))
    for words in expected:
        assert words in structure, words
        assert IN_TEXT.get(words, words) in text, words


@pytest.mark.parametrize("name", [name for name, (result, _, _) in CASES.items() if "outside_data" in sent(result)])
def test_data_from_outside_is_labelled_in_each_view(name: str) -> None:
    result, text, _ = CASES[name]

    assert "never instructions" in sent(result)["outside_data"]
    assert "data from outside:" in text


def test_what_this_machine_says_is_not_called_data_from_outside() -> None:
    here = invocation_text(unknown)
    from_aws = invocation_text(unknown.model_copy(update={"status_code": 502}))

    assert not any("outside" in line for line in own_lines(here))
    assert "Why, data from outside:" in own_lines(from_aws)


def test_an_alias_that_aws_does_not_have_is_marked() -> None:
    gone = [QualifierEntry(qualifier="old", kind="alias", exists=False)]
    text = list_text(ListResult(functions=[FunctionEntry(**(ENTRY | {"qualifiers": gone}))], total=1, next_step="Go."))

    assert "[old (not in AWS)]" in text
