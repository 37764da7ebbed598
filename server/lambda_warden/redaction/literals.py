"""The literals that something secret begins with, as both engines of patterns search for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

SHORT_END: Final = "[^a-z0-9]"
"""What ends a name that is known by its end alone."""


@dataclass(frozen=True, slots=True)
class LiteralPattern:
    """What something secret begins with, in lower case: literal at its start, so that a search for it is fast."""

    pattern: str
    # What follows from the pattern. Compiled ones take long to hash, and sets of these are asked at every text.
    literal: str = field(compare=False)
    in_text: re.Pattern[str] = field(compare=False)
    in_bytes: re.Pattern[bytes] = field(compare=False)

    @property
    def ends_name(self) -> bool:
        """Whether it is the end of a name, and what no name goes on with."""
        return self.pattern.endswith(SHORT_END)


@lru_cache(maxsize=4096)
def literal_pattern(pattern: str) -> LiteralPattern:
    """Compile a pattern, which may be an escaped literal."""
    plain = re.sub(r"\\(\W)", r"\1", pattern)
    return LiteralPattern(
        pattern, "" if _SPECIAL.search(pattern) else plain, re.compile(pattern), re.compile(pattern.encode())
    )


_SPECIAL: Final = re.compile(r"(?<!\\)[.^$*+?{}\[\]|()]|\\[A-Za-z0-9]")
