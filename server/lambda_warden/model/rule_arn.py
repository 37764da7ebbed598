"""The ARNs that rules and `deny` entries of a manifest name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

from lambda_warden.errors import ArgumentError, shown
from lambda_warden.model.function_ref import (
    NAME_LIMIT,
    PARTITIONS,
    check_arn_kind,
    is_account,
    is_name,
    parse_arn_prefix,
    partition_of,
)

_ANY = "[A-Za-z0-9_-]"


@dataclass(frozen=True, slots=True)
class RuleArn:
    """The `arn` of a rule: one function, or, with `*` in its name, a family of functions.

    In a `deny` entry, partition, region and account may each be `*`, too.
    """

    partition: str
    region: str
    account: str
    name: str

    @property
    def is_pattern(self) -> bool:
        """Whether the name holds a `*`."""
        return "*" in self.name

    def name_regex(self) -> re.Pattern[str]:
        """What a name has to match whole: `*` stands for any characters of a name, also none.

        Atomic groups: each part between two `*` is looked for once, so that no name makes the match take long.
        """
        first, *rest = map(re.escape, self.name.split("*"))
        if not rest:
            return re.compile(first)
        between = "".join(f"(?>{_ANY}*?{part})" for part in rest[:-1])
        return re.compile(f"{first}{between}{_ANY}*{rest[-1]}")

    def __str__(self) -> str:
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}"


@lru_cache(16_384)  # each ARN of a manifest is read as a part of it, as a rule's, and to decide by
def parse_rule_arn(text: str) -> RuleArn:
    """Read the `arn` of a rule.

    Raises:
        ArgumentError: if it is not an unqualified function ARN, or has a wildcard outside the function's name.
    """
    check_arn_kind(text, "arn")
    expected = "arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME, with the qualifiers in `qualifiers`"
    match text.split(":"):
        case ["arn", partition, service, region, account, "function", name]:
            if "*" in partition + service + region + account:
                raise ArgumentError("arn", "a `*` may stand in the function's name alone", expected)
            parse_arn_prefix(partition, service, region, account, "arn")
            fixed = name.replace("*", "")
            if name and not fixed:
                raise ArgumentError("arn", "the pattern would allow every function", "a pattern with a fixed part")
            if not is_name(fixed) or len(name) > NAME_LIMIT:
                raise ArgumentError("arn", f"{shown(name)} is not a function name or a pattern of one", expected)
            return RuleArn(partition, region, account, name)
        case ["arn", _, _, _, _, "function", _, _]:
            raise ArgumentError("arn", "has a qualifier", expected)
        case _:
            raise ArgumentError("arn", f"{shown(text)} is not the ARN of a function", expected)


def parse_deny_arn(text: str) -> RuleArn:
    """Read the `arn` of a `deny` entry: as that of a rule, and with `*` for any partition, region, account or name.

    Raises:
        ArgumentError: if it is not an unqualified function ARN.
    """
    expected = "arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME, where each word in capitals may be *"
    match text.split(":"):
        case ["arn", partition, "lambda", region, account, "function", name]:
            if partition not in ("*", *PARTITIONS):
                raise ArgumentError("arn", f"unknown partition {shown(partition)}", expected)
            homes = PARTITIONS if partition == "*" else (partition,)
            if region != "*" and partition_of(region) not in homes:
                raise ArgumentError("arn", f"unknown region {shown(region)} in partition {partition!r}", expected)
            if account != "*" and not is_account(account):
                raise ArgumentError("arn", f"{shown(account)} is not an AWS account id", expected)
            if not name or not is_name(name.replace("*", "") or "x") or len(name) > NAME_LIMIT:
                raise ArgumentError("arn", f"{shown(name)} is not a function name or a pattern of one", expected)
            return RuleArn(partition, region, account, name)
        case _:
            raise ArgumentError("arn", f"{shown(text)} is not the ARN of a function without qualifier", expected)


def _check_rule_arn(text: str) -> str:
    parse_rule_arn(text)
    return text


def _check_deny_arn(text: str) -> str:
    parse_deny_arn(text)
    return text


AllowedArn = Annotated[str, AfterValidator(_check_rule_arn)]
"""A text that `parse_rule_arn` reads."""
DeniedArn = Annotated[str, AfterValidator(_check_deny_arn)]
"""A text that `parse_deny_arn` reads."""
