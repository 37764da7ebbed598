"""The detectors and names that are looked for: the built-in ones, and those of an operator."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from lambda_warden.redaction.detector import Detector, by_prefix
from lambda_warden.redaction.detectors import DETECTORS
from lambda_warden.redaction.hidden import without_hidden
from lambda_warden.redaction.literals import SHORT_END, LiteralPattern, literal_pattern
from lambda_warden.redaction.names import KEY, SHORT_STEMS, STEMS, NameMeaning, meaning_of, words_of
from lambda_warden.redaction.shapes import LATER_SHAPES, SHAPES, Shape

_NAME_CHARACTERS: Final = 256
_NAMES_KEPT: Final = 8192


@dataclass(frozen=True, slots=True)
class Detectors:
    """All that is looked for; built-in, with what an operator adds. It can't be changed, and knows no less than these.

    Args:
        added: an operator's detectors.
        names: an operator's names: as the last words of a name, also in the plural, they tell that its value is a
            secret.
        allow: names, or values, which an operator has looked at and lets pass, compared as they stand.
    """

    added: tuple[Detector, ...] = ()
    names: tuple[str, ...] = ()
    allow: frozenset[str] = frozenset()
    _words: tuple[tuple[str, ...], ...] = field(init=False, repr=False, compare=False)
    _known: dict[str, NameMeaning | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = (words_of(name) for name in self.names)
        words = tuple((*before, each) for *before, last in names for each in (last, *_plurals(last)))
        object.__setattr__(self, "_words", words)

    def meaning_of(self, name: str) -> NameMeaning | None:
        """What a name tells of its value, or None. Only the end of a long one is looked at, and kept."""
        if name in self.allow:
            return None
        name = without_hidden(name)
        name = name[-_NAME_CHARACTERS:]
        try:
            return self._known[name]
        except KeyError:
            meaning = self._own_meaning_of(name) or meaning_of(name)
        if len(self._known) >= _NAMES_KEPT:
            self._known.clear()
        self._known[name] = meaning
        return meaning

    def _own_meaning_of(self, name: str) -> NameMeaning | None:
        words = tuple(words_of(name)) if self._words else ()
        if not any(words[-len(own) :] == own for own in self._words):
            return None
        return NameMeaning(KEY if words[-1] in ("key", "keys") else "secret", number=True)

    def allows(self, value: str) -> bool:
        """Whether an operator lets this very value pass."""
        return value in self.allow


BUILT_IN: Final = Detectors()
"""What is looked for where an operator adds nothing."""


def _plurals(word: str) -> tuple[str, ...]:
    return (f"{word}s", f"{word}es", *([f"{word[:-1]}ies"] if word.endswith("y") else []))


def _stems(word: str) -> tuple[str, ...]:
    """What a word and its plurals begin with."""
    return (word, *(plural for plural in _plurals(word) if not plural.startswith(word)))


Shapes = tuple[tuple[Shape, tuple[LiteralPattern, ...]], ...]
"""Shapes, each with what it begins with."""


@dataclass(frozen=True, slots=True)
class Index:
    """Where to look: the patterns that secrets begin with, by what each leads to."""

    shapes: Shapes
    later_shapes: Shapes
    prefixes: tuple[tuple[LiteralPattern, tuple[tuple[str, Detector], ...]], ...]
    stems: tuple[LiteralPattern, ...]

    def literals(self) -> Iterable[LiteralPattern]:
        """All of them."""
        for _, some in (*self.shapes, *self.later_shapes):
            yield from some
        for each, _ in self.prefixes:
            yield each
        yield from self.stems


def _with_literals(shapes: tuple[Shape, ...]) -> Shapes:
    return tuple((shape, tuple(map(literal_pattern, shape.literals))) for shape in shapes)


@lru_cache(maxsize=16)
def index(detectors: Detectors) -> Index:
    """What to look for, made once for each set of detectors."""
    prefixes = by_prefix((*detectors.added, *DETECTORS))
    # What begins with a word is found by it: most plurals.
    own = {each for name in detectors.names for each in _stems(words_of(name)[-1])}
    short = tuple(f"{stem}{SHORT_END}" for stem in SHORT_STEMS)
    return Index(
        _with_literals(SHAPES),
        _with_literals(LATER_SHAPES),
        tuple((literal_pattern(re.escape(prefix)), each) for prefix, each in prefixes.items()),
        tuple(map(literal_pattern, dict.fromkeys((*map(re.escape, (*STEMS, *own)), *short)))),
    )
