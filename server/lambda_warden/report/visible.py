"""Characters that nobody sees, written as escapes, so that a text shows all that it holds.

By property, not by list: what Python does not call printable (general categories Cc, Cf, Cs, Co, Cn, Zl, Zp, and Zs but
for the space), what Unicode calls default-ignorable, combining marks that have no letter or stand in long runs.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

MARKS_IN_A_ROW: Final = 4
"""Combining marks on one letter that are shown as they are (UTS 39, 5.4: optional detection)."""

# Default_Ignorable_Code_Point, as far as it is printable by its category.
_IGNORABLE: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
# No property tells that these have no ink: Braille blank, null notehead, blanks of two scripts, object replacement.
_BLANK: Final = frozenset("\u2800\U0001d159\U00013441\U00013442\U00016fe4\ufffc")
_JOINER: Final = "\u200d"
_PRESENTATION: Final = "\ufe0e\ufe0f"
_CJK: Final = frozenset(
    ("BOPOMOFO", "CJK", "HALFWIDTH", "HANGUL", "HIRAGANA", "IDEOGRAPHIC", "KATAKANA", "KATAKANA-HIRAGANA")
)
# Letters whose names begin with no script, and which are used beside those of any.
_ANY_SCRIPT: Final = frozenset(
    ("ANGSTROM", "FEMININE", "KELVIN", "MASCULINE", "MICRO", "MODIFIER", "SUBSCRIPT", "SUPERSCRIPT")
)


class Shown(NamedTuple):
    """A text that shows all that it holds, and how many of its characters are written as escapes."""

    text: str
    hidden: int


def show(text: str) -> Shown:
    """Write each character that nobody sees as `\\u200b`, and those beyond U+FFFF as `\\U000e0041`.

    Line feeds, tabs, and carriage returns before a line feed stay; so do a joiner between emoji and the selector
    behind one.
    """
    if text.isascii() and text.isprintable():
        return Shown(text, 0)
    characters = set(text)
    hidden = "".join(character for character in characters if is_hidden(character))
    marks = "".join(each for each in characters if not is_hidden(each) and unicodedata.category(each) in ("Mn", "Me"))
    patterns = [f"[{hidden}]"] if hidden else []
    if marks:
        patterns.append(rf"(?<=[{marks}]{{{MARKS_IN_A_ROW}}})[{marks}]|(?:^|(?<=[\s\"]))[{marks}]")
    if not patterns:
        return Shown(text, 0)
    count = 0

    def escape(match: re.Match[str]) -> str:
        nonlocal count
        if _is_in_use(match.string, match.start()):
            return match[0]
        count += 1
        code = ord(match[0])
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"

    return Shown(re.sub("|".join(patterns), escape, text, flags=re.MULTILINE), count)


def visible(text: str) -> str:
    """Text as `show` writes it."""
    return show(text).text


def inline(text: str) -> str:
    """Text inside a line of ours, which it can't end."""
    return visible(text).replace("\r", "\\u000d").replace("\n", "\\n")


def is_hidden(character: str) -> bool:
    """Whether a character shows nothing, or changes how its neighbours show."""
    return (not character.isprintable() and character not in "\n\t") or character in _IGNORABLE or character in _BLANK


def scripts_mixed_in(word: str) -> tuple[str, ...]:
    """The scripts that the letters of a word are of, if they are of several: one may look like another's.

    The scripts of Chinese, Japanese and Korean go together, and with one other (UTS 39, 5.2: Highly Restrictive).
    """
    if word.isascii():
        return ()
    names = {unicodedata.name(each, "UNKNOWN").split()[0] for each in word if each.isalpha()} - _ANY_SCRIPT
    others = names - _CJK
    return tuple(sorted(name.capitalize() for name in others)) if len(others) > 1 else ()


def _is_in_use(text: str, at: int) -> bool:
    """Whether what is hidden there does what it is for."""
    following = text[at + 1 : at + 2]
    if text[at] == "\r":
        return following == "\n"
    before = text[at - 1 : at]
    if text[at] in _PRESENTATION:
        return _is_symbol(before) or (following == "\u20e3" and before in "0123456789#*" and before != "")
    if text[at] == _JOINER:
        if before and before in _PRESENTATION:
            before = text[at - 2 : at - 1]
        return _is_symbol(following) and (_is_symbol(before) or "\U0001f3fb" <= before <= "\U0001f3ff")
    return False


def _is_symbol(character: str) -> bool:
    return character != "" and unicodedata.category(character) in ("So", "Sm") and character not in _BLANK
