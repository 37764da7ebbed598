from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.guard.decide import decide
from lambda_warden.guard.logs import check_log_group, decide_logs, streams_of
from lambda_warden.guard.rules import Deny, Rule, Rules
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.manifest import DenyRule
from lambda_warden.model.payload_rule import LogsRule
from lambda_warden.model.rule_arn import parse_deny_arn, parse_rule_arn
from support.builders import function_arn, ref, request, rule, rules, target
from support.strategies import function_refs

HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("logs", "own", "allowed"),
    [
        (None, True, False),
        (None, False, False),
        ({}, True, True),
        ({}, False, False),
        ({"read": "own"}, False, False),
        ({"read": "any"}, True, True),
        ({"read": "any"}, False, True),
    ],
)
def test_whose_logs_are_read_is_the_rules_to_say(logs: dict[str, str] | None, own: bool, allowed: bool) -> None:
    made = rules(rule(logs=logs))
    decided = decide_logs(ref(), made, own=own)
    assert decided.decision.allowed is allowed
    assert [check.passed for check in decided.decision.checks] == [True, True, True, True, allowed]


@given(function_refs(), st.data())
def test_a_log_is_read_only_of_what_may_be_called(asked: FunctionRef, data: st.DataObject) -> None:
    where = {"partition": asked.partition, "region": asked.region, "account": asked.account}
    qualifiers = data.draw(st.sampled_from([[asked.qualifier], ["another"]]))
    name = data.draw(st.sampled_from([asked.name, f"{asked.name[:5]}*", "another"]))
    principals = data.draw(st.sampled_from([None, ["local"], ["others"]]))
    logs = data.draw(st.sampled_from([None, {}, {"read": "any"}]))
    spec = rule(name, qualifiers=qualifiers, principals=principals, logs=logs, **where)
    deny = data.draw(st.sampled_from([[], [DenyRule(arn=function_arn(asked.name, **where))]]))
    made = Rules(
        [Rule(spec, parse_rule_arn(spec.arn), "")],
        [target(asked.account, asked.region)],
        [Deny(each, parse_deny_arn(each.arn), "") for each in deny],
    )
    own = data.draw(st.booleans())
    expected = decide(asked, request(None), made).decision.allowed and (
        logs is not None and (own or logs.get("read") == "any")
    )
    assert decide_logs(asked, made, own=own).decision.allowed is expected


def test_a_denial_names_the_entry_that_denies() -> None:
    spec, deny = rule(logs={}), DenyRule(arn=function_arn(), reason="no")
    made = Rules([Rule(spec, parse_rule_arn(spec.arn), "a")], [target()], [Deny(deny, parse_deny_arn(deny.arn), "b")])
    decision = decide_logs(ref(), made, own=True).decision
    assert (decision.allowed, decision.rule_source) == (False, "b")


@pytest.mark.parametrize(
    ("pinned", "told", "passed"),
    [
        (None, "/aws/lambda/f", True),
        (None, "/aws/lambda/g", False),
        (None, "/shared", False),
        (None, None, False),
        ("/shared", "/shared", True),
        ("/shared", "/aws/lambda/f", False),
        ("/shared", "/shared/x", False),
    ],
)
def test_the_log_group_is_the_default_or_the_one_of_the_rule(
    pinned: str | None, told: str | None, passed: bool
) -> None:
    assert check_log_group(LogsRule(log_group=pinned).group_of("f"), told).passed is passed


@pytest.mark.parametrize(
    ("qualifier", "versions"),
    [("live", {"7", "12"}), ("7", {"7"}), ("$LATEST", {"$LATEST"}), ("$LATEST.PUBLISHED", {"7", "12"})],
)
def test_streams_are_of_the_versions_that_a_qualifier_runs(qualifier: str, versions: set[str]) -> None:
    streams = {version: f"2026/11/25/[{version}]{HEX}" for version in ("7", "12", "$LATEST")}
    found = streams_of(ref("f", qualifier), "/aws/lambda/f", streams.values())
    assert found == sorted(streams[version] for version in versions)


def test_a_group_that_is_not_the_functions_own_has_streams_named_after_it() -> None:
    named, bare = f"2026/11/25/f[7]{HEX}", f"2026/11/25/[7]{HEX}"
    bracketed, foreign = f"2026/11/25/f[7][{HEX}]", f"2026/11/25/g[7]{HEX}"
    everything = [named, bare, bracketed, foreign, f"x{named}", f"{named}\n", "f", ""]
    assert streams_of(ref("f"), "/shared", everything) == sorted([named, bracketed])
    assert streams_of(ref("f"), "/aws/lambda/f", everything) == sorted([named, bare, bracketed])
    assert streams_of(ref("f"), "/aws/lambda/g", everything) == sorted([named, bracketed])
