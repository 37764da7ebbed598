"""What may be written for a function, what it means, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import botocore.loaders
import pytest
from hypothesis import given

from lambda_warden.errors import ArgumentError, shown
from lambda_warden.model.function_ref import (
    PARTITIONS,
    FunctionRef,
    FunctionSpelling,
    is_account,
    is_name,
    parse_function,
    parse_qualifier,
    partition_of,
)
from support.builders import function_arn
from support.strategies import REGIONS_OF_PARTITIONS, function_refs

ARN = function_arn("orders-refund")
TWELVE_DIGITS = "123456789012"

SPELLINGS = {
    "name": ("orders-refund", FunctionSpelling("orders-refund")),
    "partial ARN": (
        "123456789012:function:orders-refund",
        FunctionSpelling("orders-refund", account="123456789012"),
    ),
    "full ARN": (ARN, FunctionSpelling("orders-refund", "aws", "us-east-1", "123456789012")),
}
QUALIFIERS = {
    "alias": "live",
    "alias that starts with a digit": "2026-rc",
    "version": "7",
    "version of many digits": "9" * 128,
    "latest": "$LATEST",
    "published latest": "$LATEST.PUBLISHED",
}


def botocore_partitions() -> list[dict[str, Any]]:
    data = botocore.loaders.Loader().load_data("partitions")
    partitions: list[dict[str, Any]] = data["partitions"]
    return partitions


def refusal(text: str, argument: str = "function") -> ArgumentError:
    with pytest.raises(ArgumentError) as caught:
        parse_function(text, argument)
    return caught.value


@pytest.mark.parametrize(("text", "spelling"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_an_unqualified_spelling_says_what_it_says_and_leaves_the_rest_open(
    text: str, spelling: FunctionSpelling
) -> None:
    assert parse_function(text) == spelling


@pytest.mark.parametrize("qualifier", QUALIFIERS.values(), ids=QUALIFIERS.keys())
@pytest.mark.parametrize(("text", "spelling"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_spelling_may_end_in_a_qualifier(text: str, spelling: FunctionSpelling, qualifier: str) -> None:
    expected = FunctionSpelling(spelling.name, spelling.partition, spelling.region, spelling.account, qualifier)
    assert parse_function(f"{text}:{qualifier}") == expected


@pytest.mark.parametrize(
    ("partition", "region"),
    [(partition, region) for partition, regions in REGIONS_OF_PARTITIONS.items() for region in regions],
)
def test_a_full_arn_may_be_of_any_partition(partition: str, region: str) -> None:
    spelling = parse_function(f"arn:{partition}:lambda:{region}:000000000000:function:f:live")
    assert spelling == FunctionSpelling("f", partition, region, "000000000000", "live")


@pytest.mark.parametrize(
    "name",
    ["f", "A_b-9", "_", "-", "7", TWELVE_DIGITS, "function", "x" * 64],
    ids=["one letter", "all kinds", "underscore", "hyphen", "digit", "twelve digits", "'function'", "64 characters"],
)
def test_a_name_is_read_as_it_stands(name: str) -> None:
    assert parse_function(name) == FunctionSpelling(name)


@pytest.mark.parametrize("name", ["function", TWELVE_DIGITS, "arn", "ARN"])
def test_a_name_that_means_something_else_in_front_is_read_where_nothing_is_in_doubt(name: str) -> None:
    assert parse_function(f"123456789012:function:{name}:live").name == name
    assert parse_function(f"{function_arn(name)}:live").name == name


def test_the_alias_named_function_is_an_alias() -> None:
    assert parse_function("orders-refund:function") == FunctionSpelling("orders-refund", qualifier="function")


FORMS = "a function name (orders-refund), a partial ARN (123456789012:function:orders-refund) or a full ARN (arn:aws:"
NAME_CHARACTERS = "a character that no function name has"
TWO_WAYS = "can be read in two ways"
QUALIFIER_FORMS = "an alias (live), a version number (7) or $LATEST"

REFUSED: dict[str, tuple[str, str, str]] = {
    # Names
    "empty": ("", "'' is not a function name", FORMS),
    "dot in the name": ("orders.refund", "'orders.refund' is not a function name", FORMS),
    "slash in the name": ("orders/refund", "is not a function name", FORMS),
    "wildcard in the name": ("orders-*", "is not a function name", FORMS),
    "only a qualifier": (":live", "'' is not a function name", FORMS),
    "latest alone": ("$LATEST", "is not a function name", FORMS),
    "name of 65": ("x" * 65, "the function name is 65 characters long", "at most 64 characters"),
    "name of 65 in a partial ARN": (
        f"123456789012:function:{'x' * 65}",
        "the function name is 65 characters long",
        "at most 64 characters",
    ),
    "name of 65 in a full ARN": (
        function_arn("x" * 65),
        "the function name is 65 characters long",
        "at most 64 characters",
    ),
    "text of 257": ("x" * 257, "is 257 characters long", "at most 256 characters"),
    # Characters
    "space in front": (" orders-refund", NAME_CHARACTERS, FORMS),
    "space behind": ("orders-refund ", NAME_CHARACTERS, FORMS),
    "newline behind": ("orders-refund\n", NAME_CHARACTERS, FORMS),
    "newline behind a qualifier": ("orders-refund:live\n", NAME_CHARACTERS, FORMS),
    "newline behind an ARN": (f"{ARN}\n", NAME_CHARACTERS, FORMS),
    "tab within": ("orders\trefund", NAME_CHARACTERS, FORMS),
    "NUL": ("orders\x00refund", NAME_CHARACTERS, FORMS),
    "escape": ("orders\x1b[0m", NAME_CHARACTERS, FORMS),
    "delete": ("orders\x7f", NAME_CHARACTERS, FORMS),
    "no-break space": ("orders\xa0refund", NAME_CHARACTERS, FORMS),
    "zero-width space": ("orders\u200brefund", NAME_CHARACTERS, FORMS),
    "accented letter": ("naïve", NAME_CHARACTERS, FORMS),
    "Cyrillic letter that looks Latin": ("\u043erders-refund", NAME_CHARACTERS, FORMS),
    "full-width letter": ("\uff4frders-refund", NAME_CHARACTERS, FORMS),
    "Arabic digits for an account": ("\u0661" * 12 + ":function:f", NAME_CHARACTERS, FORMS),
    "lone surrogate": ("orders\ud800", NAME_CHARACTERS, FORMS),
    # In doubt
    "function:NAME": ("function:orders-refund", TWO_WAYS, FORMS),
    "ACCOUNT:NAME": ("123456789012:orders-refund", TWO_WAYS, FORMS),
    "ACCOUNT:VERSION": ("123456789012:7", TWO_WAYS, FORMS),
    "ACCOUNT:function": ("123456789012:function", TWO_WAYS, FORMS),
    # Partial ARNs
    "function:NAME:ALIAS": ("function:orders-refund:live", "is in none of the formats", FORMS),
    "account of 11 digits": ("12345678901:function:f", "'12345678901' is not an AWS account id", "12 digits"),
    "account of 13 digits": ("1234567890123:function:f", "is not an AWS account id", "12 digits"),
    "account with a letter": ("12345678901a:function:f", "is not an AWS account id", "12 digits"),
    "no account": (":function:f", "'' is not an AWS account id", "12 digits"),
    "partial ARN without a name": ("123456789012:function:", "'' is not a function name", FORMS),
    "partial ARN of a layer": ("123456789012:layer:f", "is in none of the formats", FORMS),
    "partial ARN in capitals": ("123456789012:FUNCTION:f", "is in none of the formats", FORMS),
    "partial ARN with a part too many": ("123456789012:function:f:live:7", "is in none of the formats", FORMS),
    "two qualifiers": ("orders-refund:live:7", "is in none of the formats", FORMS),
    "region in front of a partial ARN": ("us-east-1:123456789012:function:f", "is in none of the formats", FORMS),
    # Qualifiers
    "empty qualifier": ("orders-refund:", "'' is not a qualifier", QUALIFIER_FORMS),
    "empty qualifier of an ARN": (f"{ARN}:", "'' is not a qualifier", QUALIFIER_FORMS),
    "latest in small letters": ("orders-refund:$latest", "'$latest' is not a qualifier", QUALIFIER_FORMS),
    "latest without dollar, dotted": ("f:LATEST.PUBLISHED", "is not a qualifier", QUALIFIER_FORMS),
    "latest with a tail": ("f:$LATEST.X", "is not a qualifier", QUALIFIER_FORMS),
    "wildcard for a qualifier": ("f:*", "'*' is not a qualifier", QUALIFIER_FORMS),
    "version with a leading zero": ("f:07", "'07' is not how a version is written", "without leading zeros"),
    "version zero": ("f:0", "'0' is not how a version is written", "without leading zeros"),
    "version with a leading zero in an ARN": (f"{ARN}:07", "'07' is not how", "without leading zeros"),
    "negative version with a dot": ("f:-1.0", "'-1.0' is not a qualifier", QUALIFIER_FORMS),
    "qualifier of 129": (f"f:{'q' * 129}", "is 129 characters long", "at most 128 characters"),
    # Full ARNs
    "ARN prefix in capitals": (ARN.replace("arn:", "ARN:"), "is a malformed ARN", FORMS),
    "ARN prefix in mixed case": (ARN.replace("arn:", "Arn:"), "is a malformed ARN", FORMS),
    "ARN cut off after the partition": ("arn:aws", "is a malformed ARN", FORMS),
    "ARN cut off after the account": ("arn:aws:lambda:us-east-1:123456789012", "is a malformed ARN", FORMS),
    "ARN without a name": (
        "arn:aws:lambda:us-east-1:123456789012:function",
        "is not the ARN of a function",
        ":function:NAME",
    ),
    "ARN with an empty name": (function_arn(""), "'' is not a function name", FORMS),
    "ARN with a wildcard name": (function_arn("orders-*"), "'orders-*' is not a function name", FORMS),
    "ARN with a part too many": (f"{ARN}:live:7", "is not the ARN of a function", ":function:NAME[:QUALIFIER]"),
    "ARN of a layer": (
        "arn:aws:lambda:us-east-1:123456789012:layer:f",
        "is the ARN of a layer",
        "function:NAME[:QUALIFIER]",
    ),
    "ARN of a web function": (
        "arn:aws:lambda:us-east-1:123456789012:web-function/orders",
        "is the ARN of a web function, which answers HTTP requests at its own endpoint",
        "function:NAME[:QUALIFIER]",
    ),
    "ARN of a web function's revision": (
        "arn:aws:lambda:us-east-1:123456789012:web-function/orders/revision/7",
        "is the ARN of a web function",
        "function:NAME[:QUALIFIER]",
    ),
    "ARN of a MicroVM": (
        "arn:aws:lambda:us-east-1:123456789012:microvm:mvm-1",
        "is the ARN of a MicroVM, which is run",
        "function:NAME[:QUALIFIER]",
    ),
    "ARN of an image of MicroVMs": (
        "arn:aws:lambda:us-east-1:123456789012:microvm-image:orders:1",
        "is the ARN of an image of MicroVMs",
        "function:NAME[:QUALIFIER]",
    ),
    "ARN of AWS's own image of MicroVMs": (
        "arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1",
        "is the ARN of an image of MicroVMs",
        "function:NAME[:QUALIFIER]",
    ),
    "ARN of a capacity provider": (
        "arn:aws:lambda:us-east-1:123456789012:capacity-provider:f",
        "is the ARN of a capacity provider",
        "function:NAME[:QUALIFIER]",
    ),
    "ARN of a durable execution": (
        "arn:aws:lambda:us-east-1:123456789012:function:f:7/durable-execution/order-1/0192f",
        "is the ARN of a durable execution, which read_result follows",
        "function:NAME[:QUALIFIER]",
    ),
    "ARN with a slash for a colon": (
        "arn:aws:lambda:us-east-1:123456789012:function/f",
        "is not the ARN of a function",
        ":function:NAME[:QUALIFIER]",
    ),
    "ARN of another service": (
        "arn:aws:s3:us-east-1:123456789012:function:f",
        "the ARN is of the service 's3'",
        "an ARN of the service 'lambda'",
    ),
    "service in capitals": (
        "arn:aws:Lambda:us-east-1:123456789012:function:f",
        "the ARN is of the service 'Lambda'",
        "an ARN of the service 'lambda'",
    ),
    "unknown partition": (
        function_arn("f", partition="aws-mars"),
        "unknown partition 'aws-mars'",
        "one of aws, aws-cn, aws-eusc, aws-iso, aws-iso-b, aws-iso-e, aws-iso-f, aws-us-gov",
    ),
    "partition in capitals": (function_arn("f", partition="AWS"), "unknown partition 'AWS'", "one of aws, aws-cn"),
    "no partition": (function_arn("f", partition=""), "unknown partition ''", "one of aws, aws-cn"),
    "region that is none": (
        function_arn("f", region="us-east"),
        "unknown region 'us-east' in partition 'aws'",
        "a region of that partition",
    ),
    "no region": (function_arn("f", region=""), "unknown region ''", "a region of that partition"),
    "region in capitals": (function_arn("f", region="US-EAST-1"), "unknown region 'US-EAST-1'", "a region of"),
    "region with a zone": (function_arn("f", region="us-east-1a"), "unknown region 'us-east-1a'", "a region of"),
    "wildcard for a region": (function_arn("f", region="*"), "unknown region '*'", "a region of that partition"),
    "GovCloud region in the commercial partition": (
        function_arn("f", region="us-gov-west-1"),
        "unknown region 'us-gov-west-1' in partition 'aws'",
        "a region of that partition",
    ),
    "commercial region in GovCloud": (
        function_arn("f", partition="aws-us-gov"),
        "unknown region 'us-east-1' in partition 'aws-us-gov'",
        "a region of that partition",
    ),
    "commercial region in China": (
        function_arn("f", partition="aws-cn", region="ap-east-1"),
        "unknown region 'ap-east-1' in partition 'aws-cn'",
        "a region of that partition",
    ),
    "ARN account of 11 digits": (
        function_arn("f", account="12345678901"),
        "'12345678901' is not an AWS account id",
        "12 digits",
    ),
    "ARN without account": (function_arn("f", account=""), "'' is not an AWS account id", "12 digits"),
    "ARN with a wildcard account": (function_arn("f", account="*"), "'*' is not an AWS account id", "12 digits"),
}


@pytest.mark.parametrize(("text", "problem", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_a_function_is_refused_with_what_would_be_right(text: str, problem: str, expected: str) -> None:
    error = refusal(text)
    assert error.argument == "function"
    assert problem in error.problem
    assert expected in error.expected
    assert str(error) == f"function: {error.problem}. Expected {error.expected}."


@pytest.mark.parametrize(
    "text",
    ["", "x" * 257, "a b", "function:f", "x" * 65, "f:07", "f:!", "arn:aws", "arn:aws:s3:us-east-1:1:function:f"],
)
def test_a_refusal_names_the_argument_it_was_asked_about(text: str) -> None:
    assert refusal(text, "arn_or_name").argument == "arn_or_name"


def test_a_refusal_shows_outside_text_escaped_and_cut() -> None:
    error = refusal("\u202e" + "x" * 200)
    assert str(error).isascii()
    assert "\\u202e" in error.problem
    assert "x" * 80 not in error.problem


def test_a_spelling_may_have_256_characters_and_not_one_more() -> None:
    def padded(length: int) -> str:
        front, back = "arn:aws:lambda:us-", f"-1:123456789012:function:{'n' * 64}:{'q' * 128}"
        return front + "e" * (length - len(front) - len(back)) + back

    assert parse_function(padded(256)).qualifier == "q" * 128
    error = refusal(padded(257))
    assert "is 257 characters long" in error.problem
    assert error.expected == "at most 256 characters"


@pytest.mark.parametrize("qualifier", QUALIFIERS.values(), ids=QUALIFIERS.keys())
def test_a_qualifier_is_returned_unchanged(qualifier: str) -> None:
    assert parse_qualifier(qualifier) == qualifier


def test_a_qualifier_may_have_128_characters() -> None:
    assert parse_qualifier("q" * 128) == "q" * 128


@pytest.mark.parametrize(
    ("text", "problem", "expected"),
    [
        ("", "'' is not a qualifier", QUALIFIER_FORMS),
        ("li ve", "'li ve' is not a qualifier", QUALIFIER_FORMS),
        ("live\n", r"'live\n' is not a qualifier", QUALIFIER_FORMS),
        ("7\n", r"'7\n' is not a qualifier", QUALIFIER_FORMS),
        ("$LATEST\n", r"'$LATEST\n' is not a qualifier", QUALIFIER_FORMS),
        ("$latest", "'$latest' is not a qualifier", QUALIFIER_FORMS),
        ("live:7", "'live:7' is not a qualifier", QUALIFIER_FORMS),
        ("a.b", "'a.b' is not a qualifier", QUALIFIER_FORMS),
        ("\u0667", r"'\u0667' is not a qualifier", QUALIFIER_FORMS),
        ("é", r"'\xe9' is not a qualifier", QUALIFIER_FORMS),
        ("00", "'00' is not how a version is written", "a version number without leading zeros"),
        ("07", "'07' is not how a version is written", "a version number without leading zeros"),
        ("q" * 129, "is 129 characters long", "at most 128 characters"),
    ],
)
def test_what_is_not_a_qualifier_is_refused_with_what_would_be_right(text: str, problem: str, expected: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_qualifier(text)
    error = caught.value
    assert (error.argument, error.problem, error.expected) == ("qualifier", problem, expected)


@given(function_refs())
def test_the_arn_of_a_reference_reads_back_as_the_same_reference(ref: FunctionRef) -> None:
    parts = FunctionSpelling(ref.name, ref.partition, ref.region, ref.account)
    assert parse_function(ref.function_arn) == parts
    qualified = parse_function(ref.qualified_arn)
    assert qualified == FunctionSpelling(ref.name, ref.partition, ref.region, ref.account, ref.qualifier)


def test_the_arns_of_a_reference_are_the_ones_of_aws() -> None:
    ref = FunctionRef("aws-cn", "cn-north-1", "000000000001", "f", "$LATEST")
    assert ref.function_arn == "arn:aws-cn:lambda:cn-north-1:000000000001:function:f"
    assert ref.qualified_arn == "arn:aws-cn:lambda:cn-north-1:000000000001:function:f:$LATEST"


def test_the_partitions_and_their_region_patterns_are_those_of_the_installed_botocore() -> None:
    ours = {name: pattern.pattern for name, pattern in PARTITIONS.items()}
    theirs = {p["id"]: p["regionRegex"].removeprefix("^").removesuffix("$") for p in botocore_partitions()}
    assert ours == {name: regex.replace(r"\-", "-") for name, regex in theirs.items()}
    assert all(pattern.flags & re.ASCII for pattern in PARTITIONS.values())


def test_every_region_that_botocore_lists_belongs_to_its_partition_and_to_no_other() -> None:
    for partition in botocore_partitions():
        # Pseudo-regions such as aws-global stand for services without regions; Lambda has none there.
        regions = [region for region in partition["regions"] if not region.endswith("-global")]
        assert regions
        for region in regions:
            assert [name for name, pattern in PARTITIONS.items() if pattern.fullmatch(region)] == [partition["id"]]
            assert partition_of(region) == partition["id"]


def test_the_pseudo_regions_of_botocore_belong_to_no_partition() -> None:
    pseudo = [region for p in botocore_partitions() for region in p["regions"] if region.endswith("-global")]
    assert pseudo
    assert [partition_of(region) for region in pseudo] == [None] * len(pseudo)


@pytest.mark.parametrize("text", ["", "us-east", "us-east-1\n", "us-east-1a", "xus-east-1", "US-EAST-1", "us-eést-1"])
def test_what_is_no_region_belongs_to_no_partition(text: str) -> None:
    assert partition_of(text) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("123456789012", True),
        ("000000000000", True),
        ("12345678901", False),
        ("1234567890123", False),
        ("123456789012\n", False),
        ("12345678901a", False),
        ("\u0661" * 12, False),
        ("", False),
    ],
)
def test_an_account_is_twelve_ascii_digits(text: str, answer: bool) -> None:
    assert is_account(text) is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [("f", True), ("A_b-9", True), ("x" * 64, True), ("x" * 65, False), ("", False), ("f\n", False), ("é", False)],
)
def test_a_name_is_1_to_64_letters_digits_hyphens_and_underscores(text: str, answer: bool) -> None:
    assert is_name(text) is answer


def test_shown_text_is_ascii_quoted_and_cut_after_its_limit() -> None:
    assert shown("a\nb\u2028'") == '"a\\nb\\u2028\'"'
    assert shown("x" * 80) == f"'{'x' * 80}'"
    assert shown("x" * 81) == f"'{'x' * 80}\\u2026'"
    assert shown("abcdef", limit=3) == "'abc\\u2026'"
