"""A schema in plain words: what is kept, what is said in its description, and what never is left."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.jsontools.plain_schema import LEVELS, plain_schema

WORDS = {"type", "description", "enum", "minimum", "maximum", "properties", "required", "items"}
TEXT = {"type": "string"}


def object_of(**members: Any) -> dict[str, Any]:
    return {"type": "object", "properties": members}


REDUCED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain words stay": (
        {**object_of(n={"type": "integer", "minimum": 0, "maximum": 9, "description": "How many"}), "required": ["n"]},
        {**object_of(n={"type": "integer", "minimum": 0, "maximum": 9, "description": "How many"}), "required": ["n"]},
    ),
    "null is what is left out": ({"type": ["null", "boolean"]}, {"type": "boolean"}),
    "a choice of one and null": ({"anyOf": [{"type": "null"}, {"type": "number"}]}, {"type": "number"}),
    "a constant": ({"const": "live"}, {"type": "string", "enum": ["live"]}),
    "documented choices": (
        {"oneOf": [{"const": "a", "description": "A"}, {"const": "b"}]},
        {"type": "string", "enum": ["a", "b"]},
    ),
    "numbers to choose from": ({"enum": [1, 2]}, {"type": "integer", "description": '{"enum":[1,2]}'}),
    "an empty string to choose": (
        {"type": "string", "enum": ["", "a"]},
        {"type": "string", "description": '{"enum":["","a"]}'},
    ),
    "several types": (
        {"anyOf": [{"type": "integer"}, TEXT], "description": "An id."},
        {"type": "integer", "description": 'An id. {"anyOf":[{"type":"integer"},{"type":"string"}]}'},
    ),
    "several kinds of objects": (
        {"oneOf": [{**object_of(a=TEXT), "required": ["a"]}, object_of(b=TEXT)]},
        {
            **object_of(b=TEXT, a=TEXT),
            "description": '{"oneOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},'
            '{"type":"object","properties":{"b":{"type":"string"}}}]}',
        },
    ),
    "a reference": (
        {"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": object_of(x=TEXT)}, "description": "Mine"},
        {**object_of(x=TEXT), "description": "Mine"},
    ),
    "put together": (
        {"allOf": [object_of(a=TEXT), {"required": ["a", "b"]}]},
        {**object_of(a=TEXT, b={"type": "string", "description": "Any JSON value."}), "required": ["a", "b"]},
    ),
    "a list of anything": ({"type": "array"}, {"type": "array", "items": {**TEXT, "description": "Any JSON value."}}),
    "what words say": (
        {"type": "string", "format": "date", "title": "T", "x-internal": 1},
        {"type": "string", "description": '{"format":"date"}'},
    ),
    "members that no service takes": (
        object_of(a=TEXT, ключ=TEXT),
        {**object_of(a=TEXT), "description": '{"properties":{"ключ":{"type":"string"}}}'},
    ),
    "members that may not be": (object_of(a=False, b=TEXT), object_of(b=TEXT)),
    "no type at all": ({}, {"type": "string", "description": "Any JSON value."}),
    "the type follows": (
        {"required": ["a"]},
        {**object_of(a={**TEXT, "description": "Any JSON value."}), "required": ["a"]},
    ),
}


@pytest.mark.parametrize(("schema", "plain"), REDUCED.values(), ids=REDUCED.keys())
def test_a_schema_is_said_in_plain_words(schema: dict[str, Any], plain: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    assert plain_schema(schema, str) == plain
    assert schema == before


def schemas_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for each in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from schemas_in(each)


names = st.sampled_from(["a", "b", "x y", "$ref", "type"])
schemas: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "null", "integer", ["null", "number"], "object", "array"]),
            "enum": st.lists(st.none() | st.integers() | st.text(max_size=2), min_size=1, max_size=3),
            "minimum": st.integers(),
            "description": st.text(max_size=5),
            "$ref": st.sampled_from(["#", "#/properties/a", "#/nowhere", "#/$defs/d"]),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(names, inner, max_size=3),
            "required": st.lists(names, max_size=2),
            "items": inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "$defs": st.fixed_dictionaries({"d": inner}),
        },
    ),
    max_leaves=10,
)


@given(schemas.filter(lambda schema: isinstance(schema, dict)))
def test_only_plain_words_are_left_whatever_the_schema(schema: dict[str, Any]) -> None:
    plain = plain_schema(schema, str)
    for each in schemas_in(plain):
        assert each.keys() <= WORDS
        assert isinstance(each["type"], str)
        assert (each["type"] == "array") == ("items" in each)
        assert set(each.get("required", ())) <= each.get("properties", {}).keys()
        assert all(isinstance(choice, str) and choice for choice in each.get("enum", ()))
    if "properties" not in plain.get("description", ""):
        assert plain_schema(plain, str) == plain, "what is plain stays as it is"


def test_a_schema_that_holds_itself_ends() -> None:
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {"node": object_of(**{f"n{i}": {"$ref": "#/$defs/node"} for i in range(9)})},
    }
    plain = plain_schema(tree, str)
    assert len(json.dumps(plain)) < 400_000
    chain = plain_schema({"$ref": "#/$defs/n", "$defs": {"n": object_of(n={"$ref": "#/$defs/n"})}}, str)
    assert len(list(schemas_in(chain))) == LEVELS + 1
    doubled: dict[str, Any] = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)}
    assert plain_schema({"$ref": "#/$defs/d0", "$defs": doubled}, str)["type"] == "string"


def test_each_text_passes_by_what_makes_it_readable() -> None:
    schema = {"description": "a", **object_of(b={"const": "c"}, d={"type": "string", "pattern": "e"})}
    seen: list[str] = []

    def said(text: str) -> str:
        seen.append(text)
        return "x"

    plain = plain_schema(schema, said)
    assert seen == ["c", '{"pattern":"e"}', "a"]
    assert plain["description"] == "x"
    assert plain["properties"]["b"]["enum"] == ["x"]
