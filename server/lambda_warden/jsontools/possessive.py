"""Repetitions in regular expressions that give nothing back."""

from __future__ import annotations

import sys
from typing import Final

_WORK: Final = sys.version_info >= (3, 11, 5)
"""Before it, a possessive repetition of a group takes what its last, failed turn had read (CPython gh-106052)."""


def possessive(pattern: str, repeat: str) -> str:
    """A pattern, repeated as often as it can be: `*`, `+`, `?` or `{1,4}`.

    >>> import re
    >>> re.match(possessive('(?!")[a-z"]', "+"), 'ab"c')[0]
    'ab'
    """
    return f"(?:{pattern}){repeat}+" if _WORK else f"(?>(?:{pattern}){repeat})"
