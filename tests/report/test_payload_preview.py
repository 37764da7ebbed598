"""A preview of JSON: what it keeps is true, what it leaves out is said, and it fits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lambda_warden.answers.payload import read_payload
from lambda_warden.jsontools.preview import DEPTH_LIMIT, Cut, Place, json_size, preview_json
from lambda_warden.model.result import Omission
from lambda_warden.report.omissions import summarize
from lambda_warden.report.payload_view import PayloadView, preview
from support.results import json_values

_UNITS = {str: "characters", list: "items", dict: "members"}


def shown(value: Any, budget: int) -> PayloadView:
    return preview(read_payload(json.dumps(value).encode()), budget)


def size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def same(one: object, other: object) -> bool:
    """Equal as JSON: 1, 1.0 and true are three values, and so are 0.0 and -0.0."""
    return json.dumps(one) == json.dumps(other)


def is_part(part: Any, whole: Any) -> bool:
    if isinstance(whole, str) and isinstance(part, str):
        return whole.startswith(part)
    if isinstance(whole, list) and isinstance(part, list):
        return len(part) <= len(whole) and all(is_part(p, w) for p, w in zip(part, whole, strict=False))
    if isinstance(whole, dict) and isinstance(part, dict):
        in_order = [key for key in whole if key in part]
        return list(part) == in_order and all(is_part(part[key], whole[key]) for key in part)
    return same(part, whole)


def expected_cuts(whole: Any, part: Any, place: Place = ()) -> Iterator[Cut]:
    """The cuts, worked out from the two values alone: outer places before inner ones."""
    if isinstance(whole, str | list | dict) and len(part) < len(whole):
        yield Cut(place, len(part), len(whole), _UNITS[type(whole)])  # type: ignore[arg-type]
    entries = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for token, item in entries:
        yield from expected_cuts(whole[token], item, (*place, token))


def matches(pattern: str, place: Place) -> bool:
    if pattern == "/**":
        return True
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pattern.split("/")[1:]]
    return len(tokens) == len(place) and all(
        token in ("*", str(actual)) for token, actual in zip(tokens, place, strict=True)
    )


def check_omissions(omitted: tuple[Omission, ...], cuts: list[Cut]) -> None:
    """Fail unless every cut is covered by an entry, every entry covers cuts, and together they count each cut once."""
    for cut in cuts:
        assert any(matches(entry.path, cut.place) and entry.unit == cut.unit for entry in omitted)
    for entry in omitted:
        covered = [cut for cut in cuts if matches(entry.path, cut.place) and entry.unit == cut.unit]
        assert entry.places <= len(covered)
        assert entry.kept <= sum(cut.kept for cut in covered)
        if entry.places == len(covered):
            assert entry.kept == sum(cut.kept for cut in covered)
            assert entry.total == sum(cut.total or 0 for cut in covered)
    assert sum(entry.places for entry in omitted) == len(cuts)
    assert sum(entry.kept for entry in omitted) == sum(cut.kept for cut in cuts)
    assert sum(entry.total or 0 for entry in omitted) == sum(cut.total or 0 for cut in cuts)


def depth(value: Any) -> int:
    children = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    return 1 + max(map(depth, children)) if children else 0


_rows = st.lists(
    st.fixed_dictionaries({"id": st.integers(), "name": st.text(), "tags": st.lists(st.text(), max_size=4)}),
    min_size=1,
    max_size=5,
).map(lambda rows: rows * 40)
_strings = st.text(min_size=1).map(lambda text: text * 300) | st.sampled_from(['"\\' * 500, "\x00" * 500, "😀é" * 400])
values = st.one_of(
    json_values,
    _rows,
    st.fixed_dictionaries({"status": st.text(), "rows": _rows, "next": st.text(), "log": _strings}),
    st.dictionaries(st.text(), _strings | st.integers(), max_size=300),
    st.lists(_strings, max_size=30),
)


@given(values, st.integers(16, 5000))
def test_a_view_of_any_json_is_a_part_of_it_within_the_budget_that_says_what_is_missing(
    value: Any, budget: int
) -> None:
    value = read_payload(json.dumps(value).encode()).value  # some names are those of secrets
    # A number has no part that would not be another number.
    assume(size(value) <= budget or not isinstance(value, int | float))
    view = shown(value, budget)

    assert view.format == "json"
    assert size(view.value) <= budget
    assert depth(view.value) <= DEPTH_LIMIT
    assert is_part(view.value, value)
    assert view.truncated == (not same(view.value, value))
    if size(value) <= budget and depth(value) <= DEPTH_LIMIT:
        assert same(view.value, value)
    check_omissions(view.omitted, list(expected_cuts(value, view.value)))


@given(values)
def test_the_size_of_a_value_is_that_of_its_compact_json(value: Any) -> None:
    assume(depth(value) <= DEPTH_LIMIT)

    assert json_size(value, size(value)) == size(value)
    assert json_size(value, size(value) - 1) is None


def test_what_is_nested_too_deeply_has_no_size() -> None:
    value: Any = 1
    for _ in range(DEPTH_LIMIT + 1):
        value = [value]
    assert json_size(value[0], 10_000) == 2 * DEPTH_LIMIT + 1
    assert json_size(value, 10_000) is None


ROW = {"id": 12345, "name": "customer 12345", "email": "user12345@example.com", "total": 12.5, "tags": ["a", "b"]}


@pytest.mark.parametrize("budget", [256, 1024, 16_384, 200_000])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param([ROW] * 10_000, id="rows"),
        pytest.param({"rows": [ROW] * 10_000, "next": "t-1", "count": 10_000}, id="rows with siblings"),
        pytest.param({f"id-{i}": ROW for i in range(10_000)}, id="rows by key"),
        pytest.param("x" * 1_000_000, id="string"),
        pytest.param("\n😀" * 200_000, id="string of characters that take several bytes"),
        pytest.param({"a": {"b": {"log": "line\n" * 100_000, "code": 3}}}, id="string deep inside"),
        pytest.param(list(range(500_000)), id="numbers"),
        pytest.param([["x" * 500] * 20] * 400, id="arrays of long strings"),
        pytest.param([{"id": i, "blob": "y" * 50_000} for i in range(50)], id="rows larger than most budgets"),
        pytest.param({f"part {i}": {"log": "z" * 40_000, "n": i} for i in range(6)}, id="several large members"),
    ],
)
def test_most_of_the_budget_is_used(value: Any, budget: int) -> None:
    used = size(shown(value, budget).value)
    assert 0.6 * budget <= used <= budget


def test_small_siblings_of_what_is_large_stay_whole() -> None:
    small = {"status": "ok", "page": {"next": "t-1", "size": 50}, "warnings": ["none", "at all"], "took": 1.5}
    value = {"rows": [ROW] * 10_000, **small, "log": "x" * 100_000}
    part: Any = shown(value, 4096).value

    assert list(part) == list(value)
    assert {key: part[key] for key in small} == small
    assert len(part["rows"]) > 5
    assert part["rows"] == [ROW] * len(part["rows"])
    assert len(part["log"]) > 1000


@pytest.mark.parametrize("members", [2, 20, 60])
def test_an_object_keeps_all_its_keys_where_they_fit(members: int) -> None:
    value = {f"key-{i}": {"text": "x" * 10_000} for i in range(members)}
    part: Any = shown(value, 20 * members + 256).value

    assert list(part) == list(value)


def test_an_object_of_very_many_keys_keeps_the_first_as_they_are() -> None:
    value = {f"id-{i}": ROW for i in range(10_000)}
    view = shown(value, 4096)
    part: Any = view.value

    assert list(part) == list(value)[: len(part)]
    assert list(part.values()) == [ROW] * len(part)
    assert [(cut.path, cut.kept, cut.total, cut.unit) for cut in view.omitted] == [("", len(part), 10_000, "members")]


def test_the_top_is_shown_before_what_is_deep_inside() -> None:
    value = {"deep": {"a": {"b": {"c": ["x" * 1000] * 1000}}}, "end": {"code": 7}}
    part: Any = shown(value, 256).value

    assert part["end"] == {"code": 7}
    assert part["deep"]["a"]["b"]["c"]


def test_rows_too_large_to_be_whole_show_their_keys() -> None:
    value = [{"id": i, "blob": "y" * 50_000, "done": True} for i in range(50)]
    view = shown(value, 4096)
    part: Any = view.value

    assert [list(row) for row in part] == [["id", "blob", "done"]] * 8
    assert [(cut.path, cut.places, cut.total) for cut in view.omitted] == [("", 1, 50), ("/*/blob", 8, 400_000)]


def test_a_key_larger_than_the_budget_is_left_out_and_said_to_be() -> None:
    view = shown({"k" * 10_000: 1, "small": 2}, 256)

    assert (view.value, view.truncated) == ({"small": 2}, True)
    check_omissions(view.omitted, [Cut((), 1, 2, "members")])


def test_a_number_is_whole_or_not_there() -> None:
    value = {"long": 10**400, "short": 7, "list": [1, 10**400, 2]}
    part: Any = shown(value, 256).value

    assert part == {"short": 7, "list": [1]}


def test_cuts_at_places_that_differ_in_their_index_are_one_entry() -> None:
    view = shown({"rows": [{"text": "x" * 5000, "n": i} for i in range(6)]}, 2048)

    assert [(cut.path, cut.places, cut.total, cut.unit) for cut in view.omitted] == [
        ("/rows/*/text", 6, 30_000, "characters")
    ]


def test_cuts_below_many_keys_are_one_entry() -> None:
    view = shown({f"key {i}": "x" * 900 for i in range(40)}, 4096)

    assert [(cut.path, cut.places, cut.total) for cut in view.omitted] == [("/*", 40, 36_000)]


def test_a_long_key_is_left_out_of_the_path() -> None:
    view = shown({"k" * 100: "x" * 5000}, 1024)
    assert [cut.path for cut in view.omitted] == ["/*"]


_tokens = st.integers(0, 50) | st.text(max_size=90)
_cuts = st.lists(
    st.builds(
        Cut,
        st.lists(_tokens, max_size=DEPTH_LIMIT).map(tuple) | st.lists(_tokens, max_size=3).map(tuple),
        st.integers(0, 9),
        st.integers(10, 99),
        st.sampled_from(["items", "members", "characters"]),
    ),
    max_size=200,
    unique_by=lambda cut: (cut.place, cut.unit),
)


@given(_cuts, st.integers(16, 100_000))
def test_omissions_are_few_and_short_and_cover_all_cuts(cuts: list[Cut], budget: int) -> None:
    omitted = summarize(cuts, budget)

    assert len(omitted) <= 20
    assert sum(len(entry.path.encode()) for entry in omitted) <= max(256, min(2000, budget // 4))
    assert sum(entry.places for entry in omitted) == len(cuts)
    assert sum(entry.total or 0 for entry in omitted) == sum(cut.total or 0 for cut in cuts)
    assert {entry.unit for entry in omitted} == {cut.unit for cut in cuts}


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**40), 10**40))
def test_a_number_takes_the_bytes_that_it_is_written_in(number: float) -> None:
    assert math.isfinite(number)
    found = preview_json([number], size([number]))
    assert found is not None
    assert same(found.value, [number])
    assert not found.cuts
    above = preview_json([number], size([number]) - 1)
    assert above is not None
    assert above.value == []
