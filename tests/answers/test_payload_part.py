"""An answer of which only the beginning was read: what is shown of it is true, and what is in doubt is not shown."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.answers.payload import read_payload
from lambda_warden.jsontools.part import parse_json_part
from lambda_warden.jsontools.pointer import parse_pointer
from lambda_warden.jsontools.query import compile_query
from lambda_warden.model.outcome import Returned
from lambda_warden.model.result import InvokeResult
from lambda_warden.report.payload_view import PayloadView, preview
from lambda_warden.report.text import invocation_text
from support.reported import report_outcome
from support.results import CALL, check_invoke_result, json_values

MIXED = "q7Zx3Kv9Wj5Yh2Bn8Dm4Fp6Rt1Gc0Ls7Uq3Ea9To"


def shown(data: bytes, *pointers: str, budget: int = 100_000, total: int = 10**8) -> PayloadView:
    return preview(read_payload(data, [parse_pointer(pointer) for pointer in pointers], total=total), budget)


def report(data: bytes, *pointers: str, query: str | None = None, total: int = 10**8) -> InvokeResult:
    result = report_outcome(
        CALL,
        Returned(200, data, payload_bytes=total, payload_sha256="of the whole"),
        1,
        16_384,
        [parse_pointer(pointer) for pointer in pointers],
        query=compile_query(query) if query else None,
    )
    check_invoke_result(result)
    return result


def is_beginning(part: Any, whole: Any) -> bool:
    if isinstance(whole, str) and isinstance(part, str):
        return whole.startswith(part)
    if isinstance(whole, list) and isinstance(part, list):
        return len(part) <= len(whole) and all(is_beginning(p, w) for p, w in zip(part, whole, strict=False))
    if isinstance(whole, dict) and isinstance(part, dict):
        return list(part) == list(whole)[: len(part)] and all(is_beginning(part[key], whole[key]) for key in part)
    return json.dumps(part) == json.dumps(whole)


def last_entries(value: Any, levels: int) -> list[Any]:
    found = [value]
    while len(found) < levels:
        value = value[-1] if isinstance(value, list) else list(value.values())[-1]
        found.append(value)
    return found


@given(json_values.filter(lambda value: isinstance(value, str | list | dict)), st.booleans(), st.data())
def test_the_beginning_of_any_json_is_read_as_far_as_it_goes(value: Any, escaped: bool, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=data.draw(st.sampled_from([None, 1]))).encode()
    cut = data.draw(st.integers(1, len(text) - 1))
    read = read_payload(text[:cut], total=len(text))

    if read.format == "text":  # nested beyond any parser, or cut inside the only character of a lone string
        assert isinstance(read.value, str)
        return
    assert read.format == "json"
    assert read.in_part
    assert read.open_levels > 0
    assert read.redacted or is_beginning(read.value, value)  # some names are those of secrets
    view = preview(read, 10**7)
    assert view.truncated
    assert [cut.total for cut in view.omitted if cut.total is None]


@pytest.mark.parametrize(
    ("text", "value", "levels"),
    [
        ('{"a": 1, "b": [1, 2, {"c": "some te', {"a": 1, "b": [1, 2, {"c": "some te"}]}, 4),
        ('{"a": [1, 2], "b": tr', {"a": [1, 2]}, 1),
        ('{"a": [1, 2], "b": 123', {"a": [1, 2]}, 1),
        ('{"a": [1, 2], "b"', {"a": [1, 2]}, 1),
        ('{"a": [1, 2], "b', {"a": [1, 2]}, 1),
        ('{"a": [1, 2], "b" : ', {"a": [1, 2]}, 1),
        ('{"a": [1, 2], ', {"a": [1, 2]}, 1),
        ('{"a": [1, 2', {"a": [1]}, 2),
        ('{"a": [1, 2]', {"a": [1, 2]}, 1),
        ('["a", "b"', ["a", "b"], 1),
        ('["a", "b', ["a", "b"], 2),
        ('{"a": "b"', {"a": "b"}, 1),
        ("[[[", [[[]]], 3),
        ("[[[]", [[[]]], 2),
        ('{"a": "[{", "b": ["]"', {"a": "[{", "b": ["]"]}, 2),
        ('{"a": "}}}", "b": {"c": {', {"a": "}}}", "b": {"c": {}}}, 3),
        (r'["x\"y\\", "z\"', ['x"y\\', 'z"'], 2),
        ('["x\\\\\\', ["x\\"], 2),
        (r'["x\ud83d', ["x"], 2),
        (r'["x\u00', ["x"], 2),
        ('"lone', "lone", 1),
        ("{", {}, 1),
    ],
)
def test_what_is_incomplete_at_the_end_is_left_out(text: str, value: Any, levels: int) -> None:
    part = parse_json_part(text.encode())

    assert part.value == value
    assert part.open_levels == levels
    assert part.open_text == isinstance(last_entries(part.value, levels)[-1], str)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1} {"b": 2',
        "[1 2, 3",
        '["a" "b", 1',
        '{"a": 1, "a": 2, "b": [',
        '{"a": 1, "b": 2, "a": "te',
        '{"a": NaN, "b": [',
        "[1, 1e400, 2",
        r'["\ud800", 1',
        '["a\nb", 1',
        "[1}, 2",
        "12345",
        "tru",
        "a: b",
        '[1], "a',
        "[,",
        '["a" "b',
        '["a" "b"',
        '{"a": "b" "c',
        '{"a": 1"',
        '["a":',
        '{"a": 1, "a":',
        '{"a": 1, "a": 2',
        "[1, 1e400]]",
        '"lone"',
        "",
    ],
)
def test_what_no_json_begins_with_is_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json_part(text.encode())
    if text:
        assert shown(text.encode() + b" ").format == "text"
        assert str(shown(text.encode() + b" ", "/a").value).startswith("[redacted: ")


def test_a_place_that_goes_on_has_no_total() -> None:
    view = shown(b'{"count": 3, "rows": [{"id": 1}, {"id": 2, "note": "some long te')

    assert view.value == {"count": 3, "rows": [{"id": 1}, {"id": 2, "note": "some long "}]}
    assert [(cut.path, cut.kept, cut.total, cut.unit) for cut in view.omitted] == [
        ("", 2, None, "members"),
        ("/rows", 2, None, "items"),
        ("/rows/1", 2, None, "members"),
        ("/rows/1/note", 10, None, "characters"),
    ]


def test_a_part_that_is_cut_once_more_stays_within_its_budget() -> None:
    rows = json.dumps([{"id": i, "name": "x" * 50} for i in range(1000)]).encode()[:-10]
    view = shown(rows, budget=1000)

    assert len(json.dumps(view.value, separators=(",", ":"))) <= 1000
    assert [(cut.path, cut.total) for cut in view.omitted] == [("", None)]


@pytest.mark.parametrize("cut", range(5, 9))
def test_text_is_cut_between_characters_and_before_the_word_that_is_cut(cut: int) -> None:
    view = shown("one 😀 two".encode()[:cut], total=12)

    assert (view.value, view.format, view.truncated) == ("one ", "text", True)
    assert [(cut.kept, cut.total) for cut in view.omitted] == [(4, None)]


def test_of_bytes_the_size_is_known() -> None:
    view = shown(b"\xff" * 600, total=70_000, budget=256)

    assert isinstance(view.value, str)
    assert len(base64.b64decode(view.value)) == 192
    assert [(cut.kept, cut.total, cut.unit) for cut in view.omitted] == [(192, 70_000, "bytes")]


SECRETS = {
    f"password={MIXED}": MIXED,
    f'"clientSecret":"{MIXED}"': MIXED,
    f"Authorization: Bearer {MIXED}": MIXED,
    "AKIA" + MIXED[:16].upper(): MIXED[:16].upper(),
    "gh" + f"p_{MIXED}": MIXED,
    "sk" + f"_live_{MIXED}": MIXED,
    "ey" + f"JhbGciOiJIUzI1NiJ9.{'ey'}J{MIXED}.{MIXED[::-1]}": MIXED,
    f"postgres://bob:{MIXED}@db.example/x": MIXED,
    f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{MIXED}\n{MIXED[::-1]}\n": MIXED,
}


@given(
    st.sampled_from(sorted(SECRETS)),
    st.sampled_from(["text", "string", "member", "body", "row"]),
    st.data(),
)
def test_no_half_of_a_secret_is_left_where_the_answer_was_cut(text: str, place: str, data: st.DataObject) -> None:
    value: Any = {
        "text": f"some words {text} end",
        "string": ["x", f"some words {text} end"],
        "member": {"a": 1, "log": text},
        "body": {"statusCode": 200, "body": json.dumps({"log": text})},
        "row": {"rows": [{"n": 1, "log": f"a {text}"}] * 3},
    }[place]
    encoded = value.encode() if place == "text" else json.dumps(value).encode()
    result = report(encoded[: data.draw(st.integers(1, len(encoded) - 1))])

    visible = result.model_dump_json() + invocation_text(result)
    secret = SECRETS[text]
    for i in range(len(secret) - 7):
        assert secret[i : i + 8] not in visible


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"env": [{"Value": "x y", "Na', {"env": [{"Value": "[redacted]"}]}),
        ('{"env": [{"Value": "x y", "Name": "A"}, {"n": 1', {"env": [{"Value": "x y", "Name": "A"}, {}]}),
        ('{"value": {"a": 1}, "b": 2, ', {"value": "[redacted]", "b": 2}),
    ],
)
def test_a_value_whose_name_may_come_later_is_withheld(text: str, value: Any) -> None:
    assert shown(text.encode()).value == value


@pytest.mark.parametrize(
    ("text", "pointer", "value"),
    [
        ('{"card": {"number": 4111, "kind": "v', "/card/number", {"card": {"number": "[redacted]", "kind": ""}}),
        ('{"card": {"number": "4111', "/card/number", {"card": {"number": "[redacted]"}}),
        ('{"card": "{\\"number\\": 4111}", "b": ', "/card/number", {"card": "[redacted]"}),
        ('{"body": "{\\"number\\": 4111}", "status', "/body/number", {"body": "[redacted]"}),
        ('{"statusCode": 200, "body": "{\\"number\\": 41', "/body/number", {"statusCode": 200, "body": "[redacted]"}),
        ('{"rows": [{"ssn": 1}, {"ssn": "2 3', "/rows/*/ssn", {"rows": [{"ssn": "[redacted]"}] * 2}),
        ('[{"ssn": 1}, {"s', "/0/ssn", [{"ssn": "[redacted]"}, {}]),
        ('["a b", "c', "/*/x", ["[redacted]", "[redacted]"]),
    ],
)
def test_the_rule_s_places_are_not_shown_in_a_part_either(text: str, pointer: str, value: Any) -> None:
    assert shown(text.encode(), pointer).value == value


def test_a_part_of_a_response_is_decoded_where_its_body_is_whole() -> None:
    result = report(json.dumps({"statusCode": 404, "body": '{"a": [1]}', "headers": {}}).encode()[:-1])

    assert result.payload == {"statusCode": 404, "body": {"a": [1]}, "headers": {}}
    assert [string.path for string in result.unfolded] == ["/body"]
    assert "404" in result.next_step


def test_a_result_says_that_it_is_a_part() -> None:
    result = report(b"[1, 2, 3, 4")

    assert (result.payload, result.payload_bytes, result.truncated) == ([1, 2, 3], 10**8, True)
    assert result.payload_sha256 is None
    assert "too large to be kept" in result.next_step
    assert "of an unknown number of items" in invocation_text(result)


def test_a_query_sees_no_more_than_the_part() -> None:
    result = report(b'{"rows": [{"id": 1}, {"id": 2}, {"id"', query="rows[].id")

    assert (result.payload, result.truncated) == ([1, 2], True)
    assert "The query saw only the beginning" in result.next_step


def test_nothing_of_an_answer_may_have_been_read() -> None:
    view = shown(b"")
    assert (view.value, view.format) == (None, None)


def test_data_that_is_the_whole_answer_is_no_part() -> None:
    assert shown(b"[1, 2]", total=6) == PayloadView([1, 2], "json")
