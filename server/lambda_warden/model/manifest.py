"""The operator's manifest: what may be invoked. Everything that it does not allow is denied.

The JSON Schema of these models is published as `manifests/manifest.schema.json`, so each description is
written for the person who types a manifest into an editor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from lambda_warden.model.errors import ArgumentError
from lambda_warden.model.function_ref import (
    NAME_LIMIT,
    is_account,
    is_name,
    parse_arn_prefix,
    parse_qualifier,
    partition_of,
    shown,
)

SYNC_PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous invocation's request or response (Lambda quotas: 6 MB each)."""
ASYNC_PAYLOAD_LIMIT = 1024 * 1024
"""Bytes of an asynchronous invocation's request (Lambda quotas: 1 MB)."""
FUNCTION_TIMEOUT_LIMIT = 900
"""Seconds a function may run (Lambda quotas: 15 minutes)."""
RESULT_BYTES_DEFAULT = 16 * 1024
RESULT_BYTES_LIMIT = 1024 * 1024

InvocationType = Literal["RequestResponse", "Event"]
Effect = Literal["read", "write", "destructive"]

_ANY = "[A-Za-z0-9_-]"


@dataclass(frozen=True, slots=True)
class RuleArn:
    """The `arn` of a rule: one function, or, with `*` in its name, a family of functions."""

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


def parse_rule_arn(text: str) -> RuleArn:
    """Read the `arn` of a rule.

    Raises:
        ArgumentError: if it is not an unqualified function ARN, or has a wildcard outside the function's name.
    """
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


def _check_rule_arn(text: str) -> str:
    parse_rule_arn(text)
    return text


def _check_qualifier(text: str) -> str:
    return parse_qualifier(text, "qualifier")


def _check_account(text: str) -> str:
    if not is_account(text):
        raise ArgumentError("account", f"{shown(text)} is not an AWS account id", "12 digits, in quotes")
    return text


def _check_region(text: str) -> str:
    if partition_of(text) is None:
        raise ArgumentError("region", f"unknown region {shown(text)}", "an AWS region such as us-east-1")
    return text


def _check_version(version: object) -> object:
    if type(version) is not int:  # true and 1.0 are equal to 1
        raise ValueError("is no whole number. Expected 1")
    return version


def _check_schema_kind(value: object) -> object:
    if not isinstance(value, str | dict | None):
        raise ValueError("is no schema. Expected a JSON Schema, or the path of one in quotes")
    return value


def _check_unique(values: list[str]) -> list[str]:
    if repeated := sorted({v for v in values if values.count(v) > 1}):
        raise ValueError(f"{', '.join(repeated)} listed twice")
    return values


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Target(_Strict):
    """How to reach one AWS account. Credentials never stand here: boto3 finds them as it always does."""

    account: Annotated[str, AfterValidator(_check_account)] = Field(
        description="The AWS account id, 12 digits, in quotes.",
        examples=["123456789012"],
        json_schema_extra={"pattern": "^[0-9]{12}$"},
    )
    regions: Annotated[list[Annotated[str, AfterValidator(_check_region)]], AfterValidator(_check_unique)] = Field(
        min_length=1, description="The regions in use, for example [us-east-1, eu-west-1]."
    )
    profile: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None, description="The profile of the AWS config files to use for this account."
    )
    endpoint_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")] | None = Field(
        default=None, description="Another endpoint than AWS's own, for example a VPC endpoint or an emulator."
    )


class PayloadRule(_Strict):
    """What may be sent to a function."""

    schema_: Annotated[str | dict[str, JsonValue] | None, BeforeValidator(_check_schema_kind)] = Field(
        default=None,
        alias="schema",
        description="A JSON Schema (2020-12) that the payload has to fit: written out here, or a path relative "
        "to the manifest. Without it any JSON value may be sent.",
    )
    max_bytes: int = Field(
        default=SYNC_PAYLOAD_LIMIT, ge=0, le=SYNC_PAYLOAD_LIMIT, description="The largest payload, in bytes."
    )


class ResultRule(_Strict):
    """What may come back from a function to the model."""

    max_bytes: int = Field(
        default=RESULT_BYTES_DEFAULT,
        ge=256,
        le=RESULT_BYTES_LIMIT,
        description="How many bytes of the function's answer reach the model; the rest is cut and said to be cut.",
    )


class FunctionRule(_Strict):
    """One allowed function, or a family of functions: nothing else is invoked."""

    arn: Annotated[str, AfterValidator(_check_rule_arn)] = Field(
        description="The function's ARN without qualifier. A `*` may stand in the function's name alone.",
        examples=["arn:aws:lambda:us-east-1:123456789012:function:orders-refund"],
        json_schema_extra={"pattern": "^arn:[^:*]+:lambda:[^:*]+:[0-9]{12}:function:[A-Za-z0-9_*-]{1,64}$"},
    )
    qualifiers: Annotated[list[Annotated[str, AfterValidator(_check_qualifier)]], AfterValidator(_check_unique)] = (
        Field(
            min_length=1,
            description="The aliases and versions allowed, each exactly, in quotes. List $LATEST to allow unpublished "
            "code, which is also what a call without qualifier runs.",
        )
    )
    invocation_types: Annotated[list[InvocationType], AfterValidator(_check_unique)] = Field(
        default=["RequestResponse"],
        min_length=1,
        description="RequestResponse waits for the answer; Event queues the call and returns at once. "
        "A DryRun starts nothing and is always allowed beside them.",
    )
    effect: Effect = Field(
        default="write",
        description="What an invocation does: read changes nothing, write changes something, destructive "
        "changes what can't be put back.",
    )
    payload: PayloadRule = Field(default_factory=PayloadRule, description="What may be sent.")
    result: ResultRule = Field(default_factory=ResultRule, description="What may come back.")
    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=FUNCTION_TIMEOUT_LIMIT,
        description="How long to wait for the answer, in seconds. Set it above the function's own timeout.",
    )
    description: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        default=None, description="What the function does, for the model that chooses. Shown instead of AWS's."
    )
    examples: list[Any] = Field(
        default_factory=list, max_length=10, description="Payloads that work, for the model to learn from."
    )


class Manifest(_Strict):
    """The whole allowlist."""

    version: Annotated[Literal[1], BeforeValidator(_check_version)] = Field(description="The version of this format.")
    targets: list[Target] = Field(min_length=1, description="The accounts and regions in use.")
    functions: list[FunctionRule] = Field(min_length=1, description="The functions that may be invoked.")
