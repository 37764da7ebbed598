"""What a person's pause, and failures in a row, say of a call: as the store is asked, and as its caller is told."""

from __future__ import annotations

import math

from lambda_warden.model.decision import Check
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.request import RequestedInvocationType
from lambda_warden.store.audit_log import CircuitBreaker, CircuitOpen, Pause


def breaker_of(rule: FunctionRule, ref: FunctionRef, invocation_type: RequestedInvocationType) -> CircuitBreaker | None:
    """What the failures of a call count for, if the rule says so. A DryRun starts nothing, so it has none."""
    stop = rule.stop_after_failures
    if stop is None or invocation_type == "DryRun":
        return None
    return CircuitBreaker(ref.qualified_arn, stop.count, stop.cool_down_seconds)


def stop_check(met: Pause | CircuitOpen) -> Check:
    """The check that denies a call, and says until when."""
    if isinstance(met, Pause):
        why = f": {met.reason}" if met.reason else ""
        return Check(name="paused", passed=False, reason=f"{met.by} has paused all calls since {met.since}{why}")
    times = f"{met.failures:,} {'time' if met.failures == 1 else 'times'}"
    reason = (
        f"the function failed {times} in a row, so it is stopped; calls go through again in "
        f"{max(1, math.ceil(met.retry_after_seconds)):,} s, or when a person has looked at it and runs "
        f"`lambda-warden resume --function {met.function}`"
    )
    return Check(name="stop_after_failures", passed=False, reason=reason)
