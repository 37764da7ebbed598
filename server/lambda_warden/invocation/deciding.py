"""The first steps of the road: what a caller wants, understood, and then decided on. Nothing is sent, asked or kept."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lambda_warden.defects import log_defect
from lambda_warden.errors import ArgumentError
from lambda_warden.guard.arguments import parse_arguments
from lambda_warden.guard.decide import decide, denied
from lambda_warden.guard.encode import encode
from lambda_warden.guard.request_digest import request_digest
from lambda_warden.guard.resolve import resolve
from lambda_warden.invocation.stages import Allowed, Denied
from lambda_warden.jsontools.query import Query, compile_query
from lambda_warden.model.decision import CheckName
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.request import EncodedRequest, InvokeArguments
from lambda_warden.policy import Policy
from lambda_warden.report.invocation import Call
from lambda_warden.store.records import Reservation

_LARGE_BYTES: Final = 64 * 1024
COULD_NOT_DECIDE: Final = "lambda-warden could not decide, so nothing was sent"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants, understood and not decided on yet."""

    call: Call
    ref: FunctionRef
    request: EncodedRequest
    query: Query | None
    idempotency_key: str | None
    policy: Policy

    @property
    def is_large(self) -> bool:
        """Whether to decide on it may take long: a schema takes seconds for some megabytes of payload."""
        return len(self.request.payload or b"") > _LARGE_BYTES


def understand(arguments: Mapping[str, Any], policy: Policy) -> Asked | Denied:
    """Read the arguments of a call, and find out which function they name."""
    call = Call(uuid.uuid4().hex)
    reached: CheckName = "arguments"
    try:
        parsed = parse_arguments(InvokeArguments, arguments)
        call = replace(call, invocation_type=parsed.invocation_type)
        request = encode(parsed)
        query = None if parsed.query is None else compile_query(parsed.query)
        reached = "resolve"
        ref = resolve(parsed.function, parsed.qualifier, policy.rules.targets, policy.default_region)
    except ArgumentError as error:
        return Denied(call, denied(reached, str(error)))
    except Exception as error:  # noqa: BLE001 - a defect of ours is a doubt, and any doubt is a denial
        return _could_not_decide(call, error)
    return Asked(replace(call, ref=ref), ref, request, query, parsed.idempotency_key, policy)


def rule_on(asked: Asked, principal: str, key_seconds: float) -> Allowed | Denied:
    """Decide by the rules.

    Args:
        asked: what is wanted.
        principal: who asks.
        key_seconds: how long an idempotency key is kept.
    """
    call, request, policy = asked.call, asked.request, asked.policy
    try:
        ruling = decide(asked.ref, request, policy.rules, principal)
    except Exception as error:  # noqa: BLE001 - as above
        return _could_not_decide(call, error)
    if ruling.rule is None or not ruling.decision.allowed:
        return Denied(call, ruling.decision, len(request.payload or b""))
    step = Allowed(call, ruling.decision, asked.ref, request, ruling.rule, policy, query=asked.query)
    if asked.idempotency_key is None or request.invocation_type == "DryRun":
        return step
    binding = request_digest(asked.ref, request, principal)
    return replace(step, reservation=Reservation(principal, asked.idempotency_key, binding, key_seconds))


def _could_not_decide(call: Call, error: Exception) -> Denied:
    """A denial for a defect of ours, which is logged."""
    log_defect("deciding", error)
    return Denied(call, denied("internal", COULD_NOT_DECIDE))
