"""Rules that make their function a tool of its own: which are refused, how the tools are named, what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lambda_warden.errors import ManifestError
from lambda_warden.manifests.exposed_tools import BUILT_IN_TOOLS, BYTES, MANY
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.model.request import InvokeArguments
from lambda_warden.tools.schema import schema_of
from support.warden import ACCOUNT, Rule, allow, arn, write_manifest

LONG = "x" * 1000


def loaded(folder: Path, *rules: Rule, **keys: Any) -> LoadedManifest:
    return load_manifests([write_manifest(folder, "http://127.0.0.1:9", rules, ("us-east-1", "eu-west-1"), **keys)])


def exposed(name: str, *qualifiers: str, **keys: Any) -> Rule:
    return allow(name, *qualifiers, **{"expose": "tool", **keys})


REFUSED: dict[str, tuple[list[Rule], str]] = {
    "a pattern": ([exposed("orders-*")], "orders-* is a pattern, and a tool is one function"),
    "several qualifiers": ([exposed("f", "live", "beta")], "a tool runs one of several qualifiers, and none is named"),
    "a qualifier that is not allowed": (
        [exposed("f", "live", expose={"qualifier": "beta"})],
        "the rule does not allow the qualifier 'beta'. Expected {qualifier: live}",
    ),
    "a name that models take for another": ([exposed("Invoke-Function")], "the tool invoke_function that is always"),
    "two of one name": (
        [exposed("f"), exposed("g", expose={"tool": "f"})],
        "f is the name of the tool of the rule at FILE:2.",
    ),
    "two that differ by case and hyphen": ([exposed("a-b"), exposed("A_B")], "A_B is the name of the tool of the rule"),
    "one function in two regions": (
        [exposed("f"), {**exposed("f"), "arn": arn("f", "eu-west-1")}],
        "Expected another: {tool: NAME}",
    ),
    "two qualifiers of one function": ([exposed("f", "live"), exposed("f", "beta")], "f is the name of the tool"),
    "one name for several functions": (
        [{**exposed("f", expose={"tool": "x"}), "arn": [arn("f"), arn("g")]}],
        "x is the name of the tool of the rule at FILE:",
    ),
    "a digit in front": ([exposed("7zip")], "'7zip' is not the name of a tool. Expected {tool: NAME}"),
    "more than a model should read": (
        [exposed(f"f{i}", description=LONG) for i in range(40)],
        f"the tools of functions take over {BYTES:,} bytes of each model's context",
    ),
}


@pytest.mark.parametrize(("rules", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_a_rule_that_makes_no_tool_is_refused_with_its_line(rules: list[Rule], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, *rules)
    (told,) = (each.replace(str(tmp_path / "manifest.yaml"), "FILE") for each in caught.value.problems)
    place, told = told.split(": functions: expose: ")
    assert place.startswith("FILE:")
    assert problem in told


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "-a", "ключ", "a\n"])
def test_a_name_that_a_models_service_would_refuse_is_refused_at_its_key(name: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"functions\[0\]\.expose\.tool: "):
        loaded(tmp_path, exposed("f", expose={"tool": name}))


def test_the_tools_stand_in_the_order_of_the_rules_and_are_named_after_their_functions(tmp_path: Path) -> None:
    rules = [
        exposed("z" * 64),
        allow("not-exposed"),
        exposed("b", "live", "$LATEST", expose={"tool": "refund_order", "qualifier": "$LATEST"}),
        exposed("a", "7"),
    ]
    tools = loaded(tmp_path, *rules).exposed
    assert [(tool.name, tool.ref.name, tool.ref.qualifier) for tool in tools] == [
        ("z" * 64, "z" * 64, "live"),
        ("refund_order", "b", "$LATEST"),
        ("a", "a", "7"),
    ]
    assert {(tool.ref.account, tool.ref.region) for tool in tools} == {(ACCOUNT, "us-east-1")}


OPTIONS = ["idempotency_key", "wait_seconds", "after_unknown"]
TAKEN: dict[str, tuple[dict[str, Any], list[str], list[str], dict[str, str]]] = {
    "nothing more": ({}, [], [], {"invocation_type": "RequestResponse"}),
    "a person is asked": ({"effect": "destructive"}, ["reason"], [], {"invocation_type": "RequestResponse"}),
    "tenants": ({"tenants": ["*"]}, ["tenant_id"], ["tenant_id"], {"invocation_type": "RequestResponse"}),
    "queued alone": ({"invocation_types": ["Event"]}, [], [], {"invocation_type": "Event"}),
    "either": ({"invocation_types": ["RequestResponse", "Event"]}, ["invocation_type"], [], {}),
    "a schema": (
        {"payload": {"schema": {"type": "array"}}},
        [],
        ["payload"],
        {"invocation_type": "RequestResponse"},
    ),
}


@pytest.mark.parametrize(("keys", "more", "required", "fixed"), TAKEN.values(), ids=TAKEN.keys())
def test_a_tool_takes_what_its_rule_has_a_use_for(
    keys: dict[str, Any], more: list[str], required: list[str], fixed: dict[str, str], tmp_path: Path
) -> None:
    (tool,) = loaded(tmp_path, exposed("f", **keys)).exposed
    taken = tool.parameters["properties"]
    assert list(taken) == ["payload", *OPTIONS, *more]
    assert tool.parameters.get("required", []) == required
    assert tool.fixed == {"function": f"{arn('f')}:live", **fixed}
    whole = schema_of(InvokeArguments, "validation")["properties"]
    assert all(taken[name]["type"] == whole[name]["type"] for name in taken if name != "payload")


def test_what_a_tool_says_is_redacted_bounded_and_shows_all_that_it_holds(tmp_path: Path) -> None:
    secret = "AKIA" + "IOSFODNN7" + "EXAMPLE"
    about = f"Refunds.\u200b key {secret} \U000e0041"
    schema = {"type": "object", "description": about, "properties": {"a": {"type": "string", "default": secret}}}
    (tool,) = loaded(tmp_path, exposed("f", description=about, payload={"schema": schema})).exposed
    for text in (tool.description, str(tool.parameters)):
        assert "Refunds.\\u200b" in text.replace("\\\\", "\\")
        assert secret not in text
        assert "[redacted:" in text
        assert text.isascii()
    assert "f:live" in tool.description
    (long,) = loaded(tmp_path, exposed("f", payload={"schema": {"description": LONG * 9}})).exposed
    assert long.size < 3_000


def test_many_tools_are_warned_of_with_what_they_take(tmp_path: Path) -> None:
    rules = [exposed(f"f{i}") for i in range(MANY + 1)]
    (warning,) = loaded(tmp_path, *rules).warnings()
    assert warning.startswith("expose: 21 functions are tools of their own, which takes each model some ")
    assert list(loaded(tmp_path, *rules[1:]).warnings()) == []


def test_the_names_that_are_taken_are_those_of_the_tools_that_are_always_there() -> None:
    snapshots = Path(__file__).parents[1] / "tools" / "snapshots"
    assert sorted(BUILT_IN_TOOLS) == sorted(path.stem for path in snapshots.glob("*.json"))
