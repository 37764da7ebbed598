from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.answers.payload import read_payload
from lambda_warden.jsontools.preview import DEPTH_LIMIT
from lambda_warden.model.result import Omission
from lambda_warden.report.payload_view import BINARY_SHOWN, PayloadView, preview

Cut = tuple[str, int, int | None, str]


def view_payload(data: bytes, budget: int) -> PayloadView:
    return preview(read_payload(data), budget)


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def cuts_of(view: PayloadView) -> list[Cut]:
    return [(cut.path, cut.kept, cut.total, cut.unit) for cut in view.omitted]


def same(one: object, other: object) -> bool:
    """Equal as JSON: 1, 1.0 and true are three values, and so are 0.0 and -0.0."""
    return json.dumps(one) == json.dumps(other)


def depth(value: Any) -> int:
    children = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    return 1 + max(map(depth, children)) if children else 0


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"orderId": "A-1", "lines": [1, 2.5, None, True]}, id="object"),
        pytest.param([], id="empty array"),
        pytest.param("plain", id="string"),
        pytest.param(None, id="null"),
        pytest.param(False, id="false"),
        pytest.param(0, id="zero"),
        pytest.param("", id="empty string"),
    ],
)
def test_json_is_shown_as_the_value_it_is(value: object) -> None:
    view = view_payload(json.dumps(value, indent=2).encode(), 256)

    assert view == PayloadView(value, "json")  # type: ignore[arg-type]
    assert same(view.value, value)


def test_no_bytes_are_no_payload_which_is_not_the_same_as_null() -> None:
    assert view_payload(b"", 256).format is None
    assert view_payload(b"null", 256).format == "json"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("Grüße, 世界 😀".encode(), id="plain text"),
        pytest.param(b"{'single': 'quotes'}", id="nearly JSON"),
        pytest.param(b'{"a":1} {"b":2}', id="two values"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param(b" \n", id="blank"),
        pytest.param(b'{"amount":1,"amount":100}', id="key twice"),
        pytest.param(b'{"in":{"a":1,"\\u0061":2}}', id="key twice, spelt differently"),
        pytest.param(b"[NaN]", id="NaN"),
        pytest.param(b"Infinity", id="Infinity"),
        pytest.param(b"-Infinity", id="-Infinity"),
        pytest.param(b"[1e400]", id="number too large to tell from Infinity"),
        pytest.param(b"-1e400", id="number too small to tell from -Infinity"),
        pytest.param(rb'"\ud800"', id="lone surrogate"),
        pytest.param(rb'{"\udfff":1}', id="lone surrogate in a key"),
        pytest.param(b"9" * 5000, id="integer longer than Python reads"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="nested beyond any parser"),
    ],
)
def test_what_is_not_strictly_json_is_shown_as_the_text_that_came(data: bytes) -> None:
    assert view_payload(data, 1_000_000) == PayloadView(data.decode(), "text")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xfe\x00", id="any bytes"),
        pytest.param('{"a":1}'.encode("utf-16"), id="JSON in UTF-16"),
        pytest.param(b'"\xed\xa0\x80"', id="surrogate in bytes"),
        pytest.param(b'{"a":"\xe9"}', id="JSON in Latin-1"),
    ],
)
def test_what_is_not_utf8_is_shown_as_base64(data: bytes) -> None:
    assert view_payload(data, 256) == PayloadView(base64.b64encode(data).decode(), "base64")


@pytest.mark.parametrize(
    "text",
    [
        "12345678901234567890123456789",
        "-9007199254740993",
        "0.1",
        "1e+22",
        "5e-324",
        "1.7976931348623157e+308",
        "-0.0",
        "1.0",
        "-1",
    ],
)
def test_numbers_stay_as_they_are(text: str) -> None:
    assert json.dumps(view_payload(f"[{text}]".encode(), 256).value) == f"[{text}]"


def test_escaped_surrogate_pairs_are_one_character() -> None:
    assert view_payload(rb'"\ud83d\ude00"', 256).value == "😀"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x" * 100, id="string"),
        pytest.param("é" * 100, id="two-byte characters"),
        pytest.param("😀" * 100, id="emoji"),
        pytest.param("\n" * 100, id="characters that JSON escapes"),
        pytest.param(list(range(100)), id="array"),
        pytest.param({str(i): i for i in range(100)}, id="object"),
        pytest.param({"a": {"b": ["x" * 100]}}, id="nested"),
        pytest.param("x" * 100_000, id="huge string"),
        pytest.param(list(range(10_000)), id="huge array"),
        pytest.param({str(i): i for i in range(10_000)}, id="huge object"),
    ],
)
def test_json_of_exactly_the_budget_is_whole_and_one_byte_more_is_cut(value: object) -> None:
    data, size = json.dumps(value, indent=4).encode(), len(compact(value))

    assert view_payload(data, size) == PayloadView(value, "json")  # type: ignore[arg-type]
    cut = view_payload(data, size - 1)
    assert cut.truncated
    assert len(compact(cut.value)) < size


def test_text_of_exactly_the_budget_is_whole_and_one_byte_more_is_cut() -> None:
    assert view_payload(b"x" * 20 + b"!", 21) == PayloadView("x" * 20 + "!", "text")
    view = view_payload(b"x" * 20 + b"!", 20)
    assert (view.value, view.format, view.truncated) == ("x" * 20, "text", True)
    assert cuts_of(view) == [("", 20, 21, "characters")]


@pytest.mark.parametrize("character", ["é", "世", "😀"])
@pytest.mark.parametrize("budget", range(16, 24))
def test_text_is_cut_between_characters(character: str, budget: int) -> None:
    view = view_payload((character * 30).encode(), budget)

    kept = budget // len(character.encode())
    assert view.value == character * kept
    assert cuts_of(view) == [("", kept, 30, "characters")]


def test_base64_of_exactly_the_budget_is_whole_and_one_byte_more_is_cut() -> None:
    assert view_payload(b"\xff" * 12, 16) == PayloadView("/" * 16, "base64")
    for budget in (16, 17, 18, 19):
        view = view_payload(b"\xff" * 13, budget)
        assert (view.value, view.format, view.truncated) == ("/" * 16, "base64", True)
        assert cuts_of(view) == [("", 12, 13, "bytes")]


def test_an_array_keeps_its_first_items() -> None:
    view = view_payload(json.dumps(list(range(1000))).encode(), 256)

    assert isinstance(view.value, list)
    assert view.value == list(range(len(view.value)))
    assert len(view.value) > 30  # most of the budget is used
    assert cuts_of(view) == [("", len(view.value), 1000, "items")]


def test_an_object_keeps_its_first_members_in_order() -> None:
    value = {f"key-{i}": i for i in reversed(range(500))}
    view = view_payload(json.dumps(value).encode(), 256)

    assert isinstance(view.value, dict)
    assert list(view.value) == list(value)[: len(view.value)]
    assert len(view.value) > 5
    assert cuts_of(view) == [("", len(view.value), 500, "members")]


def test_long_rows_do_not_push_out_the_fields_after_them() -> None:
    value = {"rows": [{"id": i, "name": f"name {i}"} for i in range(500)], "next": "token-1"}
    view = view_payload(json.dumps(value).encode(), 1024)

    assert isinstance(view.value, dict)
    assert view.value["next"] == "token-1"
    rows = view.value["rows"]
    assert isinstance(rows, list)
    assert rows == value["rows"][: len(rows)]
    assert cuts_of(view) == [("/rows", len(rows), 500, "items")]


def test_a_long_string_keeps_its_first_characters() -> None:
    view = view_payload(json.dumps({"status": "ok", "body": "é" * 5000}).encode(), 512)

    assert isinstance(view.value, dict)
    body = view.value["body"]
    assert isinstance(body, str)
    assert body == "é" * len(body)
    assert len(body) > 50
    assert view.value["status"] == "ok"
    assert cuts_of(view) == [("/body", len(body), 5000, "characters")]


def test_values_nested_to_the_limit_are_shown_whole() -> None:
    value = json.loads("[" * (DEPTH_LIMIT + 1) + "]" * (DEPTH_LIMIT + 1))

    assert view_payload(json.dumps(value).encode(), 4096) == PayloadView(value, "json")


@pytest.mark.parametrize("levels", [DEPTH_LIMIT + 1, 500])
@pytest.mark.parametrize(
    ("opening", "closing", "unit"), [('{"in":', "}", "members"), ("[", "]", "items")], ids=["objects", "arrays"]
)
def test_deeper_nesting_is_cut_and_said_to_be_cut_though_it_fits_the_budget(
    levels: int, opening: str, closing: str, unit: str
) -> None:
    view = view_payload((opening * levels + "1" + closing * levels).encode(), 1_000_000)

    assert view.truncated
    assert depth(view.value) == DEPTH_LIMIT
    assert [cut[1:] for cut in cuts_of(view)] == [(0, 1, unit)]


def test_omissions_point_at_keys_with_slashes_and_tildes() -> None:
    view = view_payload(json.dumps({"a/b~c": "x" * 1000}).encode(), 256)

    assert [cut.path for cut in view.omitted] == ["/a~1b~0c"]


def test_omissions_are_valid_fields_of_a_result() -> None:
    view = view_payload(json.dumps({"a": [{"b": "x" * 100}] * 100}).encode(), 256)

    assert view.omitted
    for cut in view.omitted:
        assert Omission.model_validate(cut.model_dump()) == cut


@given(st.binary(), st.integers(16, 100))
def test_any_bytes_are_shown_within_the_budget(data: bytes, budget: int) -> None:
    view = view_payload(data, budget)

    match view.format:
        case None:
            assert not data
        case "json":
            assert len(compact(view.value)) <= budget
        case "text":
            assert isinstance(view.value, str)
            assert len(view.value.encode()) <= budget
            assert data.startswith(view.value.encode())
            assert view.truncated == (view.value.encode() != data)
        case "base64":
            assert isinstance(view.value, str)
            assert len(view.value) <= budget
            assert data.startswith(base64.b64decode(view.value))
            assert view.truncated == (base64.b64decode(view.value) != data)


@given(st.text(), st.integers(16, 60))
def test_any_text_is_cut_no_earlier_than_the_budget_demands(text: str, budget: int) -> None:
    text = "text: " + text * 3
    view = view_payload(text.encode(), budget)

    assert view.format == "text"
    assert isinstance(view.value, str)
    assert text.startswith(view.value)
    following = text[len(view.value) : len(view.value) + 1]
    assert view.truncated == bool(following)
    assert not following or len((view.value + following).encode()) > budget


def test_a_number_longer_than_the_budget_is_shown_as_the_text_that_it_is() -> None:
    cut = Omission(path="", kept=256, total=300, unit="characters")
    assert view_payload(b"1" * 300, 256) == PayloadView("1" * 256, "text", True, (cut,))


@pytest.mark.parametrize(("size", "shown"), [(1024, 1024), (1025, 96), (5_000_000, 96)])
def test_bytes_that_no_model_can_read_are_shown_whole_only_where_they_are_few(size: int, shown: int) -> None:
    view = preview(read_payload(b"\xff" * size), 100_000, binary=BINARY_SHOWN)

    assert isinstance(view.value, str)
    assert base64.b64decode(view.value) == b"\xff" * shown
    assert view.truncated == (shown < size)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(8), "image/png", id="PNG"),
        pytest.param(b"\x1f\x8b\x08" + bytes(8), "application/gzip", id="gzip"),
        pytest.param(b"%PDF-1.7\n\xe2\xe3", "application/pdf", id="PDF"),
        pytest.param(b"\xff\x00\x01", None, id="unknown bytes"),
        pytest.param(b"hello", "text/plain", id="text"),
        pytest.param(b" <!DOCTYPE html><p>", "text/html", id="HTML"),
        pytest.param(b"<html lang=en>", "text/html", id="HTML without doctype"),
        pytest.param(b"<?xml version='1.0'?><a/>", "application/xml", id="XML"),
        pytest.param(b"<svg/>", "text/plain", id="tag of another name"),
        pytest.param(b"<svg >", "image/svg+xml", id="SVG"),
        pytest.param(b"{}", None, id="JSON"),
    ],
)
def test_what_a_payload_looks_like_is_told_by_its_beginning(data: bytes, media_type: str | None) -> None:
    assert read_payload(data).media_type == media_type
