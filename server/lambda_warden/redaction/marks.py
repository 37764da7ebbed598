"""The marks that stand in the place of secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MARK: Final = r"\[redacted(?::[a-z-]+)?\]"
"""Matches what stands in the place of a secret."""
_MARKED: Final = re.compile(MARK)


@dataclass(frozen=True, slots=True)
class RedactedText:
    """Text without its secrets, and how many places were replaced."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class SecretSpan:
    """Where a secret stands in a text."""

    start: int
    end: int
    kind: str


def mark(kind: str) -> str:
    """What stands in the place of a secret."""
    return f"[redacted:{kind}]"


def is_mark(text: str) -> bool:
    """Whether a text is nothing but what stands in the place of a secret."""
    return _MARKED.fullmatch(text) is not None
