"""Outlines: read in batches, and giving the same preview as the whole value."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lambda_warden.jsontools.preview import Outline, preview_json
from lambda_warden.jsontools.strict_json import parse_json
from lambda_warden.report.outline import read_outline
from lambda_warden.report.payload import Payload, preview, read_payload
from support.results import json_values

BUDGET = 16_384
ROW = {"id": 12345, "name": "customer 12345", "total": 12.5, "tags": ["a", "b"], "at": {"x": 1.5, "y": [2, 3]}}

items = st.one_of(
    json_values,
    st.integers(0, 9999),
    st.sampled_from([ROW, [], {}, [[1, 2], [3, 4]], "a,b", '","', '"},{"id":', "],[", "\\", "é😀" * 20, 1e300, -0.0]),
)
containers = st.one_of(
    st.lists(items, max_size=60),
    st.lists(st.integers(), max_size=200),
    st.integers(0, 60).map(lambda count: [ROW] * count),
    st.integers(0, 60).map(lambda count: [{"id": i, "in": [{"id": i}, {"id": [i]}]} for i in range(count)]),
    st.dictionaries(st.text(max_size=8), items, max_size=40),
    st.integers(60, 200).map(lambda count: {f"k{i}": i for i in range(count)}),
    st.integers(60, 100).map(lambda count: {f"k{i}": ROW for i in range(count)}),
)
values = st.recursive(
    containers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcdefgh"), inner, max_size=6),
    max_leaves=5,
)
layouts = st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 1}, {"indent": 2, "ensure_ascii": False}])
windows = st.integers(100, 2000)
budgets = st.integers(16, 600)


def exactly(value: object) -> str:
    """A value as JSON, in which 1, 1.0 and true are three values, and members have an order."""
    return json.dumps(value)


@given(values, layouts, windows, budgets, st.floats(0.02, 1))
@example([ROW] * 300, {"separators": (",", ":")}, 1000, 300, 0.5)
@example({"k" * 100 + str(i): i for i in range(40)} | {"s": 1}, {"separators": (",", ":")}, 600, 300, 1)
@example({"rows": [ROW] * 300, "count": 300}, {"indent": 2}, 2000, 1000, 1)
def test_an_outline_gives_the_preview_that_the_value_gives(
    value: Any, layout: dict[str, Any], window: int, budget: int, part: float
) -> None:
    data = json.dumps(value, **layout).encode()
    try:
        outline = read_outline(data, budget, window)
    except ValueError:
        assume(False)
    for smaller in {budget, max(16, int(budget * part))}:
        shown, expected = preview_json(outline, smaller), preview_json(value, smaller)

        assert shown is not None
        assert expected is not None
        assert exactly(shown.value) == exactly(expected.value)
        assert shown.cuts == expected.cuts
    if isinstance(outline, Outline):
        assert outline.total == len(value)
    else:
        assert exactly(outline) == exactly(value)


@given(values, layouts, windows, st.data())
def test_what_is_no_strict_json_has_no_outline(
    value: Any, layout: dict[str, Any], window: int, data: st.DataObject
) -> None:
    text = bytearray(json.dumps(value, **layout).encode())
    at = data.draw(st.integers(0, len(text) - 1))
    match data.draw(st.sampled_from(["cut", "drop", "put", "double"])):
        case "cut":
            del text[at:]
        case "drop":
            del text[at]
        case "put":
            text[at : at + data.draw(st.integers(0, 1))] = data.draw(
                st.sampled_from(b',:[]{}"\\x1\n\x00\xff ')
            ).to_bytes()
        case "double":
            end = data.draw(st.integers(at, min(len(text), at + 40)))
            text[at:at] = text[at:end]
    try:
        outline = read_outline(bytes(text), 100, window)
    except ValueError:
        return
    same = parse_json(bytes(text))

    assert preview_json(outline, 100) == preview_json(same, 100)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1",
        '"text"',
        "[1,2",
        "[1,2,]",
        "[,1]",
        "[1,,2]",
        "[1,2]]",
        "[1,2]{}",
        "[1}",
        '{"a":1]',
        '{"a":1,}',
        '{"a":1,"a":2}',
        '{"a":1,"b":2,"c":{"x":1},"d":[1,2,3,4,5,6,7,8],"a":5}',
        '{"a":NaN}',
        "[1e999]",
        '["' + "x" * 50 + "\n" + '"]',
        '["' + "x" * 50,
        "[1,2,3,4,5,6,7,8,9] x",
        '[{"a":1},{"a":2}],{"b":[3]}',
    ],
)
@pytest.mark.parametrize("window", [16, 64, 1 << 16])
def test_malformed(text: str, window: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - parse_json finds the words
        read_outline(text.encode(), 100, window)


def test_nesting_has_a_limit() -> None:
    deep = b'[1,2,{"a":' * 400 + b"[]" + b"}]" * 400
    with pytest.raises(ValueError, match="nested too deeply"):
        read_outline(deep, 100, 16)


def test_an_outline_is_for_no_larger_preview() -> None:
    outline = read_outline(exactly(list(range(5000))).encode(), 100)
    assert isinstance(outline, Outline)
    with pytest.raises(ValueError, match="an outline for 100 bytes can't fill 101"):
        preview_json(outline, 101)


def large(value: Any, **layout: Any) -> bytes:
    data = json.dumps(value, separators=None if layout else (",", ":"), **layout).encode()
    assert len(data) > 1 << 18
    return data


def response(body: Any, **more: Any) -> dict[str, Any]:
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(body), **more}


SECRET = "hunter2" * 3
NUMBERS = list(range(100_000))
OUTLINED = {
    "numbers": large(NUMBERS),
    "rows": large([ROW] * 5000),
    "rows, indented": large([ROW] * 5000, indent=2),
    "rows among others": large({"count": 5000, "rows": [ROW] * 5000, "next": None, "log": "line\n" * 2000}),
    "rows by key": large({f"id-{i}": ROW for i in range(5000)}),
    "matrix": large([[[i, i + 0.5]] for i in range(30_000)]),
    "empty": large([[], {}] * 60_000),
    "short texts": large([f"{i}, or so" for i in range(30_000)]),
    "one deep in another": large({"a": {"b": {"c": [ROW] * 3000}, "d": [NUMBERS[:30_000], NUMBERS[:30_000]]}}),
    "response": large(response([ROW] * 5000)),
    "response of numbers": large(response(NUMBERS)),
    "response with a text": large(response([ROW]) | {"body": "a line, of text\n" * 30_000}),
    "response without one": large({"statusCode": 204, "rows": [ROW] * 5000}),
}
WHOLE = {
    "text": large("a line, of text\n" * 30_000),
    "mostly text": large({"log": "a line, of text\n" * 30_000}),
    "a secret at its end": large([*([ROW] * 5000), {"password": SECRET}]),
    "a secret in its midst": large([ROW] * 2000 + [{"note": f"password={SECRET}"}] + [ROW] * 2000),
    "a secret in a body": large(response([ROW] * 5000 + [{"password": SECRET}])),
    "a secret in a header": large(response([ROW] * 5000, headers={"authorization": f"Bearer {SECRET}"})),
    "a secret hidden by escapes": b'[{"passw\\u006frd":"' + SECRET.encode() + b'"},' + large([ROW] * 5000)[1:],
    "a secret hidden by escaped slashes": b'["https:\\/\\/me:'
    + SECRET.encode()
    + b'@example.com",'
    + large([ROW] * 5000)[1:],
    "half a character": b'["\\ud83d",' + large([ROW] * 5000)[1:],
    "an answer in base64": large(response("") | {"body": "W10=", "isBase64Encoded": True, "rows": [ROW] * 5000}),
    "a status behind many members": large({f"id-{i}": ROW for i in range(5000)} | response([ROW])),
    "a key twice": b'{"a":1,' + large({f"id-{i}": ROW for i in range(5000)} | {"a": 2})[1:],
    "broken off": large([ROW] * 5000)[:-1],
    "not a number": large([ROW] * 5000)[:-1] + b",NaN]",
}


@pytest.mark.parametrize("name", [*OUTLINED, *WHOLE])
@pytest.mark.parametrize("budget", [256, BUDGET])
def test_a_payload_that_is_read_for_a_preview_is_shown_as_any_other(name: str, budget: int) -> None:
    data = (OUTLINED | WHOLE)[name]
    payload, expected = read_payload(data, budget=BUDGET), read_payload(data)
    view, expected_view = preview(payload, budget), preview(expected, budget)

    assert isinstance(payload.value, Outline) == (name in OUTLINED and name != "response with a text")
    assert view == expected_view
    assert exactly(view.value) == exactly(expected_view.value)
    assert described(payload) == described(expected)
    assert SECRET not in exactly(view.value)


def described(payload: Payload) -> tuple[Any, ...]:
    """All of a payload but its value."""
    return payload.format, payload.redacted, payload.media_type, payload.total, payload.in_part, payload.response


def test_places_of_a_rule_are_looked_for_in_the_whole_value() -> None:
    data = large([ROW] * 5000)
    payload = read_payload(data, [("*", "name")], budget=BUDGET)

    assert payload.redacted == 5000
    assert "customer" not in exactly(payload.whole_value())


@pytest.mark.parametrize("name", ["numbers", "rows", "matrix", "empty", "short texts", "response of numbers"])
def test_a_preview_takes_no_more_memory_than_a_few_times_the_text(name: str) -> None:
    data = OUTLINED[name] if name.startswith("response") else large(json.loads(OUTLINED[name]) * 4)
    tracemalloc.start()
    try:
        preview(read_payload(data, budget=BUDGET), BUDGET)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 3 * len(data)


def test_an_outline_is_not_taken_for_a_value() -> None:
    with pytest.raises(TypeError):
        read_payload(OUTLINED["numbers"], budget=BUDGET).whole_value()
