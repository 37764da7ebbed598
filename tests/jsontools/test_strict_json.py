"""JSON that two readers could understand differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue

from lambda_warden.jsontools.strict_json import parse_json
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


PADS = [0, 199, 262_100, 262_143, 262_144, 262_145]
numbers = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.sampled_from(["0", "1", "17", "9" * 199, "9" * 215, "1" + "0" * 307, "1" + "0" * 308, "1" + "0" * 309]),
    st.sampled_from(["", ".0", ".5", "." + "9" * 250]),
    st.sampled_from(["", "e0", "E1", "e+9", "e93", "e99", "e-300", "e307", "E+308", "e309", "e0000309", "e+00000001"]),
)


@given(numbers, st.sampled_from(PADS))
@example("17E+308", 0)
@example("-1e+309", 0)
@example("9" * 310 + ".0", 262_000)
def test_a_number_is_refused_exactly_if_it_is_too_large_for_a_double(number: str, pad: int) -> None:
    data = f'["{"x" * pad}", {number}]'.encode()
    expected = json.loads(number)
    if isinstance(expected, float) and math.isinf(expected):
        with pytest.raises(ValueError, match="is too large a number"):
            parse_json(data)
    else:
        assert repr(parse_json(data)) == repr(["x" * pad, expected])


@pytest.mark.parametrize(
    "data",
    [
        b'["Infinity", 1e300]',
        b'["\\u0049nfinity", 1e300]',
        b'["4e123", "%s"]' % (b"1" * 400),
        b'{"Infinity": "1e400"}',
    ],
)
def test_what_only_looks_like_a_large_number_is_read(data: bytes) -> None:
    assert parse_json(data) == json.loads(data)


def _object(values: list[str]) -> str:
    """The members' keys depend on their values, and half of them are written with escapes."""
    keys = [f'"k{len(value) % 5}"' if i % 2 else f'"\\u006b{len(value) % 5}"' for i, value in enumerate(values)]
    return "{" + ", ".join(f"{key}: {value}" for key, value in zip(keys, values, strict=True)) + "}"


@given(
    st.recursive(st.sampled_from(["1", '"a"']), lambda inner: st.lists(inner, max_size=4).map(_object), max_leaves=9)
)
def test_keys_are_told_apart_at_every_level(text: str) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    try:
        expected = json.loads(text, object_pairs_hook=unique)
    except ValueError:
        with pytest.raises(ValueError, match="an object has a key twice"):
            parse_json(text.encode())
    else:
        assert parse_json(text.encode()) == expected
