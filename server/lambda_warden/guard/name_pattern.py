"""Patterns of function names: which of many match a name, and which two could match the same one.

A pattern is looked up by its fixed ends, the text before its first `*` and after its last: of two patterns that
match one name, one prefix begins with the other, and one suffix ends with the other.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Generic, TypeVar

from lambda_warden.model.function_ref import NAME_LIMIT
from lambda_warden.model.rule_arn import RuleArn

_T = TypeVar("_T")

_ANY_CHARACTER: Final = "a"


class NamePatterns(Generic[_T]):
    """Patterns of names, each with a value. What a look-up costs depends on the patterns' forms, not their number."""

    def __init__(self) -> None:
        self._size = 0
        self._by_prefix = _ByEnds[_ByEnds[list[_PatternEntry[_T]]]]()

    def add(self, pattern: RuleArn, value: _T) -> None:
        """Add a pattern. One that is there already may be added again with another value."""
        prefix, suffix = _ends(pattern.name)
        by_suffix = self._by_prefix.entries.setdefault(prefix, _ByEnds())
        by_suffix.entries.setdefault(suffix, []).append(_PatternEntry(self._size, pattern, value))
        self._size += 1

    def matching(self, name: str) -> list[_T]:
        """The values of every pattern that matches the name whole, in the order in which they were added."""
        found = [
            entry
            for by_suffix in self._by_prefix.at_start_of(name)
            for entries in by_suffix.at_end_of(name)
            for entry in entries
            if entry.regex.fullmatch(name)
        ]
        return [entry.value for entry in sorted(found, key=lambda entry: entry.number)]


def common_name(first: str, second: str) -> str | None:
    """The shortest name that two patterns both match, or None if there is none of at most 64 characters.

    Args:
        first: a pattern, not empty, `*` standing for any characters of a name, also none.
        second: another.

    >>> common_name("report-*", "*-daily")
    'report-daily'
    >>> common_name("report-*", "order-*")
    """
    # shortest[i][j]: the shortest text that takes the first pattern to position i and the second to position j.
    shortest: list[list[str | None]] = [[None] * (len(second) + 1) for _ in range(len(first) + 1)]
    shortest[0][0] = ""
    for i, row in enumerate(shortest):
        for j, text in enumerate(row):
            if text is None:
                continue
            for di, dj, added in _steps(first[i : i + 1], second[j : j + 1]):
                longer, known = text + added, shortest[i + di][j + dj]
                if len(longer) <= NAME_LIMIT and (known is None or len(longer) < len(known)):
                    shortest[i + di][j + dj] = longer
    common = shortest[-1][-1]
    return _ANY_CHARACTER if common == "" else common  # empty for two patterns of `*` alone; no name is empty


def first_overlap(patterns: Iterable[tuple[str, _T]]) -> tuple[_T, _T, str] | None:
    """The values of two patterns that match a common name, the earlier first, and such a name; or None.

    Args:
        patterns: each with a value.
    """
    numbered = sorted(enumerate(patterns), key=lambda item: len(_ends(item[1][0])[0]))
    ended: dict[str, dict[str, list[_Numbered[_T]]]] = defaultdict(lambda: defaultdict(list))
    # As `ended`, but by every end of the suffix: finds the suffixes that end with a given one.
    ending: dict[str, dict[str, list[_Numbered[_T]]]] = defaultdict(lambda: defaultdict(list))
    for number, (pattern, value) in numbered:
        prefix, suffix = _ends(pattern)
        ends = [suffix[i:] for i in range(len(suffix) + 1)]
        # Sorted by the length of their prefixes, so the earlier ones' are the shorter ones.
        for start in (prefix[:i] for i in range(len(prefix) + 1)):
            if start not in ended:
                continue
            candidates = [other for end in ends[1:] for other in ended[start].get(end, ())]
            for other in (*ending[start].get(suffix, ()), *candidates):
                if (name := common_name(pattern, other.pattern)) is not None:
                    return (other.value, value, name) if other.number < number else (value, other.value, name)
        entry = _Numbered(number, pattern, value)
        ended[prefix][suffix].append(entry)
        for end in ends:
            ending[prefix][end].append(entry)
    return None


@dataclass(frozen=True, slots=True)
class _Numbered(Generic[_T]):
    number: int
    pattern: str
    value: _T


@dataclass(frozen=True)
class _PatternEntry(Generic[_T]):
    number: int
    arn: RuleArn
    value: _T

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Compiled when a name first gets this far: to compile ten thousand takes longer than to load them."""
        return self.arn.name_regex()


@dataclass(slots=True)
class _ByEnds(Generic[_T]):
    """Values by text, to be found by the starts or the ends of a longer text."""

    entries: dict[str, _T] = field(default_factory=dict)

    def at_start_of(self, name: str) -> list[_T]:
        return [self.entries[name[:i]] for i in range(len(name) + 1) if name[:i] in self.entries]

    def at_end_of(self, name: str) -> list[_T]:
        return [self.entries[name[i:]] for i in range(len(name) + 1) if name[i:] in self.entries]


def _ends(pattern: str) -> tuple[str, str]:
    """The fixed text before the first `*` and after the last."""
    return pattern.partition("*")[0], pattern.rpartition("*")[2]


def _steps(first: str, second: str) -> list[tuple[int, int, str]]:
    """How two patterns can go on from a place: positions further in each, and the character of a name it takes."""
    steps = []
    if first == "*":
        steps.append((1, 0, ""))
        if second not in ("", "*"):
            steps.append((0, 1, second))
    if second == "*":
        steps.append((0, 1, ""))
        if first not in ("", "*"):
            steps.append((1, 0, first))
    if first == second and first not in ("", "*"):
        steps.append((1, 1, first))
    return steps
