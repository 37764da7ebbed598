"""What an entry of `functions` says of each function that it is for: its own, and what it takes from `defaults`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from lambda_warden.errors import ManifestError
from lambda_warden.manifests.document import Document, Place
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.manifest import Manifest
from lambda_warden.model.rule_entry import RuleEntry

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


def describe_entry(document: Document, index: int, entry: RuleEntry) -> Described:
    """An entry of `functions`, of which each part is valid by itself, with the defaults of its file. Of several ARNs it
    is that of the first; of a selector, which may select nothing, it has none that is meant.

    A value of the entry itself takes the place of the default whole.

    Raises:
        ManifestError: if it has no qualifiers, says two things that don't fit, or leaves empty what has a default.
    """
    place: Place = ("functions", index)
    own: dict[str, Any] = document.data["functions"][index]
    defaults = {key: value for key, value in (document.data.get("defaults") or {}).items() if value is not None}
    if empty := [key for key in defaults if own.get(key, key) is None and key != _TAKEN_BACK]:
        wheres = {key: document.source(("defaults", key)) for key in empty}
        problem = "is empty, and has a default at {}. Expected a value, or no such key"
        raise ManifestError([document.at((*place, key), problem.format(where)) for key, where in wheres.items()])
    taken = {key: value for key, value in defaults.items() if key not in own}
    values = {**taken, **own, "arn": [*entry.arns, _SELECTED][0]}
    values.pop("select", None)
    try:
        spec = FunctionRule.model_validate(values)
    except ValidationError as error:
        raise ManifestError([document.describe(Manifest, problem, place) for problem in error.errors()]) from None
    sources = {key: document.source(("defaults", key)) for key in taken}
    return Described(spec, sources, tuple(_left_out(document, place, own, defaults)))


def _left_out(document: Document, place: Place, own: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[str]:
    """A warning for each value that takes the place of a default that says more."""
    for key, default in defaults.items():
        value = own.get(key)
        if isinstance(value, dict) and isinstance(default, dict) and (left := [k for k in default if k not in value]):
            where = document.source(("defaults", key))
            yield document.at(
                (*place, key),
                f"takes the place of the default at {where} whole, so that {', '.join(left)} is not set. Expected it "
                "here, too, if it should hold",
            )
