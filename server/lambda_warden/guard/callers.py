"""Decides whether a caller may call under a rule: who it is, and what its token is good for."""

from __future__ import annotations

from lambda_warden.model.caller import Caller
from lambda_warden.model.function_rule import FunctionRule


def refusal_of(caller: Caller, spec: FunctionRule) -> str | None:
    """Why a caller may not call under a rule; None if it may.

    A rule names who (`principals`, one has to fit), what the token has to be good for (`scopes`, all of them), and
    through whom (`clients`). An agent that acts for a person has at most what that person has: who it is itself opens
    nothing, and where a rule names clients, both the token's client and the agent have to be among them.
    """
    if spec.principals is not None and not _names(caller).intersection(spec.principals):
        return f"{caller.principal} may not call it: the rule names other principals"
    if missing := sorted(set(spec.scopes) - caller.scopes):
        return f"the caller's token lacks a scope that the rule asks for: {', '.join(missing)}"
    if spec.clients is not None and not {caller.client_id, caller.actor or caller.client_id} <= {*spec.clients}:
        return f"{caller.principal} may not call it through this client or agent: the rule names others"
    return None


def tenants_of(caller: Caller, spec: FunctionRule) -> list[str] | None:
    """The tenants that a caller may name under a rule: exact ids, or `*` alone for any. None if it may name none."""
    if spec.tenants == "caller":
        return [] if caller.tenant is None else [caller.tenant]
    return spec.tenants


def _names(caller: Caller) -> set[str]:
    return {caller.principal, *(f"group:{group}" for group in caller.groups)}
