"""The manifest takes what it describes and nothing else: no unknown key, no value of another type."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lambda_warden.errors import ArgumentError
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.manifest import Manifest
from lambda_warden.model.rule_arn import RuleArn, parse_rule_arn
from lambda_warden.model.target import Target
from support.builders import function_arn
from support.strategies import REGIONS_OF_PARTITIONS

Place = tuple[str | int, ...]


def smallest() -> dict[str, Any]:
    """A manifest with what is required and nothing else."""
    return {
        "version": 1,
        "targets": [{"account": "123456789012", "regions": ["us-east-1"]}],
        "functions": [{"arn": function_arn("orders-refund"), "qualifiers": ["live"]}],
    }


def with_value(place: Place, value: object) -> dict[str, Any]:
    """The smallest manifest with one value set; mappings on the way are made."""
    manifest = smallest()
    node: Any = manifest
    for key in place[:-1]:
        node = node.setdefault(key, {}) if isinstance(node, dict) else node[key]
    node[place[-1]] = value
    return manifest


def problems(manifest: object) -> list[tuple[Place, str]]:
    """Where a manifest is refused, and with which kind of error."""
    with pytest.raises(ValidationError) as caught:
        Manifest.model_validate(manifest)
    return [(error["loc"], error["type"]) for error in caught.value.errors()]


# The ARN of a rule


@pytest.mark.parametrize("name", ["f", "orders_refund-2", "x" * 64, "report-*", "*-report", "a*b*c", "*" * 63 + "x"])
def test_a_rule_names_a_function_or_a_pattern_of_one(name: str) -> None:
    arn = parse_rule_arn(function_arn(name))
    assert arn == RuleArn("aws", "us-east-1", "123456789012", name)
    assert arn.is_pattern is ("*" in name)
    assert str(arn) == function_arn(name)


@pytest.mark.parametrize(
    ("partition", "region"),
    [(partition, region) for partition, regions in REGIONS_OF_PARTITIONS.items() for region in regions],
)
def test_a_rule_may_stand_in_any_partition(partition: str, region: str) -> None:
    arn = parse_rule_arn(function_arn("f", partition=partition, region=region))
    assert (arn.partition, arn.region) == (partition, region)


WILDCARD = "a `*` may stand in the function's name alone"
NOT_A_FUNCTION = "is not the ARN of a function"
NOT_A_NAME = "is not a function name or a pattern of one"

REFUSED_ARNS: dict[str, tuple[str, str, str]] = {
    "every function": (function_arn("*"), "would allow every function", "a pattern with a fixed part"),
    "every function, doubly": (function_arn("**"), "would allow every function", "a pattern with a fixed part"),
    "wildcard for the account": (function_arn("f", account="*"), WILDCARD, "arn:PARTITION:lambda:REGION:ACCOUNT"),
    "wildcard in the account": (function_arn("f", account="12345678901*"), WILDCARD, "function:NAME"),
    "wildcard for the region": (function_arn("f", region="*"), WILDCARD, "function:NAME"),
    "wildcard in the region": (function_arn("f", region="us-*-1"), WILDCARD, "function:NAME"),
    "wildcard for the partition": (function_arn("f", partition="*"), WILDCARD, "function:NAME"),
    "wildcard for the service": ("arn:aws:*:us-east-1:123456789012:function:f", WILDCARD, "function:NAME"),
    "wildcard for the resource type": ("arn:aws:lambda:us-east-1:123456789012:*:f", NOT_A_FUNCTION, "function:NAME"),
    "qualifier": (function_arn("f") + ":live", "has a qualifier", "the qualifiers in `qualifiers`"),
    "qualifier behind a pattern": (function_arn("f-*") + ":live", "has a qualifier", "the qualifiers in"),
    "wildcard for the qualifier": (function_arn("f") + ":*", "has a qualifier", "the qualifiers in `qualifiers`"),
    "question mark": (function_arn("report-?"), NOT_A_NAME, "function:NAME"),
    "character class": (function_arn("report-[ab]*"), NOT_A_NAME, "function:NAME"),
    "dot in a pattern": (function_arn("report.*"), NOT_A_NAME, "function:NAME"),
    "name of 65": (function_arn("x" * 65), NOT_A_NAME, "function:NAME"),
    "pattern of 65": (function_arn("x" * 64 + "*"), NOT_A_NAME, "function:NAME"),
    "newline behind": (function_arn("f\n"), NOT_A_NAME, "function:NAME"),
    "newline behind a pattern": (function_arn("f-*\n"), NOT_A_NAME, "function:NAME"),
    "name only": ("f", NOT_A_FUNCTION, "arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME"),
    "wildcard only": ("*", NOT_A_FUNCTION, "arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME"),
    "partial ARN": ("123456789012:function:f", NOT_A_FUNCTION, "arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME"),
    "empty": ("", NOT_A_FUNCTION, "arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME"),
    "prefix in capitals": (function_arn("f").replace("arn", "ARN"), NOT_A_FUNCTION, "arn:PARTITION"),
    "part too many": (function_arn("f") + ":live:7", NOT_A_FUNCTION, "function:NAME"),
    "layer": ("arn:aws:lambda:us-east-1:123456789012:layer:f", "is the ARN of a layer", "function:NAME"),
    "web function": (
        "arn:aws:lambda:us-east-1:123456789012:web-function/f",
        "the ARN of a web function",
        "Invoke takes",
    ),
    "other service": ("arn:aws:s3:us-east-1:123456789012:function:f", "of the service 's3'", "service 'lambda'"),
    "unknown partition": (function_arn("f", partition="aws-mars"), "unknown partition 'aws-mars'", "one of aws,"),
    "unknown region": (function_arn("f", region="us-east"), "unknown region 'us-east'", "a region of that partition"),
    "region of another partition": (
        function_arn("f", region="cn-north-1"),
        "unknown region 'cn-north-1' in partition 'aws'",
        "a region of that partition",
    ),
    "account of 11 digits": (function_arn("f", account="12345678901"), "is not an AWS account id", "12 digits"),
}


@pytest.mark.parametrize(("text", "problem", "expected"), REFUSED_ARNS.values(), ids=REFUSED_ARNS.keys())
def test_the_arn_of_a_rule_is_refused_with_what_would_be_right(text: str, problem: str, expected: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_rule_arn(text)
    error = caught.value
    assert error.argument == "arn"
    assert problem in error.problem
    assert expected in error.expected


# Patterns


def matches(pattern: str, name: str) -> bool:
    return parse_rule_arn(function_arn(pattern)).name_regex().fullmatch(name) is not None


@pytest.mark.parametrize(
    ("pattern", "matched", "unmatched"),
    [
        (
            "report-*",
            ["report-", "report-a", "report-A_9-z", "report--", "report-report-"],
            ["report", "xreport-a", "Report-a", "REPORT-a", "report_a", ""],
        ),
        ("*-report", ["-report", "a-report", "-report-report"], ["report", "a-report2", "a-reportx", "a-Report"]),
        ("a*z", ["az", "abz", "a-_9z", "azz"], ["a", "z", "za", "azb", "aZ"]),
        ("a*b*c", ["abc", "aXbYc", "abbc", "acbc"], ["ac", "acb", "abcd", "xabc"]),
        ("a**", ["a", "ab"], ["", "b", "ba"]),
    ],
)
def test_a_pattern_matches_a_name_whole(pattern: str, matched: list[str], unmatched: list[str]) -> None:
    assert {name: matches(pattern, name) for name in matched} == dict.fromkeys(matched, True)
    assert {name: matches(pattern, name) for name in unmatched} == dict.fromkeys(unmatched, False)


@pytest.mark.parametrize(
    "other", [*" .:/*?$\\\n\r\t\x00", "é", "\uff41", "\u0661", "\u200b", "\U0001d44e"], ids=lambda other: ascii(other)
)
def test_a_wildcard_stands_for_no_character_that_a_name_cannot_have(other: str) -> None:
    for name in (f"report-{other}", f"report-a{other}", f"report-{other}a", f"report-a{other}b"):
        assert not matches("report-*", name)


@given(
    pattern=st.text("ab-*", min_size=1, max_size=6).filter(lambda text: text.strip("*") != ""),
    name=st.text("ab-", min_size=1, max_size=8),
)
def test_patterns_match_as_shell_patterns_do(pattern: str, name: str) -> None:
    assert matches(pattern, name) is fnmatch.fnmatchcase(name, pattern)


def test_a_name_without_a_wildcard_matches_itself_alone() -> None:
    regex = parse_rule_arn(function_arn("a-b")).name_regex()
    assert regex.fullmatch("a-b")
    assert [name for name in ("a-bc", "xa-b", "a_b", "A-B", "a", "") if regex.fullmatch(name)] == []
    assert isinstance(regex, re.Pattern)


# The whole


def test_the_smallest_manifest_allows_little() -> None:
    manifest = Manifest.model_validate(smallest())
    (rule,) = manifest.functions
    assert rule.invocation_types == ["RequestResponse"]
    assert rule.effect == "write"
    assert rule.payload.schema_ is None
    assert rule.payload.max_bytes == 6 * 1024 * 1024
    assert rule.result.max_bytes == 16 * 1024
    assert (rule.timeout_seconds, rule.description, rule.examples) == (None, None, [])
    assert (rule.max_attempts, rule.invoke_mode) == (3, "BUFFERED")
    assert (manifest.targets[0].profile, manifest.targets[0].endpoint_url) == (None, None)


def test_every_key_is_read() -> None:
    manifest = Manifest.model_validate(
        {
            "version": 1,
            "targets": [
                {
                    "account": "123456789012",
                    "regions": ["us-east-1", "eu-west-1"],
                    "profile": "ops",
                    "endpoint_url": "http://127.0.0.1:4566",
                }
            ],
            "functions": [
                {
                    "arn": function_arn("orders-*"),
                    "qualifiers": ["live", "7", "$LATEST"],
                    "invocation_types": ["Event", "RequestResponse"],
                    "effect": "destructive",
                    "payload": {"schema": {"type": "object"}, "max_bytes": 1024},
                    "result": {"max_bytes": 256},
                    "timeout_seconds": 900,
                    "max_attempts": 10,
                    "invoke_mode": "RESPONSE_STREAM",
                    "description": "Refund one order.",
                    "examples": [{"orderId": "A-1"}, None, 1],
                }
            ],
        }
    )
    (target,), (rule,) = manifest.targets, manifest.functions
    assert target.regions == ["us-east-1", "eu-west-1"]
    assert (target.profile, target.endpoint_url) == ("ops", "http://127.0.0.1:4566")
    assert rule.qualifiers == ["live", "7", "$LATEST"]
    assert rule.invocation_types == ["Event", "RequestResponse"]
    assert rule.payload.schema_ == {"type": "object"}
    assert (rule.payload.max_bytes, rule.result.max_bytes, rule.timeout_seconds) == (1024, 256, 900)
    assert (rule.max_attempts, rule.invoke_mode) == (10, "RESPONSE_STREAM")
    assert rule.examples == [{"orderId": "A-1"}, None, 1]


@pytest.mark.parametrize("tenants", [["a b.c_d:e/f=g+h-i@j"], ["t" * 256], ["*"], ["a", "A"]])
def test_tenants_are_ids_or_any(tenants: list[str]) -> None:
    Manifest.model_validate(with_value(("functions", 0, "tenants"), tenants))


@pytest.mark.parametrize(
    "tenants",
    [[], [""], ["t" * 257], ["a*"], ["**"], ["*", "a"], ["a\n"], [" a"], ["a "], ["té"], ["a", "a"], [7], "a"],
    ids=repr,
)
def test_what_is_no_tenant_id_is_refused(tenants: object) -> None:
    assert problems(with_value(("functions", 0, "tenants"), tenants))


@pytest.mark.parametrize(
    "stop", [{}, {"count": 0}, {"count": True}, {"count": 3, "cool_down_seconds": 0}, {"count": 3, "cool_down": 60}, 3]
)
def test_what_does_not_say_how_many_failures_stop_a_function_is_refused(stop: object) -> None:
    assert problems(with_value(("functions", 0, "stop_after_failures"), stop))


@pytest.mark.parametrize(
    "place",
    [
        ("limits",),
        ("Version",),
        ("targets", 0, "role"),
        ("functions", 0, "approve"),
        ("functions", 0, "qualifier"),
        ("functions", 0, "payload", "maxBytes"),
        ("functions", 0, "result", "hide"),
    ],
    ids=lambda place: ".".join(map(str, place)),
)
def test_an_unknown_key_is_refused_at_every_level(place: Place) -> None:
    assert problems(with_value(place, None)) == [(place, "extra_forbidden")]


@pytest.mark.parametrize(
    "place",
    [
        ("version",),
        ("targets", 0, "account"),
        ("targets", 0, "regions"),
        ("functions", 0, "select", "accounts"),
        ("functions", 0, "select", "regions"),
    ],
    ids=lambda place: ".".join(map(str, place)),
)
def test_what_decides_has_no_default(place: Place) -> None:
    manifest = smallest()
    if "select" in place:
        del manifest["functions"][0]["arn"]
        manifest["functions"][0]["select"] = {"accounts": ["123456789012"], "regions": ["us-east-1"], "prefix": "f"}
    node: Any = manifest
    for key in place[:-1]:
        node = node[key]
    del node[place[-1]]
    assert problems(manifest) == [(place, "missing")]


WRONG_TYPES: dict[str, tuple[Place, object, str]] = {
    "version as text": (("version",), "1", "value_error"),
    "version as a list": (("version",), [1], "value_error"),
    "version as true": (("version",), True, "value_error"),
    "version as 1.0": (("version",), 1.0, "value_error"),
    "payload schema as a number": (("functions", 0, "payload", "schema"), 5, "value_error"),
    "targets as a mapping": (("targets",), {"account": "123456789012"}, "list_type"),
    "account as a number": (("targets", 0, "account"), 123456789012, "string_type"),
    "account as bytes": (("targets", 0, "account"), b"123456789012", "string_type"),
    "regions as text": (("targets", 0, "regions"), "us-east-1", "list_type"),
    "region as null": (("targets", 0, "regions", 0), None, "string_type"),
    "profile as a number": (("targets", 0, "profile"), 1, "string_type"),
    "qualifiers as text": (("functions", 0, "qualifiers"), "live", "list_type"),
    "qualifiers as a tuple": (("functions", 0, "qualifiers"), ("live",), "list_type"),
    "qualifier as a number": (("functions", 0, "qualifiers", 0), 7, "string_type"),
    "qualifier as true": (("functions", 0, "qualifiers", 0), True, "string_type"),
    "invocation types as text": (("functions", 0, "invocation_types"), "Event", "list_type"),
    "max_bytes as text": (("functions", 0, "payload", "max_bytes"), "1024", "int_type"),
    "max_bytes as a float": (("functions", 0, "payload", "max_bytes"), 1024.0, "int_type"),
    "max_bytes as true": (("functions", 0, "payload", "max_bytes"), True, "int_type"),
    "result max_bytes as text": (("functions", 0, "result", "max_bytes"), "1024", "int_type"),
    "timeout as text": (("functions", 0, "timeout_seconds"), "60", "int_type"),
    "timeout as a float": (("functions", 0, "timeout_seconds"), 60.0, "int_type"),
    "attempts as text": (("functions", 0, "max_attempts"), "3", "int_type"),
    "attempts as true": (("functions", 0, "max_attempts"), True, "int_type"),
    "concurrency as text": (("targets", 0, "concurrency"), "8", "int_type"),
    "description as a number": (("functions", 0, "description"), 5, "string_type"),
    "examples as a mapping": (("functions", 0, "examples"), {"a": 1}, "list_type"),
}


@pytest.mark.parametrize(("place", "value", "kind"), WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_a_value_of_another_type_is_not_coerced(place: Place, value: object, kind: str) -> None:
    assert problems(with_value(place, value)) == [(place, kind)]


@pytest.mark.parametrize("schema", [5, True, ["a.json"], b"a.json"], ids=["number", "true", "list", "bytes"])
def test_a_payload_schema_is_a_mapping_or_the_name_of_a_file(schema: object) -> None:
    found = problems(with_value(("functions", 0, "payload", "schema"), schema))
    assert {place[:4] for place, _ in found} == {("functions", 0, "payload", "schema")}


WRONG_VALUES: dict[str, tuple[Place, object]] = {
    "version 0": (("version",), 0),
    "version 2": (("version",), 2),
    "account of 11 digits": (("targets", 0, "account"), "12345678901"),
    "account with dashes": (("targets", 0, "account"), "1234-5678-9012"),
    "no regions": (("targets", 0, "regions"), []),
    "region twice": (("targets", 0, "regions"), ["us-east-1", "eu-west-1", "us-east-1"]),
    "unknown region": (("targets", 0, "regions", 0), "us-east"),
    "pseudo-region": (("targets", 0, "regions", 0), "aws-global"),
    "wildcard region": (("targets", 0, "regions", 0), "*"),
    "empty profile": (("targets", 0, "profile"), ""),
    "endpoint of another scheme": (("targets", 0, "endpoint_url"), "ftp://example.com"),
    "endpoint with a space": (("targets", 0, "endpoint_url"), "http://example.com /"),
    "endpoint with a newline": (("targets", 0, "endpoint_url"), "http://example.com\n"),
    "pattern for every function": (("functions", 0, "arn"), function_arn("*")),
    "no qualifiers": (("functions", 0, "qualifiers"), []),
    "qualifier twice": (("functions", 0, "qualifiers"), ["live", "7", "live"]),
    "wildcard qualifier": (("functions", 0, "qualifiers", 0), "*"),
    "empty qualifier": (("functions", 0, "qualifiers", 0), ""),
    "qualifier with a leading zero": (("functions", 0, "qualifiers", 0), "07"),
    "qualifier of 129": (("functions", 0, "qualifiers", 0), "q" * 129),
    "no invocation types": (("functions", 0, "invocation_types"), []),
    "invocation type twice": (("functions", 0, "invocation_types"), ["Event", "Event"]),
    "DryRun as an invocation type": (("functions", 0, "invocation_types"), ["DryRun"]),
    "invocation type in small letters": (("functions", 0, "invocation_types"), ["event"]),
    "unknown effect": (("functions", 0, "effect"), "READ"),
    "max_bytes of -1": (("functions", 0, "payload", "max_bytes"), -1),
    "max_bytes over 6 MB": (("functions", 0, "payload", "max_bytes"), 6 * 1024 * 1024 + 1),
    "result max_bytes of 255": (("functions", 0, "result", "max_bytes"), 255),
    "result max_bytes over 1 MB": (("functions", 0, "result", "max_bytes"), 1024 * 1024 + 1),
    "timeout of 0": (("functions", 0, "timeout_seconds"), 0),
    "timeout over 91 minutes": (("functions", 0, "timeout_seconds"), 5461),
    "no attempt": (("functions", 0, "max_attempts"), 0),
    "eleven attempts": (("functions", 0, "max_attempts"), 11),
    "unknown invoke mode": (("functions", 0, "invoke_mode"), "STREAM"),
    "concurrency of 0": (("targets", 0, "concurrency"), 0),
    "concurrency of 1025": (("targets", 0, "concurrency"), 1025),
    "description of 1001": (("functions", 0, "description"), "x" * 1001),
    "eleven examples": (("functions", 0, "examples"), [1] * 11),
}


@pytest.mark.parametrize(("place", "value"), WRONG_VALUES.values(), ids=WRONG_VALUES.keys())
def test_a_value_outside_its_bounds_is_refused_at_its_place(place: Place, value: object) -> None:
    assert [found[: len(place)] for found, _ in problems(with_value(place, value))] == [place]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("functions", 0, "payload", "max_bytes"), 0),
        (("functions", 0, "payload", "max_bytes"), 6 * 1024 * 1024),
        (("functions", 0, "result", "max_bytes"), 256),
        (("functions", 0, "result", "max_bytes"), 1024 * 1024),
        (("functions", 0, "timeout_seconds"), 1),
        (("functions", 0, "timeout_seconds"), 5460),
        (("functions", 0, "max_attempts"), 1),
        (("functions", 0, "max_attempts"), 10),
        (("targets", 0, "concurrency"), 1),
        (("targets", 0, "concurrency"), 1024),
        (("functions", 0, "description"), "x" * 1000),
        (("functions", 0, "examples"), [1] * 10),
    ],
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, tuple) else None,
)
def test_the_bounds_themselves_are_allowed(place: Place, value: object) -> None:
    Manifest.model_validate(with_value(place, value))


@pytest.mark.parametrize("values", [["live", "live"], ["a", "b", "a", "b"]])
def test_what_is_listed_twice_is_named(values: Sequence[str]) -> None:
    with pytest.raises(ValidationError, match=f"{', '.join(sorted(set(values)))} listed twice"):
        FunctionRule.model_validate({"arn": function_arn("f"), "qualifiers": values})


def test_a_manifest_cannot_be_changed_after_it_is_read() -> None:
    manifest = Manifest.model_validate(smallest())
    with pytest.raises(ValidationError, match="frozen"):
        manifest.functions[0].effect = "read"
    with pytest.raises(ValidationError, match="frozen"):
        manifest.targets = [Target(account="210987654321", regions=["us-east-1"])]
