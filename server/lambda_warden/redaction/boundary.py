"""Withholds what may be secret where an answer was read in part: half a secret, or one whose name comes later."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import JsonValue

from lambda_warden.jsontools.pointer import Pointer
from lambda_warden.redaction.value import NAMES, PLACE, VALUES

_WORD_LIMIT: Final = 4096
"""Characters of a word that may be the first half of a secret: a longer one shows its form without its end."""
_LAST_WORD: Final = re.compile(r"\S+\Z")


def without_partial_word(text: str) -> str:
    """A text whose end is missing, without its last, partial word: it may be half a secret, of no form yet."""
    found = _LAST_WORD.search(text, max(0, len(text) - _WORD_LIMIT))
    return text[: found.start()] if found else text


def withhold_doubtful(value: JsonValue, open_levels: int, pointers: Sequence[Pointer]) -> tuple[JsonValue, int]:
    """Take out of a part of a value what can't be shown before the rest is known; the part is changed in place.

    That is the end of a string that was cut, what may be the value of a name that comes later, and a string into
    which a pointer leads, since what says how to decode it may come later.

    Args:
        value: the part.
        open_levels: at how many levels it goes on: it itself, its last entry, and so on.
        pointers: places that must not be shown.

    Returns:
        The part, and how many places were replaced.
    """
    root = [value]
    replaced = sum(_withhold_texts_on_the_way(root, ("0", *pointer)) for pointer in pointers)
    container: Any = root
    for _ in range(open_levels):
        last = _last(container)
        if last is None:
            break
        inner = container[last]
        if isinstance(inner, str) and inner != PLACE:
            container[last] = without_partial_word(inner)
        if isinstance(inner, dict) and not NAMES.intersection(inner):
            for key in VALUES.intersection(inner):
                inner[key] = PLACE
                replaced += 1
        container = inner
    return root[0], replaced


def _last(container: Any) -> Any:
    if isinstance(container, dict) and container:
        return next(reversed(container))
    return len(container) - 1 if isinstance(container, list) and container else None


def _withhold_texts_on_the_way(container: Any, pointer: Pointer) -> int:
    token, below = pointer[0], pointer[1:]
    if not below:
        return 0
    replaced = 0
    for key in _named(container, token):
        if isinstance(container[key], str):
            container[key] = PLACE
            replaced += 1
        elif isinstance(container[key], dict | list):
            replaced += _withhold_texts_on_the_way(container[key], below)
    return replaced


def _named(container: Any, token: str) -> Iterable[Any]:
    if isinstance(container, dict):
        return list(container) if token == "*" else [token] if token in container else []  # noqa: S105 - no secret
    indexes = range(len(container))
    return indexes if token == "*" else [i for i in indexes if str(i) == token]  # noqa: S105 - no secret
