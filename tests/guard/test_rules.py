"""Which rules speak of a function: exact ones before patterns, and never two for one qualifier."""

from __future__ import annotations

import pytest
from hypothesis import given

from lambda_warden.guard.payload_schema import PayloadSchema
from lambda_warden.guard.rules import Rule, RuleConflictError, Rules
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.manifest import FunctionRule, parse_rule_arn
from support.builders import OTHER_ACCOUNT, OTHER_REGION, function_arn, ref, rule, rules, target
from support.strategies import function_refs


def names_of(found: list[Rule]) -> list[str]:
    return [each.arn.name for each in found]


def standing_at(source: str, spec: FunctionRule) -> Rule:
    return Rule(spec, parse_rule_arn(spec.arn), source)


def test_a_function_that_no_rule_names_has_no_rules() -> None:
    assert rules(rule("orders-refund")).for_function(ref("orders-lookup")) == []


@given(function_refs())
def test_a_function_is_found_by_its_own_arn(meant: FunctionRef) -> None:
    spec = rule(meant.name, partition=meant.partition, region=meant.region, account=meant.account)
    (found,) = rules(rule("unrelated-name-*"), spec).for_function(meant)
    assert found.spec is spec


@given(function_refs())
def test_a_function_is_found_by_a_pattern_of_its_own_place(meant: FunctionRef) -> None:
    spec = rule(f"{meant.name[:32]}*", partition=meant.partition, region=meant.region, account=meant.account)
    (found,) = rules(rule("unrelated-name"), spec).for_function(meant)
    assert found.spec is spec


def test_a_pattern_matches_a_name_whole() -> None:
    found = rules(rule("*-daily"))
    assert names_of(found.for_function(ref("report-daily"))) == ["*-daily"]
    assert found.for_function(ref("report-daily-2")) == []


def test_the_qualifier_does_not_choose_the_rules() -> None:
    both = rules(rule("f", qualifiers=["live"]), rule("f", qualifiers=["7"]))
    for qualifier in ("live", "7", "other"):
        assert [r.spec.qualifiers for r in both.for_function(ref("f", qualifier))] == [["live"], ["7"]]


def test_every_pattern_that_matches_is_found_in_the_order_of_the_manifest() -> None:
    found = rules(rule("*-daily"), rule("sales-*"), rule("report-*")).for_function(ref("report-daily"))
    assert names_of(found) == ["*-daily", "report-*"]


def test_where_a_rule_names_the_function_no_pattern_is_looked_at() -> None:
    mixed = rules(rule("report-*", qualifiers=["live", "7"]), rule("report-daily", qualifiers=["7"]))
    assert names_of(mixed.for_function(ref("report-daily"))) == ["report-daily"]
    assert names_of(mixed.for_function(ref("report-weekly"))) == ["report-*"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        ref("report-a", region=OTHER_REGION),
        ref("report-a", account=OTHER_ACCOUNT),
        ref("report-a", partition="aws-cn"),
        ref("report-a", partition="aws-us-gov", region="us-gov-east-1"),
    ],
    ids=["region", "account", "partition", "partition and region"],
)
@pytest.mark.parametrize("name", ["report-*", "report-a"], ids=["pattern", "exact"])
def test_a_rule_speaks_of_its_own_partition_region_and_account_alone(name: str, elsewhere: FunctionRef) -> None:
    assert rules(rule(name)).for_function(elsewhere) == []


def test_a_rule_speaks_of_names_in_its_own_spelling_alone() -> None:
    found = rules(rule("report-*"), rule("Orders"))
    assert found.for_function(ref("Report-a")) == []
    assert found.for_function(ref("orders")) == []


@pytest.mark.parametrize("name", ["orders-refund", "orders-*"], ids=["exact", "pattern"])
def test_two_rules_with_one_arn_and_a_common_qualifier_are_refused(name: str) -> None:
    first = standing_at("m.yaml:6", rule(name, qualifiers=["live", "7", "8"]))
    second = standing_at("m.yaml:9", rule(name, qualifiers=["9", "8", "live"]))
    with pytest.raises(RuleConflictError) as caught:
        Rules([first, standing_at("m.yaml:8", rule("other")), second], [target()])
    error = caught.value
    assert (error.first, error.second) == (first, second)
    assert error.qualifiers == ["8", "live"]
    assert all(part in str(error) for part in ("m.yaml:6", "m.yaml:9", "8, live", function_arn(name)))


def test_rules_with_one_arn_and_different_qualifiers_stand_side_by_side() -> None:
    assert len(rules(rule("f", qualifiers=["live"]), rule("f", qualifiers=["7"])).all) == 2


def test_one_name_in_two_places_is_no_conflict() -> None:
    assert len(rules(rule("f"), rule("f", region=OTHER_REGION), rule("f", account=OTHER_ACCOUNT)).all) == 3


def test_patterns_that_overlap_are_no_conflict_until_a_function_is_asked_for() -> None:
    assert names_of(rules(rule("a*"), rule("*a")).for_function(ref("aa"))) == ["a*", "*a"]


def test_names_exactly_tells_a_rule_for_the_function_from_a_pattern() -> None:
    found = rules(rule("report-daily"), rule("report-*"))
    assert found.names_exactly(function_arn("report-daily"))
    assert not found.names_exactly(function_arn("report-weekly"))
    assert not found.names_exactly(function_arn("report-*"))
    assert not found.names_exactly(function_arn("report-daily", region=OTHER_REGION))


def test_asking_for_a_function_does_not_make_it_one_that_a_rule_names() -> None:
    found = rules(rule("report-*"))
    found.for_function(ref("report-daily"))
    assert not found.names_exactly(function_arn("report-daily"))


def test_rules_keep_their_order_and_their_targets() -> None:
    targets = [target(), target(OTHER_ACCOUNT)]
    found = rules(rule("b"), rule("a-*"), rule("a"), targets=targets)
    assert names_of(list(found.all)) == ["b", "a-*", "a"]
    assert found.targets == tuple(targets)


def test_rules_that_stand_in_no_file_carry_their_index_and_their_own_schema() -> None:
    schema = {"type": "object"}
    bare, checked = rules(rule("a"), rule("b", payload={"schema": schema})).all
    assert (bare.source, checked.source) == ("functions[0]", "functions[1]")
    assert bare.schema is None
    assert isinstance(checked.schema, PayloadSchema)
    assert checked.schema.schema == schema


@pytest.mark.parametrize("pattern", ["a*" * 31 + "b", "*" * 63 + "b", "a*" * 15 + "a" * 30 + "*b"])
def test_no_name_makes_a_pattern_take_long(pattern: str) -> None:
    """A backtracking match of these would not end in a lifetime."""
    assert rules(rule(pattern)).for_function(ref("a" * 64)) == []
    assert names_of(rules(rule(pattern)).for_function(ref("a" * 62 + "ab"))) == [pattern]
