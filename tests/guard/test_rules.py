"""Which rules speak of a function: exact ones before patterns, and never two for one qualifier."""

from __future__ import annotations

import fnmatch
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.guard.payload_schema import PayloadSchema
from lambda_warden.guard.rules import Deny, Rule, RuleConflictError, Rules
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.manifest import DenyRule
from lambda_warden.model.rule_arn import parse_deny_arn, parse_rule_arn
from support.builders import ACCOUNT, OTHER_ACCOUNT, OTHER_REGION, REGION, function_arn, ref, rule, rules, target
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
    specs = [rule("*-daily"), rule("sales*s"), rule("report-*", qualifiers=["7"]), rule("*a*", qualifiers=["8"])]
    found = rules(*specs).for_function(ref("report-daily"))
    assert names_of(found) == ["*-daily", "report-*", "*a*"]


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


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        ("report-*", "*-daily", "report-daily"),
        ("a*", "*a", "a"),
        ("report-*", "report-daily-*", "report-daily-"),
        ("*a*b", "a*b*", "ab"),
        ("a*c", "ab*bc", "abbc"),
    ],
)
def test_two_patterns_that_match_a_common_name_and_share_a_qualifier_are_refused(
    first: str, second: str, common: str
) -> None:
    for one, other in ((first, second), (second, first)):
        standing = [
            standing_at("a.yaml:6", rule(one, qualifiers=["8", "live", "7"])),
            standing_at("a.yaml:7", rule("unrelated-*", qualifiers=["7"], region=OTHER_REGION)),
            standing_at("b.yaml:2", rule(other, qualifiers=["9", "7", "8"])),
        ]
        with pytest.raises(RuleConflictError) as caught:
            Rules(standing, [target()])
        error = caught.value
        assert (error.first, error.second) == (standing[0], standing[2])
        assert (error.qualifiers, error.name) == (["7", "8"], common)
        assert all(part in str(error) for part in ("a.yaml:6", "b.yaml:2", one, other, "7, 8", common))


def test_two_patterns_are_refused_also_where_each_common_name_has_a_rule_of_its_own() -> None:
    with pytest.raises(RuleConflictError):
        rules(rule("a*"), rule("*" + "b" * 63), rule("a" + "b" * 63))


def test_patterns_that_share_no_qualifier_or_no_place_or_no_name_stand_side_by_side() -> None:
    for side_by_side in (
        [rule("a*", qualifiers=["live"]), rule("*a", qualifiers=["7"])],
        [rule("a*"), rule("*a", region=OTHER_REGION), rule("*a", account=OTHER_ACCOUNT)],
        [rule("a*"), rule("*a", partition="aws-cn", region="cn-north-1")],
        [rule("a*x"), rule("*y"), rule("b*z"), rule("bc")],
    ):
        assert [each.spec for each in rules(*side_by_side).all] == side_by_side


def test_a_name_that_two_patterns_would_share_beyond_the_longest_is_none() -> None:
    assert len(rules(rule("a" * 40 + "*"), rule("*" + "b" * 40)).all) == 2
    with pytest.raises(RuleConflictError) as caught:
        rules(rule("a" * 40 + "*"), rule("*" + "b" * 24))
    assert caught.value.name == "a" * 40 + "b" * 24


few_names = st.text("ab", min_size=1, max_size=5)
patterns = st.text("ab*", min_size=2, max_size=5).filter(lambda text: "*" in text and text.strip("*") != "")


@given(st.lists(few_names | patterns, max_size=12), few_names)
def test_the_rules_of_a_function_are_those_that_a_naive_scan_finds(written: list[str], name: str) -> None:
    """Each has a qualifier of its own, so that none is in conflict."""
    found = rules(*(rule(each, qualifiers=[str(number)]) for number, each in enumerate(written, 1)))
    exact = [each for each in written if each == name]
    matching = [each for each in written if fnmatch.fnmatchcase(name, each)]
    assert names_of(found.for_function(ref(name))) == (exact or matching)
    assert names_of(found.patterns_for(ref(name))) == [each for each in matching if "*" in each]


@given(st.lists(patterns, max_size=4))
def test_patterns_are_refused_exactly_when_two_match_a_common_name(written: list[str]) -> None:
    names = ["".join(letters) for length in range(1, 11) for letters in itertools.product("ab", repeat=length)]
    matched = [{name for name in names if fnmatch.fnmatchcase(name, each)} for each in written]
    overlapping = any(one & other for one, other in itertools.combinations(matched, 2))
    if not overlapping:
        assert names_of(list(rules(*map(rule, written)).all)) == written
        return
    with pytest.raises(RuleConflictError) as caught:
        rules(*map(rule, written))
    first, second = caught.value.first.arn.name, caught.value.second.arn.name
    assert all(fnmatch.fnmatchcase(caught.value.name, pattern) for pattern in (first, second))


def denying(arn: str, *qualifiers: str) -> Deny:
    spec = DenyRule(arn=arn, qualifiers=list(qualifiers) or None)
    return Deny(spec, parse_deny_arn(arn), "")


@st.composite
def denies(draw: st.DrawFn) -> Deny:
    partition, region = draw(st.sampled_from(["*", "aws"])), draw(st.sampled_from(["*", REGION, OTHER_REGION]))
    account, name = draw(st.sampled_from(["*", ACCOUNT, OTHER_ACCOUNT])), draw(few_names | patterns | st.just("*"))
    qualifiers = draw(st.lists(st.sampled_from(["live", "7"]), unique=True))
    return denying(function_arn(name, region=region, account=account, partition=partition), *qualifiers)


@given(st.lists(denies(), max_size=8), few_names, st.sampled_from([REGION, OTHER_REGION]))
def test_the_denial_of_a_function_is_the_first_that_a_naive_scan_finds(
    written: list[Deny], name: str, region: str
) -> None:
    asked = ref(name, region=region)
    found = Rules([], [target()], written).denial_of(asked)
    naive = (
        deny
        for deny in written
        if fnmatch.fnmatchcase(asked.function_arn, deny.spec.arn) and "live" in (deny.spec.qualifiers or ["live"])
    )
    assert found is next(naive, None)


def test_a_deny_entry_stands_first_whether_it_names_the_function_or_a_family() -> None:
    exact, wide = denying(function_arn("f")), denying(function_arn("*"))
    assert Rules([], [target()], [exact, wide]).denial_of(ref("f")) is exact
    assert Rules([], [target()], [wide, exact]).denial_of(ref("f")) is wide
    assert Rules([], [target()], [denying(function_arn("f"), "7"), wide]).denial_of(ref("f")) is wide
    assert Rules([], [target()], [exact]).denial_of(ref("g")) is None


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


@pytest.mark.parametrize("pattern", ["a*" * 31 + "b", "a*" * 31 + "b*", "*" * 63 + "b", "a*" * 15 + "a" * 30 + "*b"])
def test_no_name_makes_a_pattern_take_long(pattern: str) -> None:
    """A backtracking match of these would not end in a lifetime."""
    assert rules(rule(pattern)).for_function(ref("a" * 64)) == []
    assert names_of(rules(rule(pattern)).for_function(ref("a" * 62 + "ab"))) == [pattern]


def test_what_a_reload_changes_is_told_of_rules_their_schemas_and_denials() -> None:
    def of(names: dict[str, str | None], *denied: str) -> Rules:
        found = [
            Rule(spec, parse_rule_arn(spec.arn), name, PayloadSchema({"type": kind}) if kind else None)
            for name, kind in names.items()
            for spec in [rule(name)]
        ]
        denies = [Deny(DenyRule(arn=arn), parse_deny_arn(arn), arn) for arn in map(function_arn, denied)]
        return Rules(found, [target()], denies)

    before = of({"kept": "object", "schema": "object", "gone": None}, "x", "y")
    changes = of({"kept": "object", "schema": "array", "new": None}, "y", "z").changes_from(before)
    assert changes == {
        "added": f"{function_arn('new')} (live)",
        "removed": f"{function_arn('gone')} (live)",
        "changed": f"{function_arn('schema')} (live)",
        "denied": function_arn("z"),
        "no_longer_denied": function_arn("x"),
    }
    assert set(before.changes_from(before).values()) == {None}
