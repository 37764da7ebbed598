"""What an entry of `functions` says of each function that it is for: its own, and what it takes from `defaults`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from lambda_warden.errors import ManifestError
from lambda_warden.manifests.document import Document, Place
from lambda_warden.model.function_rule import FunctionRule, RuleOptions
from lambda_warden.model.manifest import Manifest
from lambda_warden.model.rule_entry import Defaults, RuleEntry
from lambda_warden.model.strict import Strict

_TAKEN_BACK: Final = "logs"
"""What a rule takes back by leaving it empty: that allows less. Empty, the others could allow more than is meant."""


_SELECTED: Final = "arn:aws:lambda:us-east-1:000000000000:function:selected"
"""Stands for what a selector selects while the rest of its rule is checked."""


@dataclass(frozen=True, slots=True)
class Described:
    """An entry as a rule.

    `defaulted` are the keys that it takes from `defaults`, with FILE:LINE; `warnings` lines for a person.
    """

    spec: FunctionRule
    defaulted: Mapping[str, str]
    warnings: tuple[str, ...]


def describe_entry(document: Document, index: int, entry: RuleEntry, defaults: Defaults) -> Described:
    """An entry of `functions` with the defaults of its file. Of several ARNs it has the first; of a selector, which may
    select nothing, none that is meant.

    A value of the entry itself takes the place of the default whole.

    Raises:
        ManifestError: if it has no qualifiers, says two things that don't fit, or leaves empty what has a default.
    """
    place: Place = ("functions", index)
    own, usual = _said(entry), {key: value for key, value in _said(defaults).items() if value is not None}
    where = {key: document.source(("defaults", key)) for key in usual}
    if empty := [key for key in usual if own.get(key, key) in (None, []) and key != _TAKEN_BACK]:
        problem = "is empty, and has a default at {}. Expected a value, or no such key"
        raise ManifestError([document.at((*place, key), problem.format(where[key])) for key in empty])
    taken = {key: value for key, value in usual.items() if key not in own}
    values = {**taken, **own, "arn": [*entry.arns, _SELECTED][0]}
    values.pop("select", None)
    try:
        spec = FunctionRule.model_validate(values)
    except ValidationError as error:
        raise ManifestError([document.describe(Manifest, problem, place) for problem in error.errors()]) from None
    warnings = tuple(
        document.at(
            (*place, key),
            f"takes the place of the default at {where[key]} whole, so that {', '.join(left)} is not set. Expected it "
            "here, too, if it should hold",
        )
        for key, value in usual.items()
        if (left := _left_out(own.get(key), value))
    )
    return Described(spec, {key: where[key] for key in taken}, warnings)


def _said(part: RuleOptions) -> dict[str, Any]:
    """The keys that stand in it."""
    return {key: getattr(part, key) for key in type(part).model_fields if key in part.model_fields_set}


def _left_out(own: object, default: object) -> list[str]:
    """The keys that a default sets, and what takes its place does not. `never` and nothing say what they do."""
    if own in (None, "never") or not isinstance(default, Strict):
        return []
    return sorted(default.model_fields_set - (own.model_fields_set if isinstance(own, Strict) else set()))
