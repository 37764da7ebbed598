"""The tools through what hosts make of them for their models: the converters of five libraries, unchanged.

They are in a group of dependencies of their own: `uv run --group clients pytest tests/tools/test_model_clients.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.types import Tool

from lambda_warden.app import Warden
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings
from support.warden import allow, write_manifest

pytestmark = pytest.mark.anyio

NAMES = sorted(path.stem for path in (Path(__file__).parent / "snapshots").glob("*.json"))

# What payload schemas really hold, and no model's service takes everywhere.
ORDERS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "kind"],
    "properties": {
        "id": {"$ref": "#/$defs/id"},
        "kind": {"oneOf": [{"const": "refund"}, {"const": "replace"}]},
        "amount": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}], "default": None},
        "lines": {"type": "array", "minItems": 1, "items": {"allOf": [{"$ref": "#/$defs/line"}]}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "priority": {"enum": [1, 2, 3]},
        "note": True,
        "detail-type": {"type": ["string", "integer"]},
        "aws:cdk": {"type": "string"},
        "parent": {"$ref": "#"},
    },
    "$defs": {
        "id": {"type": ["string", "null"], "pattern": "^A-[0-9]+$"},
        "line": {"properties": {"sku": {"type": "string", "minLength": 1}, "tags": {"items": {}}}},
    },
}


@pytest.fixture
async def tools(tmp_path: Path) -> list[Tool]:
    functions = [
        allow("f"),
        allow("any-payload", expose="tool", effect="destructive", tenants=["*"]),
        allow("orders", expose="tool", payload={"schema": ORDERS}, invocation_types=["RequestResponse", "Event"]),
        allow("batch", expose="tool", payload={"schema": {"type": "array", "items": {"type": "integer"}}}),
    ]
    loaded = load_manifests([write_manifest(tmp_path, "http://127.0.0.1:9", functions)])
    async with Client(Warden(Settings(records=tmp_path / "records.sqlite3"), loaded).server) as client:
        listed = (await client.list_tools()).tools
    assert sorted(tool.name for tool in listed[:5]) == NAMES
    assert [tool.name for tool in listed[5:]] == ["any-payload", "orders", "batch"]
    return listed


def schemas_in(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all schemas in it."""
    yield schema
    for key in ("properties", "$defs"):
        for each in (schema.get(key) or {}).values():
            yield from schemas_in(each)
    for each in [schema.get("items"), *(schema.get("anyOf") or [])]:
        if isinstance(each, dict):
            yield from schemas_in(each)


async def test_google_genai_takes_each_argument_with_its_type(tools: list[Tool]) -> None:
    converter = pytest.importorskip("google.genai._mcp_utils")
    for tool, made in zip(tools, converter.mcp_to_gemini_tools(tools), strict=True):
        (declared,) = made.function_declarations
        assert declared.parameters.properties.keys() == tool.input_schema["properties"].keys()
        assert (declared.parameters.required or []) == tool.input_schema.get("required", [])
        for name, argument in tool.input_schema["properties"].items():
            assert declared.parameters.properties[name].type.value == argument["type"].upper()
            assert declared.parameters.properties[name].description == argument["description"]


async def test_google_genai_takes_the_schemas_as_they_are(tools: list[Tool]) -> None:
    types = pytest.importorskip("google.genai.types")
    for tool in tools:
        declared = types.FunctionDeclaration(name=tool.name, parameters=tool.input_schema)
        assert declared.parameters.properties.keys() == tool.input_schema["properties"].keys()
        for schema in (tool.input_schema, tool.output_schema):
            types.Schema.from_json_schema(json_schema=types.JSONSchema.model_validate(schema), api_option="GEMINI_API")


# What OpenAI takes: "Supported schemas" in the guide to structured outputs, which `strict` function calling follows.
PLAIN = {"type", "description", "enum", "minimum", "maximum", "items", "properties", "required"}
STRICT = PLAIN | {"additionalProperties"}


async def test_openai_agents_makes_functions_of_them_also_strict_ones(tools: list[Tool]) -> None:
    strict_schema = pytest.importorskip("agents.strict_schema")
    for tool in tools:
        strict = strict_schema.ensure_strict_json_schema(copy.deepcopy(tool.input_schema))
        Draft202012Validator.check_schema(strict)
        for schema in schemas_in(strict):
            assert schema.keys() <= STRICT
            if schema["type"] == "object":
                assert schema["additionalProperties"] is False
                assert schema.get("required", []) == list(schema.get("properties", {}))


@pytest.mark.parametrize("strict", [False, True])
async def test_openai_agents_loses_nothing(tools: list[Tool], strict: bool) -> None:
    util = pytest.importorskip("agents.mcp.util")
    server = pytest.importorskip("agents.mcp").MCPServerStdio({"command": "none"})
    for tool in tools:
        made = util.MCPUtil.to_function_tool(tool, server, convert_schemas_to_strict=strict)
        assert made.params_json_schema["properties"].keys() == tool.input_schema["properties"].keys()
        assert all(schema.get("type") for schema in schemas_in(made.params_json_schema))


async def test_langchain_makes_functions_of_them(tools: list[Tool]) -> None:
    langchain = pytest.importorskip("langchain_core.tools")
    convert = pytest.importorskip("langchain_core.utils.function_calling").convert_to_openai_tool
    for tool in tools:
        made = langchain.StructuredTool(
            name=tool.name, description=tool.description, args_schema=tool.input_schema, func=dict
        )
        parameters = convert(made)["function"]["parameters"]
        assert parameters["properties"] == tool.input_schema["properties"]
        strict = convert(made, strict=True)["function"]
        assert strict["strict"] is True
        assert all(schema.get("type") for schema in schemas_in(strict["parameters"]))


async def test_langchain_hands_the_arguments_on_as_the_model_wrote_them(tools: list[Tool]) -> None:
    langchain = pytest.importorskip("langchain_core.tools")
    seen: list[dict[str, Any]] = []
    tool = next(tool for tool in tools if tool.name == "invoke_function")
    made = langchain.StructuredTool(
        name=tool.name,
        description=tool.description,
        args_schema=tool.input_schema,
        func=lambda **given: seen.append(given),
    )
    given = {"function": "f:live", "payload": {"n": 1.0, "list": [None]}, "timeout_seconds": 5}
    made.invoke(given)
    assert seen == [given]


@pytest.mark.parametrize("strict", [None, True], ids=["usual", "strict"])
async def test_pydantic_ai_makes_openai_schemas_of_them(tools: list[Tool], strict: bool | None) -> None:
    transformer = pytest.importorskip("pydantic_ai.profiles.openai").OpenAIJsonSchemaTransformer
    for tool in tools:
        made = transformer(copy.deepcopy(tool.input_schema), strict=strict).walk()
        assert made["properties"].keys() == tool.input_schema["properties"].keys()
        assert all(schema.get("type") for schema in schemas_in(made))


async def test_pydantic_ai_makes_schemas_for_google_of_them(tools: list[Tool]) -> None:
    transformer = pytest.importorskip("pydantic_ai.profiles.google").GoogleJsonSchemaTransformer
    for tool in tools:
        assert transformer(copy.deepcopy(tool.input_schema), strict=None).walk() == tool.input_schema


async def test_anthropic_takes_an_object_of_properties(tools: list[Tool]) -> None:
    """Its API takes any JSON Schema of an object without a combination at its root."""
    for tool in tools:
        assert tool.input_schema["type"] == "object"
        assert not {"anyOf", "oneOf", "allOf"} & tool.input_schema.keys()
