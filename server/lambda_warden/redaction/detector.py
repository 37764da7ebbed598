"""What a kind of secret is that begins with a literal, and where one ends in a text."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from lambda_warden.jsontools.possessive import possessive

_RESERVED: Final = "+/=$,:|@?&"
_SAMPLE: Final = 256  # characters of a body that its entropy is told by
_RANDOM: Final = 3.0  # bits from which on a body is mixed, as no joined words are
_LETTERS: Final = 20  # letters at least, of which so many are capitals in a random text
_EVEN: Final = (0.3, 0.7)
_JOINED: Final = re.compile(r"[A-Za-z0-9_+-]")
_PUNCTUATION: Final = ".,-\\"
_BETWEEN: Final = re.compile(r"[._/|-]")
_WORD: Final = re.compile(r"(?:[A-Z]?[a-z]+|[A-Z]*)[0-9]{0,4}")
_ALNUM: Final = re.compile(r"[A-Za-z0-9]")
_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[A-Za-z]")
_ESCAPED: Final = re.compile(r"\\[nrtbf]\Z|%[0-9A-Fa-f]{2}\Z")


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of secret that begins with a literal.

    A secret is a prefix, not inside a word, and behind it `least` to `most` characters of the alphabet (of all that
    are there), with at least `entropy` bits a character (Shannon, 1948). Both may be percent-encoded.

    Args:
        kind: what the mark in its place says: lower-case letters and hyphens.
        prefixes: literals, of which one begins the secret. They are matched in the case given.
        alphabet: as between the brackets of a regular expression.
        least: characters behind the prefix, at least.
        most: and at most; None for any number.
        entropy: bits a character, at least.
        keep: whether the prefix stays, since it says what the secret is for and is none itself.
    """

    kind: str
    prefixes: tuple[str, ...]
    alphabet: str
    least: int
    most: int | None = None
    entropy: float = 2.0
    keep: bool = False

    def end(self, text: str, start: int, prefix: str) -> int | None:
        """Where the secret ends that begins with this prefix at `start`, or None if none does."""
        if not text.startswith(prefix, start) or _in_word(text, start):
            return None
        first = start + len(prefix)
        if (found := _body(self.alphabet, self.least).match(text, first)) is None:
            return None
        sample = found[0]
        if entropy(sample) < self.entropy or (self.entropy >= _RANDOM and not _is_mixed(sample)):
            return None
        end = _run(self.alphabet, text, found.end())
        size = end - first - 2 * text.count("%", first, end)  # an escape is one character
        if self.most is not None and (size > self.most or _ALNUM.match(text, end)):
            return None
        while text[end - 1] in _PUNCTUATION and end - first > self.least:  # the sentence's
            end -= 1
        return end


def entropy(text: str) -> float:
    """Shannon's entropy of a text, in bits a character: 0 for `aaaa`, about 6 for random base64."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values()) if size else 0.0


def _is_mixed(text: str) -> bool:
    """Whether digits and letters are mixed in a text, or capitals and small letters more than in any joined words.

    Words and numbers with something between them are a name: `customer_history_v2`, `rotation-role-us-east-1`.
    """
    parts = _BETWEEN.split(text)
    if len(parts) > 1 and all(map(_WORD.fullmatch, parts)):
        return False
    letters = len(_LETTER.findall(text))
    if _DIGIT.search(text):
        return letters > 0
    return letters >= _LETTERS and _EVEN[0] <= sum(map(str.isupper, text)) / letters <= _EVEN[1]


def _in_word(text: str, start: int) -> bool:
    """Whether a word goes on at `start`, and not behind an escape such as `\\n` or `%3D`."""
    if not start or not _JOINED.match(text, start - 1):
        return False
    return not _ESCAPED.search(text, max(0, start - 3), start)


@lru_cache(maxsize=512)
def _body(alphabet: str, least: int) -> re.Pattern[str]:
    return re.compile(possessive(_character(alphabet), f"{{{least},{max(least, _SAMPLE)}}}"))


@lru_cache(maxsize=512)
def _any(alphabet: str) -> re.Pattern[str]:
    return re.compile(possessive(_character(alphabet), "*"))


def _character(alphabet: str) -> str:
    """Matches one character of an alphabet, as it is or percent-encoded (RFC 3986, section 2.1)."""
    own = re.compile(f"[{alphabet}]")
    escapes = [f"%{ord(each):02X}" for each in _RESERVED if own.match(each)]
    return f"[{alphabet}]" + (f"|(?i:{'|'.join(escapes)})" if escapes else "")


def _run(alphabet: str, text: str, start: int) -> int:
    found = _any(alphabet).match(text, start)
    return found.end() if found else start


def by_prefix(detectors: tuple[Detector, ...]) -> dict[str, tuple[tuple[str, Detector], ...]]:
    """Prefixes and their detectors, by the prefix in lower case; longer prefixes come first."""
    found: dict[str, list[tuple[str, Detector]]] = {}
    for prefix, detector in _prefixes(detectors):
        found.setdefault(prefix.lower(), []).append((prefix, detector))
    return {folded: tuple(each) for folded, each in sorted(found.items(), key=lambda item: -len(item[0]))}


def _prefixes(detectors: tuple[Detector, ...]) -> Iterator[tuple[str, Detector]]:
    """Each prefix with its detector, also as it stands percent-encoded in a URL."""
    for detector in detectors:
        for prefix in detector.prefixes:
            yield prefix, detector
            if (encoded := quote(prefix, safe="")) != prefix and "\\" not in prefix:
                yield encoded, detector
