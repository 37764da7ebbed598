"""Secrets in text that comes piece by piece: cut only where no secret lies across, and never shown before that is sure.

`redact_text` says what a secret is. A cut is safe if the text before it and the text behind it, each redacted alone,
are together the redacted whole. What no cut can be found in is a secret of great length or may be one: it is followed
to its end, and taken out.
"""

from __future__ import annotations

import codecs
import re
import string
from collections.abc import Iterator
from typing import Final, Literal

from lambda_warden.redaction.piece import Piece, as_it_was, taken_out
from lambda_warden.redaction.text import (
    RedactedText,
    Suspicion,
    end_of_key,
    mark,
    opens_key,
    redact_text,
    suspicion,
    unescaped,
)

REACH: Final = 2048
"""Characters within which every form without white space in it is known to lie across a cut or not. The longest is the
value in an XML tag, 256 characters, each of which JSON may escape."""
_NAME_REACH: Final = 256  # more than what any form begins with
_ENCODING: Final = ("utf-8", "surrogateescape")
_CUTS: Final = ("\n", " ", '"', ">")
"""Characters behind which a text is cut rather than elsewhere, the best one first. All secrets with white space in them
are known by their beginning, and in no other one stands any of these."""
_TOKEN: Final = string.ascii_letters + string.digits + "_-."
_SLASHES: Final = re.compile(r":\\{0,4}/\\{0,4}/")
_WITHHELD: Final = mark("withheld")
_PUTTY_BEGIN: Final = "Private-Lines: "
_PUTTY_LAST: Final = "Private-MAC:"
_PUTTY_END: Final = re.compile(rf"{_PUTTY_LAST} ?[0-9a-f]*")
_KEY_BEGINS: Final = ("-----BEGIN", "---- BEGIN", _PUTTY_BEGIN)
_LINE_END: Final = re.compile(r"(?=[\r\n])")
_NOT_UTF8: Final = re.compile("[\udc80-\udcff]")
_LINE_REACH: Final = 128  # more than stands between a line's end and the beginning of a secret that lies across it
_END_REACH: Final = 128  # more than the line takes that a private key ends with


class TextStream:
    """Redacts text; a `Stage`. What is no UTF-8 is passed through, and found as text in between.

    It holds at most a window, `2 * REACH` characters and the piece that came last. Nothing is redacted that
    `redact_text` would leave, but for the rest of a line that holds a secret longer than a window.

    Args:
        window: characters that are redacted at once, about.

    Attributes:
        utf8: whether all of it was UTF-8 so far.
        opens_key: once it is finished, whether a private key may have begun in it that has not ended.
    """

    def __init__(self, window: int) -> None:
        self.count = 0
        self.utf8 = True
        self.opens_key = False
        self._window = window
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._within: Literal["key", "putty", "line"] | None = None
        self._dropped = ""  # the end of what was taken out last

    def feed(self, data: bytes) -> list[Piece]:
        """Take more of the text; see `Stage`."""
        self._take(data, final=False)
        pieces: list[Piece] = []
        while len(self._text) >= self._window + 2 * REACH:
            pieces.append(self._skipped(final=False) if self._within else self._redacted_part())
        return pieces

    def finish(self) -> list[Piece]:
        """Give the rest; see `Stage`."""
        self._take(b"", final=True)
        self.opens_key = self._within is not None or opens_key(self._text)
        pieces: list[Piece] = []
        while self._within and self._text:
            pieces.append(self._skipped(final=True))
        if self._text:
            pieces.append(self._redacted(len(self._text)))
        return pieces

    @property
    def withholds(self) -> bool:
        """Whether it is within a secret whose end has not come."""
        return self._within is not None

    def _take(self, data: bytes, *, final: bool) -> None:
        more = self._decoder.decode(data, final)
        self._text += more
        self.utf8 = self.utf8 and (more.isascii() or _NOT_UTF8.search(more) is None)

    def _redacted_part(self) -> Piece:
        text = self._text[: self._window + 2 * REACH]
        among = suspicion(text.encode(*_ENCODING))
        if not among:
            end = text.rfind("\n", 0, len(text) - REACH) + 1
            return self._as_it_was(end if end > len(text) // 2 else len(text) - _NAME_REACH)
        end = _safe_cut(text, among)
        return self._redacted(end, among) if end else self._secret_without_end(text)

    def _secret_without_end(self, text: str) -> Piece:
        """Take out a part in which something lies across every cut."""
        self._within, self._dropped = "line", ""
        shown = mark("private-key") if text.startswith(_KEY_BEGINS) else _WITHHELD
        return self._drop(len(text) - REACH, shown, 1)

    def _skipped(self, *, final: bool) -> Piece:
        """Take out what belongs to the secret that is not at its end; the rest of the text stays."""
        if self._within == "line":
            return self._skipped_line(final=final)
        found = end_of_key(self._text) if self._within == "key" else _PUTTY_END.search(self._text)
        if not found:
            return self._drop(len(self._text) - (0 if final else _END_REACH))
        if not final and len(self._text) - found.end() < _END_REACH:  # it may go on
            return self._drop(found.start())
        self._within, self._dropped = "line", ""
        return self._drop(found.end())

    def _skipped_line(self, *, final: bool) -> Piece:
        found = _LINE_END.search(self._text)
        last = len(self._text) - (0 if final else REACH)
        if found is None or found.start() > last:
            return self._drop(last)
        end = found.start()
        before, behind = (self._dropped + self._text[:end])[-REACH:], self._text[end : end + _LINE_REACH]
        piece = self._drop(end)
        if self._within == "line":
            if _is_line_safe(before, behind):
                self._within = None
            elif self._text:  # the secret, or another one, goes on behind the line
                return taken_out(piece.taken + self._drop(1).taken)
        return piece

    def _drop(self, end: int, shown: str = "", count: int = 0) -> Piece:
        """Take a part out, and go on with a private key that begins there."""
        self._dropped += self._text[:end]
        line = unescaped(self._dropped)
        self._dropped = self._dropped[-REACH:]
        if self._within == "line" and opens_key(line):
            self._within = "key"
        elif self._within == "line" and line.rfind(_PUTTY_BEGIN) > line.rfind(_PUTTY_LAST):
            self._within = "putty"
        return self._changed(end, shown, count)

    def _redacted(self, end: int, among: Suspicion | None = None) -> Piece:
        head = self._text[:end]
        redacted = redact_text(head) if among is None else redact_text(head, among)
        return self._changed(end, redacted.text, redacted.count) if redacted.count else self._as_it_was(end)

    def _as_it_was(self, end: int) -> Piece:
        return as_it_was(self._cut(end))

    def _changed(self, end: int, shown: str, count: int) -> Piece:
        self.count += count
        return Piece(len(self._cut(end)), shown.encode(*_ENCODING), changed=True)

    def _cut(self, end: int) -> bytes:
        head, self._text = self._text[:end], self._text[end:]
        return head.encode(*_ENCODING)


def _safe_cut(text: str, among: Suspicion) -> int:
    """Where a text can be cut so that no secret lies across, whatever follows it; 0 if nowhere."""
    whole = redact_text(text, among)
    return next((end for end in _cuts(text) if _is_safe(text[:end], text[end:], whole, among)), 0)


def _is_safe(before: str, behind: str, whole: RedactedText, among: Suspicion) -> bool:
    """Whether two parts of a text, each redacted alone, are together the redacted whole."""
    first, second = redact_text(before, among), redact_text(behind, among)
    if first.count + second.count != whole.count:
        return False
    return not whole.count or unescaped(first.text) + unescaped(second.text) == unescaped(whole.text)


def _is_line_safe(before: str, behind: str) -> bool:
    """Whether no secret lies across the end of a line, wherever those in front of it begin and end.

    Of what stands before it the beginning is missing, so that what looks like a value there may be a name.
    """
    if "\\u00" in before:
        return False
    near = before[-_LINE_REACH:]
    among = suspicion(near.encode(*_ENCODING))
    ends = (near[start:] for start in range(len(near)) if among.in_text(near[start:])) if among else ()
    return all(_is_safe(end, behind, redact_text(end + behind, among), among) for end in ends)


def _cuts(text: str) -> Iterator[int]:
    """Some places to try, near to the end of a text and then further in front."""
    last = len(text) - REACH
    tried = {0}
    for character in _CUTS:
        for limit in (last, last - REACH, last >> 2, last >> 5):
            end = text.rfind(character, 0, max(limit, 0)) + 1
            if end not in tried:
                tried.add(end)
                yield end
    for begin in _KEY_BEGINS:
        if (end := text.rfind(begin, 0, last)) > 0:
            yield end
    if not _ends_open(text) and "\\" not in text[last - 64 : last + 64]:
        yield last


def _ends_open(text: str) -> bool:
    """Whether a form may stand at the end that is known as a secret only by what follows a part without bounds: a
    token by its dots, a URL by its @."""
    word = text[max(text.rfind(character) for character in _CUTS) + 1 :]
    token = word[len(word.rstrip(_TOKEN)) :]
    return "eyJ" in token or _SLASHES.search(word) is not None
