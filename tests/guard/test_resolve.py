"""Two spellings of one function give one reference, and what is in doubt gives none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.errors import ArgumentError
from lambda_warden.guard.resolve import resolve
from lambda_warden.model.function_ref import LATEST, PARTITIONS, FunctionRef, is_account, is_name, parse_qualifier
from lambda_warden.model.target import Target
from support.builders import ACCOUNT, NAME, OTHER_ACCOUNT, OTHER_REGION, REGION, function_arn, ref, target
from support.strategies import REGIONS_OF_PARTITIONS, accounts, function_refs, names, places, plain_names, qualifiers

Call = tuple[str, str | None]
"""The arguments `function` and `qualifier`."""

PARTIAL = f"{ACCOUNT}:function:{NAME}"
FULL = function_arn()
ONE_PLACE = [target(ACCOUNT, REGION)]
TWO_REGIONS = [target(ACCOUNT, REGION, OTHER_REGION)]
TWO_ACCOUNTS = [target(ACCOUNT, REGION), target(OTHER_ACCOUNT, REGION)]


def refusal(
    function: str, qualifier: str | None, targets: Sequence[Target], default_region: str | None = None
) -> ArgumentError:
    with pytest.raises(ArgumentError) as caught:
        resolve(function, qualifier, targets, default_region)
    return caught.value


def partial_arn(meant: FunctionRef) -> str:
    return f"{meant.account}:function:{meant.name}"


def calls_with(text: str, qualifier: str) -> list[Call]:
    """Every way to give a qualifier with one spelling of a function."""
    calls: list[Call] = [(f"{text}:{qualifier}", None), (text, qualifier), (f"{text}:{qualifier}", qualifier)]
    return [*calls, (text, None)] if qualifier == LATEST else calls


# Examples


@pytest.mark.parametrize("text", [NAME, PARTIAL, FULL], ids=["name", "partial ARN", "full ARN"])
@pytest.mark.parametrize(
    ("suffix", "qualifier", "meant"),
    [
        ("", None, "$LATEST"),
        ("", "$LATEST", "$LATEST"),
        ("", "live", "live"),
        (":live", None, "live"),
        (":live", "live", "live"),
        (":7", None, "7"),
        (":7", "7", "7"),
        (":$LATEST", None, "$LATEST"),
        (":$LATEST", "$LATEST", "$LATEST"),
        ("", "$LATEST.PUBLISHED", "$LATEST.PUBLISHED"),
    ],
)
def test_every_spelling_means_the_same_function(text: str, suffix: str, qualifier: str | None, meant: str) -> None:
    assert resolve(text + suffix, qualifier, ONE_PLACE) == ref(qualifier=meant)


@pytest.mark.parametrize("text", [NAME, PARTIAL, FULL], ids=["name", "partial ARN", "full ARN"])
@pytest.mark.parametrize(
    ("in_name", "argument"), [("live", "7"), ("7", "live"), ("live", "LIVE"), ("live", "$LATEST"), ("$LATEST", "1")]
)
def test_a_qualifier_that_contradicts_the_one_in_the_name_is_refused(text: str, in_name: str, argument: str) -> None:
    error = refusal(f"{text}:{in_name}", argument, ONE_PLACE)
    assert error.argument == "qualifier"
    assert error.problem == f"{argument!r} contradicts {in_name!r}, which `function` ends in"
    assert error.expected == "the qualifier in one of the two places, or the same in both"


@pytest.mark.parametrize("qualifier", ["", "07", "li ve", "live\n", "live:7", "q" * 129, "$latest"])
def test_a_malformed_qualifier_is_refused_under_its_own_name(qualifier: str) -> None:
    assert refusal(NAME, qualifier, ONE_PLACE).argument == "qualifier"


def test_a_malformed_function_is_refused_under_its_own_name() -> None:
    assert refusal("orders refund", None, ONE_PLACE).argument == "function"
    assert refusal(f"{NAME}:07", "07", ONE_PLACE).argument == "function"


def test_an_account_without_target_is_refused() -> None:
    error = refusal(f"{OTHER_ACCOUNT}:function:{NAME}", None, ONE_PLACE)
    assert error.argument == "function"
    assert error.problem == f"the manifest has no target with account {OTHER_ACCOUNT}"
    assert "list_functions" in error.expected


def test_a_full_arn_needs_no_target() -> None:
    # Whether it may be invoked is for the rules to say.
    arn = function_arn("f", account=OTHER_ACCOUNT, partition="aws-cn", region="cn-north-1")
    meant = ref("f", "live", account=OTHER_ACCOUNT, partition="aws-cn", region="cn-north-1")
    assert resolve(arn, "live", ONE_PLACE, REGION) == meant


@pytest.mark.parametrize("text", [NAME, PARTIAL], ids=["name", "partial ARN"])
def test_a_name_that_could_mean_functions_in_two_regions_is_refused(text: str) -> None:
    error = refusal(text, "live", TWO_REGIONS)
    assert error.argument == "function"
    assert f"{ACCOUNT} in {REGION}, {ACCOUNT} in {OTHER_REGION}" in error.problem
    assert error.expected.startswith("the full ARN")


@pytest.mark.parametrize("region", [REGION, OTHER_REGION])
@pytest.mark.parametrize("text", [NAME, PARTIAL], ids=["name", "partial ARN"])
def test_the_default_region_chooses_among_the_regions_of_the_targets(text: str, region: str) -> None:
    assert resolve(text, "live", TWO_REGIONS, region) == ref(region=region)


@pytest.mark.parametrize("default_region", ["us-west-2", "cn-north-1", "nonsense", ""])
def test_the_default_region_adds_no_region(default_region: str) -> None:
    assert resolve(NAME, "live", ONE_PLACE, default_region) == ref(region=REGION)
    assert refusal(NAME, "live", TWO_REGIONS, default_region).argument == "function"


def test_the_default_region_does_not_change_a_full_arn() -> None:
    assert resolve(FULL, "live", TWO_REGIONS, OTHER_REGION) == ref(region=REGION)


@pytest.mark.parametrize("default_region", [None, REGION])
def test_a_name_that_could_mean_functions_in_two_accounts_is_refused(default_region: str | None) -> None:
    error = refusal(NAME, "live", TWO_ACCOUNTS, default_region)
    assert f"{ACCOUNT} in {REGION}, {OTHER_ACCOUNT} in {REGION}" in error.problem


def test_the_account_of_a_partial_arn_chooses_among_the_accounts_of_the_targets() -> None:
    assert resolve(PARTIAL, "live", TWO_ACCOUNTS) == ref(account=ACCOUNT)
    assert resolve(f"{OTHER_ACCOUNT}:function:{NAME}", "live", TWO_ACCOUNTS) == ref(account=OTHER_ACCOUNT)


def test_one_account_may_be_several_targets() -> None:
    targets = [target(ACCOUNT, REGION), target(ACCOUNT, OTHER_REGION)]
    assert refusal(PARTIAL, "live", targets).argument == "function"
    assert resolve(PARTIAL, "live", targets, OTHER_REGION) == ref(region=OTHER_REGION)


def test_the_places_in_a_refusal_are_five_at_most() -> None:
    regions = [region for found in REGIONS_OF_PARTITIONS.values() for region in found][:7]
    error = refusal(NAME, None, [target(ACCOUNT, *regions)])
    assert [region for region in regions if region in error.problem] == regions[:5]
    assert ", …" in error.problem


@pytest.mark.parametrize(
    ("partition", "region"),
    [(partition, region) for partition, regions in REGIONS_OF_PARTITIONS.items() for region in regions],
)
def test_the_partition_follows_from_the_region_of_the_target(partition: str, region: str) -> None:
    meant = ref(partition=partition, region=region)
    assert resolve(NAME, "live", [target(ACCOUNT, region)]) == meant
    assert resolve(PARTIAL, "live", [target(ACCOUNT, region)]) == meant


# Properties


@st.composite
def refs_and_targets(
    draw: st.DrawFn, names: st.SearchStrategy[str] = names
) -> tuple[FunctionRef, list[Target], str | None]:
    """A reference, targets that hold its place among others, and a default region that does not lead away from it."""
    meant = draw(function_refs(names=names))
    others = draw(st.lists(st.tuples(accounts | st.just(meant.account), places), max_size=3))
    found = {(meant.account, meant.region)} | {(account, region) for account, (_, region) in others}
    targets = [target(account, region) for account, region in draw(st.permutations(sorted(found)))]
    return meant, targets, draw(st.sampled_from([None, meant.region]))


@given(refs_and_targets())
def test_each_spelling_of_a_function_gives_its_reference_or_an_error(
    drawn: tuple[FunctionRef, list[Target], str | None],
) -> None:
    meant, targets, default_region = drawn
    for text in (meant.name, partial_arn(meant)):
        for function, qualifier in calls_with(text, meant.qualifier):
            try:
                found = resolve(function, qualifier, targets, default_region)
            except ArgumentError:
                continue
            assert found == meant


@given(refs_and_targets(names=plain_names))
def test_a_spelling_without_region_resolves_where_one_place_is_left_and_nowhere_else(
    drawn: tuple[FunctionRef, list[Target], str | None],
) -> None:
    meant, targets, default_region = drawn
    every = [(t.account, region) for t in targets for region in t.regions]
    same_account = [place for place in every if place[0] == meant.account]
    for text, open_places in ((meant.name, every), (partial_arn(meant), same_account)):
        left = [place for place in open_places if default_region in (None, place[1])]
        if len(left) == 1:
            assert resolve(text, meant.qualifier, targets, default_region) == meant
        else:
            assert refusal(text, meant.qualifier, targets, default_region).argument == "function"


@given(refs_and_targets())
def test_a_full_arn_always_gives_its_reference(drawn: tuple[FunctionRef, list[Target], str | None]) -> None:
    meant, targets, default_region = drawn
    for function, qualifier in calls_with(meant.function_arn, meant.qualifier):
        assert resolve(function, qualifier, targets, default_region) == meant


@given(function_refs(names=plain_names), st.none() | places.map(lambda place: place[1]))
def test_with_one_place_every_spelling_gives_the_reference(meant: FunctionRef, default_region: str | None) -> None:
    targets = [target(meant.account, meant.region)]
    for text in (meant.name, partial_arn(meant), meant.function_arn):
        for function, qualifier in calls_with(text, meant.qualifier):
            assert resolve(function, qualifier, targets, default_region) == meant


@given(function_refs())
def test_with_one_place_every_arn_gives_the_reference_whatever_the_name(meant: FunctionRef) -> None:
    targets = [target(meant.account, meant.region)]
    for text in (partial_arn(meant), meant.function_arn):
        for function, qualifier in calls_with(text, meant.qualifier):
            assert resolve(function, qualifier, targets) == meant


@given(refs_and_targets(), qualifiers)
def test_a_qualifier_in_the_name_is_never_overruled(
    drawn: tuple[FunctionRef, list[Target], str | None], other: str
) -> None:
    meant, targets, default_region = drawn
    for text in (meant.name, partial_arn(meant), meant.function_arn):
        try:
            found = resolve(f"{text}:{meant.qualifier}", other, targets, default_region)
        except ArgumentError:
            continue
        assert (found, other) == (meant, meant.qualifier)


def assert_derived(found: FunctionRef, function: str, qualifier: str | None, targets: Sequence[Target]) -> None:
    """The input is one of the spellings of what was found, and what it leaves open stands in the targets."""
    assert is_name(found.name)
    assert is_account(found.account)
    assert PARTITIONS[found.partition].fullmatch(found.region)
    assert parse_qualifier(found.qualifier) == found.qualifier
    assert qualifier in (None, found.qualifier)
    full = {found.function_arn, found.qualified_arn}
    short = {text + end for text in (found.name, partial_arn(found)) for end in ("", f":{found.qualifier}")}
    assert function in full | short
    if function in short:
        assert (found.account, found.region) in {(t.account, region) for t in targets for region in t.regions}
    if qualifier is None and not function.endswith(f":{found.qualifier}"):
        assert found.qualifier == LATEST


@given(
    function=st.text() | st.text("arn:aws-lmbdfucti1234567890$LATEST\n *", max_size=80),
    qualifier=st.none() | st.text() | qualifiers,
    targets=st.lists(st.builds(target, accounts, places.map(lambda place: place[1])), max_size=3),
    default_region=st.none() | st.text() | places.map(lambda place: place[1]),
)
def test_arbitrary_text_is_refused_or_is_a_spelling_of_what_it_gives(
    function: str, qualifier: str | None, targets: list[Target], default_region: str | None
) -> None:
    try:
        found = resolve(function, qualifier, targets, default_region)
    except ArgumentError:
        return
    assert_derived(found, function, qualifier, targets)


EDITS = ["", *":*$ \n\t\x00/.-_0a", ":function:", "arn:", "aws", "ARN", "\u00e9", "\u0661"]


@st.composite
def almost_spellings(draw: st.DrawFn) -> tuple[str, FunctionRef]:
    """A spelling of a reference with one to three edits, and the reference."""
    meant = draw(function_refs())
    text = draw(st.sampled_from([meant.name, partial_arn(meant), meant.function_arn]))
    text += draw(st.sampled_from(["", f":{meant.qualifier}"]))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 2))
        put = draw(st.sampled_from(EDITS))
        text = text[:at] + put + text[at + cut :]
    return text, meant


@given(almost_spellings(), st.none() | qualifiers)
def test_almost_a_spelling_is_refused_or_is_a_spelling_of_what_it_gives(
    almost: tuple[str, FunctionRef], qualifier: str | None
) -> None:
    function, meant = almost
    targets = [target(meant.account, meant.region)]
    try:
        found = resolve(function, qualifier, targets)
    except ArgumentError:
        return
    assert_derived(found, function, qualifier, targets)


def test_a_name_that_only_one_rule_fits_is_refused_with_that_rule_s_arn() -> None:
    for known, expected in (
        ([FULL, function_arn("other")], f"Expected {FULL}."),
        ([FULL, function_arn(region=OTHER_REGION)], "Expected the full ARN"),
        ([], "Expected the full ARN"),
    ):
        with pytest.raises(ArgumentError, match=re.escape(expected)):
            resolve(NAME, None, TWO_REGIONS, known=partial(list, known))
