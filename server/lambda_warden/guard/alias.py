"""Compares the versions behind an alias with those that the rule expects."""

from __future__ import annotations

from collections.abc import Set

from lambda_warden.model.decision import Check
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.function_rule import FunctionRule


def is_alias(qualifier: str) -> bool:
    """Whether a qualifier names an alias: neither a version nor `$LATEST`."""
    return not qualifier.startswith("$") and not qualifier.isdigit()


def needs_alias_check(spec: FunctionRule, ref: FunctionRef) -> bool:
    """Whether a call has to wait for what AWS says of its alias."""
    return spec.expect_version is not None and is_alias(ref.qualifier)


def check_alias(spec: FunctionRule, versions: Set[str] | str) -> Check:
    """Whether an alias leads to expected versions only.

    Args:
        spec: a rule with `expect_version`.
        versions: the versions that the alias leads to, or why they are not known, which is a doubt.
    """
    expected = ", ".join(spec.expect_version or ())
    if isinstance(versions, str):
        reason = f"where the alias leads could not be read ({versions}), and it has to lead to version {expected}"
        return Check(name="alias", passed=False, reason=reason)
    if unexpected := sorted(versions - set(spec.expect_version or ())):
        reason = f"the alias leads to version {', '.join(unexpected)}, and it has to lead to {expected} alone"
        return Check(name="alias", passed=False, reason=reason)
    return Check(name="alias", passed=True, reason=f"the alias leads to version {', '.join(sorted(versions))}")


def unexpected_version(spec: FunctionRule, executed_version: str | None) -> str | None:
    """What to report of a version that ran although the rule does not expect it, or None.

    An alias can be moved between the check and the call, so this is looked at again afterwards.
    """
    if spec.expect_version is None or executed_version is None or executed_version in spec.expect_version:
        return None
    return f"version {executed_version} ran, and the rule expects {', '.join(spec.expect_version)}"
