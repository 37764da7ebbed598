"""Decides whether an encoded request may be sent, with the reason of every check.

Deny by default: a request is allowed only if exactly one rule speaks of its function and qualifier, and every
check of that rule passes. The same function answers `invoke_function` and `dry_run`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from lambda_warden.guard.callers import refusal_of, tenants_of
from lambda_warden.guard.rules import Deny, Rule, Rules
from lambda_warden.jsontools.strict_json import parse_json
from lambda_warden.model.caller import LOCAL_CALLER, Caller
from lambda_warden.model.decision import Check, CheckName, Decision
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.request import EncodedRequest
from lambda_warden.model.tenant import ANY_TENANT

_CHECKS: tuple[CheckName, ...] = (
    "manifest_rule",
    "qualifier",
    "principal",
    "invocation_type",
    "tenant",
    "payload_size",
    "payload_schema",
)

_LISTED: Final = 20
"""Tenants that a denial names."""
_SUGGESTED: Final = 3
_COMPARED: Final = 500
"""Names that a wrong one is compared with: more would keep other calls waiting."""


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """A decision, and the rule to carry it out under. `rule` is there whenever the decision allows."""

    decision: Decision
    rule: Rule | None


def decide(ref: FunctionRef, request: EncodedRequest, rules: Rules, caller: Caller = LOCAL_CALLER) -> PolicyDecision:
    """Decide whether a request may be sent.

    Args:
        ref: the canonical reference that would be sent.
        request: the exact parameters that would be sent.
        rules: the manifests' rules.
        caller: who asks.
    """
    found = match_rule(ref, rules, caller)
    if found.rule is None:
        return PolicyDecision(found.decision(_CHECKS), None)
    rule = found.rule
    schema, broken = _payload_schema(request, rule)
    checks = (
        _invocation_type(request, rule),
        _tenant(request.tenant_id, tenants_of(caller, rule.spec)),
        _payload_size(request, rule),
        schema,
    )
    decision = found.decision(_CHECKS, *checks)
    return PolicyDecision(decision.model_copy(update={"broken_keyword": broken}), rule)


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """What the rules say of a function and qualifier, whatever is asked of it.

    Attributes:
        checks: the checks made, in their order.
        rule: the one that speaks of it, if nothing denies it. Who asks is among the checks, and may have failed.
        deny: the entry that denies it, if any.
        other: the first rule that speaks of the function, where none speaks of the qualifier.
    """

    checks: tuple[Check, ...]
    rule: Rule | None = None
    deny: Deny | None = None
    other: Rule | None = None

    def decision(self, all_checks: Iterable[CheckName], *more: Check) -> Decision:
        """The decision, after the further checks of what is asked. The rest of `all_checks` is not reached."""
        decision = _decision([*self.checks, *more], all_checks, self.rule)
        decided_by = self.deny or self.other
        if decided_by is None:
            return decision
        return decision.model_copy(update={"rule": decided_by.spec.arn, "rule_source": decided_by.source})


def match_rule(ref: FunctionRef, rules: Rules, caller: Caller = LOCAL_CALLER) -> RuleMatch:
    """Find the one rule that speaks of a function and qualifier, unless something denies it.

    Args:
        ref: the canonical reference.
        rules: the manifests' rules.
        caller: who asks.
    """
    resolved = Check(name="resolve", passed=True, reason=f"means {ref.qualified_arn}")
    if deny := rules.denial_of(ref):
        reason = f"the manifest denies {ref.qualified_arn}" + (f": {deny.spec.reason}" if deny.spec.reason else "")
        return RuleMatch((resolved, _failed("manifest_rule", reason)), deny=deny)
    candidates = rules.for_function(ref)
    if not candidates:
        reason = f"no rule of the manifest allows {ref.function_arn}{_suggestion(ref, rules, caller)}"
        return RuleMatch((resolved, _failed("manifest_rule", reason)))

    found = Check(name="manifest_rule", passed=True, reason=f"allowed by the rule for {candidates[0].spec.arn}")
    rules_of_qualifier = [rule for rule in candidates if ref.qualifier in rule.spec.qualifiers]
    if not rules_of_qualifier:
        allowed = sorted({q for rule in candidates for q in rule.spec.qualifiers})
        asked = "a call without qualifier runs $LATEST, which" if ref.qualifier == "$LATEST" else ref.qualifier
        reason = f"{asked} is not among the allowed qualifiers: {', '.join(allowed)}"
        return RuleMatch((resolved, found, _failed("qualifier", reason)), other=candidates[0])
    if len(rules_of_qualifier) > 1:
        arns = " and ".join(rule.spec.arn for rule in rules_of_qualifier)
        reason = f"several rules speak of this function ({arns}), so none is followed; the operator has to say which"
        return RuleMatch((resolved, _failed("manifest_rule", reason)))

    rule = rules_of_qualifier[0]
    checks = (
        resolved,
        Check(name="manifest_rule", passed=True, reason=f"allowed by the rule for {rule.spec.arn}"),
        Check(name="qualifier", passed=True, reason=f"{ref.qualifier} is allowed"),
        _caller(caller, rule),
    )
    return RuleMatch(checks, rule)


def denied(check: CheckName, reason: str, all_checks: Iterable[CheckName] = _CHECKS) -> Decision:
    """The decision on a request that did not get as far as the rules."""
    return _decision([_failed(check, reason)], all_checks)


def _suggestion(ref: FunctionRef, rules: Rules, caller: Caller) -> str:
    """Which allowed functions the caller may have meant: that of the same name elsewhere, or of names that are near."""
    known: dict[str, list[str]] = {}
    for arn in rules.exact_arns(caller):
        known.setdefault(arn.rsplit(":", 1)[-1], []).append(arn)
    near = [ref.name] if ref.name in known else get_close_matches(ref.name, list(known)[:_COMPARED], _SUGGESTED)
    arns = list(dict.fromkeys(arn for name in near for arn in known[name]))[:_SUGGESTED]
    return f"; allowed is {' or '.join(arns)}" if arns else ""


def _decision(checks: list[Check], all_checks: Iterable[CheckName], rule: Rule | None = None) -> Decision:
    reached = {check.name for check in checks}
    rest = (Check(name=name, passed=None, reason="not reached") for name in all_checks if name not in reached)
    return Decision(
        allowed=rule is not None and all(check.passed for check in checks),
        checks=(*checks, *rest),
        rule=rule.spec.arn if rule else None,
        rule_source=rule.source if rule else None,
    )


def _failed(name: CheckName, reason: str) -> Check:
    return Check(name=name, passed=False, reason=reason)


def _caller(caller: Caller, rule: Rule) -> Check:
    if refused := refusal_of(caller, rule.spec):
        return _failed("principal", refused)
    return Check(name="principal", passed=True, reason=f"{caller.name} may call it")


def _invocation_type(request: EncodedRequest, rule: Rule) -> Check:
    asked = request.invocation_type
    if asked == "DryRun":
        return Check(name="invocation_type", passed=True, reason="a DryRun starts nothing")
    if asked in rule.spec.invocation_types:
        return Check(name="invocation_type", passed=True, reason=f"{asked} is allowed")
    allowed = ", ".join(rule.spec.invocation_types)
    return _failed("invocation_type", f"{asked} is not among the allowed invocation types: {allowed}")


def _tenant(tenant: str | None, allowed: list[str] | None) -> Check:
    if allowed is None and tenant is None:
        return Check(name="tenant", passed=True, reason="no tenant is named")
    if allowed is None:
        operator = "the operator allows them in the rule: `tenants: [ID, …]`"
        return _failed("tenant", f"the rule allows no tenant_id, and one is named; {operator}")
    if tenant is not None and (tenant in allowed or allowed == [ANY_TENANT]):
        return Check(name="tenant", passed=True, reason=f"tenant {tenant} is allowed")
    named = "a call has to name a tenant_id" if tenant is None else f"tenant {tenant} is not allowed"
    shown, more = ", ".join(allowed[:_LISTED]) or "none, as the caller's token names none", len(allowed) - _LISTED
    return _failed("tenant", f"{named}; allowed: {shown}{f' and {more:,} more' if more > 0 else ''}")


def _payload_size(request: EncodedRequest, rule: Rule) -> Check:
    size, limit = len(request.payload or b""), rule.spec.payload.max_bytes
    if size <= limit:
        return Check(name="payload_size", passed=True, reason=f"{size:,} of at most {limit:,} bytes")
    return _failed("payload_size", f"payload is {size:,} bytes; this function takes at most {limit:,}")


def _payload_schema(request: EncodedRequest, rule: Rule) -> tuple[Check, str | None]:
    """The check, and the keyword of the schema that the payload breaks, where that is known."""
    if request.payload_text is not None:
        reason = "it is in doubt whether the payload is a string or the JSON that it holds"
        return _failed("payload_schema", reason), None
    if rule.schema is None:
        return Check(name="payload_schema", passed=True, reason="the rule sets no schema"), None
    if request.payload is None:
        reason = "payload: no payload is given, and this function's has to fit a schema"
        return _failed("payload_schema", reason), None
    try:
        # What is checked is what is sent: the bytes, read back.
        payload = parse_json(request.payload)
    except ValueError as error:
        return _failed("payload_schema", f"payload is not JSON: {error}"), None
    if misfit := rule.schema.misfit(payload):
        return _failed("payload_schema", f"payload does not fit its schema: {misfit.reason}"), misfit.keyword
    return Check(name="payload_schema", passed=True, reason="the payload fits its schema"), None
