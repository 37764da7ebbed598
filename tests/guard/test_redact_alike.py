"""What is looked at together is redacted as if each value had been looked at alone, by a walk without any short cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.jsontools.pointer import Pointer
from lambda_warden.redaction.text import closes_key, is_mark, mark, opens_key, redact_text, secret_named
from lambda_warden.redaction.value import PLACE, redact_value

ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
BEGIN, END = (f"-----{word} RSA PRIVATE {'KEY'}-----" for word in ("BEGIN", "END"))
NAMING = ("name", "Name", "key", "Key", "ParameterKey", "ParameterName")
NAMED = ("value", "Value", "ParameterValue")


class Plainly:
    """Every string on its own, in order."""

    def __init__(self) -> None:
        self.count = 0

    def text(self, text: str) -> str:
        redacted = redact_text(text)
        self.count += redacted.count
        return redacted.text

    def value(self, value: Any, pointers: Sequence[Pointer], name: str | None = None) -> Any:
        if () in pointers:
            self.count += value != PLACE
            return PLACE
        if isinstance(value, str):
            return self.string(value, name)
        if isinstance(value, list):
            return self.array(value, pointers, name)
        return self.object(value, pointers, name) if isinstance(value, dict) else value

    def string(self, text: str, name: str | None) -> str:
        kind = secret_named(name or "")
        if kind:
            self.count += bool(text) and not is_mark(text)
            return text if not text or is_mark(text) else mark(kind)
        if (name or "").lower().endswith("authorization"):
            return self.text(f"authorization: {text}").removeprefix("authorization: ")
        return self.text(text)

    def array(self, items: list[Any], pointers: Sequence[Pointer], name: str | None) -> list[Any]:
        shown: list[Any] = []
        in_key = False
        for index, item in enumerate(items):
            below = [pointer[1:] for pointer in pointers if pointer and pointer[0] in ("*", str(index))]
            is_text = isinstance(item, str) and () not in below
            if is_text and in_key:
                in_key = not closes_key(item)
                self.count += 1
                shown.append(mark("private-key"))
            else:
                in_key = in_key if not is_text else opens_key(item)
                shown.append(self.value(item, below, name))
        return shown

    def object(self, members: dict[str, Any], pointers: Sequence[Pointer], name: str | None) -> dict[str, Any]:
        beside = next((members[key] for key in NAMING if isinstance(members.get(key), str)), None)
        shown: dict[str, Any] = {}
        copies = 1
        for key, item in members.items():
            below = [pointer[1:] for pointer in pointers if pointer and pointer[0] in ("*", key)]
            item_name = beside if key in NAMED and beside else name if key == "S" and len(members) == 1 else key
            unique = first = self.text(key)
            while unique in shown:
                copies += 1
                unique = f"{first} ({copies})"
            shown[unique] = self.value(item, below, item_name)
        return shown


HARMLESS = ["a", "", "b c", "x" * 20, "[redacted]", "é😀", "a key", "team"]
SECRET = [
    "hunter2",
    "[redacted:password] and more",
    ACCESS_KEY,
    f"use {ACCESS_KEY}.",
    "password=abc",
    "the token is",
    "api_key: 1234, pwd: x y",
    "Basic dXNlcjpwYXNz",
    "Bearer abcdefgh12345678abcd",
    "DB_PASSWORD",
    BEGIN,
    "MIIE",
    END,
    "https://user:pw@host/x",
    r"\u0041" + ACCESS_KEY[1:],
]
KEYS = ["id", "note", "name", "value", "Key", "Value", "password", "api_key", "secret", "authorization", "S", "tags"]
KEYS += ["nextToken", "items", ACCESS_KEY, "password=abc"]

leaves: st.SearchStrategy[Any] = st.sampled_from(HARMLESS) | st.sampled_from([1, 2.5, None, True])
secrets: st.SearchStrategy[Any] = leaves | st.sampled_from(SECRET)
cells = st.sampled_from(
    [
        leaves,
        secrets,
        st.lists(secrets, max_size=3),
        st.lists(leaves, min_size=60, max_size=70),
        st.fixed_dictionaries({"S": secrets}),
        st.fixed_dictionaries({"a": leaves, "password": secrets}),
        st.lists(st.fixed_dictionaries({"name": secrets, "value": secrets}), max_size=2),
        st.lists(st.lists(st.fixed_dictionaries({"S": secrets}), max_size=2), max_size=2),
    ]
)


@st.composite
def rows(draw: st.DrawFn) -> list[Any]:
    """Objects most of which have the same keys, and under each key values of one kind."""
    shapes = draw(
        st.lists(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True), min_size=1, max_size=2)
    )
    kinds = {key: draw(cells) for shape in shapes for key in shape}
    # Few differ, and all others are the same, so that not each of so many must be drawn.
    some = [{key: draw(kinds[key]) for key in shape} for shape in shapes for _ in range(3)]
    order = draw(st.lists(st.sampled_from(range(len(some))), min_size=9, max_size=40))
    return [json.loads(json.dumps(some[i])) for i in order]


places = st.lists(st.sampled_from(["*", "0", "3", "rows", *KEYS]), max_size=4).map(tuple)


def assert_as_plainly(value: Any, pointers: Sequence[Pointer] = ()) -> None:
    text = json.dumps(value)
    plainly = Plainly()
    expected = plainly.value(json.loads(text), pointers)

    found = redact_value(value, pointers)
    assert json.dumps(value) == text
    owned = redact_value(json.loads(text), pointers, owned=True)
    assert json.dumps(found.value) == json.dumps(owned.value) == json.dumps(expected)
    assert found.count == owned.count == plainly.count


@given(rows(), st.sampled_from(["rows", "password", "authorization"]), st.lists(places, max_size=2))
def test_rows_are_redacted_as_they_would_be_one_by_one(some: list[Any], name: str, pointers: list[Pointer]) -> None:
    assert_as_plainly(some)
    assert_as_plainly({name: some, "more": [some, some]}, pointers)


@given(st.lists(secrets, min_size=9, max_size=80), st.integers(1, 20))
def test_arrays_are_redacted_as_they_would_be_one_by_one(items: list[Any], size: int) -> None:
    assert_as_plainly(items)
    assert_as_plainly({"tags": items, "secrets": [items[i : i + size] for i in range(0, len(items), size)]})


@pytest.mark.parametrize(
    "row",
    [
        {"Name": "DB_PASSWORD", "Value": "hunter2"},
        {"Name": "team", "Value": "a"},
        {"Value": "hunter2", "Key": "api_key", "more": {"name": "password", "value": "x"}},
        {"password": ""},
        {"password": "[redacted]"},
        {"password": "[redacted:token] and more"},
        {"password": ["a", ["b"], {"S": "c"}, {"T": "d"}, ""]},
        {"lines": ["at x", BEGIN, "MIIE", END, "at y"]},
        {"lines": ["MIIE", [BEGIN], "MIIE"], "note": "MIIE"},
        {"S": {"S": "x"}},
        {"authorization": ["Basic dXNlcjpwYXNz"]},
        {"password": "x", "note": "x" * 5000 + " pwd: x y", "id": ACCESS_KEY},
    ],
)
def test_rows_that_are_all_alike_are_redacted(row: Any) -> None:
    some = [json.loads(json.dumps(row)) for _ in range(20)]
    assert_as_plainly(some)
    assert_as_plainly({"password": some, "rows": [{"id": 1}, *some, "text", {"other": some}, *some]})


@pytest.mark.parametrize("secret", SECRET)
@pytest.mark.parametrize("at", [7, 1023, 1024])
def test_one_secret_among_thousands_of_rows_is_found(secret: str, at: int) -> None:
    value: list[Any] = [{"id": i, "note": f"note {i}", "tags": [["a"], {"x": "y"}]} for i in range(1100)]
    value[at]["note"] = secret
    value[at]["tags"][1]["x"] = secret
    value[at]["tags"][0].append(secret)
    assert_as_plainly(value)


@pytest.mark.parametrize("key", ["password", "authorization", ACCESS_KEY, "Name"])
def test_one_row_among_thousands_that_has_another_member_is_found(key: str) -> None:
    value: list[Any] = [{"id": i, "Value": "Basic dXNlcjpwYXNz"} for i in range(3000)]
    value[1500][key] = "DB_PASSWORD"
    assert_as_plainly(value)
