"""Characters that nobody sees: they part a name or a secret, so that its shape is not seen either."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

from lambda_warden.redaction.literals import LiteralPattern, literal_pattern

# Of Unicode 17: General_Category Cf, Default_Ignorable_Code_Point, and blanks of which no property says so.
_RANGES: Final = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891)),
    *((0x8E2, 0x8E2), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E)),
    *((0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0)),
    *((0xFFF0, 0xFFFC), (0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x16FE4, 0x16FE4)),
    *((0x1BCA0, 0x1BCA3), (0x1D159, 0x1D159), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
_CLASS: Final = f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in _RANGES)}]"
_HIDDEN: Final = re.compile(_CLASS)
_ESCAPE: Final = re.compile(
    r"(?<!\\)\\++u(?:([dD][89abAB][0-9A-Fa-f]{2})\\++u([dD][c-fC-F][0-9A-Fa-f]{2})|([0-9A-Fa-f]{4}))"
)
_LEVELS: Final = 4


def _in_bytes() -> re.Pattern[bytes]:
    """Matches one of them in UTF-8: those that differ in their last byte are one class."""
    encoded = (chr(code).encode() for first, last in _RANGES for code in range(first, last + 1))
    alike = (
        re.escape(head) + b"[" + b"".join(each[-1:] for each in some) + b"]"
        for head, some in groupby(encoded, lambda each: each[:-1])
    )
    return re.compile(b"|".join(alike))


HIDDEN: Final = LiteralPattern(_CLASS, "", _HIDDEN, _in_bytes())
"""Finds one of them."""
ESCAPED: Final = literal_pattern(r"\\u(?:0[03678]|1[178]|2[08]|31|d80[4d]|d81b|d82f|d834|db4|f[ef])")
"""Finds where a JSON escape of one of them, or of ASCII, may begin, in lower case."""


def without_hidden(text: str) -> str:
    """A text without its characters that nobody sees."""
    return text if text.isascii() else _HIDDEN.sub("", text)


def unescaped(text: str) -> str:
    """A text without the JSON escapes that can hide a secret, and without those that these hid."""
    for _ in range(_LEVELS):
        before, text = text, _ESCAPE.sub(_character, text)
        if text == before:
            break
    return text


def _character(match: re.Match[str]) -> str:
    """ASCII as it is, nothing for what nobody sees, and any other escape as it stands."""
    high, low, single = match.groups()
    code = int(single, 16) if single else 0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF)
    character = chr(code)
    if _HIDDEN.match(character):
        return ""
    if code >= 0x80:
        return match[0]
    # A quote or backslash stays escaped, as it would be one level further out.
    return "\\" + character if character in '"\\' else character if character >= " " or character in "\t\n\r" else " "
