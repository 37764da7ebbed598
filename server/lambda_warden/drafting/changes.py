"""What an account has that a manifest does not say, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from lambda_warden.guard.rules import Rules
from lambda_warden.model.found_function import FoundFunction, Inventory, Place
from lambda_warden.model.target import Target

_ARN = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(?![A-Za-z0-9_*-])")


@dataclass(frozen=True, slots=True)
class Changes:
    """The functions that no rule allows, those of them that the manifest does not name at all, and what to tell."""

    choices: tuple[FoundFunction, ...]
    new: tuple[FoundFunction, ...]
    lines: tuple[str, ...]


def changes_of(text: str, rules: Rules | None, inventory: Inventory) -> Changes:
    """Hold an inventory against a manifest.

    Args:
        text: the manifest's; a function that it names anywhere, as in a comment, is not new.
        rules: what it allows; None if there is no manifest yet.
        inventory: what was found.
    """
    named = set(_ARN.findall(text))
    allowed = [] if rules is None else list(rules.all)
    patterns = [(rule.arn, rule.arn.name_regex()) for rule in allowed if rule.arn.is_pattern]
    exact = {rule.spec.arn for rule in allowed}

    def is_allowed(function: FoundFunction) -> bool:
        places = (regex for arn, regex in patterns if (arn.account, arn.region) == function.place)
        return function.arn in exact or any(regex.fullmatch(function.name) for regex in places)

    choices = tuple(each for each in inventory.functions if not is_allowed(each))
    new = tuple(each for each in choices if each.arn not in named)
    lines = () if rules is None else tuple(_lines(rules, inventory, new))
    return Changes(choices, new, lines)


def _lines(rules: Rules, inventory: Inventory, new: Sequence[FoundFunction]) -> Iterator[str]:
    for function in new:
        yield f"new: {function.arn}"
    found = {each.arn: each for each in inventory.functions}
    for rule in rules.all:
        arn = rule.arn
        if not arn.is_pattern and (arn.account, arn.region) in inventory.complete and str(arn) not in inventory.every:
            yield f"gone: {arn}, which {rule.source} allows"
    for arn_text in dict.fromkeys(rule.spec.arn for rule in rules.all):
        if arn_text not in found or (aliases := found[arn_text].aliases) is None or not inventory.complete:
            continue
        of_it = [rule for rule in rules.all if rule.spec.arn == arn_text]
        listed = {qualifier: rule.source for rule in of_it for qualifier in rule.spec.qualifiers}
        for alias in aliases:
            if alias not in listed:
                yield f"alias not allowed: {alias} of {arn_text}"
        for qualifier, source in listed.items():
            if qualifier not in aliases and not qualifier.isdigit() and not qualifier.startswith("$"):
                yield f"alias gone: {qualifier} of {arn_text}, which {source} allows"


def missing_targets(rules: Rules | None, targets: Sequence[Target], needed: Set[Place]) -> list[Target]:
    """The targets, or regions of them, that are needed and that a manifest does not have."""
    has = {(each.account, region) for each in (rules.targets if rules else ()) for region in each.regions}
    left = ((each, [region for region in each.regions if (each.account, region) in needed - has]) for each in targets)
    return [each.model_copy(update={"regions": regions}) for each, regions in left if regions]
