"""Secrets in text, found by their shape and by the names they are given.

What may be secret begins with one of a few hundred literals. A text is searched for all of them at once, in lower
case, and only what is found is looked at. Every search takes time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from lambda_warden.jsontools.prefilter import Prefilter, windows
from lambda_warden.redaction.harmless import is_harmless
from lambda_warden.redaction.hidden import ESCAPED, HIDDEN, unescaped, without_hidden
from lambda_warden.redaction.literals import LiteralPattern
from lambda_warden.redaction.marks import MARK, RedactedText, SecretSpan, is_mark, mark
from lambda_warden.redaction.pairs import SCHEMES, find_pair
from lambda_warden.redaction.policy import BUILT_IN, Detectors, Shapes, index
from lambda_warden.redaction.shapes import KEY_BEGIN, KEY_END, Shape

__all__ = (
    "RedactedText",
    "Suspicion",
    "closes_key",
    "is_mark",
    "mark",
    "named_number",
    "named_value",
    "opens_key",
    "redact_text",
    "redact_truncated_text",
    "suspicion",
)

_PARTED: Final = re.compile(rf"({MARK})((?:{HIDDEN.pattern}|\\+u)[^\s\"'`,;&<>]*+)")
_WORD: Final = re.compile(r"[\w+/=.~-]*+")
_LARGE: Final = 4096  # characters of a text in which the prefilter is faster
_TOGETHER: Final = (24, 64, 16, 1)  # patterns searched for at once: of more, the search is no longer that for literals
_REACH: Final = 128  # more than any of these patterns takes
_ROUNDS: Final = 4
_COUNT: Final = 99  # what a number is at most that counts something, as the pins of a chip


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What a text may hold: which of the patterns that secrets begin with it has."""

    literals: frozenset[LiteralPattern]
    detectors: Detectors = BUILT_IN
    everything: bool = False
    _ordered: tuple[LiteralPattern, ...] = field(init=False, repr=False, compare=False)
    patterns: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ordered", tuple(self.literals))
        object.__setattr__(self, "patterns", frozenset(each.pattern for each in self.literals))

    @property
    def escapes(self) -> bool:
        """Whether JSON escapes may hide something."""
        return self.everything or ESCAPED in self.literals

    @property
    def hidden(self) -> bool:
        """Whether characters that nobody sees may."""
        return self.everything or HIDDEN in self.literals

    def in_text(self, text: str) -> bool:
        """Whether a part of the text may hold any of it."""
        folded = _folded(text)
        if len(text) > _LARGE and not _prefilter(self._ordered).holds(folded):
            return False
        for each in self._ordered:  # noqa: SIM110 - this runs for every string of a payload, and any() costs twice
            if each.literal in folded if each.literal else each.in_text.search(folded):
                return True
        return False

    def __bool__(self) -> bool:
        return bool(self.literals)


@lru_cache(maxsize=16)
def _everything(detectors: Detectors) -> Suspicion:
    literals = frozenset((*index(detectors).literals(), ESCAPED, HIDDEN))
    return Suspicion(literals, detectors, everything=True)


def suspicion(*texts: bytes, detectors: Detectors = BUILT_IN) -> Suspicion:
    """What UTF-8 texts may hold, found by these patterns alone: about a millisecond for a megabyte."""
    found: set[LiteralPattern] = set()
    searches = _searches(detectors)
    for text in texts:
        for window in windows(text, _REACH):
            folded = window.lower()
            searches = _without_found(searches, folded, folded.decode(errors="ignore"), found)
    return Suspicion(frozenset(found), detectors)


class _Search(NamedTuple):
    """A search for several patterns at once; what it finds may be none of them."""

    prefilter: Prefilter
    literals: tuple[LiteralPattern, ...]


@lru_cache(maxsize=16)
def _searches(detectors: Detectors) -> tuple[_Search, ...]:
    """Searches for a few patterns each, alike: literals, ends of names, characters that nobody sees, and others."""
    alike: dict[int, list[LiteralPattern]] = {}
    for each in sorted(_everything(detectors).literals, key=lambda each: each.pattern):
        kind = 0 if each.literal.isascii() and each.literal else 1 if each.literal else 2 if each.ends_name else 3
        alike.setdefault(kind, []).append(each)
    groups = [
        tuple(some[i : i + size])
        for kind, some in alike.items()
        for size in (_TOGETHER[kind],)
        for i in range(0, len(some), size)
    ]
    return tuple(_Search(_prefilter(some), some) for some in groups)


@lru_cache(maxsize=256)
def _prefilter(literals: tuple[LiteralPattern, ...]) -> Prefilter:
    return Prefilter(*(each.pattern for each in literals))


def _without_found(
    searches: Iterable[_Search], folded: bytes, decoded: str, found: set[LiteralPattern]
) -> tuple[_Search, ...]:
    """The searches that go on behind a text, once what stands there is among what is found."""
    left: list[_Search] = []
    for search in searches:
        if not search.prefilter.holds(decoded):
            left.append(search)
            continue
        here = {each for each in search.literals if each.in_bytes.search(folded)}
        found |= here
        if rest := tuple(each for each in search.literals if each not in here):
            left.append(_Search(_prefilter(rest), rest) if here else search)
    return tuple(left)


def redact_text(text: str, among: Suspicion | None = None, detectors: Detectors = BUILT_IN) -> RedactedText:
    """Replace the secrets in a text by `[redacted:KIND]`.

    What names a secret stays: the name of a pair, the scheme of a header, scheme, user and host of a URL. A secret
    that JSON escapes (`\\u0041`) or invisible characters hide is found, too; the text is then given without these.

    Args:
        text: any text, of any length.
        among: what the text may hold, where that is known already.
        detectors: what to look for, where `among` is not given.
    """
    if among is None:
        among = suspicion(text.encode(errors="surrogatepass"), detectors=detectors)
    shown = _settled(_redact(text, among), among.detectors)
    plain = _plain(shown.text, among)
    if plain == shown.text:
        return shown
    joined = shown.text
    if shown.count:  # a secret that was known by its first part goes on behind what parts it
        joined = _PARTED.sub(lambda found: found[1] + _WORD.sub("", _plain(found[2], among), count=1), joined)
    parted = _settled(_redact(_plain(joined, among), _everything(among.detectors)), among.detectors)
    if parted.count or joined != shown.text:
        return RedactedText(parted.text, shown.count + parted.count)
    return shown


def _plain(text: str, among: Suspicion) -> str:
    """A text without what may hide a secret in it."""
    if among.escapes and "\\u" in text:
        text = unescaped(text)
    return without_hidden(text) if among.hidden else text


def _settled(redacted: RedactedText, detectors: Detectors) -> RedactedText:
    """Redact what is left until nothing more is found: what stands beside a mark may look like a pair only now."""
    found = redacted.count
    for _ in range(_ROUNDS):
        if not found:
            break
        again = _redact(redacted.text, _everything(detectors))
        found = again.count
        redacted = RedactedText(again.text, redacted.count + found)
    return redacted


def _redact(text: str, among: Suspicion) -> RedactedText:
    if not (among.everything or among):
        return RedactedText(text, 0)
    known = index(among.detectors)
    text, count = _shaped(text, known.shapes, among)
    if starts_of := _prefixes(_folded(text), among):
        text, found = _replaced(text, _by_prefix(text, starts_of, among.detectors))
        count += found
    text, found = _shaped(text, known.later_shapes, among)
    count += found
    if starts := _starts(_folded(text), known.stems, among):
        text, found = _replaced(text, _by_name(text, starts, among.detectors))
        count += found
    return RedactedText(text, count)


def _shaped(text: str, shapes: Shapes, among: Suspicion) -> tuple[str, int]:
    """A text without what has one of these shapes, and how many places were replaced."""
    folded = _folded(text)
    count = 0
    for shape, literals in shapes:
        if starts := _starts(folded, literals, among):
            text, found = _replaced(text, _by_shape(text, starts, shape, among.detectors))
            if found:
                folded, count = _folded(text), count + found
    return text, count


def _starts(folded: str, literals: Iterable[LiteralPattern], among: Suspicion) -> list[int]:
    """Where any of these patterns matches, in order."""
    starts: list[int] = []
    for each in literals:
        if among.everything or each.pattern in among.patterns:
            starts += _places(folded, each)
    return sorted(set(starts)) if len(starts) > 1 else starts


def _places(folded: str, each: LiteralPattern) -> list[int]:
    if not each.literal:
        return [match.start() for match in each.in_text.finditer(folded)]
    places: list[int] = []
    at = folded.find(each.literal)
    while at >= 0:
        places.append(at)
        at = folded.find(each.literal, at + 1)
    return places


def _prefixes(folded: str, among: Suspicion) -> list[tuple[int, int]]:
    """Where prefixes of detectors stand, and which: of several at a place, the longest first."""
    return sorted(
        (at, number)
        for number, (each, _) in enumerate(index(among.detectors).prefixes)
        if among.everything or each.pattern in among.patterns
        for at in _places(folded, each)
    )


def _by_shape(text: str, starts: list[int], shape: Shape, detectors: Detectors) -> Iterator[SecretSpan]:
    end = 0
    for at in starts:
        start = at - shape.back
        if start >= end and (match := shape.pattern.match(text, start)):
            kept = max(
                (match.end(name) for name in ("keep", "scheme") if match.groupdict().get(name) is not None), default=-1
            )
            first = max(kept, match.start())
            if not detectors.allows(text[first : match.end()]):
                yield SecretSpan(first, match.end(), shape.kind)
            end = match.end()


def _by_prefix(text: str, starts: list[tuple[int, int]], detectors: Detectors) -> Iterator[SecretSpan]:
    prefixes = index(detectors).prefixes
    end = 0
    for at, number in starts:
        if at < end:
            continue
        for prefix, detector in prefixes[number][1]:
            last = detector.end(text, at, prefix)
            if last is None:
                continue
            first = at + len(prefix) if detector.keep else at
            if not detectors.allows(text[first:last]):
                yield SecretSpan(first, last, detector.kind)
            end = last
            break


def _by_name(text: str, starts: list[int], detectors: Detectors) -> Iterator[SecretSpan]:
    end = 0
    for at in starts:
        if at < end:
            continue
        found = find_pair(text, at, detectors.meaning_of, detectors.allows)
        if found is None or found.start < end:
            continue
        if not detectors.allows(text[found.start : found.end]):
            yield found
        end = found.end


def _replaced(text: str, found: Iterable[SecretSpan]) -> tuple[str, int]:
    pieces: list[str] = []
    end = 0
    for each in found:
        pieces += text[end : each.start], mark(each.kind)
        end = each.end
    return ("".join(pieces) + text[end:], len(pieces) // 2) if pieces else (text, 0)


def _folded(text: str) -> str:
    """The text in lower case, each character at its place."""
    folded = text.lower()
    return folded if len(folded) == len(text) else text.replace("\u0130", "i").lower()


def redact_truncated_text(text: str, detectors: Detectors = BUILT_IN) -> RedactedText:
    """Redact a text whose beginning is missing, so that what is left of a secret does not show.

    Its first, partial word is dropped, and what follows that word as its value would. A private key whose beginning
    is missing is redacted up to its end.
    """
    rest = text[_end_of_partial_words(text) :]
    end = KEY_END.search(rest)
    if end and not KEY_BEGIN.search(rest, 0, end.start()):
        redacted = redact_text(rest[end.end() :], detectors=detectors)
        return RedactedText(mark("private-key") + redacted.text, redacted.count + 1)
    return redact_text(rest, detectors=detectors)


def named_value(name: str, value: str, detectors: Detectors = BUILT_IN) -> str | None:
    """The kind of secret that a string is by the name of its member, or None: also if it is a path, a placeholder …"""
    meaning = detectors.meaning_of(name)
    if meaning is None or is_harmless(value, meaning) or detectors.allows(value):
        return None
    return meaning.kind


def named_number(name: str, value: float, detectors: Detectors = BUILT_IN) -> str | None:
    """The kind of secret that a number is by the name of its member, or None: a PIN, the number of a card …"""
    meaning = detectors.meaning_of(name)
    if meaning is None or not meaning.number or (meaning.weak and abs(value) <= _COUNT) or detectors.allows(str(value)):
        return None
    return meaning.kind


def opens_key(text: str) -> bool:
    """Whether a private key begins in a text and does not end there."""
    if "PRIVATE KEY" not in text:
        return False
    begins = [match.end() for match in KEY_BEGIN.finditer(text)]
    return bool(begins) and not KEY_END.search(text, begins[-1])


def closes_key(text: str) -> bool:
    """Whether a private key ends in a text."""
    return KEY_END.search(text) is not None


def _end_of_partial_words(text: str) -> int:
    """Where a text whose beginning is missing can be read from."""
    value = text[:1] not in ("\r", "\n")
    for word in re.finditer(r"\S+", text):
        if not value and word[0][0] not in "=:":
            return word.start()
        # The word may be the end of a header's scheme.
        value = word[0][-1] in "=:>" or any(scheme.endswith(word[0].lower()) for scheme in SCHEMES)
    return len(text)
