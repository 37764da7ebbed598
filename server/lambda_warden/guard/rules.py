"""The manifest's rules, indexed so that a decision takes the same time for ten and for ten thousand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from lambda_warden.guard.payload_schema import PayloadSchema
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.manifest import FunctionRule, RuleArn, Target


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of the manifest's `functions`, ready to decide with.

    `source` is where it stands (FILE:LINE). It is for the operator: no model is shown it.
    """

    spec: FunctionRule
    arn: RuleArn
    source: str
    schema: PayloadSchema | None = None


class RuleConflictError(ValueError):
    """Two rules say something of one function and qualifier, so neither can be meant."""

    def __init__(self, first: Rule, second: Rule, qualifiers: Iterable[str]) -> None:
        self.first, self.second = first, second
        self.qualifiers = sorted(qualifiers)
        super().__init__(f"{first.source} and {second.source} both cover {', '.join(self.qualifiers)} of {first.arn}")


class Rules:
    """All rules of a manifest, and the targets they stand on.

    Rules that name a function exactly come before patterns: where one exists, no pattern is looked at.

    Raises:
        RuleConflictError: if two rules with the same `arn` share a qualifier.
    """

    def __init__(self, rules: Iterable[Rule], targets: Iterable[Target]) -> None:
        self.all = tuple(rules)
        self.targets = tuple(targets)
        self._exact: dict[str, list[Rule]] = defaultdict(list)
        self._patterns: dict[tuple[str, str, str], list[tuple[re.Pattern[str], Rule]]] = defaultdict(list)
        seen: dict[tuple[str, str], Rule] = {}
        for rule in self.all:
            for qualifier in rule.spec.qualifiers:
                if other := seen.get((rule.spec.arn, qualifier)):
                    raise RuleConflictError(other, rule, set(other.spec.qualifiers) & set(rule.spec.qualifiers))
                seen[rule.spec.arn, qualifier] = rule
            if rule.arn.is_pattern:
                place = (rule.arn.partition, rule.arn.region, rule.arn.account)
                self._patterns[place].append((rule.arn.name_regex(), rule))
            else:
                self._exact[rule.spec.arn].append(rule)

    def for_function(self, ref: FunctionRef) -> list[Rule]:
        """The rules that speak of a function, whatever the qualifier: exact ones, or else patterns."""
        if exact := self._exact.get(ref.function_arn):
            return exact
        patterns = self._patterns.get((ref.partition, ref.region, ref.account), [])
        return [rule for regex, rule in patterns if regex.fullmatch(ref.name)]

    def names_exactly(self, function_arn: str) -> bool:
        """Whether a rule names this function without a pattern."""
        return function_arn in self._exact
