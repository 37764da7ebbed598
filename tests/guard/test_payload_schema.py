"""Payloads against their schema: what is wrong and where, and never a look outside the schema."""

from __future__ import annotations

import json
import math
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from lambda_warden.guard import payload_schema as module
from lambda_warden.guard.payload_schema import LEVELS, PayloadSchema, SchemaError

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFUND: dict[str, Any] = {
    "type": "object",
    "required": ["orderId"],
    "additionalProperties": False,
    "properties": {
        "orderId": {"type": "string", "pattern": "^[A-Z]-[0-9]+$"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
    },
    "$defs": {"item": {"type": "object", "properties": {"amount": {"type": "number", "minimum": 0}}}},
}


def said(schema: dict[str, Any], payload: object) -> str:
    """What is wrong with a payload that does not fit."""
    problem = PayloadSchema(schema).problem(payload)
    assert problem is not None
    return problem


@pytest.mark.parametrize(
    "payload",
    [{"orderId": "A-1"}, {"orderId": "A-1", "items": []}, {"orderId": "A-1", "items": [{"amount": 0}, {}]}],
)
def test_a_payload_that_fits_has_no_problems(payload: object) -> None:
    assert PayloadSchema(REFUND).problem(payload) is None


@pytest.mark.parametrize(
    ("payload", "place", "about"),
    [
        (None, "$", '"object"'),
        ([], "$", '"object"'),
        ({}, "$", '"orderId" is a required property'),
        ({"orderId": 1}, "$.orderId", '"string"'),
        ({"orderId": "a-1"}, "$.orderId", "does not match"),
        ({"orderId": "A-1", "extra": 1}, "$", "'extra'"),
        ({"orderId": "A-1", "items": {}}, "$.items", '"array"'),
        ({"orderId": "A-1", "items": [{}, {"amount": -1}]}, "$.items[1].amount", "less than the minimum"),
    ],
)
def test_a_problem_says_where_it_is_and_what_it_is(payload: object, place: str, about: str) -> None:
    found, _, message = said(REFUND, payload).partition(": ")
    assert found == place
    assert about in message


@given(st.integers(), st.integers())
def test_a_payload_fits_exactly_when_the_schema_says_so(value: int, minimum: int) -> None:
    problem = PayloadSchema({"type": "integer", "minimum": minimum}).problem(value)
    assert (problem is None) is (value >= minimum)


@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        ({"type": "integer"}, True),
        ({"type": "integer"}, "1"),
        ({"const": 1}, True),
        ({"enum": [0]}, False),
        ({"type": "string"}, None),
        ({"not": {}}, {}),
    ],
)
def test_values_of_another_type_do_not_fit(schema: dict[str, Any], payload: object) -> None:
    assert PayloadSchema(schema).problem(payload) is not None


def test_the_keywords_of_2020_12_are_understood() -> None:
    schema = PayloadSchema({"prefixItems": [{"type": "string"}], "items": False, "dependentRequired": {"a": ["b"]}})
    assert schema.problem(["x"]) is None
    assert schema.problem([1]) is not None
    assert schema.problem(["x", "y"]) is not None
    assert schema.problem({"a": 1}) is not None


@pytest.mark.parametrize(
    ("schema", "payload", "problem"),
    [
        ({"type": "string"}, 7, '$: 7 is not of type "string"'),
        ({"type": "string"}, [1], '$: an array of 1 item is not of type "string"'),
        ({"type": "string"}, {"a": 1, "b": 2}, '$: an object with 2 keys is not of type "string"'),
        ({"type": "string"}, 10**100, '$: a number of many digits is not of type "string"'),
        ({"maxLength": 3}, "abcd", '$: "abcd" is longer than 3 characters'),
        ({"maxLength": 3}, "x" * 100_000, "$: a string of 100,000 characters is longer than 3 characters"),
        ({"enum": ["a", "b"]}, "c", '$: "c" is not one of "a" or "b"'),
        ({"const": "a"}, "c", '$: "c" is not "a", which was expected'),
        ({"properties": {"a b": {"items": {"type": "null"}}}}, {"a b": [1]}, '$["a b"][0]: 1 is not of type "null"'),
        ({"additionalProperties": False}, {"a": 1}, "$: no keys are allowed here"),
        ({"properties": {"a": False}}, {"a": 1}, "$.a: 1 is not allowed here"),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, '$: a key is wrong: "ab" is longer than 1 character'),
        (
            {"contains": {"const": 1}, "minContains": 2},
            [1],
            "$: an array of 1 item does not hold as many items as it has to that fit minContains",
        ),
        (
            {"anyOf": [{"type": "string"}, {"required": ["b"]}]},
            {"a": 1},
            '$: an object with 1 key fits none of 2 options (an object with 1 key is not of type "string"'
            ' or "b" is a required property)',
        ),
        (
            {"oneOf": [{"properties": {"a": {"type": "null"}}}, False, False, False]},
            {"a": 1},
            '$: an object with 1 key fits none of 4 options (.a: 1 is not of type "null" or False schema does not allow'
            " an object with 1 key or False schema does not allow an object with 1 key, …)",
        ),
        ({"oneOf": [{}, {}]}, 1, "$: 1 fits more than one option of oneOf"),
    ],
    ids=ascii,
)
def test_a_problem_says_what_the_value_is_and_what_would_be_right(
    schema: dict[str, Any], payload: object, problem: str
) -> None:
    assert said(schema, payload) == problem


@pytest.mark.parametrize(
    "payload",
    ["x" * 100_000, {"x" * 100_000: 1}, {"a": ["x" * 100_000]}, [1] * 100_000],
    ids=["text", "key", "in", "many"],
)
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"},
        {"additionalProperties": {"items": False, "type": "array"}, "maxItems": 1, "maxLength": 1},
        {"anyOf": [{"items": {"type": "null"}, "type": ["array", "integer"]}, {"type": "null"}]},
        {"unevaluatedItems": False, "unevaluatedProperties": False, "pattern": "^y"},
    ],
    ids=["type", "parts", "options", "unevaluated"],
)
def test_what_is_said_of_a_large_payload_is_short(schema: dict[str, Any], payload: object) -> None:
    assert len(said(schema, payload)) < 450


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_of_many_values_that_fit_no_option_not_every_one_is_described(size: int) -> None:
    schema = {"anyOf": [{"items": {"type": "string"}}, {"type": "null"}]}
    assert said(schema, [1] * size) == f"$: an array of {size:,} items does not fit (it is too large to say where)"
    assert "[0]: 1 is not of type" in said(schema, [1] * 9_000)


def test_a_reference_within_the_schema_is_followed() -> None:
    schema = PayloadSchema(
        {
            "$defs": {"tree": {"type": "object", "additionalProperties": {"$ref": "#/$defs/tree"}}},
            "$ref": "#/$defs/tree",
        }
    )
    assert schema.problem({"a": {"b": {}}}) is None
    assert str(schema.problem({"a": {"b": 1}})).startswith("$.a.b: ")


def test_a_reference_to_a_file_is_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "anything.json"
    outside.write_text(json.dumps({"type": "object"}))
    for reference in (outside.as_uri(), str(outside), "anything.json"):
        with pytest.raises(ValueError, match="leads to no schema in the schema itself"):
            PayloadSchema({"$ref": reference})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$id": "https://example.com/root.json", "$ref": "other.json"},
        {"properties": {"a": {"items": {"$ref": "#/$defs/nowhere"}}}},
        {"$ref": "#nowhere"},
    ],
    ids=["another host", "beside its own address", "no such place", "no such anchor"],
)
def test_a_reference_that_leads_nowhere_is_seen_when_the_schema_is_loaded(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="leads to no schema in the schema itself"):
        PayloadSchema(schema)


def test_a_dynamic_reference_to_a_file_is_not_read_either(tmp_path: Path) -> None:
    outside = tmp_path / "anything.json"
    outside.write_text(json.dumps({"type": "object"}))
    for reference in (outside.as_uri(), "#nowhere"):
        with pytest.raises(ValueError, match="leads to no schema in the schema itself"):
            PayloadSchema({"$dynamicRef": reference})


def test_what_only_looks_like_a_reference_is_none() -> None:
    schema = PayloadSchema({"properties": {"$ref": {"type": "string"}}, "not": {"const": {"$ref": "nowhere"}}})
    assert schema.problem({"$ref": "text"}) is None


LOOPS: dict[str, dict[str, Any]] = {
    "itself": {"$ref": "#"},
    "round about": {
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}},
        "properties": {"x": {"$ref": "#/$defs/a"}},
    },
    "by an anchor": {"$anchor": "here", "not": {"$ref": "#here"}},
    "by a dynamic anchor": {"$dynamicAnchor": "here", "if": {"$dynamicRef": "#here"}},
    "by a key with a slash": {"$defs": {"a/b~c": {"$ref": "#/$defs/a~1b~0c"}}},
    "by an item": {"anyOf": [{}, {"$ref": "#/anyOf/1"}]},
    "where a key is present": {"dependentSchemas": {"a": {"$ref": "#"}}},
}


@pytest.mark.parametrize("schema", LOOPS.values(), ids=LOOPS)
def test_a_reference_that_leads_back_to_itself_is_refused_since_it_would_check_nothing(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match="leads back to itself"):
        PayloadSchema(schema)


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("schema", [{"items": {"$ref": "#"}}, {}, {"uniqueItems": True}, {"const": 1}], ids=ascii)
@pytest.mark.parametrize("levels", [LEVELS + 1, 500, 100_000])
def test_a_payload_too_deep_to_check_does_not_fit(schema: dict[str, Any], levels: int) -> None:
    assert "is nested deeper than 200 levels" in said(schema, nested(levels))
    assert PayloadSchema({"items": {"$ref": "#"}}).problem(nested(LEVELS)) is None


def test_the_deepest_payload_is_held_to_a_schema_of_many_options_without_a_crash() -> None:
    """In a thread, whose stack is small, and which a crash of native code would end with the whole process."""
    schema: dict[str, Any] = {"items": {"$ref": "#"}}
    for number in range(30):
        schema = {"allOf": [schema]} if number % 2 else {"anyOf": [{"type": "string"}, schema]}
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(PayloadSchema(schema).problem, nested(LEVELS)).result() is None


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_of_json_fits_nothing(number: float) -> None:
    assert "no JSON numbers" in said({}, [{"a": number}])


class Panic(BaseException):
    """As pyo3's PanicException, which is no Exception."""


@pytest.mark.parametrize("raised", [Panic("boom"), RuntimeError("boom"), MemoryError()], ids=repr)
@pytest.mark.parametrize("name", ["is_valid", "validate"])
def test_whatever_the_library_raises_the_payload_does_not_fit(
    name: str, raised: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = PayloadSchema({"type": "integer"})

    def fail(_: object) -> None:
        raise raised

    library = SimpleNamespace(is_valid=lambda _: False, validate=lambda _: None)
    monkeypatch.setattr(schema, "_validator", library)
    assert schema.problem(1) == "$: the schema can't be applied", "two answers that contradict each other"
    monkeypatch.setattr(library, name, fail)
    assert schema.problem(1) == f"$: the schema can't be applied ({type(raised).__name__})"


def test_a_library_that_breaks_while_it_reads_a_schema_makes_an_error_of_the_schema(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Panic("boom")

    monkeypatch.setattr(module, "Draft202012Validator", fail)
    with pytest.raises(SchemaError, match="boom"):
        PayloadSchema({})


@pytest.mark.parametrize(
    "pattern",
    ["^(?=.*a).*$", "^(?!x)", "(?<=a)b", "(?<!a)b", r"(a)\1", r"(?P<n>a)(?P=n)", "(", "((a{1,1000}){1,1000}){1,1000}"],
)
@pytest.mark.parametrize("keyword", ["pattern", "patternProperties"])
def test_a_pattern_that_no_linear_engine_matches_is_refused_with_its_place(keyword: str, pattern: str) -> None:
    schema = {"properties": {"p": {keyword: pattern if keyword == "pattern" else {pattern: {}}}}}
    with pytest.raises(SchemaError, match="look-around or backreferences") as caught:
        PayloadSchema(schema)
    assert caught.value.path[:3] == ("properties", "p", keyword)
    assert repr(pattern) in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^([a-zA-Z0-9_\.\-])+\@(([a-zA-Z0-9\-])+\.)+([a-zA-Z0-9]{2,4})+$", "a" * 60),
        (r"^([a-zA-Z0-9_\.\-])+\@(([a-zA-Z0-9\-])+\.)+([a-zA-Z0-9]{2,4})+$", "a@" + "a" * 60 + "!"),
        ("^(a+)+$", "a" * 100_000 + "b"),
        ("^(a|a)*$", "a" * 100_000 + "b"),
    ],
)
def test_a_pattern_on_which_others_backtrack_for_ever_gives_its_answer(pattern: str, text: str) -> None:
    assert "does not match" in said({"pattern": pattern}, text)


numbers = st.integers(-3, 3) | st.sampled_from(
    [0.5, 1.0, -0.0, 2**53, 2**53 + 1, 2.0**53, 2**64, 2**64 + 1, 10**30, 1e30]
)
scalars = st.none() | st.booleans() | numbers | st.sampled_from(["", "a", "ab", "b1"])
keys = st.sampled_from(["a", "b", "c"])
payloads = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)
types = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    counts = st.integers(0, 3)
    return st.booleans() | st.fixed_dictionaries(
        {},
        optional={
            "type": types | st.lists(types, min_size=1, max_size=3, unique=True),
            "enum": st.lists(payloads, min_size=1, max_size=3),
            "const": payloads,
            "minimum": numbers,
            "exclusiveMaximum": numbers,
            "multipleOf": st.integers(1, 3),
            "maxLength": counts,
            "pattern": st.sampled_from(["^a", "b$", "[0-9]"]),
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "contains": inner,
            "minItems": counts,
            "uniqueItems": st.booleans(),
            "properties": st.dictionaries(keys, inner, max_size=2),
            "additionalProperties": inner,
            "required": st.lists(keys, max_size=2, unique=True),
            "propertyNames": inner,
            "dependentSchemas": st.dictionaries(keys, inner, max_size=1),
            "unevaluatedProperties": inner,
            "not": inner,
            "if": inner,
            "then": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
        },
    )


schemas = st.recursive(keywords(st.booleans()), keywords, max_leaves=4).filter(lambda made: isinstance(made, dict))


@given(schemas, payloads)
def test_another_library_comes_to_the_same_verdict(schema: dict[str, Any], payload: object) -> None:
    problem = PayloadSchema(schema).problem(payload)
    assert (problem is None) is Draft202012Validator(schema).is_valid(payload), problem


@pytest.mark.parametrize(
    "dialect",
    [
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema#",
        "https://example.com/dialect",
        None,
        7,
    ],
    ids=ascii,
)
def test_another_dialect_is_refused_with_the_one_that_is_read(dialect: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"only {DIALECT} is read")) as caught:
        PayloadSchema({"$schema": dialect, "type": "object"})
    assert repr(dialect) in str(caught.value)


def test_a_part_of_another_dialect_is_refused_as_it_would_be_read_in_another_way() -> None:
    part = {"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": [{"type": "string"}]}
    for schema in ({"properties": {"a": part}}, {"items": [{"$id": "https://example.com/part", **part}]}):
        with pytest.raises(ValueError, match=re.escape(f"only {DIALECT} is read")):
            PayloadSchema(schema)
    assert PayloadSchema({"properties": {"$schema": {"type": "string"}}}).problem({"$schema": 1}) is not None


def test_the_dialect_may_be_declared() -> None:
    schema = PayloadSchema({"$schema": DIALECT, "type": "object"})
    assert schema.problem({}) is None


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"type": "strin"}, "$.type"),
        ({"properties": {"a": {"minimum": "1"}}}, "$.properties.a.minimum"),
        ({"required": "orderId"}, "$.required"),
        ({"pattern": "("}, "$.pattern"),
        ({"allOf": [{}, {"items": 1}]}, "$.allOf[1].items"),
    ],
    ids=["type", "within a property", "required", "pattern", "within a list"],
)
def test_a_schema_that_is_none_is_refused_with_the_place_of_its_problem(schema: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match="not a valid JSON Schema at ") as caught:
        PayloadSchema(schema)
    assert f" at {place}: " in str(caught.value)


def test_a_schema_keeps_what_it_was_made_of() -> None:
    assert PayloadSchema(REFUND).schema == REFUND


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/type", "type": "string"},
        {"$ref": "#/maxLength", "maxLength": 3},
        {"allOf": [{}], "$ref": "#/allOf/x"},
    ],
    ids=["text", "number", "no index"],
)
def test_a_reference_to_what_is_no_schema_is_seen_when_the_schema_is_loaded(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"leads to no schema in the schema itself|not a valid JSON Schema at \$\."):
        PayloadSchema(schema)


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(500):
        schema = {"not": schema}
    with pytest.raises(ValueError, match="Recursion limit reached"):
        PayloadSchema(schema)
