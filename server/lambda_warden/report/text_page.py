"""Splits a long text into pages, which joined are the whole."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final, NamedTuple

from lambda_warden.errors import ArgumentError

_CURSOR: Final = re.compile(rb"at:([0-9]{1,9}):([0-9a-f]{16})")


class TextPage(NamedTuple):
    """A part of a text, and the cursor of the next part, or None behind the last."""

    text: str
    next_cursor: str | None


def page_of_text(name: str, text: str, max_bytes: int, cursor: str | None) -> TextPage:
    """Cut one page out of a text, behind the end of a line where that is possible.

    A cursor holds a digest of all that stands before it: where the text has changed there since, joining the pages
    would not give the text, so that cursor is an error.

    Args:
        name: of the text. A cursor is good for one text alone.
        text: the whole. What must not be shown is gone from it already.
        max_bytes: of the page in UTF-8, at least 4, so that any character fits.
        cursor: that of the page before, or None for the first page.

    Raises:
        ArgumentError: for a cursor that is none, or is of another text.
    """
    data = text.encode()
    start = _start(name, data, cursor) if cursor is not None else 0
    end = _end(data, start, max_bytes)
    return TextPage(data[start:end].decode(), _write(name, data, end) if end < len(data) else None)


def _end(data: bytes, start: int, max_bytes: int) -> int:
    end = start + max_bytes
    if end >= len(data):
        return len(data)
    if (line_end := data.rfind(b"\n", start, end)) >= 0:
        return line_end + 1
    while _within_character(data, end):
        end -= 1
    return end


def _start(name: str, data: bytes, cursor: str) -> int:
    try:
        match = _CURSOR.fullmatch(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        match = None
    if match is None:
        raise ArgumentError("cursor", "is not one that was given here", "next_cursor of the page before, unchanged")
    start = int(match[1])
    if start >= len(data) or _within_character(data, start) or _digest(name, data[:start]) != match[2].decode():
        raise ArgumentError(
            "cursor", "is of another text: this one has changed since", "no cursor, to read it from its beginning"
        )
    return start


def _within_character(data: bytes, place: int) -> bool:
    return data[place] & 0xC0 == 0x80


def _write(name: str, data: bytes, end: int) -> str:
    return base64.urlsafe_b64encode(f"at:{end}:{_digest(name, data[:end])}".encode()).decode("ascii")


def _digest(name: str, before: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\0" + before).hexdigest()[:16]
