"""Queries give what JMESPath gives, and none costs more than it may."""

from __future__ import annotations

import json
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from lambda_warden.errors import ArgumentError
from lambda_warden.jsontools.pointer import parse_pointer
from lambda_warden.jsontools.query import LENGTH_LIMIT, NESTING_LIMIT, QueryError, apply, compile_query
from lambda_warden.model.outcome import Refused, Returned
from lambda_warden.model.result import InvokeResult
from lambda_warden.report.text import invocation_text
from support.reported import report_outcome
from support.results import CALL, check_invoke_result, json_values

MIXED = "q7Zx3Kv9Wj5Yh2Bn8Dm4Fp6Rt1Gc0Ls7Uq3Ea9To"


def report(data: bytes, query: str, *pointers: str, error: str | None = None, budget: int = 4096) -> InvokeResult:
    redact = [parse_pointer(pointer) for pointer in pointers]
    result = report_outcome(CALL, Returned(200, data, error), 1, budget, redact, query=compile_query(query))
    check_invoke_result(result)
    return result


@pytest.mark.parametrize(
    ("text", "problem", "expected"),
    [
        ("", "is empty", "a JMESPath expression"),
        ("a.", "ends too early, after 'a.'", "a JMESPath expression"),
        ("items[?a", "ends too early", "a JMESPath expression"),
        ("a.b c", "character 5: 'unexpected c'", "a JMESPath expression"),
        ("a = b", "character 3: \"Unknown token '='\"", "a JMESPath expression"),
        ('"abc', "character 1: 'Unclosed \" delimiter'", "a JMESPath expression"),
        ("a" * (LENGTH_LIMIT + 1), "has 1,001 characters", "at most 1,000"),
        ("!" * NESTING_LIMIT + "a", "nested too deeply", "at most 60 levels"),
        ("(" * 900, "nested too deeply", "at most 60 levels"),
        ("foo(@)", "calls 'foo'(), which does not exist", "one of abs, avg,"),
        ("length(a, b)", "gives length() 2 arguments", "1 of them"),
        ("merge()", "gives merge() 0 arguments", "at least 1 of them"),
        ("map(a, b)", "calls map() wrongly", "argument 1 with a & before it"),
        ("not_null(&a)", "calls not_null() wrongly", "argument 1 without a & before it"),
        ("[&a]", "has a & that is no argument of map", "a JMESPath expression"),
        ("a[::0]", "has a slice with a step of 0", "another step"),
        ("`NaN`", "that JSON does not have", "a JMESPath expression"),
        ("`[1e400]`", "that JSON does not have", "a JMESPath expression"),
        ("'\ud800'", "that JSON does not have", "a JMESPath expression"),
        ('{"\\ud800": a}', "that JSON does not have", "a JMESPath expression"),
    ],
)
def test_a_bad_expression_is_refused_and_says_where_and_what_is_right(text: str, problem: str, expected: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        compile_query(text)

    assert caught.value.argument == "query"
    assert problem in caught.value.problem
    assert caught.value.expected.startswith(expected)
    str(caught.value).encode()


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of literals without quotes, in the library
@given(st.text(max_size=40) | st.text("ab.[]{}()*?&|!<>=@,:'\"`1-\\ ", max_size=40))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    try:
        query = compile_query(text)
    except ArgumentError as error:
        str(error).encode()
    else:
        try:
            json.dumps(apply(query, {"a": [{"b": 1}], "b": "x"}), allow_nan=False)
        except QueryError as error:
            str(error).encode()


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(-9, 9)
    | st.sampled_from(["", "a", "b", "12", "1e3", "inf", "é"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=12,
)
_leaves = st.sampled_from(["a", "b", "c", "@", "`1`", '`"a"`', "'b'", "`null`", "`[1, 2]`", '`{"a": 1}`', '"a"'])


def _wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = st.sampled_from(
        [
            "({}).a", "({})[0]", "({})[-1]", "({})[*]", "({})[]", "({})[::2]", "({})[::-1].a", "({}).*", "({}).*.a",
            "({})[?a]", "({})[?@ > `1`].a", "!({})", "[{}]", "{{x: {}}}", "abs({})", "avg({})", "ceil({})", "floor({})",
            "join('-', {})", "keys({})", "values({})", "length({})", "map(&a, {})", "max({})", "max_by({}, &a)",
            "merge({})", "min({})", "min_by({}, &@)", "reverse({})", "sort({})", "sort_by({}, &a)", "sum({})",
            "to_array({})", "to_number({})", "to_string({})", "type({})",
        ]
    )  # fmt: skip
    two = st.sampled_from(
        [
            "({}) | ({})", "({}) || ({})", "({}) && ({})", "({}) == ({})", "({}) != ({})", "({}) < ({})", "[{}, {}]",
            "({}) >= ({})", "{{x: {}, y: {}}}", "contains({}, {})", "starts_with({}, {})", "ends_with({}, {})",
            "not_null({}, {})", "merge({}, {})",
        ]
    )  # fmt: skip
    return st.one_of(
        st.builds(lambda form, a: form.format(a), one, inner),
        st.builds(lambda form, a, b: form.format(a, b), two, inner, inner),
    )


@given(st.recursive(_leaves, _wider, max_leaves=6), _values)
def test_a_query_gives_what_the_library_gives(text: str, value: Any) -> None:
    if len(text) > LENGTH_LIMIT:
        return
    query = compile_query(text)
    before = json.dumps(value)
    try:
        expected = jmespath.search(text, value)
    except (JMESPathError, TypeError, AttributeError, OverflowError, ValueError):
        with pytest.raises(QueryError):
            apply(query, value)
        return
    if json.dumps(expected) in ("Infinity", "-Infinity"):  # to_number('inf')
        expected = None
    assert json.dumps(apply(query, value)) == json.dumps(expected)
    assert json.dumps(value) == before


ROWS: list[Any] = [{"id": i, "name": f"n{i}", "tags": ["a", "b"], "text": "x" * 50} for i in range(20_000)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("[@,@] | " * 40 + "[@ == @]", 1, id="comparison of a doubled list"),
        pytest.param("[@,@] | " * 40 + "{a: @, b: @} | [a != b]", 1, id="comparison of doubled lists"),
        pytest.param("[@,@] | " * 40 + "contains([@], [@])", 1, id="search in a doubled list"),
        pytest.param("[@,@] | " * 40 + "to_string(@)", 1, id="text of a doubled list"),
        pytest.param("{a:@,b:@} | " * 40 + "to_string(@)", 1, id="text of a doubled object"),
        pytest.param("[@,@][] | " * 40 + "@", [1], id="doubled and flattened"),
        pytest.param("join('', [@,@]) | " * 40 + "@", "x", id="doubled text"),
        pytest.param("join(@, [@,@,@]) | " * 40 + "@", "x", id="tripled text"),
        pytest.param("[@,@,@,@,@,@,@,@][] | " * 6 + "[*].[a,b,c]", ROWS, id="many rows"),
        pytest.param("[].tags[] | " + "[].[@,@,@,@,@,@][] | " * 8 + "@", ROWS, id="nested projections"),
        pytest.param(
            "sort(@) | " * 24 + "@", ["x" * 100 + str(i) for i in range(100_000)], id="sorted again and again"
        ),
        pytest.param("[::-1] | " * 24 + "map(&@, @) | " * 10 + "@", list(range(400_000)), id="copied again and again"),
        pytest.param("merge(@, @) | " * 30 + "@", {str(i): i for i in range(100_000)}, id="merged again and again"),
        pytest.param("sum(@)", [10**4200, 10**4290], id="number of too many digits"),
        pytest.param("sum(@)", [1e308, 1e308], id="number beyond all"),
        pytest.param("avg(@)", [10**400, 1], id="number that is no double"),
    ],
)
def test_an_expression_that_costs_too_much_ends_with_an_error(text: str, value: Any) -> None:
    with pytest.raises(QueryError, match=r"too many steps|too large|more than 1 MB|can't be evaluated"):
        apply(compile_query(text), value)


def test_what_stands_at_many_places_is_shown_within_the_budget() -> None:
    result = report(b"[1]", "[@,@] | " * 50 + "@")

    assert len(json.dumps(result.payload, separators=(",", ":"))) <= 4096
    assert result.truncated


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sum(a)", "sum() takes array-number, and got object"),
        ("'x' < b", "values of different types"),
        ("join(',', c)", "join() takes array-string, and got number"),
        ("length(missing)", "length() takes string or array or object, and got null"),
    ],
)
def test_an_error_says_what_was_wrong_and_quotes_no_data(text: str, message: str) -> None:
    value: Any = {"a": {"secret": MIXED}, "b": 1, "c": [1]}
    with pytest.raises(QueryError) as caught:
        apply(compile_query(text), value)

    assert message in str(caught.value)
    assert MIXED not in str(caught.value)


@given(json_values, st.sampled_from(["@", "[]", "*", "[*].a", "keys(@)", "[?@]", "{a: @, b: in}"]))
def test_a_result_with_a_query_fits_its_schema_and_its_budget(value: Any, text: str) -> None:
    result = report(json.dumps(value).encode(), text, budget=300)

    assert len(json.dumps(result.payload, ensure_ascii=False, separators=(",", ":")).encode()) <= 300


def test_a_query_is_applied_before_anything_is_cut() -> None:
    rows = [{"id": i, "name": "x" * 50} for i in range(10_000)]
    result = report(json.dumps(rows).encode(), "[?id > `9990`].id | {ids: @, count: length(@)}")

    assert result.payload == {"ids": list(range(9991, 10_000)), "count": 9}
    assert (result.truncated, result.query_error, result.next_step) == (False, None, "Use the payload.")


def test_a_query_reaches_into_a_body() -> None:
    data = json.dumps({"statusCode": 200, "body": json.dumps({"items": [{"id": 7}]})}).encode()
    assert report(data, "body.items[0].id").payload == 7


@pytest.mark.parametrize("text", ["@", "card.number", "to_string(@)", "join('', [card.number, note])", "values(card)"])
def test_a_query_sees_no_secret(text: str) -> None:
    data = json.dumps({"card": {"number": "4111 2222"}, "note": f"password={MIXED}"}).encode()
    shown = report(data, text, "/card/number").model_dump_json()

    assert "4111" not in shown
    assert MIXED not in shown


def test_a_query_that_selects_nothing_says_so() -> None:
    result = report(b'{"a": 1}', "b")

    assert (result.payload, result.payload_format, result.query_error) == (None, "json", None)
    assert "selected nothing (null)" in result.next_step


@pytest.mark.parametrize(
    ("data", "shown", "reason"),
    [
        (b'{"a": "x"}', {"a": "x"}, "sum() takes array-number"),
        (b"hello", "hello", "is text"),
        (b"\xff\x00", "/wA=", "is binary"),
        (b"", None, "no payload"),
    ],
)
def test_an_answer_is_never_lost_to_a_query(data: bytes, shown: Any, reason: str) -> None:
    result = report(data, "sum(a)")

    assert result.payload == shown
    assert result.query_error is not None
    assert reason in result.query_error
    assert result.outcome == "succeeded"
    if data:
        assert result.query_error in invocation_text(result)


def test_the_error_of_a_function_is_not_queried() -> None:
    result = report(b'{"errorType": "E", "errorMessage": "no", "id": 1}', "a", error="Unhandled")

    assert result.payload == {"errorType": "E", "errorMessage": "no", "id": 1}
    assert result.function_error is not None
    assert result.query_error is not None


def test_where_nothing_was_returned_a_query_changes_nothing() -> None:
    raw = Refused("ResourceNotFoundException", "no such function")
    assert report_outcome(CALL, raw, 1, 256, query=compile_query("a")) == report_outcome(CALL, raw, 1, 256)
