"""Patterns of names: found by their ends, and compared with one another, as a naive reading would have it."""

from __future__ import annotations

import fnmatch
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.guard.name_pattern import NamePatterns, common_name, first_overlap
from lambda_warden.model.rule_arn import RuleArn

patterns = st.text("ab*", min_size=1, max_size=5)
names = st.text("ab", min_size=1, max_size=8)
# Two patterns of five characters that match a common name match one of at most ten.
EVERY_NAME = ["".join(letters) for length in range(1, 11) for letters in itertools.product("ab", repeat=length)]


def matched_by(pattern: str) -> set[str]:
    regex = re.compile(fnmatch.translate(pattern))
    return {name for name in EVERY_NAME if regex.match(name)}


def arn(name: str) -> RuleArn:
    return RuleArn("aws", "us-east-1", "123456789012", name)


@given(patterns, patterns)
def test_two_patterns_have_a_common_name_exactly_when_some_name_matches_both(first: str, second: str) -> None:
    both = matched_by(first) & matched_by(second)
    name = common_name(first, second)
    assert (name is not None) is bool(both)
    if name is not None:
        assert name in both
        assert len(name) == min(map(len, both))


@pytest.mark.parametrize(
    ("first", "second", "length"),
    [
        ("a" * 63 + "*", "*" + "b" * 63, None),
        ("a" * 32 + "*", "*" + "b" * 32, 64),
        ("a" * 32 + "*", "*" + "b" * 33, None),
        ("a" * 40 + "*", "*" + "a" * 40, 40),
        ("*x*y*", "*y*x*", 3),
        ("*", "*", 1),
        ("Report-*", "report-*", None),
        ("a*b_c", "a*b-c", None),
        ("f", "f", 1),
        ("f", "g", None),
    ],
)
def test_a_common_name_is_as_short_as_can_be_and_never_longer_than_a_name_may_be(
    first: str, second: str, length: int | None
) -> None:
    for name in (common_name(first, second), common_name(second, first)):
        assert (name and len(name)) == length
        if name is not None:
            assert fnmatch.fnmatchcase(name, first)
            assert fnmatch.fnmatchcase(name, second)


@given(st.lists(patterns, max_size=6))
def test_the_first_overlap_is_one_of_those_that_a_naive_comparison_finds(written: list[str]) -> None:
    naive = {
        (i, j)
        for (i, one), (j, other) in itertools.combinations(enumerate(written), 2)
        if matched_by(one) & matched_by(other)
    }
    found = first_overlap((pattern, number) for number, pattern in enumerate(written))
    assert (found is None) is (not naive)
    if found is not None:
        assert found[:2] in naive
        assert all(found[2] in matched_by(written[number]) for number in found[:2])


@given(st.lists(patterns, max_size=12), names)
def test_the_patterns_of_a_name_are_those_that_a_naive_scan_finds(written: list[str], name: str) -> None:
    index = NamePatterns[int]()
    for number, pattern in enumerate(written):
        index.add(arn(pattern), number)
    assert index.matching(name) == [i for i, pattern in enumerate(written) if fnmatch.fnmatchcase(name, pattern)]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("ab*bc", "abc"), ("*-daily", "-dail"), ("a*", "ba"), ("a*", ""), ("a*", "a\n"), ("a*", "a:b"), ("a*", "a.b")],
)
def test_what_has_the_ends_of_a_pattern_may_still_not_match(pattern: str, name: str) -> None:
    index = NamePatterns[str]()
    index.add(arn(pattern), pattern)
    assert index.matching(name) == []


def test_a_look_up_looks_at_no_pattern_whose_ends_the_name_does_not_have() -> None:
    looked_at: list[str] = []

    class Watched(RuleArn):
        def name_regex(self) -> re.Pattern[str]:
            looked_at.append(self.name)
            return super().name_regex()

    index = NamePatterns[str]()
    for number in range(1000):
        for pattern in (f"team-{number}-*", f"*-{number}-x", f"team-{number}-*-x"):
            index.add(Watched("aws", "us-east-1", "123456789012", pattern), pattern)
    assert index.matching("team-7-a") == ["team-7-*"]
    assert index.matching("team-7-8-x") == ["team-7-*", "team-7-*-x", "*-8-x"]
    assert sorted(looked_at) == ["*-8-x", "team-7-*", "team-7-*-x"]
