"""Payloads against their schema: what is wrong and where, and never a look outside the schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.guard.payload_schema import PayloadSchema

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


@pytest.mark.parametrize(
    "payload",
    [{"orderId": "A-1"}, {"orderId": "A-1", "items": []}, {"orderId": "A-1", "items": [{"amount": 0}, {}]}],
)
def test_a_payload_that_fits_has_no_problems(payload: object) -> None:
    assert PayloadSchema(REFUND).problems(payload) == []


@pytest.mark.parametrize(
    ("payload", "place", "about"),
    [
        (None, "$", "'object'"),
        ([], "$", "'object'"),
        ({}, "$", "'orderId' is a required property"),
        ({"orderId": 1}, "$.orderId", "'string'"),
        ({"orderId": "a-1"}, "$.orderId", "does not match"),
        ({"orderId": "A-1", "extra": 1}, "$", "'extra'"),
        ({"orderId": "A-1", "items": {}}, "$.items", "'array'"),
        ({"orderId": "A-1", "items": [{}, {"amount": -1}]}, "$.items[1].amount", "less than the minimum"),
    ],
)
def test_a_problem_says_where_it_is_and_what_it_is(payload: object, place: str, about: str) -> None:
    (problem,) = PayloadSchema(REFUND).problems(payload)
    found, _, message = problem.partition(": ")
    assert found == place
    assert about in message


@given(st.integers(), st.integers())
def test_a_payload_fits_exactly_when_the_schema_says_so(value: int, minimum: int) -> None:
    problems = PayloadSchema({"type": "integer", "minimum": minimum}).problems(value)
    assert (problems == []) is (value >= minimum)


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
    assert len(PayloadSchema(schema).problems(payload)) == 1


def test_the_keywords_of_2020_12_are_understood() -> None:
    schema = PayloadSchema({"prefixItems": [{"type": "string"}], "items": False, "dependentRequired": {"a": ["b"]}})
    assert schema.problems(["x"]) == []
    assert schema.problems([1]) != []
    assert schema.problems(["x", "y"]) != []
    assert schema.problems({"a": 1}) != []


def test_five_problems_are_shown_and_the_rest_are_counted() -> None:
    schema = PayloadSchema({"items": {"type": "string"}})
    assert len(schema.problems([1] * 5)) == 5
    shown = schema.problems([1] * 8)
    assert [problem.partition(":")[0] for problem in shown[:5]] == ["$[0]", "$[1]", "$[2]", "$[3]", "$[4]"]
    assert shown[5:] == ["and 3 more"]


def test_a_message_that_quotes_the_payload_is_cut() -> None:
    (problem,) = PayloadSchema({"type": "integer"}).problems("x" * 100_000)
    assert len(problem) < 250
    assert problem.endswith("…")


def test_a_reference_within_the_schema_is_followed() -> None:
    schema = PayloadSchema(
        {
            "$defs": {"tree": {"type": "object", "additionalProperties": {"$ref": "#/$defs/tree"}}},
            "$ref": "#/$defs/tree",
        }
    )
    assert schema.problems({"a": {"b": {}}}) == []
    assert [problem.partition(":")[0] for problem in schema.problems({"a": {"b": 1}})] == ["$.a.b"]


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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # jsonschema's own, before it fetches what it should not
def test_a_dynamic_reference_to_a_file_is_not_read_either(tmp_path: Path) -> None:
    outside = tmp_path / "anything.json"
    outside.write_text(json.dumps({"type": "object"}))
    (problem,) = PayloadSchema({"$dynamicRef": outside.as_uri()}).problems({})
    assert "the schema can't be applied" in problem


def test_what_only_looks_like_a_reference_is_none() -> None:
    schema = PayloadSchema({"properties": {"$ref": {"type": "string"}}, "not": {"const": {"$ref": "nowhere"}}})
    assert schema.problems({"$ref": "text"}) == []


@pytest.mark.parametrize("schema", [{"$dynamicRef": "#nowhere"}, {"$ref": "#"}], ids=["no dynamic anchor", "itself"])
def test_a_schema_that_cannot_be_applied_lets_nothing_pass(schema: dict[str, Any]) -> None:
    (problem,) = PayloadSchema(schema).problems({})
    assert "the schema can't be applied" in problem


def test_a_payload_too_deep_to_check_does_not_fit() -> None:
    nested: list[Any] = []
    for _ in range(10_000):
        nested = [nested]
    (problem,) = PayloadSchema({"items": {"$ref": "#"}}).problems(nested)
    assert "the schema can't be applied" in problem


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


def test_the_dialect_may_be_declared() -> None:
    schema = PayloadSchema({"$schema": DIALECT, "type": "object"})
    assert schema.problems({}) == []


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
    with pytest.raises(ValueError, match="leads to no schema in the schema itself"):
        PayloadSchema(schema)


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(500):
        schema = {"not": schema}
    with pytest.raises(ValueError, match="nested too deeply"):
        PayloadSchema(schema)
