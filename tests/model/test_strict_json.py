"""JSON that two readers could understand differently is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from pydantic import JsonValue

from lambda_warden.model.strict_json import parse_json
from support.strategies import json_values


@given(json_values)
def test_what_json_writes_is_read_back_unchanged(value: JsonValue) -> None:
    # repr tells 1, 1.0 and True apart, and keeps the order of keys.
    assert repr(parse_json(json.dumps(value).encode())) == repr(value)
    assert repr(parse_json(json.dumps(value, ensure_ascii=False, indent=1).encode())) == repr(value)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "b": 2, "a": null}',
        b'[{"x": {"a": 1, "a": 2}}]',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a": 1, "a": "\\u0022\\u0022"}',
        b'{"a": 1, "a": "[{\\"}]"}',
    ],
    ids=["same value", "another value", "deep within", "escaped", "quotes that are escaped otherwise", "quote inside"],
)
def test_an_object_with_a_key_twice_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="an object has a key twice"):
        parse_json(data)


def test_one_key_in_two_objects_is_no_repetition() -> None:
    assert parse_json(b'[{"a": 1}, {"a": {"a": 2}}]') == [{"a": 1}, {"a": {"a": 2}}]


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_json_does_not_have_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is not JSON"):
        parse_json(f'{{"a": [{name}]}}'.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"{} {}",
        b"{}\x00",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"[1 2]",
        b"01",
        b"undefined",
        b'"a\nb"',
        b"// comment\n1",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        '"é"'.encode("latin-1"),
        '"a"'.encode("utf-16"),
        '"a"'.encode("utf-8-sig"),
    ],
    ids=[
        "empty",
        "blank",
        "cut off",
        "two values",
        "NUL behind",
        "single quotes",
        "trailing comma",
        "missing comma",
        "leading zero",
        "a word",
        "raw newline in a string",
        "comment",
        "not UTF-8",
        "surrogate in UTF-8",
        "Latin-1",
        "UTF-16",
        "byte order mark",
    ],
)
def test_what_is_not_utf8_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(data)


def test_json_nested_beyond_the_interpreters_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(b"[" * 200_000 + b"]" * 200_000)
