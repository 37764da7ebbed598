"""A large JSON text → as much of its value as a preview shows, which is little, while the value may be large.

All of the text is read strictly, in batches of whole entries; beyond the first entries of a large container, they are
counted and forgotten. A value can take twenty times the memory of its text.
"""

from __future__ import annotations

import re
from codecs import utf_8_decode
from json.decoder import scanstring  # type: ignore[attr-defined]  # the stubs leave it out
from typing import Any, Final, NamedTuple

from pydantic import JsonValue

from lambda_warden.jsontools.preview import DEPTH_LIMIT, Outline
from lambda_warden.jsontools.strict_json import parse_usual_json
from lambda_warden.model.json_entries import MEMBER, SPACES, Entries, end_of_space
from lambda_warden.report.outline_head import ArrayHead, ObjectHead

WINDOW: Final = 1 << 16
"""Bytes that are read together, where entries are alike."""
_SCANNED: Final = 4
"""Elsewhere, it is this part of a window. An entry that is larger is read by its own entries."""
_FIRST: Final = 16
"""The part of a window in which the end of a container's first entry is looked for, to see what parts entries."""
_GUESSES: Final = 4
_SCANS: Final = 4
"""How often a byte may be looked at in search of ends, on average, before that is given up."""
_BETWEEN: Final = {
    b"[": re.compile(rb'[\]}]?[ \t\r\n]*+,[ \t\r\n]*+(?:[\[{][ \t\r\n]*+)*+(?:"[^"\\]{0,64}"[ \t\r\n]*+:|")?'),
    b"{": re.compile(rb'[\]}]?[ \t\r\n]*+,[ \t\r\n]*+"'),
}
"""The end of an entry and the beginning of the next one: of items, that may be the first key in them."""
_CLOSING: Final = {b"[": b"]", b"{": b"}"}
_TRAILING: Final = re.compile(r"trailing characters at line (\d+) column (\d+)")
_BACKSLASH: Final = ord("\\")
_QUOTES: Final = 256
"""Escaped quotes after which the end of a string is looked for by reading it."""


def read_outline(data: bytes, budget: int, window: int = WINDOW) -> JsonValue | Outline:
    """Read a JSON object or array as far as a preview shows it. A value that a preview shows whole is read whole.

    Args:
        data: JSON in UTF-8.
        budget: bytes of the largest preview that will be made of it.
        window: bytes that are read together; at least 16.

    Raises:
        ValueError: if it is not strict JSON (see `parse_json`), neither an object nor an array, or of a form that is
            too unusual to be read in batches.
    """
    reader = _Reader(data, budget, window)
    value, end = reader.container(end_of_space(data, 0), DEPTH_LIMIT)
    if end_of_space(data, end) != len(data):
        raise ValueError("more follows")
    return value


class _Reader:
    """Reads one text."""

    def __init__(self, data: bytes, budget: int, window: int) -> None:
        self._data = data
        self._budget = budget
        self._window = window
        self._scans_left = _SCANS * len(data)

    def container(self, at: int, levels: int) -> tuple[list[Any] | dict[str, Any] | Outline, int]:
        """Read the object or array that begins at `at`, with no more than so many large ones in one another.

        Returns:
            The value, which may be an outline, and where it ends.
        """
        opening = self._data[at : at + 1]
        if opening not in _CLOSING or not levels:
            raise ValueError("neither an object nor an array, or nested too deeply")
        head = ArrayHead(self._budget) if opening == b"[" else ObjectHead(self._budget)
        at += 1
        separator = self._separator(at, opening)
        guesses = _GUESSES if separator else 0
        closed = False
        while not closed:
            batch = None
            if guesses:
                window = self._data[at : at + self._window]
                batch = _guessed(opening, window, separator)
                if batch is None:
                    guesses -= 1
                    self._charge(len(window))
            if batch is None:
                window = self._data[at : at + self._window // _SCANNED]
                self._charge(len(window))
                batch = _scanned(opening, window, empty=not head.total)
            if batch is None:
                at, closed = self._large_entry(at, levels, head)
            else:
                head.add(batch.entries)
                at, closed = at + batch.end + 1, batch.closed
        return head.made(), at

    def _separator(self, at: int, opening: bytes) -> bytes:
        """What stands between the first two entries of a container, from the end of the one to what the other begins
        with; nothing if they are not close at hand."""
        first = self._data[at : at + self._window // _FIRST]
        end = Entries().first_end(first)
        if end is None or end.closed:
            return b""
        before = end.at - (first[end.at - 1 : end.at] in (b"]", b"}"))
        found = _BETWEEN[opening].match(first, before)
        return found[0] if found else b""

    def _large_entry(self, at: int, levels: int, head: ArrayHead | ObjectHead) -> tuple[int, bool]:
        """Read an entry that is larger than a window.

        Returns:
            Where the next one begins, and whether there is none, since the container ends there.
        """
        data, key = self._data, ""
        if head.opening == b"{":
            member = MEMBER.match(data, at)
            if member is None:
                raise ValueError("not a member")
            key, at = str(parse_usual_json(member[1])), member.end()
        else:
            at = end_of_space(data, at)
        value: Any
        value, at = (
            _long_string(data, at, self._window) if data[at : at + 1] == b'"' else self.container(at, levels - 1)
        )
        head.add_large(key, value)
        at = end_of_space(data, at)
        last = data[at : at + 1]
        if last not in (b",", _CLOSING[head.opening]):
            raise ValueError("neither a comma nor an end")
        return at + 1, last != b","

    def _charge(self, length: int) -> None:
        self._scans_left -= length
        if self._scans_left < 0:
            raise ValueError("its entries are hard to tell apart")


def _long_string(data: bytes, at: int, window: int) -> tuple[str, int]:
    """Read the string that begins at `at`.

    Returns:
        What it holds, and where it ends.

    Raises:
        ValueError: if it is no string of strict JSON, or does not end; or if it is most of the text, since then the
            value takes hardly more than its text, and is read faster as a whole.
    """
    if _next_quote(data, at + 1) - at > len(data) // 2:
        raise ValueError("most of it is one string")
    length = window
    while True:
        text, _ = utf_8_decode(memoryview(data)[at : at + length], "strict", False)  # the last character may be cut
        try:
            held, end = scanstring(text, 1)
        except ValueError:
            if at + length >= len(data):
                raise
            length *= 16
        else:
            return held, at + (end if text.isascii() else len(text[:end].encode()))


def _next_quote(data: bytes, at: int) -> int:
    """About where a string ends, as far as that is seen at once; else some place before."""
    for _ in range(_QUOTES):
        at = data.find(b'"', at)
        if at < 0:
            return len(data)
        if data[at - 1] != _BACKSLASH:
            break
        at += 1
    return at


class _Batch(NamedTuple):
    """The next entries of a container, up to a comma or, if `closed`, to its end."""

    entries: Any
    end: int
    closed: bool


def _guessed(opening: bytes, window: bytes, separator: bytes) -> _Batch | None:
    """As many entries as there are, if they are parted alike.

    Where all can be read that comes before the last place that looks as if it parted two entries, it does, and else
    it lies within an entry or behind the container. Where that ends, the reader says then.
    """
    at = window.rfind(separator)
    if at < 0:
        return None
    at += separator.index(b",")
    try:
        return _Batch(_read(opening, window[:at]), at, closed=False)
    except ValueError as error:
        behind = _place_of(error, opening + window[:at])
    end = len(window[: behind - 1].rstrip(SPACES)) - 1
    if end < 0 or window[end : end + 1] != _CLOSING[opening]:
        return None
    try:
        return _Batch(_read(opening, window[:end]), end, closed=True)
    except ValueError:
        return None


def _scanned(opening: bytes, window: bytes, *, empty: bool) -> _Batch | None:
    """As many entries as there are; None if the first one is larger.

    Args:
        empty: whether there may be none.

    Raises:
        ValueError: if they are none.
    """
    end = Entries().last_end(window)
    if end is None:
        return None
    if end.closed and window[end.at : end.at + 1] != _CLOSING[opening]:
        raise ValueError("a bracket has no partner")
    if empty and end.closed and end_of_space(window, 0) == end.at:
        return _Batch([] if opening == b"[" else {}, end.at, closed=True)
    return _Batch(_read(opening, window[: end.at]), end.at, closed=end.closed)


def _place_of(error: ValueError, text: bytes) -> int:
    """Where the reader found more behind a value, if it says so; else 0."""
    found = _TRAILING.match(str(error))
    if found is None:
        return 0
    lines = text.split(b"\n", int(found[1]) - 1)
    return len(text) - len(lines[-1]) + int(found[2]) - 1


def _read(opening: bytes, batch: bytes) -> Any:
    """Read whole entries.

    Raises:
        ValueError: if they are none.
    """
    entries = parse_usual_json(opening + batch + _CLOSING[opening])
    if not entries:
        raise ValueError("no entry")
    return entries
