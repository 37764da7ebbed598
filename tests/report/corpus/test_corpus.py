"""Answers and logs of the shapes that Lambda gives, each with the whole result and the text that a reader gets of it.

Each `NAME.yaml` beside this file holds cases by their titles; `NAME.snapshot` holds what is made of them. After a
wanted change: `UPDATE_SNAPSHOTS=1 pytest tests/report/corpus`, and read the difference as somebody would who gets it.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, Final, get_args

import pytest

from lambda_warden.model.outcome import Returned
from lambda_warden.model.result import ErrorCause, InvokeResult
from lambda_warden.report.text import invocation_text
from support.corpus import CASES, FILES, FOLDER, SECRET, WORDS, filled, returned, strings_in
from support.reported import report_outcome
from support.results import CALL, check_invoke_result, own_lines, sent

BUDGET: Final = 16_384
ALL: Final = [pytest.param(name, title, id=f"{name}: {title}") for name, cases in CASES.items() for title in cases]


def made_of(case: dict[str, Any]) -> tuple[InvokeResult, str]:
    result = report_outcome(CALL, returned(case), 12, BUDGET)
    return result, invocation_text(result)


def section(title: str, result: InvokeResult, text: str) -> str:
    constant = {"invocation_id", "function", "qualifier", "invocation_type", "status_code", "executed_version"}
    constant |= {"request_id", "duration_ms", "outside_data"}
    shown = {key: value for key, value in sent(result).items() if key not in constant}
    return f"==== {title}\n{json.dumps(shown, indent=1, ensure_ascii=False)}\n----\n{text}\n"


@pytest.mark.parametrize("name", FILES)
def test_the_results_are_as_in_the_snapshots(name: str) -> None:
    seen = "\n".join(section(title, *made_of(case)) for title, case in CASES[name].items())
    path = FOLDER / f"{name}.snapshot"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(seen)
    assert seen == path.read_text()


@pytest.mark.parametrize(("name", "title"), ALL)
def test_each_result_fits_its_schema_and_keeps_outside_data_marked(name: str, title: str) -> None:
    case = CASES[name][title]
    result, text = made_of(case)
    check_invoke_result(result)
    assert result.outcome == ("function_error" if "error" in case else "succeeded")
    own = own_lines(text)
    assert own[0].startswith(f"{result.outcome}: ")
    assert own[-1] == f"Next: {result.next_step}"


@pytest.mark.parametrize(("name", "title"), ALL)
def test_no_secret_is_in_any_result(name: str, title: str) -> None:
    result, text = made_of(CASES[name][title])
    shown = json.dumps(sent(result)) + text
    for secret in (SECRET, SECRET[::-1], WORDS["AWSKEY"]):
        assert not any(secret[i : i + 8] in shown for i in range(len(secret) - 7))


def test_a_function_that_prints_words_of_failure_and_succeeds_has_not_failed() -> None:
    for name, cases in CASES.items():
        for title, case in cases.items():
            if "error" in case:
                result, _ = made_of({key: value for key, value in case.items() if key != "error"})
                assert (result.outcome, result.function_error) == ("succeeded", None), (name, title)


@pytest.mark.parametrize(
    ("name", "title"),
    [pytest.param(*c.values, id=c.id) for c in ALL if "cause" in CASES[str(c.values[0])][str(c.values[1])]],
)
def test_the_cause_is_told_and_nobody_is_sent_to_change_a_payload_that_is_not_at_fault(name: str, title: str) -> None:
    case = CASES[name][title]
    result, _ = made_of(case)
    assert result.function_error is not None
    assert result.function_error.cause == case["cause"]
    if case["cause"] != "invalid_input":
        assert not re.search(r"(?i)correct the payload|change the payload (?!only)", result.next_step)


@pytest.mark.parametrize(("name", "title"), ALL)
def test_what_matters_stands_in_the_text_and_in_the_structure(name: str, title: str) -> None:
    case = CASES[name][title]
    result, text = made_of(case)
    for words in case.get("says", ()):
        assert filled(words) in text
        assert filled(words) in "\n".join(strings_in(sent(result)))
    if "next" in case:
        assert case["next"] in result.next_step
        assert case["next"] == "Use the payload" or "Use the payload" not in result.next_step


@pytest.mark.parametrize(("name", "title"), ALL)
def test_no_frame_of_a_stack_is_shown_twice(name: str, title: str) -> None:
    result, _ = made_of(CASES[name][title])
    error = result.function_error
    frames = {frame.strip() for frame in (error.stack_trace if error else ()) if re.match(r"\s+(?:at |File )", frame)}
    if result.log:
        assert not any(frame in result.log.text or frame in str(result.log.errors) for frame in frames)


def test_every_cause_occurs() -> None:
    seen = {
        r.function_error.cause
        for cases in CASES.values()
        for c in cases.values()
        if (r := made_of(c)[0]).function_error
    }
    assert seen == set(get_args(ErrorCause))


def test_there_are_no_snapshots_of_nothing() -> None:
    assert {path.stem for path in FOLDER.glob("*.snapshot")} == set(FILES)


@pytest.mark.parametrize("error", [None, "Unhandled"])
def test_the_largest_answer_that_lambda_passes_on_becomes_a_part_within_the_budget(error: str | None) -> None:
    rows = [{"id": i, "name": f"order {i}", "note": "é" * 20} for i in range(80_000)]
    data = json.dumps(rows, ensure_ascii=False).encode()[: 6 * 1024 * 1024 - 2]
    data = data[: data.rindex(b"}")] + b"}]"
    result = report_outcome(CALL, Returned(200, data, error), 12, BUDGET)

    check_invoke_result(result)
    assert result.payload_bytes == len(data) > 6_000_000
    assert result.truncated
    assert len(json.dumps(result.payload, ensure_ascii=False, separators=(",", ":")).encode()) <= BUDGET
    assert re.search(r"of 6,\d{3},\d{3} bytes|unknown", invocation_text(result))
