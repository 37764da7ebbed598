"""Deny by default: a request passes only if exactly one rule speaks of it and every check of that rule passes."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.guard.decide import PolicyDecision, decide, denied
from lambda_warden.guard.rules import Deny, Rule, Rules
from lambda_warden.model.caller import Caller
from lambda_warden.model.decision import Check
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.manifest import DenyRule
from lambda_warden.model.request import EncodedRequest
from lambda_warden.model.rule_arn import parse_deny_arn, parse_rule_arn
from support.builders import (
    ACCOUNT,
    NAME,
    OTHER_ACCOUNT,
    OTHER_REGION,
    REGION,
    function_arn,
    ref,
    request,
    rule,
    rules,
    target,
)

CHECKS = ["resolve", "manifest_rule", "qualifier", "invocation_type", "payload_size", "payload_schema"]


def answers(decided: PolicyDecision) -> list[bool | None]:
    """What each check answered, in the order of the road. Who asks, and for which tenant, has tests of its own."""
    checks = [check for check in decided.decision.checks if check.name not in ("principal", "tenant")]
    assert [check.name for check in checks] == CHECKS
    return [check.passed for check in checks]


def failed(decided: PolicyDecision) -> Check:
    check = decided.decision.failed
    assert check is not None
    assert not decided.decision.allowed
    return check


class UncheckedRules(Rules):
    """Rules with patterns that overlap, which are refused when they are loaded: decide denies them by itself, too."""

    def _check_conflicts(self) -> None:
        """Take them all."""


def unchecked(*specs: FunctionRule) -> Rules:
    return UncheckedRules([each for spec in specs for each in rules(spec).all], [target()])


# Allowed


def test_a_request_that_a_rule_allows_passes_every_check() -> None:
    spec = rule("orders-refund", qualifiers=["live", "7"], payload={"schema": {"type": "object"}})
    decided = decide(ref("orders-refund", "7"), request(b"{}"), rules(rule("other"), spec))
    assert answers(decided) == [True] * 6
    assert decided.decision.allowed
    assert decided.decision.failed is None
    assert decided.rule is not None
    assert decided.rule.spec is spec
    assert decided.decision.rule == function_arn("orders-refund")
    assert decided.decision.rule_source == "functions[1]"


def test_the_decision_names_what_would_be_sent() -> None:
    checks = decide(ref("f", "live"), request(), rules(rule("f"))).decision.checks
    assert function_arn("f") + ":live" in checks[0].reason
    assert function_arn("f") in checks[1].reason


def test_a_pattern_allows_each_function_of_its_family() -> None:
    allowing = rules(rule("report-*"))
    assert decide(ref("report-daily"), request(), allowing).decision.allowed
    assert decide(ref("report-daily"), request(), allowing).decision.rule == function_arn("report-*")
    assert not decide(ref("reports"), request(), allowing).decision.allowed


# manifest_rule


@pytest.mark.parametrize(
    "unknown",
    [
        ref("orders-lookup"),
        ref("orders-refund", region=OTHER_REGION),
        ref("orders-refund", account=OTHER_ACCOUNT),
        ref("orders-refund", partition="aws-cn"),
        ref("Orders-refund"),
        ref("orders-refund-2"),
    ],
    ids=["name", "region", "account", "partition", "letter case", "longer name"],
)
def test_a_function_that_no_rule_names_is_denied_before_anything_else_is_looked_at(unknown: FunctionRef) -> None:
    decided = decide(unknown, request(b"x" * 100), rules(rule("orders-refund", payload={"max_bytes": 1})))
    assert answers(decided) == [True, False, None, None, None, None]
    assert failed(decided).name == "manifest_rule"
    assert unknown.function_arn in failed(decided).reason
    assert (decided.rule, decided.decision.rule, decided.decision.rule_source) == (None, None, None)


def test_two_patterns_that_allow_one_qualifier_are_neither_followed() -> None:
    decided = decide(ref("report-daily"), request(), unchecked(rule("report-*"), rule("*-daily")))
    assert answers(decided) == [True, False, None, None, None, None]
    assert function_arn("report-*") in failed(decided).reason
    assert function_arn("*-daily") in failed(decided).reason
    assert (decided.rule, decided.decision.rule) == (None, None)


def test_two_patterns_are_no_matter_where_one_alone_allows_the_qualifier() -> None:
    overlapping = rules(rule("report-*", qualifiers=["live"]), rule("*-daily", qualifiers=["7"]))
    decided = decide(ref("report-daily", "7"), request(), overlapping)
    assert decided.decision.allowed
    assert decided.decision.rule == function_arn("*-daily")


def test_two_patterns_are_neither_followed_even_where_one_would_deny_the_rest() -> None:
    strict = rule("*-daily", payload={"max_bytes": 0})
    assert not decide(ref("report-daily"), request(b"x"), unchecked(rule("report-*"), strict)).decision.allowed


def test_a_rule_for_the_function_is_followed_instead_of_a_pattern() -> None:
    mixed = rules(rule("report-*"), rule("report-daily", payload={"max_bytes": 1}))
    decided = decide(ref("report-daily"), request(b"{}"), mixed)
    assert decided.decision.rule == function_arn("report-daily")
    assert failed(decided).name == "payload_size"


# qualifier


def test_a_qualifier_that_the_rule_does_not_list_is_denied_with_those_it_lists() -> None:
    both = rules(rule("f", qualifiers=["live", "8"]), rule("f", qualifiers=["7"]))
    decided = decide(ref("f", "beta"), request(), both)
    assert answers(decided) == [True, True, False, None, None, None]
    assert failed(decided).name == "qualifier"
    assert "beta" in failed(decided).reason
    assert failed(decided).reason.endswith("7, 8, live")
    assert (decided.rule, decided.decision.rule) == (None, function_arn("f")), "the rule that manifest_rule tells of"


def test_unpublished_code_is_denied_unless_latest_is_listed() -> None:
    decided = decide(ref("f", "$LATEST"), request(), rules(rule("f", qualifiers=["live"])))
    assert answers(decided) == [True, True, False, None, None, None]
    assert "$LATEST" in failed(decided).reason
    assert "live" in failed(decided).reason
    assert decide(ref("f", "$LATEST"), request(), rules(rule("f", qualifiers=["$LATEST"]))).decision.allowed


@pytest.mark.parametrize("near", ["Live", "live2", "liv", "$LATEST", "$LATEST.PUBLISHED", "07"])
def test_a_qualifier_is_compared_exactly(near: str) -> None:
    assert not decide(ref("f", near), request(), rules(rule("f", qualifiers=["live", "7"]))).decision.allowed


def test_a_pattern_does_not_add_qualifiers_to_a_rule_for_the_function() -> None:
    mixed = rules(rule("report-*", qualifiers=["live", "7"]), rule("report-daily", qualifiers=["7"]))
    decided = decide(ref("report-daily", "live"), request(), mixed)
    assert failed(decided).name == "qualifier"
    assert failed(decided).reason.endswith(": 7")


# invocation_type


def test_an_invocation_type_that_the_rule_does_not_list_is_denied_and_the_rest_is_checked_too() -> None:
    decided = decide(ref("f"), request(invocation_type="Event"), rules(rule("f")))
    assert answers(decided) == [True, True, True, False, True, True]
    assert failed(decided).name == "invocation_type"
    assert "Event" in failed(decided).reason
    assert failed(decided).reason.endswith("RequestResponse")
    assert decided.decision.rule == function_arn("f")
    only_events = rules(rule("f", invocation_types=["Event"]))
    assert failed(decide(ref("f"), request(), only_events)).name == "invocation_type"
    assert decide(ref("f"), request(invocation_type="Event"), only_events).decision.allowed


@pytest.mark.parametrize("allowed", [["RequestResponse"], ["Event"], ["RequestResponse", "Event"]])
def test_a_dry_run_is_allowed_beside_any_invocation_type(allowed: list[str]) -> None:
    spec = rule("f", invocation_types=allowed, payload={"max_bytes": 2})
    decided = decide(ref("f"), request(b"{}", invocation_type="DryRun"), rules(spec))
    assert answers(decided) == [True] * 6
    assert decided.decision.allowed


def test_a_dry_run_is_held_to_every_other_check() -> None:
    spec = rule("f", payload={"max_bytes": 2, "schema": {"type": "object"}})
    probe = request(b"[1]", invocation_type="DryRun")
    assert answers(decide(ref("f"), probe, rules(spec))) == [True, True, True, True, False, False]
    assert failed(decide(ref("f", "7"), probe, rules(spec))).name == "qualifier"
    assert failed(decide(ref("g"), probe, rules(spec))).name == "manifest_rule"


# payload_size


def test_a_payload_may_have_the_bytes_of_its_rule_and_not_one_more() -> None:
    limited = rules(rule("f", payload={"max_bytes": 1000}))
    assert decide(ref("f"), request(b"x" * 1000), limited).decision.allowed
    decided = decide(ref("f"), request(b"x" * 1001), limited)
    assert answers(decided) == [True, True, True, True, False, True]
    assert failed(decided).name == "payload_size"
    assert "1,001" in failed(decided).reason
    assert "1,000" in failed(decided).reason


@pytest.mark.parametrize("payload", [None, b""], ids=["none", "empty"])
def test_no_payload_has_no_bytes(payload: bytes | None) -> None:
    assert decide(ref("f"), request(payload), rules(rule("f", payload={"max_bytes": 0}))).decision.allowed


# payload_schema

REFUND: dict[str, Any] = {"type": "object", "required": ["orderId"], "properties": {"amount": {"maximum": 500}}}


def under_schema(payload: bytes | None, schema: dict[str, Any] = REFUND) -> PolicyDecision:
    return decide(ref("f"), request(payload), rules(rule("f", payload={"schema": schema})))


def test_a_payload_that_does_not_fit_is_denied_with_the_place_and_the_problem() -> None:
    for payload, problem in (
        (b'{"amount": 500}', '$: "orderId" is a required property'),
        (b'{"orderId": "A-1", "amount": 501}', "$.amount: 501 is greater than the maximum of 500"),
    ):
        decided = under_schema(payload)
        assert answers(decided) == [True, True, True, True, True, False]
        assert failed(decided).name == "payload_schema"
        assert failed(decided).reason == f"payload does not fit its schema: {problem}"


def test_a_payload_that_fits_is_allowed() -> None:
    assert under_schema(b'{"orderId": "A-1", "amount": 500}').decision.allowed


@pytest.mark.parametrize(
    "schema", [REFUND, {}, {"type": "null"}], ids=["object", "schema for anything", "schema for null"]
)
def test_under_a_schema_there_has_to_be_a_payload(schema: dict[str, Any]) -> None:
    decided = under_schema(None, schema)
    assert answers(decided) == [True, True, True, True, True, False]
    assert "no payload is given" in failed(decided).reason


@pytest.mark.parametrize(
    "payload",
    [
        b'{"orderId": "A-1", "amount": 1, "amount": 1000000}',
        b'{"orderId": "A-1", "amount": 1, "\\u0061mount": 1000000}',
        b'{"orderId": "A-1", "amount": NaN}',
        b'{"orderId": "A-1"} {"orderId": "A-1"}',
        b'{"orderId": "A-\xff"}',
        '{"orderId": "A-1"}'.encode("utf-16"),
        b"",
        b"orderId=A-1",
    ],
    ids=["key twice", "key twice, escaped", "NaN", "two values", "not UTF-8", "UTF-16", "empty", "a form"],
)
def test_bytes_that_are_not_strict_json_fit_no_schema(payload: bytes) -> None:
    for schema in (REFUND, {}):
        decided = under_schema(payload, schema)
        assert answers(decided) == [True, True, True, True, True, False]
        assert "payload is not JSON" in failed(decided).reason


def test_without_a_schema_any_bytes_may_be_sent() -> None:
    for payload in (b"\xff\x00", b'{"a": 1, "a": 2}', b"", None):
        assert decide(ref("f"), request(payload), rules(rule("f"))).decision.allowed


def test_every_check_of_the_rule_that_fails_is_told_at_once() -> None:
    spec = rule("f", payload={"schema": REFUND, "max_bytes": 1})
    decided = decide(ref("f"), request(b"[]", invocation_type="Event"), rules(spec))
    assert answers(decided) == [True, True, True, False, False, False]
    assert failed(decided).name == "invocation_type"


# Who asks


def test_a_rule_that_names_principals_is_for_them_alone() -> None:
    shared = rules(rule("f", principals=["ops", "ci"]))
    assert decide(ref("f"), request(), shared, Caller("ops")).decision.allowed
    for other in ("local", "OPS", ""):
        assert failed(decide(ref("f"), request(), shared, Caller(other))).name == "principal"
    assert decide(ref("f"), request(), rules(rule("f")), Caller("anybody")).decision.allowed


# For which tenant


@pytest.mark.parametrize(
    ("tenants", "asked", "allowed"),
    [
        (None, None, True),
        (None, "blue", False),
        (["blue", "green co"], "blue", True),
        (["blue", "green co"], "green co", True),
        (["blue"], "Blue", False),
        (["blue"], "blu", False),
        (["blue"], "blue ", False),
        (["blue"], "*", False),
        (["blue"], None, False),
        (["*"], "anybody", True),
        (["*"], None, False),
    ],
)
@pytest.mark.parametrize("invocation_type", ["RequestResponse", "DryRun"])
def test_a_tenant_is_named_where_the_rule_names_it_and_nowhere_else(
    tenants: list[str] | None, asked: str | None, allowed: bool, invocation_type: Any
) -> None:
    spec = rule("f", tenants=tenants)
    decided = decide(ref("f"), request(tenant_id=asked, invocation_type=invocation_type), rules(spec))
    assert decided.decision.allowed is allowed
    if not allowed:
        assert failed(decided).name == "tenant"
        assert ("`tenants: [ID, …]`" if tenants is None else f"allowed: {', '.join(tenants)}") in failed(decided).reason


def test_a_denial_names_a_few_of_many_tenants() -> None:
    spec = rule("f", tenants=[f"tenant-{number}" for number in range(500)])
    reason = failed(decide(ref("f"), request(tenant_id="x"), rules(spec))).reason
    assert reason.endswith("tenant-18, tenant-19 and 480 more")


# What is denied whatever is allowed


def denied_by(**fields: Any) -> PolicyDecision:
    spec = DenyRule.model_validate(fields)
    deny = Deny(spec, parse_deny_arn(spec.arn), "deny.yaml:3")
    allowed = [Rule(spec, parse_rule_arn(spec.arn), "a") for spec in (rule("f", qualifiers=["live", "7"]),)]
    return decide(ref("f"), request(), Rules(allowed, [target()], [deny]))


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:us-east-1:123456789012:function:f",
        "arn:*:lambda:*:*:function:*",
        "arn:aws:lambda:us-east-1:*:function:f*",
        "arn:aws:lambda:*:123456789012:function:*f",
    ],
)
def test_a_deny_entry_wins_over_any_rule(arn: str) -> None:
    decided = denied_by(arn=arn, reason="frozen for the audit")
    assert decided.rule is None
    assert failed(decided).name == "manifest_rule"
    assert "frozen for the audit" in failed(decided).reason
    assert (decided.decision.rule, decided.decision.rule_source) == (arn, "deny.yaml:3")
    assert denied_by(arn=arn, qualifiers=["live"]).rule is None


@pytest.mark.parametrize(
    "fields",
    [
        {"arn": "arn:aws:lambda:us-east-1:123456789012:function:g"},
        {"arn": "arn:aws:lambda:eu-west-1:*:function:*"},
        {"arn": "arn:aws:lambda:*:210987654321:function:*"},
        {"arn": "arn:aws-cn:lambda:*:*:function:*"},
        {"arn": "arn:*:lambda:*:*:function:*", "qualifiers": ["7", "$LATEST"]},
    ],
)
def test_a_deny_entry_for_something_else_denies_nothing(fields: dict[str, Any]) -> None:
    assert denied_by(**fields).decision.allowed


# Before the rules


@pytest.mark.parametrize("name", ["arguments", "resolve", "record"])
def test_a_request_that_did_not_get_to_the_rules_is_denied_and_no_check_of_theirs_is_reached(name: Any) -> None:
    decision = denied(name, "because")
    assert not decision.allowed
    assert (decision.rule, decision.rule_source) == (None, None)
    assert decision.failed == Check(name=name, passed=False, reason="because")
    assert [(check.name, check.passed) for check in decision.checks[1:] if check.name in CHECKS] == [
        (check, None) for check in CHECKS[1:]
    ]


# Against a naive reading of the rules

INTEGERS = (b"1", b"22")
PAYLOADS = (None, b"", b'"s"', b"{", *INTEGERS)
# Mostly one place, few names and overlapping patterns: so that rules speak of the same functions.
PLACES = [*[(ACCOUNT, REGION)] * 6, (ACCOUNT, OTHER_REGION), (OTHER_ACCOUNT, REGION)]
QUALIFIERS = ["live", "7", "$LATEST"]


@dataclass(frozen=True)
class Case:
    """A manifest's rules and one request."""

    specs: Sequence[FunctionRule]
    ref: FunctionRef
    request: EncodedRequest


@st.composite
def function_rules(draw: st.DrawFn) -> FunctionRule:
    account, region = draw(st.sampled_from(PLACES))
    return rule(
        draw(st.sampled_from(["a", "b", "ab", "a*", "*b", "a*b", "*a*"])),
        qualifiers=draw(st.lists(st.sampled_from(QUALIFIERS), min_size=1, unique=True)),
        account=account,
        region=region,
        invocation_types=draw(st.sampled_from([["RequestResponse"], ["Event"], ["Event", "RequestResponse"]])),
        tenants=draw(st.sampled_from([None, None, ["t"], ["t", "u"], ["*"]])),
        payload={
            "max_bytes": draw(st.sampled_from([0, 1, 2, 1024])),
            "schema": draw(st.sampled_from([None, None, {"type": "integer"}])),
        },
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    specs: list[FunctionRule] = []
    for spec in draw(st.lists(function_rules(), min_size=2, max_size=8)):
        if not any(other.arn == spec.arn and set(other.qualifiers) & set(spec.qualifiers) for other in specs):
            specs.append(spec)
    # Each part is aimed at one of the rules half of the time: by chance alone few requests would be allowed.
    spec = draw(st.sampled_from(specs))
    arn = parse_rule_arn(spec.arn)
    account, region = draw(st.just((arn.account, arn.region)) | st.sampled_from(PLACES))
    name = draw(st.sampled_from(["", "a", "b"]).map(lambda part: arn.name.replace("*", part)))
    return Case(
        specs,
        ref(
            draw(st.just(name) | st.sampled_from(["a", "b", "ab", "ba", "c"])),
            draw(st.sampled_from(spec.qualifiers) | st.sampled_from(QUALIFIERS)),
            account=account,
            region=region,
        ),
        request(
            draw(st.sampled_from(PAYLOADS)),
            invocation_type=draw(st.sampled_from(["RequestResponse", "Event", "DryRun"])),
            tenant_id=draw(st.sampled_from([spec.tenants[0] if spec.tenants else None, "u", "v"])),
        ),
    )


def allowing_rules(case: Case) -> list[FunctionRule]:
    """The rules that speak of the case's function and qualifier, read off their ARNs as shell patterns."""
    exact = [spec for spec in case.specs if spec.arn == case.ref.function_arn]
    matching = [spec for spec in case.specs if fnmatch.fnmatchcase(case.ref.function_arn, spec.arn)]
    return [spec for spec in exact or matching if case.ref.qualifier in spec.qualifiers]


def is_allowed(case: Case) -> bool:
    speaking = allowing_rules(case)
    if len(speaking) != 1:
        return False
    (spec,) = speaking
    payload = case.request.payload
    right_type = case.request.invocation_type in [*spec.invocation_types, "DryRun"]
    right_size = payload is None or len(payload) <= spec.payload.max_bytes
    right_form = spec.payload.schema_ is None or payload in INTEGERS
    tenant = case.request.tenant_id
    right_tenant = tenant is None if spec.tenants is None else tenant and {tenant, "*"} & set(spec.tenants)
    return right_type and right_size and right_form and bool(right_tenant)


@given(cases())
def test_a_request_is_allowed_exactly_when_a_naive_reading_of_the_rules_allows_it(case: Case) -> None:
    decided = decide(case.ref, case.request, unchecked(*case.specs))
    assert decided.decision.allowed is is_allowed(case)


@given(cases())
def test_a_decision_carries_its_rule_and_its_reason(case: Case) -> None:
    decided = decide(case.ref, case.request, unchecked(*case.specs))
    speaking = allowing_rules(case)
    assert [decided.rule.spec if decided.rule else None] == (speaking if len(speaking) == 1 else [None])
    fits = next(check.passed for check in decided.decision.checks if check.name == "manifest_rule")
    assert (decided.decision.rule is not None) is fits
    if decided.rule:
        assert decided.decision.rule == decided.rule.spec.arn
    assert (decided.decision.failed is None) is decided.decision.allowed
    assert all(check.reason for check in decided.decision.checks)
    passed = [check.passed for check in decided.decision.checks]
    assert all(passed[: len(passed) if decided.decision.allowed else passed.index(False)])


@pytest.mark.parametrize(
    ("asked", "suggested"),
    [
        (ref(NAME, region=OTHER_REGION), [function_arn()]),
        (ref(NAME[:-1]), [function_arn()]),
        (ref("something-else"), []),
    ],
)
def test_a_denial_names_the_function_that_was_likely_meant(asked: FunctionRef, suggested: list[str]) -> None:
    reason = failed(decide(asked, request(), rules(rule(), rule("zzz-*")))).reason

    assert [arn for arn in (function_arn(), function_arn("zzz-*")) if arn in reason] == suggested


def test_a_denial_does_not_name_what_the_caller_may_not_call() -> None:
    asked = ref(NAME, region=OTHER_REGION)

    assert function_arn() not in failed(decide(asked, request(), rules(rule(principals=["somebody"])))).reason
