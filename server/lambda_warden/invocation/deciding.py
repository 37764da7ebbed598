"""The first two stages: what a caller wants is resolved, and decided on. Nothing is sent, asked or kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from lambda_warden.defects import log_defect
from lambda_warden.errors import ArgumentError
from lambda_warden.guard.arguments import parse_arguments
from lambda_warden.guard.decide import decide, denied, match_rule
from lambda_warden.guard.encode import encode, settle
from lambda_warden.guard.request_digest import request_digest
from lambda_warden.guard.resolve import resolve
from lambda_warden.invocation.front import Front
from lambda_warden.invocation.stages import AllowedCall, DeniedCall
from lambda_warden.jsontools.query import Query, compile_query
from lambda_warden.model.caller import Caller
from lambda_warden.model.decision import Check, CheckName, Decision
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.request import EncodedRequest, InvokeArguments
from lambda_warden.policy import Policy
from lambda_warden.report.invocation import CallInfo
from lambda_warden.store.audit_log import IdempotencyClaim
from lambda_warden.telemetry.logs import new_call

_LARGE_BYTES: Final = 64 * 1024
COULD_NOT_DECIDE: Final = "lambda-warden could not decide, so nothing was sent"


@dataclass(frozen=True, slots=True)
class ResolvedCall:
    """What a caller wants, understood and not decided on yet."""

    info: CallInfo
    ref: FunctionRef
    request: EncodedRequest
    query: Query | None
    idempotency_key: str | None
    after_unknown: str | None
    policy: Policy

    @property
    def is_large(self) -> bool:
        """Whether to decide on it may take long: a schema takes a while for some megabytes of payload."""
        return len(self.request.payload or b"") > _LARGE_BYTES


def resolve_call(
    arguments: Mapping[str, Any], caller: Caller, policy: Policy, front: Front
) -> ResolvedCall | DeniedCall:
    """Read the arguments of a call, and find out which function they name."""
    info = CallInfo(new_call(), caller=caller, manifest=policy.rules.digest or None)
    reached: CheckName = "arguments"
    try:
        parsed = parse_arguments(InvokeArguments, front.whole(arguments))
        info = replace(info, invocation_type=parsed.invocation_type)
        request = encode(parsed)
        query = None if parsed.query is None else compile_query(parsed.query)
        reached = "resolve"
        known = partial(policy.rules.exact_arns, caller)
        ref = resolve(parsed.function, parsed.qualifier, policy.rules.targets, policy.default_region, known)
    except ArgumentError as error:
        return DeniedCall(info, denied(reached, str(error)))
    except Exception as error:  # noqa: BLE001 - a defect of ours is a doubt, and any doubt is a denial
        return DeniedCall(info, could_not_decide(error))
    key, after = parsed.idempotency_key, parsed.after_unknown
    return ResolvedCall(replace(info, ref=ref), ref, request, query, key, after, policy)


def decide_call(resolved: ResolvedCall, key_seconds: float, adopt_seconds: float) -> AllowedCall | DeniedCall:
    """Decide by the rules.

    Args:
        resolved: what is wanted.
        key_seconds: how long an idempotency key is kept.
        adopt_seconds: how long an answer that reached nobody is given to the next same call.
    """
    info, request, policy = resolved.info, resolved.request, resolved.policy
    caller = info.caller
    try:
        if request.payload_text is not None:
            request = settle(request, match_rule(resolved.ref, policy.rules, caller))
        decided = decide(resolved.ref, request, policy.rules, caller)
    except ArgumentError as error:
        return DeniedCall(info, denied("arguments", str(error)), request.payload)
    except Exception as error:  # noqa: BLE001 - as above
        return DeniedCall(info, could_not_decide(error), request.payload)
    if decided.rule is None or not decided.decision.allowed:
        return DeniedCall(info, decided.decision, request.payload)
    call = AllowedCall(info, decided.decision, resolved.ref, request, decided.rule, policy, query=resolved.query)
    if request.invocation_type == "DryRun":
        return call
    claim = IdempotencyClaim(
        caller.principal,
        resolved.idempotency_key,
        request_digest(resolved.ref, request, caller),
        key_seconds,
        repeatable=decided.rule.spec.effect == "read",
        adopt_seconds=adopt_seconds,
        after_unknown=resolved.after_unknown,
    )
    return replace(call, claim=claim)


def decide_again(call: AllowedCall, policy: Policy) -> AllowedCall | DeniedCall:
    """Decide by the policy that is in force now, which may be another one: a call can wait for a person or its turn.

    A rule that says something else by now is a doubt, since approval and alias were checked under the old one.
    """
    if policy is call.policy:
        return call
    try:
        decided = decide(call.ref, call.request, policy.rules, call.info.caller)
    except Exception as error:  # noqa: BLE001 - as above
        return call.denied(could_not_decide(error))
    if decided.rule is None or not decided.decision.allowed:
        return call.denied(decided.decision)
    if decided.rule.spec != call.rule.spec or policy.target(call.ref) != call.policy.target(call.ref):
        reason = "the operator changed the rule or target of this function while the call waited"
        return call.checked(Check(name="manifest_changed", passed=False, reason=reason))
    info = replace(call.info, manifest=policy.rules.digest or None)
    return replace(call, info=info, rule=decided.rule, policy=policy)


def could_not_decide(error: Exception) -> Decision:
    """A denial for a defect of ours, which is logged."""
    log_defect("deciding", error)
    return denied("internal", COULD_NOT_DECIDE)
