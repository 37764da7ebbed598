"""Where the parts of a JSON text begin and end, in bytes of which more may come.

Only brackets, strings and commas are looked at: what lies between two ends is to be read strictly by who uses them.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

SPACES: Final = b" \t\r\n"
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_PLAIN: Final = rb'[^"{}\[\]]++'
_FLAT: Final = rb"[\[{](?:%b|%b)*+[\]}]" % (_PLAIN, _STRING)
_NESTED: Final = rb"[\[{](?:%b|%b|%b)*+[\]}]" % (_PLAIN, _STRING, _FLAT)
MEMBER: Final = re.compile(rb"[ \t\r\n]*+(%b)[ \t\r\n]*+:[ \t\r\n]*+" % _STRING, re.DOTALL)
"""The key of a member, up to where its value begins."""
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_RUN: Final = re.compile(rb"(?:%b|%b|%b)*+" % (_PLAIN, _STRING, _NESTED), re.DOTALL)
"""All up to the next bracket of what is nested more deeply or does not end, or to a string that does not end."""
_WHOLE_OR_COMMA: Final = re.compile(rb"%b|%b|," % (_STRING, _NESTED), re.DOTALL)
_TO_LAST_COMMA: Final = re.compile(rb'(?:(?:[^",{}\[\]]++|%b|%b)*+,)*+' % (_STRING, _NESTED), re.DOTALL)
_WHOLE_END: Final = re.compile(rb'["\]}]')
_QUOTE: Final = ord('"')
_COMMA: Final = ord(",")
_OPENING: Final = b"{["


def end_of_space(data: bytes, at: int) -> int:
    """Where the whitespace ends that begins at `at`, if there is any."""
    space = _SPACE.match(data, at)
    assert space is not None  # noqa: S101 - it matches nothing, too
    return space.end()


class End(NamedTuple):
    """Where an entry ends: at the comma or, if `closed`, at the bracket that closes the container."""

    at: int
    closed: bool


class Entries:
    """Looks for ends in one container, from its first byte inside; goes on where it stopped when more has come."""

    def __init__(self) -> None:
        self._at = self._depth = 0
        self._runs: list[tuple[int, int]] = []  # of the container itself, between brackets of what is nested deeply

    def last_end(self, data: bytes) -> End | None:
        """The end of the container or else of the last entry that is there whole, if any."""
        while True:
            end = self._next_bracket(data)
            if end is None:
                return self._last_comma(data)
            if self._passes_end(data[end]):
                return End(end, closed=True)

    def first_end(self, data: bytes) -> End | None:
        """The end of the first entry or else of an empty container, if it is there."""
        while True:
            end = self._next_bracket(data)
            # Only a run that has just been found tells something new.
            if self._depth == 0 and self._runs and (commas := _commas(data, *self._runs[-1])):
                return End(commas[0], closed=False)
            if end is None:
                return None
            if self._passes_end(data[end]):
                return End(end, closed=True)

    def taken(self, length: int) -> None:
        """So many bytes were taken away in front, up to and with the last end."""
        self._at -= length
        self._runs.clear()

    def all_ends(self, data: bytes) -> list[int]:
        """Every comma between entries, where `data` are whole entries."""
        while (end := self._next_bracket(data)) is not None and not self._passes_end(data[end]):
            pass
        found: list[int] = []
        for start, end in self._runs:
            found += _commas(data, start, end)
        return found

    def _next_bracket(self, data: bytes) -> int | None:
        start = self._at
        run = _RUN.match(data, start)
        assert run is not None  # noqa: S101 - it matches nothing, too
        self._at = end = run.end()
        if self._depth == 0 and end > start:
            self._runs.append((start, end))
        return None if end == len(data) or data[end] == _QUOTE else end

    def _passes_end(self, bracket: int) -> bool:
        """Go on behind a bracket; whether it is the one that closes the container, which is not passed."""
        if bracket in _OPENING:
            self._depth += 1
        elif self._depth == 0:
            return True
        else:
            self._depth -= 1
        self._at += 1
        return False

    def _last_comma(self, data: bytes) -> End | None:
        for start, end in reversed(self._runs):
            at = data.rfind(b",", start, end)
            if at >= 0 and _WHOLE_END.search(data, at, end):  # it may stand in a string or container
                commas = _TO_LAST_COMMA.match(data, start, end)
                at = commas.end() - 1 if commas else -1
            if at >= start:
                return End(at, closed=False)
        return None


def _commas(data: bytes, start: int, end: int) -> list[int]:
    """The commas outside of strings and containers."""
    if data.find(b",", start, end) < 0:
        return []
    found = _WHOLE_OR_COMMA.finditer(data, start, end)
    return [match.start() for match in found if data[match.start()] == _COMMA]
