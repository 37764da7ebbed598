"""The first entries of a large container, as many as a preview of some size may show, and how many there are."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from pydantic_core import to_json

from lambda_warden.jsontools.preview import ENTRIES_SHARED, MANY_MEMBERS, Outline

_SIZED: Final = 64
"""Items that are measured together."""
_MEMBER_BYTES: Final = 5
"""The fewest bytes that a member takes beside the characters of its key."""
_BUCKETS: Final = 256


class ArrayHead:
    """The first items of an array: those that may fit the budget, and those that are looked at with the next one."""

    opening: Final = b"["

    def __init__(self, budget: int) -> None:
        self.total = 0
        self._head: list[Any] = []
        self._budget = budget
        self._room = 2 * budget  # sizes are measured roughly
        self._more = ENTRIES_SHARED

    def add(self, items: list[Any]) -> None:
        """Take the next items, none of which is an outline."""
        self.total += len(items)
        for start in range(0, len(items), _SIZED):
            if self._room <= 0 and not self._more:
                break
            self._keep(items[start : start + _SIZED])

    def add_large(self, _: str, item: Any) -> None:
        """Take an item that is larger than a window; it may be an outline."""
        self.total += 1
        self._keep([item])

    def _keep(self, items: list[Any]) -> None:
        if self._room > 0:
            self._head += items
            # None of an outline fits.
            self._room -= self._room if isinstance(items[0], Outline) else len(to_json(items))
        else:
            kept = items[: self._more]
            self._head += kept
            self._more -= len(kept)

    def made(self) -> list[Any] | Outline:
        """The array, or its outline."""
        is_whole = self.total == len(self._head) and not _has_outline(self._head)
        return self._head if is_whole else Outline(self._head, self.total, self._budget)


class ObjectHead:
    """The first members of an object: those whose keys may fit the budget, and no fewer than are all tried."""

    opening: Final = b"{"

    def __init__(self, budget: int) -> None:
        self.total = 0
        self._head: dict[str, Any] = {}
        self._budget = budget
        self._room = budget
        self._keys = _Keys()

    def add(self, members: dict[str, Any]) -> None:
        """Take the next members."""
        self.total += len(members)
        self._keys.add(members)
        if self._room > 0 or len(self._head) <= MANY_MEMBERS:
            self._head |= members
            self._room -= sum(len(key) + _MEMBER_BYTES for key in members)

    def add_large(self, key: str, value: Any) -> None:
        """Take a member that is larger than a window; its value may be an outline."""
        self.add({key: value})

    def made(self) -> dict[str, Any] | Outline:
        """The object, or its outline.

        Raises:
            ValueError: if a key may stand in it twice.
        """
        if self._keys.repeated():
            raise ValueError("an object seems to have a key twice")
        is_whole = self.total == len(self._head) and not _has_outline(self._head.values())
        return self._head if is_whole else Outline(self._head, self.total, self._budget)


class _Keys:
    """The keys of an object, as far as that tells whether one stands there twice: eight bytes of each."""

    def __init__(self) -> None:
        self._buckets: dict[int, array[int]] = defaultdict(partial(array, "q"))

    def add(self, keys: Iterable[str]) -> None:
        for known in map(hash, keys):
            self._buckets[known % _BUCKETS].append(known)

    def repeated(self) -> bool:
        """Whether two keys are the same, or could be."""
        return any(len(set(bucket)) < len(bucket) for bucket in self._buckets.values())


def _has_outline(values: Iterable[Any]) -> bool:
    return any(isinstance(value, Outline) for value in values)
