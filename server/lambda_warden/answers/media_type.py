"""What bytes and text look like, by how they begin."""

from __future__ import annotations

import re
from typing import Final

import filetype

_HEAD: Final = 8192
# "MIME Sniffing Standard", section 7.1, for the markup that functions answer with.
_MARKUP: Final = re.compile(
    r"\s*<(?:(?P<html>!doctype html|html[\s>])|(?P<xml>\?xml)|(?P<svg>svg[\s>]))", re.IGNORECASE
)
_MARKUP_TYPES: Final = {"html": "text/html", "xml": "application/xml", "svg": "image/svg+xml"}


def media_type_of_bytes(data: bytes) -> str | None:
    """The media type of bytes that are no text, or None if they begin like nothing that is known."""
    found: str | None = filetype.guess_mime(data[:_HEAD])
    return found


def media_type_of_text(text: str) -> str:
    """The media type of text."""
    found = _MARKUP.match(text)
    return _MARKUP_TYPES[found.lastgroup] if found and found.lastgroup else "text/plain"
