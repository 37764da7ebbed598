"""Numbers with their nouns."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """A number and its noun.

    >>> plural(1, "rule"), plural(0, "rule"), plural(1_200, "policy")
    ('1 rule', '0 rules', '1,200 policies')
    """
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"
