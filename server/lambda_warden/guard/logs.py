"""Decides whether the log of an invocation may be read, and what of a log group belongs to it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lambda_warden.guard.decide import PolicyDecision, denied, match_rule
from lambda_warden.guard.rules import Rules
from lambda_warden.model.caller import LOCAL_CALLER, Caller
from lambda_warden.model.decision import Check, CheckName, Decision
from lambda_warden.model.function_ref import LATEST, FunctionRef
from lambda_warden.model.payload_rule import LogsRule

_CHECKS: tuple[CheckName, ...] = ("manifest_rule", "qualifier", "principal", "logs")
_INSTANCE = r"\[?[A-Za-z0-9-]{1,64}\]?"


def decide_logs(ref: FunctionRef, rules: Rules, caller: Caller = LOCAL_CALLER, *, own: bool) -> PolicyDecision:
    """Decide whether the log of an invocation may be read.

    Deny by default: as for a call, exactly one rule has to speak of the function and qualifier; besides, that rule has
    to allow reading.

    Args:
        ref: the canonical reference that was invoked.
        rules: the manifests' rules.
        caller: who asks.
        own: whether the records say that its principal made the invocation.
    """
    found = match_rule(ref, rules, caller)
    if found.rule is None:
        return PolicyDecision(found.decision(_CHECKS), None)
    return PolicyDecision(found.decision(_CHECKS, _logs(found.rule.spec.logs, own)), found.rule)


def denied_logs(check: CheckName, reason: str) -> Decision:
    """The decision on a read that did not get as far as the rules."""
    return denied(check, reason, _CHECKS)


def check_log_group(expected: str, group: str | None) -> Check:
    """Whether a function logs where the rule says, or else to AWS's default: whoever may configure a function could
    point it at another one's log group.

    Args:
        expected: `LogsRule.group_of` the function.
        group: what AWS says.
    """
    if group == expected:
        return Check(name="log_group", passed=True, reason=f"the function logs to {expected}")
    where = f"logs to {group}" if group else "has no log group with a proper name"
    reason = f"the function {where}, and its rule allows {expected} (key logs.log_group)"
    return Check(name="log_group", passed=False, reason=reason)


def streams_of(ref: FunctionRef, group: str, streams: Iterable[str]) -> list[str]:
    """The log streams that hold invocations of a function under a qualifier, each once, in the order of their names.

    A stream is named after the version that ran: the one asked for, or behind an alias any published one. In a group
    that functions share, it is named after the function, too ("Configuring CloudWatch log groups", Lambda Developer
    Guide), and the streams of other functions may well mention the request id.
    """
    if ref.qualifier == LATEST or ref.qualifier.isdigit():
        version = re.escape(ref.qualifier)
    else:
        version = r"(?:[0-9]+|\$LATEST\.PUBLISHED)"
    name = re.escape(ref.name)
    names = f"(?:{name})?" if group == f"/aws/lambda/{ref.name}" else name
    pattern = re.compile(rf"[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}}/{names}\[{version}\]{_INSTANCE}", re.ASCII)
    return sorted({stream for stream in streams if pattern.fullmatch(stream)})


def _logs(logs: LogsRule | None, own: bool) -> Check:
    if logs is None:
        return Check(name="logs", passed=False, reason="the rule does not allow logs to be read")
    if own:
        return Check(name="logs", passed=True, reason="the log of a call made here may be read")
    if logs.read == "any":
        return Check(name="logs", passed=True, reason="the log of any invocation may be read")
    reason = "the rule allows logs of calls made here alone: give the invocation_id of one, without other names for it"
    return Check(name="logs", passed=False, reason=reason)
