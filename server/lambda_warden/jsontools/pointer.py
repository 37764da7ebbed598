"""JSON pointers (RFC 6901) in which a token `*` stands for every member or item."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lambda_warden.errors import ArgumentError, shown

Pointer = tuple[str, ...]
"""The tokens of a pointer, unescaped; `*` stands for all."""

_ESCAPES: Final = re.compile(r"~[01]")


def parse_pointer(text: str) -> Pointer:
    """Read a JSON pointer as the tokens that it leads through.

    Args:
        text: for example /card/number or /items/*/ssn. Empty: the whole answer.

    Raises:
        ArgumentError: if it does not begin with / or holds a ~ that escapes nothing.

    >>> parse_pointer("/items/*/a~1b")
    ('items', '*', 'a/b')
    """
    if text and not text.startswith("/"):
        raise ArgumentError(
            "redact", f"{shown(text)} is not a JSON pointer", "one such as /card/number or /items/*/ssn"
        )
    if "~" in _ESCAPES.sub("", text):
        raise ArgumentError("redact", f"{shown(text)} has a ~ that escapes nothing", "~0 for ~, and ~1 for / in a key")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:])


def write_pointer(tokens: Sequence[str]) -> str:
    """Tokens as a JSON pointer.

    >>> write_pointer(("items", "*", "a/b"))
    '/items/*/a~1b'
    """
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


def pointers_below(pointers: Sequence[Pointer], token: str) -> list[Pointer]:
    """What is left of pointers behind a token, of those that lead through it."""
    if not pointers:  # asked for every entry of a payload
        return []
    return [pointer[1:] for pointer in pointers if pointer and pointer[0] in ("*", token)]
