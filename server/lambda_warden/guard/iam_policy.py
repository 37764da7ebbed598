"""iam_policy: the rules → the IAM identity policies that allow what the guard allows, and no more.

Sources: "Actions, resources, and condition keys for AWS Lambda" (Service Authorization Reference), "Fine-tuning the
Resources and Conditions sections of policies" (Lambda Developer Guide), "IAM JSON policy elements: Resource" (IAM
User Guide).
"""

# How IAM reads these ARNs: `*` stands for any characters, `:` included; a Deny wins over every Allow.
#
# Invoke is checked against the ARN with the qualifier that was sent, and lambda-warden always sends one. Such an ARN
# has exactly one `:` after the function's name: neither names nor qualifiers have any. A resource
# `…:function:PATTERN:QUALIFIER` has one there, too, and it is literal. So it matches at that place, and the `*` of the
# pattern can't reach beyond the name. GetFunctionConfiguration is sent with the same qualifiers, and stands beside it.
# GetDurableExecution is checked against the execution's ARN, `…:function:NAME:VERSION/durable-execution/NAME/ID`, which
# names the version that runs, also where an alias was called: there `*` stands for it. So an alias, and a
# pattern that fits a function which rules name, give away what executions of other versions returned: which of them a
# call started is beyond IAM. A denial of a whole function holds for its executions, as its `*` reaches into their ARNs.
# The lists of aliases and versions take no qualifier: there `*` may match too much, and gives away nothing but names.
#
# `?` stands in no name or qualifier. `$` starts a variable only before `{`, so `$LATEST` is plain text.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_warden.guard.alias import is_alias
from lambda_warden.guard.iam_split import MANAGED_POLICY_LIMIT, split_statements
from lambda_warden.guard.rules import Deny, Rule, Rules
from lambda_warden.model.function_ref import FunctionRef, partition_of
from lambda_warden.model.rule_arn import RuleArn

INVOKE: Final = "lambda:InvokeFunction"
"""The action of every kind of Invoke, DryRun included."""

READ_LOGS: Final = ("logs:FilterLogEvents", "logs:GetLogEvents")
"""What reading the log of an invocation takes."""

_READ_CONFIGURATION: Final = "lambda:GetFunctionConfiguration"
"""Read of each qualifier that may be invoked: how long it may run, its log group, its state."""
_DESCRIBE: Final = ("lambda:ListAliases", "lambda:ListVersionsByFunction")
_OF_QUALIFIERS: Final = (INVOKE, _READ_CONFIGURATION)
READ_EXECUTION: Final = "lambda:GetDurableExecution"
"""What following a durable execution that a call started takes."""


def policies(rules: Rules, max_characters: int = MANAGED_POLICY_LIMIT) -> dict[str, list[dict[str, Any]]]:
    """The least that the server's credentials need in each account that a rule stands in.

    On ARNs of functions with qualifier, a policy allows `lambda:InvokeFunction` and `lambda:GetFunctionConfiguration`
    exactly where the guard allows a call by its rules and denials. Who asks, payloads, tenants, limits and stops are
    beyond IAM. Beside it stand the reads that list_functions makes, those of durable executions, those of aliases where
    a rule expects certain versions, and those of log groups where a rule allows logs to be read. Which invocation's log
    or execution that is, is beyond IAM.

    Args:
        rules: the manifests' rules.
        max_characters: of one policy, as IAM counts them.

    Returns:
        Policy documents (version 2012-10-17) by account, to be attached together. What is denied comes first, so that
        the first ones of them never allow what all of them do not. Accounts, policies, statements and resources are in
        a stable order.
    """
    drafts: dict[str, _Draft] = defaultdict(_Draft)
    for rule in rules.all:
        drafts[rule.arn.account].add_rule(rule, rules)
    for target in rules.targets:
        if draft := drafts.get(target.account):
            draft.places.update((home, region) for region in target.regions if (home := partition_of(region)))
    for account, draft in drafts.items():
        for deny in rules.denies:
            draft.denied.update(_denied_resources(deny, account, draft.places))
            if draft.logs:
                draft.denied_logs.update(_denied_logs(deny, account, draft.places))
    return {account: split_statements(drafts[account].statements(), max_characters) for account in sorted(drafts)}


@dataclass(slots=True)
class _Draft:
    """One account's partitions and regions, and the resources of its policy by what is allowed or denied on them."""

    places: set[tuple[str, str]] = field(default_factory=set)
    invoked: set[str] = field(default_factory=set)
    shadowed: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    described: set[str] = field(default_factory=set)
    executions: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    logs: set[str] = field(default_factory=set)
    shadowed_logs: set[str] = field(default_factory=set)
    denied_logs: set[str] = field(default_factory=set)

    def add_rule(self, rule: Rule, rules: Rules) -> None:
        arn = rule.arn
        self.places.add((arn.partition, arn.region))
        self.described.add(str(arn))
        # An approval out of band is good for the versions that an alias leads to.
        out_of_band = rule.spec.asks and rule.spec.asked.by != "client"
        if (rule.spec.expect_version is not None or out_of_band) and any(map(is_alias, rule.spec.qualifiers)):
            self.aliases.add(str(arn))
        refs = [FunctionRef(arn.partition, arn.region, arn.account, arn.name, each) for each in rule.spec.qualifiers]
        if not arn.is_pattern:
            refs = [ref for ref in refs if rules.denial_of(ref) is None]
        self.executions.update(_executions(refs))
        self.logs.update(_log_resources(rule, rules))
        self.invoked.update(ref.qualified_arn for ref in refs)
        if not arn.is_pattern:
            self.shadowed_logs.update(_shadowed_logs(arn, rules))
            self.shadowed.update(_shadowed_resources(arn, rules))

    def statements(self) -> list[dict[str, Any]]:
        statements = [
            _statement("NoPatternWhereARuleNamesTheFunction", "Deny", _OF_QUALIFIERS, self.shadowed),
            _statement("NeverWhatTheManifestDenies", "Deny", (*_OF_QUALIFIERS, READ_EXECUTION), self.denied),
            _statement("ReadNoOtherLogs", "Deny", READ_LOGS, self.denied_logs | (self.shadowed_logs - self.logs)),
            _statement("InvokeWhatTheManifestAllows", "Allow", _OF_QUALIFIERS, self.invoked),
            _statement("ReadDurableExecutions", "Allow", [READ_EXECUTION], self.executions),
            _statement("ListFunctions", "Allow", ["lambda:ListFunctions"], ["*"]),
            _statement("DescribeFunctions", "Allow", _DESCRIBE, self.described),
            _statement("ReadAliases", "Allow", ["lambda:GetAlias"], self.aliases),
            _statement("ReadLogs", "Allow", READ_LOGS, self.logs),
        ]
        return [statement for statement in statements if statement["Resource"]]


def _statement(sid: str, effect: str, actions: Iterable[str], resources: Iterable[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": effect, "Action": list(actions), "Resource": sorted(resources)}


def _shadowed_resources(arn: RuleArn, rules: Rules) -> Iterator[str]:
    """What patterns would allow of a function that rules name: their qualifiers, where none of these rules has it."""
    ref = FunctionRef(arn.partition, arn.region, arn.account, arn.name, "")
    own = {qualifier for rule in rules.for_function(ref) for qualifier in rule.spec.qualifiers}
    for pattern in rules.patterns_for(ref):
        yield from (f"{arn}:{qualifier}" for qualifier in pattern.spec.qualifiers if qualifier not in own)


def _executions(refs: Iterable[FunctionRef]) -> Iterator[str]:
    """The durable executions that calls of some qualifiers start; those of an alias may be of any version."""
    for ref in refs:
        version = "*" if is_alias(ref.qualifier) else ref.qualifier
        yield f"{ref.function_arn}:{version}/durable-execution/*/*"


def _denied_resources(deny: Deny, account: str, places: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A deny entry in the partitions and regions of an account, `*` in place of qualifiers that it does not name."""
    arn = deny.arn
    if arn.account not in ("*", account):
        return
    for partition, region in places:
        if arn.partition in ("*", partition) and arn.region in ("*", region):
            function = RuleArn(partition, region, account, arn.name)
            yield from (f"{function}:{qualifier}" for qualifier in deny.spec.qualifiers or ("*",))


def _log_resources(rule: Rule, rules: Rules) -> Iterator[str]:
    """The log group that a rule allows to be read, if there is a qualifier under which anything ran."""
    arn, logs = rule.arn, rule.spec.logs
    refs = (FunctionRef(arn.partition, arn.region, arn.account, arn.name, each) for each in rule.spec.qualifiers)
    if logs is not None and (arn.is_pattern or any(rules.denial_of(ref) is None for ref in refs)):
        yield _log_group(arn, logs.group_of(arn.name))


def _shadowed_logs(arn: RuleArn, rules: Rules) -> Iterator[str]:
    """The log group that patterns would allow of a function that rules name: these may allow it themselves."""
    ref = FunctionRef(arn.partition, arn.region, arn.account, arn.name, "")
    if any(pattern.spec.logs and pattern.spec.logs.log_group is None for pattern in rules.patterns_for(ref)):
        yield _log_group(arn, f"/aws/lambda/{arn.name}")


def _denied_logs(deny: Deny, account: str, places: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The log groups of functions that are denied whatever the qualifier: no log group tells qualifiers apart."""
    arn = deny.arn
    if arn.account not in ("*", account) or deny.spec.qualifiers is not None:
        return
    for partition, region in places:
        if arn.partition in ("*", partition) and arn.region in ("*", region):
            place = RuleArn(partition, region, account, arn.name)
            yield _log_group(place, f"/aws/lambda/{arn.name}")


def _log_group(arn: RuleArn, group: str) -> str:
    end = "log-stream:*" if "*" in group else "*"
    return f"arn:{arn.partition}:logs:{arn.region}:{arn.account}:log-group:{group}:{end}"
