"""Small valid things to build tests on: what a test does not name is ordinary and allowed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from lambda_warden.guard.payload_schema import PayloadSchema
from lambda_warden.guard.rules import Rule, Rules
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.request import EncodedRequest, RequestedInvocationType
from lambda_warden.model.rule_arn import parse_rule_arn
from lambda_warden.model.target import Target

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"
REGION = "us-east-1"
OTHER_REGION = "eu-west-1"
NAME = "orders-refund"


def function_arn(name: str = NAME, *, region: str = REGION, account: str = ACCOUNT, partition: str = "aws") -> str:
    """The unqualified ARN of a function, or of a pattern."""
    return f"arn:{partition}:lambda:{region}:{account}:function:{name}"


def ref(
    name: str = NAME,
    qualifier: str = "live",
    *,
    region: str = REGION,
    account: str = ACCOUNT,
    partition: str = "aws",
) -> FunctionRef:
    """A canonical reference."""
    return FunctionRef(partition, region, account, name, qualifier)


def target(account: str = ACCOUNT, *regions: str) -> Target:
    """A target, in us-east-1 unless told otherwise."""
    return Target(account=account, regions=list(regions or (REGION,)))


def rule(
    name: str = NAME,
    *,
    qualifiers: Sequence[str] = ("live",),
    region: str = REGION,
    account: str = ACCOUNT,
    partition: str = "aws",
    **fields: Any,
) -> FunctionRule:
    """A rule as an operator writes it: further fields are given as they stand in a manifest."""
    arn = function_arn(name, region=region, account=account, partition=partition)
    return FunctionRule.model_validate({"arn": arn, "qualifiers": list(qualifiers), **fields})


def rules(*specs: FunctionRule, targets: Sequence[Target] | None = None) -> Rules:
    """Rules that stand in no file, on one target unless told otherwise."""
    return Rules(map(_compiled, specs, count()), [target()] if targets is None else targets)


def _compiled(spec: FunctionRule, index: int) -> Rule:
    schema = spec.payload.schema_
    assert not isinstance(schema, str), "there is no folder to read a schema file from"
    return Rule(
        spec, parse_rule_arn(spec.arn), f"functions[{index}]", None if schema is None else PayloadSchema(schema)
    )


def request(
    payload: bytes | None = b"{}",
    *,
    invocation_type: RequestedInvocationType = "RequestResponse",
    client_context: str | None = None,
    log_tail: bool = False,
    tenant_id: str | None = None,
    durable_execution_name: str | None = None,
    wait_seconds: int | None = None,
) -> EncodedRequest:
    """An encoded request: a RequestResponse with an empty object, unless told otherwise."""
    return EncodedRequest(
        invocation_type=invocation_type,
        payload=payload,
        client_context=client_context,
        log_tail=log_tail,
        tenant_id=tenant_id,
        durable_execution_name=durable_execution_name,
        wait_seconds=wait_seconds,
    )
