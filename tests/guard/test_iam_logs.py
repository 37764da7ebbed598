"""What the IAM policy says of logs, held against moto's evaluator as in test_iam_policy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guard.test_iam_policy import NAMES, PLACES, Evaluator, deny, made, rule_names, statement
from lambda_warden.guard.iam_policy import READ_LOGS, policies
from lambda_warden.guard.logs import decide_logs
from lambda_warden.guard.rules import Rules
from lambda_warden.model.function_rule import FunctionRule
from support.builders import ACCOUNT, REGION, function_arn, ref, rule

QUALIFIERS = ["live", "7"]


def group_arn(group: str, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:"


@st.composite
def log_rules(draw: st.DrawFn) -> FunctionRule:
    account, region = draw(st.sampled_from(PLACES))
    qualifiers = draw(st.lists(st.sampled_from(QUALIFIERS), min_size=1, unique=True))
    logs = draw(st.sampled_from([None, {}, {"read": "any"}]))
    return rule(draw(rule_names), qualifiers=qualifiers, account=account, region=region, logs=logs)


denials = st.lists(st.builds(lambda name: deny(f"arn:*:lambda:*:*:function:{name}"), rule_names), max_size=2)


@given(st.builds(made, st.lists(log_rules(), min_size=3, max_size=10), st.just([]) | denials))
def test_iam_allows_the_log_group_of_a_function_where_the_guard_allows_a_log_in_it(rules: Rules) -> None:
    evaluator = Evaluator(rules)
    for account, region in PLACES:
        for name in [*NAMES, "a-b"]:
            asked = [ref(name, qualifier, account=account, region=region) for qualifier in QUALIFIERS]
            allowed = any(decide_logs(each, rules, own=True).decision.allowed for each in asked)
            group = group_arn(f"/aws/lambda/{name}", account, region)
            for action in READ_LOGS:
                assert evaluator.allows(account, group, action) is allowed, group
                assert evaluator.allows(account, f"{group}2026/11/25/[7]0123", action) is allowed, group


def test_no_rule_that_allows_logs_needs_no_permission_for_them() -> None:
    documents = policies(made([rule("f"), rule("g*")], [deny("arn:*:lambda:*:*:function:*-x")]))
    assert statement(documents[ACCOUNT], "ReadLogs") is None
    assert statement(documents[ACCOUNT], "ReadNoOtherLogs") is None


def test_a_log_group_of_a_rule_is_the_one_that_is_allowed() -> None:
    evaluator = Evaluator(
        made([rule("f", logs={"log_group": "/shared/all"}), rule("g*", logs={"log_group": "/g/all"})])
    )
    for group in ("/shared/all", "/g/all"):
        assert evaluator.allows(ACCOUNT, group_arn(group), READ_LOGS[0])
    for group in ("/aws/lambda/f", "/aws/lambda/ga", "/shared", "/shared/all2"):
        assert not evaluator.allows(ACCOUNT, group_arn(group), READ_LOGS[0])


def test_the_star_of_a_pattern_reaches_no_other_group_by_the_name_of_a_stream() -> None:
    evaluator = Evaluator(made([rule("*stream", logs={}), rule("*-daily", logs={})]))
    assert evaluator.allows(ACCOUNT, group_arn("/aws/lambda/my-stream"), READ_LOGS[1])
    for resource in (group_arn("/aws/lambda/payroll"), f"{group_arn('/aws/lambda/payroll')}x-daily"):
        assert not evaluator.allows(ACCOUNT, resource, READ_LOGS[1])


def test_a_function_with_a_rule_of_its_own_is_not_read_under_a_pattern() -> None:
    evaluator = Evaluator(made([rule("report-*", logs={}), rule("report-payroll"), rule("report-daily", logs={})]))
    assert evaluator.allows(ACCOUNT, group_arn("/aws/lambda/report-daily"), READ_LOGS[0])
    assert not evaluator.allows(ACCOUNT, group_arn("/aws/lambda/report-payroll"), READ_LOGS[0])
    (document,) = evaluator.documents.values()
    assert statement(document, "InvokeWhatTheManifestAllows") == sorted(
        function_arn(name) + ":live" for name in ("report-*", "report-daily", "report-payroll")
    )
