"""Decides whether a durable execution that a call started may be read."""

from __future__ import annotations

import re
from typing import Final

from lambda_warden.errors import shown
from lambda_warden.guard.decide import PolicyDecision, match_rule
from lambda_warden.guard.rules import Rules
from lambda_warden.model.caller import LOCAL_CALLER, Caller
from lambda_warden.model.decision import Check, CheckName
from lambda_warden.model.function_ref import LATEST, FunctionRef

_CHECKS: Final[tuple[CheckName, ...]] = ("manifest_rule", "qualifier", "principal", "durable_execution")
_VERSION: Final = r"(?:[1-9][0-9]{0,19}|\$LATEST(?:\.PUBLISHED)?)"
_EXECUTION: Final = "/durable-execution/[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,512}"


def decide_execution(
    ref: FunctionRef, execution_arn: str, rules: Rules, caller: Caller = LOCAL_CALLER
) -> PolicyDecision:
    """Decide whether a durable execution may be read.

    Deny by default: exactly one rule has to allow calls of the function and qualifier that started it, now, and the
    execution has to be one of that function.

    Args:
        ref: the canonical reference that was invoked.
        execution_arn: the execution that AWS said the call had started.
        rules: the manifests' rules.
        caller: who asks. That they made the call is for the caller to know.
    """
    found = match_rule(ref, rules, caller)
    if found.rule is None:
        return PolicyDecision(found.decision(_CHECKS), None)
    return PolicyDecision(found.decision(_CHECKS, _is_of(ref, execution_arn)), found.rule)


def _is_of(ref: FunctionRef, execution_arn: str) -> Check:
    """Whether an execution is one of the function and, where a version was asked for, of that version."""
    fixed = ref.qualifier.isdigit() or ref.qualifier == LATEST
    version = re.escape(ref.qualifier) if fixed else _VERSION
    if re.fullmatch(f"{re.escape(ref.function_arn)}:{version}{_EXECUTION}", execution_arn, re.ASCII):
        return Check(name="durable_execution", passed=True, reason=f"it is an execution of {ref.function_arn}")
    reason = f"{shown(execution_arn, 300)} is no execution of {ref.qualified_arn}, which was called"
    return Check(name="durable_execution", passed=False, reason=reason)
