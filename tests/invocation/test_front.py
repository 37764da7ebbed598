"""A tool of one function is a front of invoke_function: what it is called with is the same call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.guard.rules import Rule, Rules
from lambda_warden.invocation.deciding import ResolvedCall, decide_call, resolve_call
from lambda_warden.invocation.front import INVOKE_FUNCTION, Front
from lambda_warden.invocation.stages import AllowedCall, DeniedCall
from lambda_warden.manifests.exposed_tools import exposed_tools
from lambda_warden.model.caller import LOCAL_CALLER
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.request import InvokeArguments
from lambda_warden.model.rule_arn import parse_rule_arn
from lambda_warden.model.target import Target
from lambda_warden.policy import Policy, make_policy
from lambda_warden.settings import Settings
from support.strategies import json_values
from support.warden import ACCOUNT, REGION, arn

KEYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "queued": {"invocation_types": ["Event"]},
    "everything": {
        "effect": "destructive",
        "tenants": ["blue"],
        "invocation_types": ["RequestResponse", "Event"],
        "payload": {"max_bytes": 20},
    },
}


def policy_with(keys: dict[str, Any]) -> tuple[Policy, Front]:
    spec = FunctionRule.model_validate({"arn": arn("f"), "qualifiers": ["live", "beta"], **keys})
    rules = Rules([Rule(spec, parse_rule_arn(spec.arn), "m:1")], [Target(account=ACCOUNT, regions=[REGION])])
    (tool,) = exposed_tools(rules)
    return make_policy(Settings(), rules), Front(tool.name, tool.fixed, tuple(tool.parameters["properties"]))


FRONTS = {case: policy_with({**keys, "expose": {"tool": "run", "qualifier": "beta"}}) for case, keys in KEYS.items()}

some = {
    "payload": json_values,
    "idempotency_key": st.sampled_from(["k", "", None, "a b", 1]),
    "wait_seconds": st.sampled_from([0, 9, -1, "9", None]),
    "after_unknown": st.sampled_from(["0" * 32, "x", None]),
    "reason": st.sampled_from(["because", "", 7]),
    "tenant_id": st.sampled_from(["blue", "red", None]),
    "invocation_type": st.sampled_from(["Event", "RequestResponse", "DryRun", "event"]),
}
others = ["function", "qualifier", "payload_json", "payload_base64", "log_type", "nonsense", "Payload", "payload "]


def seen(found: ResolvedCall | DeniedCall | AllowedCall) -> object:
    """What is the same for two calls that are."""
    if isinstance(found, ResolvedCall):
        return found.ref, found.request, found.query, found.idempotency_key, found.after_unknown
    if isinstance(found, AllowedCall):
        return found.ref, found.request, found.decision, found.claim, found.rule
    return found.decision, found.payload, replace(found.info, invocation_id="")


@pytest.mark.parametrize("case", KEYS)
@given(arguments=st.fixed_dictionaries({}, optional=some))
def test_whatever_it_is_called_with_the_request_is_that_of_invoke_function(
    case: str, arguments: dict[str, Any]
) -> None:
    policy, front = FRONTS[case]
    taken = {name: value for name, value in arguments.items() if name in (front.takes or ())}
    kind = front.fixed.get("invocation_type")
    whole = {"function": "f:beta", **({"invocation_type": kind} if kind else {}), **taken}
    by_tool = resolve_call(taken, LOCAL_CALLER, policy, front)
    by_name = resolve_call(whole, LOCAL_CALLER, policy, INVOKE_FUNCTION)
    assert seen(by_tool) == seen(by_name)
    if isinstance(by_tool, ResolvedCall) and isinstance(by_name, ResolvedCall):
        assert seen(decide_call(by_tool, 1.0, 1.0)) == seen(decide_call(by_name, 1.0, 1.0))


@pytest.mark.parametrize("case", KEYS)
@given(
    name=st.sampled_from([*others, *InvokeArguments.model_fields]) | st.text(max_size=9),
    value=json_values,
    arguments=st.fixed_dictionaries({}, optional=some),
)
def test_what_it_does_not_take_is_denied_also_what_it_sets_itself(
    case: str, name: str, value: Any, arguments: dict[str, Any]
) -> None:
    policy, front = FRONTS[case]
    found = resolve_call({**arguments, name: value}, LOCAL_CALLER, policy, front)
    if {*arguments, name} <= {*(front.takes or ())}:
        assert isinstance(found, ResolvedCall) or "is not an argument" not in str(found.decision)
    else:
        assert isinstance(found, DeniedCall)
        assert found.decision.failed is not None
        assert found.decision.failed.name == "arguments"
        assert "is not an argument of this tool. Expected " in found.decision.failed.reason
