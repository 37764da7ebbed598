"""The IAM policy of the manifests allows what the guard allows: held against an evaluator that is not ours, moto's.

More requests than usual: `IAM_REQUESTS=1000000 pytest -s tests/guard/test_iam_policy.py`.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.iam.access_control import IAMPolicy, PermissionResult

from lambda_warden.aws.catalog import describe
from lambda_warden.aws.configuration import read_configuration
from lambda_warden.guard.decide import decide
from lambda_warden.guard.iam_policy import INVOKE, READ_EXECUTION, policies
from lambda_warden.guard.iam_split import MANAGED_POLICY_LIMIT
from lambda_warden.guard.rules import Deny, Rule, RuleConflictError, Rules
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.manifest import DenyRule
from lambda_warden.model.rule_arn import parse_deny_arn, parse_rule_arn
from support.builders import ACCOUNT, OTHER_ACCOUNT, OTHER_REGION, REGION, function_arn, ref, request, rule, target
from support.calls import clients_at
from support.scripted_endpoint import ScriptedEndpoint
from support.strategies import function_refs

TARGETS = [target(ACCOUNT, REGION, OTHER_REGION), target(OTHER_ACCOUNT, REGION)]
PLACES = [(ACCOUNT, REGION), (ACCOUNT, OTHER_REGION), (OTHER_ACCOUNT, REGION)]
NAMES = ["".join(letters) for length in (1, 2, 3) for letters in itertools.product("ab", repeat=length)]
# `b` is also a name and the end of patterns; `-` stands in no name here, so that some names are in no rule.
QUALIFIERS = ["live", "b", "7", "$LATEST", "$LATEST.PUBLISHED"]
REFS = [
    ref(name, qualifier, account=account, region=region)
    for (account, region), name, qualifier in itertools.product(PLACES, [*NAMES, "a-b"], QUALIFIERS)
]
OF_QUALIFIERS = (INVOKE, "lambda:GetFunctionConfiguration")
"""The actions that are asked for with a qualifier, and allowed where a call is."""
REQUESTS = int(os.environ.get("IAM_REQUESTS", "20000"))


def made(specs: Iterable[FunctionRule], denies: Iterable[DenyRule] = ()) -> Rules:
    """Rules of whole manifests, without those that are in conflict with an earlier one."""
    kept: list[Rule] = []
    for spec in specs:
        added = [*kept, Rule(spec, parse_rule_arn(spec.arn), "")]
        try:
            Rules(added, TARGETS)
        except RuleConflictError:
            continue
        kept = added
    return Rules(kept, TARGETS, [Deny(spec, parse_deny_arn(spec.arn), "") for spec in denies])


def deny(arn: str, *qualifiers: str) -> DenyRule:
    return DenyRule(arn=arn, qualifiers=list(qualifiers) or None)


class Evaluator:
    """moto's reading of the policies of all accounts.

    It takes resources for regular expressions, in which `$` is the end: so it stands for another letter here.
    """

    def __init__(self, rules: Rules, max_characters: int = MANAGED_POLICY_LIMIT) -> None:
        self.documents = policies(rules, max_characters)
        self._policies = {
            account: [IAMPolicy(json.dumps(document).replace("$", "=")) for document in split]
            for account, split in self.documents.items()
        }

    def allows(self, account: str, resource: str, action: str = INVOKE, *, first: int | None = None) -> bool:
        """Whether all policies of an account together allow it, or the first ones of them."""
        answers = {
            policy.is_action_permitted(action, resource.replace("$", "="))
            for policy in self._policies.get(account, [])[:first]
        }
        return PermissionResult.DENIED not in answers and PermissionResult.PERMITTED in answers


def guard_allows(asked: FunctionRef, rules: Rules) -> bool:
    return decide(asked, request(None), rules).decision.allowed


def statement(documents: list[dict[str, Any]], sid: str) -> list[str] | None:
    """The resources of the statements with one name, in all policies of an account."""
    found = [each["Resource"] for document in documents for each in document["Statement"] if each["Sid"] == sid]
    return list(itertools.chain(*found)) or None


def one_by_one(documents: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((account, document) for account, split in documents.items() for document in split)


def size_of(document: dict[str, Any]) -> int:
    """As IAM counts it: no name or text of a policy holds white space."""
    return len("".join(json.dumps(document).split()))


# The proof

qualifier_lists = st.lists(st.sampled_from(QUALIFIERS), min_size=1, max_size=4, unique=True)
rule_names = st.sampled_from(NAMES) | st.text("ab*", min_size=2, max_size=4).filter(
    lambda text: "*" in text and text.strip("*") != ""
)


@st.composite
def function_rules(draw: st.DrawFn) -> FunctionRule:
    account, region = draw(st.sampled_from(PLACES))
    return rule(draw(rule_names), qualifiers=draw(qualifier_lists), account=account, region=region)


@st.composite
def deny_rules(draw: st.DrawFn) -> DenyRule:
    account, region = draw(st.sampled_from(PLACES))
    partition, region = draw(
        st.sampled_from([("aws", region), ("aws", "*"), ("*", region), ("*", "*"), ("aws-cn", "*")])
    )
    arn = function_arn(
        draw(rule_names | st.just("*")),
        region=region,
        account=draw(st.sampled_from(["*", account])),
        partition=partition,
    )
    return deny(arn, *(draw(qualifier_lists) if draw(st.booleans()) else ()))


manifests = st.builds(
    made, st.lists(function_rules(), min_size=4, max_size=12), st.just([]) | st.lists(deny_rules(), max_size=2)
)


def test_for_every_request_iam_and_the_guard_answer_the_same() -> None:
    compared: Counter[bool] = Counter()

    @settings(max_examples=max(20, -(-REQUESTS // len(REFS))), deadline=None)
    @given(manifests)
    def compare(rules: Rules) -> None:
        evaluator = Evaluator(rules)
        for asked in REFS:
            allowed = guard_allows(asked, rules)
            for action in OF_QUALIFIERS:
                assert evaluator.allows(asked.account, asked.qualified_arn, action) is allowed, (action, asked)
            compared[allowed] += 1

    compare()
    share = compared[True] / compared.total()
    print(f"{compared.total():,} requests compared, {share:.1%} of them allowed")
    assert 0.02 < share < 0.98


@given(function_refs(), st.data())
def test_iam_and_the_guard_agree_on_functions_of_any_partition_name_and_qualifier(
    asked: FunctionRef, data: st.DataObject
) -> None:
    where = {"partition": asked.partition, "region": asked.region, "account": asked.account}
    start = asked.name[: data.draw(st.integers(1, len(asked.name)))]
    specs = [rule(f"{start}*"[:64], qualifiers=[asked.qualifier, "other"], **where)]
    if data.draw(st.booleans()):
        specs.append(rule(asked.name, qualifiers=[data.draw(st.sampled_from([asked.qualifier, "another"]))], **where))
    denies = [deny("arn:*:lambda:*:*:function:*-x"), deny(function_arn("*", **where), "other")]
    rules = Rules(
        [Rule(spec, parse_rule_arn(spec.arn), str(number)) for number, spec in enumerate(specs)],
        [target(asked.account, asked.region)],
        [Deny(spec, parse_deny_arn(spec.arn), "") for spec in denies],
    )
    evaluator = Evaluator(rules)
    for qualifier in {asked.qualifier, "other", "another", "$LATEST"}:
        for name in {asked.name, asked.name[:62] + "-x", start, start[:-1] + "z"}:
            each = FunctionRef(**where, name=name, qualifier=qualifier)
            for action in OF_QUALIFIERS:
                assert evaluator.allows(asked.account, each.qualified_arn, action) is guard_allows(each, rules)


# The parts


@settings(max_examples=30, deadline=None)
@given(manifests, st.integers(350, 1200))
def test_split_policies_together_allow_what_the_guard_allows_and_the_first_ones_of_them_no_more(
    rules: Rules, max_characters: int
) -> None:
    evaluator = Evaluator(rules, max_characters)
    assert all(size_of(document) <= max_characters for _, document in one_by_one(evaluator.documents))
    for asked in REFS[::3]:
        allowed = guard_allows(asked, rules)
        assert evaluator.allows(asked.account, asked.qualified_arn) is allowed
        if not allowed:
            for first in range(1, len(evaluator.documents.get(asked.account, []))):
                assert not evaluator.allows(asked.account, asked.qualified_arn, first=first)


@given(manifests, st.integers(350, 1200))
def test_splitting_takes_nothing_away_and_adds_nothing(rules: Rules, max_characters: int) -> None:
    def content(max_characters: int) -> Counter[tuple[str, ...]]:
        return Counter(
            (account, each["Sid"], each["Effect"], *each["Action"], resource)
            for account, document in one_by_one(policies(rules, max_characters))
            for each in document["Statement"]
            for resource in each["Resource"]
        )

    assert content(max_characters) == content(10**9)


@pytest.mark.parametrize("count", [67, 400, 2000])
def test_a_policy_is_never_larger_than_a_managed_one_and_no_smaller_than_need_be(count: int) -> None:
    names = [f"orders-service-function-{number:04}" for number in range(count)]
    specs = [rule(name, qualifiers=["live"], logs={}) for name in names]
    specs += [rule("orders-*", qualifiers=["live", "7"], logs={})]
    evaluator = Evaluator(made(specs, [deny("arn:*:lambda:*:*:function:*-payroll")]))
    split = evaluator.documents[ACCOUNT]
    sizes = [size_of(document) for document in split]
    assert max(sizes) <= MANAGED_POLICY_LIMIT
    # A policy ends where the next resource, which has less than 200 characters, does not fit any more.
    assert all(size > MANAGED_POLICY_LIMIT - 500 for size in sizes[:-1])
    for name in (names[0], names[count // 2], names[-1]):
        assert evaluator.allows(ACCOUNT, f"{function_arn(name)}:live")
        assert not evaluator.allows(ACCOUNT, f"{function_arn(name)}:7")
    assert evaluator.allows(ACCOUNT, f"{function_arn('orders-other')}:7")
    assert not evaluator.allows(ACCOUNT, f"{function_arn('orders-payroll')}:7")


def test_a_resource_that_no_policy_can_hold_is_an_error() -> None:
    with pytest.raises(ValueError, match="a policy of 200 characters can not hold arn:"):
        policies(made([rule("f")]), 200)


# The form


@given(manifests)
def test_a_policy_is_in_the_form_that_iam_takes(rules: Rules) -> None:
    for account, document in one_by_one(policies(rules)):
        assert list(document) == ["Version", "Statement"]
        assert document["Version"] == "2012-10-17"
        statements = document["Statement"]
        assert len({each["Sid"] for each in statements}) == len(statements)
        for each in statements:
            assert list(each) == ["Sid", "Effect", "Action", "Resource"]
            assert re.fullmatch("[A-Za-z0-9]+", each["Sid"])
            assert each["Effect"] in ("Allow", "Deny")
            assert each["Action"]
            assert each["Resource"]
            assert each["Resource"] == sorted(set(each["Resource"]))
            # Each names its account, and no text in it is a variable or matches any one character.
            for resource in each["Resource"]:
                assert resource == "*" or f":{account}:function:" in resource
                assert "${" not in resource
                assert "?" not in resource


@given(manifests)
def test_policies_do_not_depend_on_the_order_of_the_manifest(rules: Rules) -> None:
    other = Rules(reversed(rules.all), reversed(rules.targets), reversed(rules.denies))
    assert json.dumps(policies(other)) == json.dumps(policies(rules))


# What stands in it


def test_each_account_has_a_policy_with_its_own_functions_and_their_qualifiers() -> None:
    documents = policies(
        made([rule("b", qualifiers=["live", "$LATEST", "7"]), rule("a-*"), rule("c", account=OTHER_ACCOUNT)])
    )
    assert list(documents) == [ACCOUNT, OTHER_ACCOUNT]
    assert statement(documents[ACCOUNT], "InvokeWhatTheManifestAllows") == [
        function_arn("a-*") + ":live",
        function_arn("b") + ":$LATEST",
        function_arn("b") + ":7",
        function_arn("b") + ":live",
    ]
    assert statement(documents[OTHER_ACCOUNT], "InvokeWhatTheManifestAllows") == [
        function_arn("c", account=OTHER_ACCOUNT) + ":live"
    ]


def test_nothing_is_denied_that_was_not_allowed() -> None:
    (document,) = policies(made([rule("a", qualifiers=["live"]), rule("b*a", qualifiers=["7"])])).values()
    assert statement(document, "NoPatternWhereARuleNamesTheFunction") is None
    assert statement(document, "NeverWhatTheManifestDenies") is None


def test_a_function_with_rules_of_its_own_has_only_their_qualifiers() -> None:
    specs = [
        rule("report-*", qualifiers=["live", "7", "8"]),
        rule("*-daily", qualifiers=["9"]),
        rule("report-daily", qualifiers=["7"]),
        rule("report-daily", qualifiers=["$LATEST"]),
    ]
    (document,) = policies(made(specs)).values()
    arn = function_arn("report-daily")
    assert statement(document, "NoPatternWhereARuleNamesTheFunction") == [f"{arn}:8", f"{arn}:9", f"{arn}:live"]


def test_a_deny_entry_is_written_out_for_the_regions_of_the_account() -> None:
    denies = [
        deny("arn:*:lambda:*:*:function:*-payroll"),
        deny(f"arn:aws:lambda:{REGION}:*:function:f", "7"),
        deny("arn:aws-cn:lambda:*:*:function:g"),
        deny(f"arn:*:lambda:*:{'0' * 12}:function:g"),
    ]
    documents = policies(made([rule("a*"), rule("c", account=OTHER_ACCOUNT)], denies))
    assert statement(documents[ACCOUNT], "NeverWhatTheManifestDenies") == [
        function_arn("*-payroll", region=OTHER_REGION) + ":*",
        function_arn("*-payroll") + ":*",
        function_arn("f") + ":7",
    ]
    assert statement(documents[OTHER_ACCOUNT], "NeverWhatTheManifestDenies") == [
        function_arn("*-payroll", account=OTHER_ACCOUNT) + ":*",
        function_arn("f", account=OTHER_ACCOUNT) + ":7",
    ]


def test_what_is_denied_by_its_name_is_not_allowed_first() -> None:
    (document,) = policies(made([rule("f", qualifiers=["live", "7"])], [deny(function_arn("f"), "7")])).values()
    assert statement(document, "InvokeWhatTheManifestAllows") == [function_arn("f") + ":live"]
    (document,) = policies(made([rule("f")], [deny(function_arn("*"))])).values()
    assert statement(document, "InvokeWhatTheManifestAllows") is None


# What is read


@pytest.mark.parametrize("action", ["lambda:ListAliases", "lambda:ListVersionsByFunction"])
def test_functions_of_the_rules_may_be_described_and_no_others(action: str) -> None:
    evaluator = Evaluator(made([rule("report-*"), rule("f"), rule("g", region=OTHER_REGION)]))
    for arn in (function_arn("report-daily"), function_arn("f"), function_arn("g", region=OTHER_REGION)):
        assert evaluator.allows(ACCOUNT, arn, action)
    for arn in (function_arn("reports"), function_arn("g"), function_arn("f", account=OTHER_ACCOUNT), "*"):
        assert not evaluator.allows(ACCOUNT, arn, action)


def test_a_configuration_is_read_by_qualifier_alone() -> None:
    """Without a qualifier GetFunctionConfiguration tells of $LATEST, with its environment variables."""
    evaluator = Evaluator(made([rule("f", qualifiers=["live", "$LATEST"]), rule("*-daily")]))
    read = "lambda:GetFunctionConfiguration"
    for arn in (function_arn("f") + ":live", function_arn("f") + ":$LATEST", function_arn("x-daily") + ":live"):
        assert evaluator.allows(ACCOUNT, arn, read)
    others = ("f", "x-daily", "f:7", "x-daily:7", "x-daily:$LATEST", "payroll:x-daily", "payroll:7:x-daily")
    for arn in map(function_arn, others):
        assert not evaluator.allows(ACCOUNT, arn, read)


@given(manifests)
def test_no_statement_speaks_of_a_configuration_without_qualifier(rules: Rules) -> None:
    for _, document in one_by_one(policies(rules)):
        for each in document["Statement"]:
            if "lambda:GetFunctionConfiguration" in each["Action"]:
                assert {*each["Action"]} - {READ_EXECUTION} == {*OF_QUALIFIERS}
                assert all(re.search(":function:[^:]+:[^:]+$", resource) for resource in each["Resource"])


@pytest.mark.parametrize("qualifiers", [["live"], ["7", "$LATEST"]])
def test_what_the_server_reads_of_a_function_is_allowed(qualifiers: list[str], endpoint: ScriptedEndpoint) -> None:
    """The requests that the adapters make, with the action and the resource that IAM checks for each."""
    evaluator = Evaluator(made([rule(qualifiers=qualifiers, expect_version=["7"] if "live" in qualifiers else None)]))
    clients = clients_at(endpoint.url)
    endpoint.catalog = [{"FunctionName": "f", "FunctionArn": function_arn()}]
    for qualifier in qualifiers:
        describe(clients, ACCOUNT, REGION, function_arn(), qualifier)
        read_configuration(clients, ref(qualifier=qualifier))
    paths = {"configuration": OF_QUALIFIERS[1], "aliases": "lambda:ListAliases"}
    paths["versions"] = "lambda:ListVersionsByFunction"
    assert len(endpoint.received) == 4 * len(qualifiers)
    for received in endpoint.received:
        _, _, _, function, what = received.path.split("/")
        resource = ":".join(filter(None, [unquote(function), received.query.get("Qualifier")]))
        assert evaluator.allows(ACCOUNT, resource, paths[what]), (what, resource)


def test_executions_are_read_of_what_may_be_called_and_of_the_version_that_was_asked_for() -> None:
    specs = [rule("a", qualifiers=["live"]), rule("b-*", qualifiers=["7", "$LATEST"]), rule("c", qualifiers=["live"])]
    evaluator = Evaluator(made(specs, [deny(function_arn("c")), deny(function_arn("b-no"))]))
    assert statement(evaluator.documents[ACCOUNT], "ReadDurableExecutions") == [
        function_arn("a") + ":*/durable-execution/*/*",
        function_arn("b-*") + ":$LATEST/durable-execution/*/*",
        function_arn("b-*") + ":7/durable-execution/*/*",
    ]
    execution = "/durable-execution/order-1/0192f"
    for function in ("a:7", "a:$LATEST", "b-1:7", "b-1:$LATEST"):
        assert evaluator.allows(ACCOUNT, function_arn(function) + execution, READ_EXECUTION)
        assert not evaluator.allows(ACCOUNT, function_arn(function) + execution, INVOKE)
    for function in ("aa:7", "b-1:8", "b-no:7", "c:7", "b-1"):
        assert not evaluator.allows(ACCOUNT, function_arn(function) + execution, READ_EXECUTION)
    for arn in (function_arn("a") + ":7", "*", function_arn("a:7", account=OTHER_ACCOUNT) + execution):
        assert not evaluator.allows(ACCOUNT, arn, READ_EXECUTION)


def test_functions_may_be_listed_and_nothing_else_is_allowed_on_everything() -> None:
    (document,) = policies(made([rule("report-*")])).values()
    on_everything = [each["Action"] for each in document[0]["Statement"] if each["Resource"] == ["*"]]
    assert on_everything == [["lambda:ListFunctions"]]


def test_an_alias_may_be_read_only_where_a_rule_expects_versions_behind_one() -> None:
    specs = [
        rule("a", expect_version=["7"]),
        rule("b-*", qualifiers=["live", "7"], expect_version=["7"]),
        rule("c"),
        rule("d", qualifiers=["7"], expect_version=["7"]),
    ]
    evaluator = Evaluator(made(specs))
    assert statement(evaluator.documents[ACCOUNT], "ReadAliases") == [function_arn("a"), function_arn("b-*")]
    assert evaluator.allows(ACCOUNT, function_arn("b-1"), "lambda:GetAlias")
    assert not evaluator.allows(ACCOUNT, function_arn("c"), "lambda:GetAlias")


def test_no_rules_need_no_policy() -> None:
    assert policies(made([])) == {}


@pytest.mark.parametrize(
    ("keys", "reads"),
    [
        ({}, False),
        ({"approval": "always"}, True),
        ({"effect": "destructive"}, True),
        ({"approval": {"by": "client"}}, False),
    ],
    ids=["never", "always", "destructive", "by the client"],
)
def test_where_an_alias_leads_is_read_for_approvals_out_of_band(keys: dict[str, Any], reads: bool) -> None:
    assert ("lambda:GetAlias" in str(policies(made([rule("f", **keys)])))) is reads
