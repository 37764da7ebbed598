"""The manifest's rules, indexed so that a decision takes the same time for ten and for ten thousand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lambda_warden.guard.callers import refusal_of
from lambda_warden.guard.name_pattern import NamePatterns, first_overlap
from lambda_warden.guard.payload_schema import PayloadSchema
from lambda_warden.model.caller import Caller
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.limits import Limits
from lambda_warden.model.manifest import DenyRule
from lambda_warden.model.rule_arn import RuleArn
from lambda_warden.model.target import Target
from lambda_warden.redaction.policy import BUILT_IN, Detectors

_LISTED: Final = 20
"""Rules that are named where the rules changed."""
_Place = tuple[str, str, str]
"""Partition, region and account."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of the manifest's `functions`, ready to decide with.

    `source` is where it stands (FILE:LINE), `defaulted` where what it takes from `defaults` does, by key, and `locked`
    where the lock file says that it was selected. They are for the operator: no model is shown them.
    """

    spec: FunctionRule
    arn: RuleArn
    source: str
    schema: PayloadSchema | None = None
    defaulted: Mapping[str, str] = field(default_factory=dict)
    locked: str | None = None


@dataclass(frozen=True, slots=True)
class Deny:
    """One entry of a manifest's `deny`, ready to decide with."""

    spec: DenyRule
    arn: RuleArn
    source: str
    _name: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_name", self.arn.name_regex())

    @property
    def is_exact(self) -> bool:
        """Whether it names one function: no `*` in any part."""
        return "*" not in str(self.arn)

    def covers(self, ref: FunctionRef) -> bool:
        """Whether this entry denies a function with this qualifier."""
        return (
            (self.spec.qualifiers is None or ref.qualifier in self.spec.qualifiers)
            and self.arn.partition in ("*", ref.partition)
            and self.arn.region in ("*", ref.region)
            and self.arn.account in ("*", ref.account)
            and self._name.fullmatch(ref.name) is not None
        )


class RuleConflictError(ValueError):
    """Two rules say something of one function and qualifier, so neither can be meant.

    `name` is a function's name that both cover, one of many perhaps.
    """

    def __init__(self, first: Rule, second: Rule, qualifiers: Iterable[str], name: str) -> None:
        self.first, self.second = first, second
        self.qualifiers = sorted(qualifiers)
        self.name = name
        super().__init__(
            f"{first.source} ({first.arn}) and {second.source} ({second.arn}) both cover "
            f"{', '.join(self.qualifiers)} of {name}"
        )


class Rules:
    """All rules of the manifests, the targets they stand on, what is denied all the same, and principals' limits.

    `detectors` is what is redacted in whatever is shown of these functions; `digest` is that of the files.

    Rules that name a function exactly come before patterns: where one exists, no pattern is looked at.

    Raises:
        RuleConflictError: if two rules with the same `arn`, or two patterns that match a common name, share a
            qualifier. It doesn't matter whether a function of that name has a rule of its own.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        targets: Iterable[Target],
        denies: Iterable[Deny] = (),
        principals: Mapping[str, Limits] | None = None,
        detectors: Detectors = BUILT_IN,
        digest: str = "",
    ) -> None:
        self.all = tuple(rules)
        self.targets = tuple(targets)
        self.denies = tuple(denies)
        self.principals = dict(principals or {})
        self.detectors = detectors
        self.digest = digest
        self._check_conflicts()
        self._exact: dict[str, list[Rule]] = {}
        self._patterns: dict[_Place, NamePatterns[Rule]] = {}
        for rule in self.all:
            if rule.arn.is_pattern:
                self._patterns.setdefault(_place(rule.arn), NamePatterns()).add(rule.arn, rule)
            else:
                self._exact.setdefault(rule.spec.arn, []).append(rule)
        self._exact_denies: dict[str, list[tuple[int, Deny]]] = defaultdict(list)
        self._wide_denies: list[tuple[int, Deny]] = []
        for numbered in enumerate(self.denies):
            deny = numbered[1]
            (self._exact_denies[deny.spec.arn] if deny.is_exact else self._wide_denies).append(numbered)

    def for_function(self, ref: FunctionRef) -> list[Rule]:
        """The rules that speak of a function, whatever the qualifier: exact ones, or else patterns."""
        return self._exact.get(ref.function_arn) or self.patterns_for(ref)

    def patterns_for(self, ref: FunctionRef) -> list[Rule]:
        """The rules whose patterns match a function, also where a rule names it exactly and so none is followed."""
        patterns = self._patterns.get((ref.partition, ref.region, ref.account))
        return patterns.matching(ref.name) if patterns else []

    def denial_of(self, ref: FunctionRef) -> Deny | None:
        """The entry that denies a function with this qualifier, whatever the rules say; the first one, if any."""
        exact = next((each for each in self._exact_denies.get(ref.function_arn, ()) if each[1].covers(ref)), None)
        wide = next((each for each in self._wide_denies if each[1].covers(ref)), None)
        first = min((each for each in (exact, wide) if each), key=lambda each: each[0], default=None)
        return first[1] if first else None

    def exact_arns(self, caller: Caller) -> list[str]:
        """The functions that rules name without a pattern, as far as a caller may call them."""
        return [rule.spec.arn for rule in self.all if not rule.arn.is_pattern and refusal_of(caller, rule.spec) is None]

    def names_exactly(self, function_arn: str) -> bool:
        """Whether a rule names this function without a pattern."""
        return function_arn in self._exact

    def changes_from(self, before: Rules) -> dict[str, str | None]:
        """What is allowed now and was not, what was and is not any more, what is allowed otherwise, and what is denied
        now or not any more: ARNs, of rules with their qualifiers."""
        old, new = ({rule.spec.key: rule for rule in rules.all} for rules in (before, self))
        denied_before, denied = ([deny.spec for deny in rules.denies] for rules in (before, self))
        found = {
            "added": [_named(new[key]) for key in new if key not in old],
            "removed": [_named(old[key]) for key in old if key not in new],
            "changed": [_named(new[key]) for key in new if key in old and not _says_the_same(new[key], old[key])],
            "denied": [spec.arn for spec in denied if spec not in denied_before],
            "no_longer_denied": [spec.arn for spec in denied_before if spec not in denied],
        }
        return {name: _listed(arns) for name, arns in found.items()}

    def _check_conflicts(self) -> None:
        seen: dict[tuple[str, str], Rule] = {}
        patterns: dict[tuple[_Place, str], list[tuple[str, Rule]]] = defaultdict(list)
        for rule in self.all:
            for qualifier in rule.spec.qualifiers:
                if other := seen.get((rule.spec.arn, qualifier)):
                    raise _conflict(other, rule, rule.arn.name.replace("*", ""))
                seen[rule.spec.arn, qualifier] = rule
                if rule.arn.is_pattern:
                    patterns[_place(rule.arn), qualifier].append((rule.arn.name, rule))
        for of_one_qualifier in patterns.values():
            if overlap := first_overlap(of_one_qualifier):
                raise _conflict(*overlap)


def _says_the_same(one: Rule, other: Rule) -> bool:
    """Whether two rules allow the same. A schema may stand in a file of its own."""
    schemas = [rule.schema.schema if rule.schema else None for rule in (one, other)]
    return one.spec == other.spec and schemas[0] == schemas[1]


def _named(rule: Rule) -> str:
    return f"{rule.spec.arn} ({', '.join(rule.spec.qualifiers)})"


def _listed(arns: list[str]) -> str | None:
    more = f" and {len(arns) - _LISTED} more" if len(arns) > _LISTED else ""
    return ", ".join(arns[:_LISTED]) + more if arns else None


def _place(arn: RuleArn) -> _Place:
    return arn.partition, arn.region, arn.account


def _conflict(first: Rule, second: Rule, name: str) -> RuleConflictError:
    return RuleConflictError(first, second, set(first.spec.qualifiers) & set(second.spec.qualifiers), name)
