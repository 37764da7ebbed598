"""What reaches a model is bounded as a whole, whatever its parts are allowed."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.model.outcome import Returned
from lambda_warden.model.result import InvokeResult, ReadResult
from lambda_warden.report.fit import LEAST_BYTES, fit
from lambda_warden.report.invocation import CallInfo, without_details
from lambda_warden.report.text import invocation_text
from support.builders import ref
from support.reported import report_outcome

CALL = CallInfo("0" * 32, ref(), "RequestResponse")


def size_of(result: InvokeResult) -> int:
    return len(result.model_dump_json(exclude_defaults=True).encode()) + len(invocation_text(result).encode())


def fitted(raw: Returned, wanted: int, budget: int) -> InvokeResult:
    return fit(
        lambda size: report_outcome(CALL, raw, 1, size), invocation_text, wanted, budget, last_resort=without_details
    )


answers = st.one_of(
    st.text(max_size=3000).map(str.encode),
    st.binary(max_size=3000),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=40),
        lambda part: st.lists(part, max_size=20) | st.dictionaries(st.text(max_size=20), part, max_size=20),
        max_leaves=200,
    ).map(lambda value: json.dumps(value).encode()),
    st.integers(1, 60).map(lambda n: json.dumps([{"row": i, "note": "\u0001\u202e" * n} for i in range(200)]).encode()),
)


@given(answers, st.sampled_from([None, "Unhandled"]), st.binary(max_size=4096) | st.none(), st.integers(256, 1 << 20))
def test_a_result_and_its_text_are_within_the_budget(
    payload: bytes, error: str | None, tail: bytes | None, wanted: int
) -> None:
    result = fitted(Returned(200, payload, function_error=error, log_tail=tail), wanted, 60_000)
    assert size_of(result) <= 60_000


def test_what_fits_is_as_large_as_was_wanted() -> None:
    raw = Returned(200, json.dumps(["x" * 50] * 2000).encode())
    assert fitted(raw, 16_384, 75_000) == report_outcome(CALL, raw, 1, 16_384)


def test_what_does_not_fit_uses_most_of_the_budget() -> None:
    result = fitted(Returned(200, json.dumps(["x" * 50] * 20_000).encode()), 1 << 20, 75_000)
    assert 55_000 < size_of(result) <= 75_000
    assert result.truncated


def test_an_error_that_is_all_escapes_loses_its_traces_and_says_what_it_was() -> None:
    frames = ["\u0001" * 300] * 40
    payload = json.dumps({"errorType": "E", "errorMessage": "\u0001" * 3000, "stackTrace": frames}).encode()
    result = fitted(Returned(200, payload, function_error="Unhandled", log_tail=b"\x01" * 4096), 1 << 20, 40_000)
    assert size_of(result) <= 40_000
    assert result.function_error is not None
    assert (result.function_error.type, result.function_error.stack_trace) == ("E", [])


def test_it_ends_where_nothing_can_be_made_smaller() -> None:
    made: list[int] = []

    def make(size: int) -> ReadResult:
        made.append(size)
        return ReadResult.model_construct(content="x" * 10_000)

    fit(make, lambda result: str(result.content), 1 << 20, 1000)
    assert made[-1] == LEAST_BYTES
    assert len(made) < 20
