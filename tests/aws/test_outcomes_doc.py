"""docs/outcomes.md, row by row: held to the code, to botocore's model, and to what happens on real sockets."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest
from botocore.exceptions import ClientError

from lambda_warden.aws.errors import LATER, MAY_HAVE_RUN, NEVER_AS_IS, classify
from lambda_warden.invocation.retry import may_retry
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.outcome import RawOutcome, Refused, Unknown
from lambda_warden.report.invocation import CallInfo
from support.builders import request
from support.calls import Call, clients_at
from support.failures import AFTER, BEFORE, EARLY_ANSWER, Failure
from support.raw_server import answer, answering, raw_server
from support.reported import report_outcome

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs" / "outcomes.md").read_text()
GIVEN_UP: Final = {"Cancelled", "DeadlineExceeded", "Shutdown"}

Row = list[str]


def table(*header: str) -> list[list[Row]]:
    """The rows of each table with this header."""
    found: list[list[Row]] = []
    for block in re.findall(r"(?:^\|.*\|\n)+", TEXT, re.M):
        first, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        if first == list(header):
            found.append(rows)
    return found


(ERRORS,) = table("exception", "HTTP status", "operation", "outcome", "another attempt", "next_step")
(STATUSES,) = table("HTTP status", "outcome", "another attempt", "next_step")
(MESSAGES,) = table("error", "its message", "another attempt", "next_step")
NOT_LEFT, LEFT = table("what happens", "code", "outcome", "another attempt", "next_step")
NEXT_STEPS: Final = {row[0]: row[1] for row in table("next_step", "text")[0]}


def expected(raw: RawOutcome) -> Row:
    """The last three cells of a row, as the code has them."""
    assert isinstance(raw, Refused | Unknown)
    result = report_outcome(CallInfo("an id"), raw, 1, 1000)
    words = result.next_step.replace(f" for request id {raw.request_id}.", " from the time of this call.")
    if isinstance(raw, Refused) and raw.advice and not raw.retry_sensible:
        assert raw.advice.startswith("Tell the operator: ")
        assert raw.advice in words
        words = words.replace(raw.advice, "Tell the operator: …")
    words = words.split(" If it stays, tell the operator: ")[0]
    (step,) = [name for name, text in NEXT_STEPS.items() if text == words]
    again = "never" if isinstance(raw, Unknown) else "once" if raw.remedy else "no"
    if may_retry(raw, 1, 3) and raw.code not in GIVEN_UP:
        again = "yes"
    return [result.outcome, again, step]


def answered(code: str, status: int, operation: str = "Invoke") -> RawOutcome:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return classify(ClientError(response, operation), "whole")


def model() -> dict[str, tuple[int, set[str]]]:
    """Status and operations of each exception, by its name."""
    service: Any = botocore.session.get_session().get_service_model("lambda")
    found: dict[str, tuple[int, set[str]]] = {}
    for operation in ("Invoke", "InvokeWithResponseStream"):
        for shape in service.operation_model(operation).error_shapes:
            found.setdefault(shape.name, (shape.metadata["error"]["httpStatusCode"], set()))[1].add(operation)
    return found


def test_every_exception_of_the_model_and_of_the_code_has_its_row() -> None:
    named = [row[0].strip("`") for row in ERRORS]
    assert named == sorted({*LATER, *NEVER_AS_IS, *MAY_HAVE_RUN})
    assert set(model()) <= set(named)


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row[0].strip("`"))
def test_an_exception_ends_a_call_as_its_row_says(row: Row) -> None:
    name, status, operations, *ending = row
    code = name.strip("`")
    known_status, known_operations = model().get(code, (None, set()))
    words = {0: "neither now", 1: "`Invoke`", 2: "both"}
    assert operations == words[len(known_operations)]
    assert "Invoke" in known_operations or not known_operations
    assert status == ("none" if known_status is None else str(known_status))
    for operation in ("Invoke", "InvokeWithResponseStream"):
        for any_status in (known_status or 500, 400, 500):
            assert expected(answered(code, any_status, operation)) == ending


def test_an_error_of_another_name_ends_a_call_as_its_status_says() -> None:
    by_status = {int(status): row[1:] for row in STATUSES[:-1] for status in row[0].split(", ")}
    assert STATUSES[-1][0] == "any other"
    for status in range(100, 600):
        assert expected(answered("NobodyKnowsException", status)) == by_status.get(status, STATUSES[-1][1:]), status


@pytest.mark.parametrize(("rows", "failures"), [(NOT_LEFT, BEFORE), (LEFT, AFTER)], ids=["before", "after"])
def test_every_failure_has_its_row(rows: list[Row], failures: dict[str, Failure]) -> None:
    assert [row[0] for row in rows] == list(failures)


@pytest.mark.parametrize("row", [*NOT_LEFT, *LEFT], ids=lambda row: row[0])
def test_a_failure_ends_a_call_as_its_row_says(row: Row, tmp_path: Path) -> None:
    name, code, *ending = row
    raw = {**BEFORE, **AFTER}[name](tmp_path).raw
    assert isinstance(raw, Refused | Unknown)
    assert (raw.code, expected(raw)) == (code.strip("`"), ending)


@pytest.mark.parametrize("row", MESSAGES, ids=lambda row: row[0] + " " + row[1][:20])
def test_what_helps_is_said_by_the_message(row: Row) -> None:
    code, message, *ending = row
    status = {"`NotImplemented`": 501, "`ResourceConflictException`": 409}.get(code, 403)
    reply = answer(status, json.dumps({"message": message}).encode(), {"x-amzn-ErrorType": code.strip("`")})
    with raw_server(answering(reply)) as server:
        raw = Call(clients_at(server.url), replace(request(), log_tail=True)).outcome()
    assert expected(raw) == ["refused", *ending]


def test_an_answer_before_the_request_had_left_is_refused(tmp_path: Path) -> None:
    assert "An error that comes before the request has left whole is `refused`" in TEXT
    assert expected(EARLY_ANSWER(tmp_path).raw) == ["refused", "yes", "wait"]


def test_the_rules_of_further_attempts_are_those_of_the_code() -> None:
    assert f"the rule's `max_attempts` ({FunctionRule.model_fields['max_attempts'].default})" in TEXT
    assert [row[0] for row in table("another attempt", "rule")[0]] == ["yes", "once", "no", "never"]


def test_the_readme_leads_here_and_the_page_to_its_test() -> None:
    assert "](docs/outcomes.md)" in (ROOT / "README.md").read_text()
    assert [path for path in re.findall(r"`(tests/[\w/.]+)`", TEXT) if not (ROOT / path).exists()] == []
