"""One string of a JSON text, larger than a window: read piece by piece, redacted as what it holds, written back."""

from __future__ import annotations

import codecs
import json
import re
from collections import deque
from typing import Final

from pydantic_core import from_json

from lambda_warden.redaction.piece import Piece, Stage, as_it_was, taken_out

_CHARACTERS: Final = re.compile(
    rb'(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}'
    rb"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})*+"
)
"""All that is whole and allowed: no control characters, no lone surrogates."""
_ESCAPE_BYTES: Final = 12
_PLAIN_OR_ESCAPE: Final = re.compile(rb"[^\\]++|(?P<pair>\\u[dD][89abAB]..\\u....)|\\u(?P<unit>....)|\\.", re.DOTALL)
_BACKSLASH: Final = ord("\\")


class JsonString:
    """Redacts what a string holds; from behind its first quote.

    Args:
        stage: what redacts it; nothing of a string without one is passed on.
    """

    def __init__(self, stage: Stage | None) -> None:
        self._stage = stage
        self._waiting = _Waiting()
        self.ended = False

    def read(self, data: bytes, *, final: bool) -> tuple[list[Piece], int]:
        """Take what is there of the string.

        Args:
            data: what comes next, from where the last reading stopped.
            final: whether nothing more will come.

        Returns:
            Redacted parts of it, up to its last quote, and how many bytes of `data` are used up.

        Raises:
            ValueError: if it is not a string of strict JSON. Then nothing of `data` is used up.
        """
        whole = _CHARACTERS.match(data)
        assert whole is not None  # noqa: S101 - it matches nothing, too
        end = whole.end()
        ended = data[end : end + 1] == b'"'
        if not ended and (final or len(data) - end >= _ESCAPE_BYTES):
            raise ValueError("not a string of JSON")
        decoder = codecs.getincrementaldecoder("utf-8")()
        decoder.decode(data[:end], final=ended)
        raw = data[: end - len(decoder.getstate()[0])]  # without a character that is cut
        pieces = self._passed_on(raw)
        if not ended:
            return pieces, len(raw)
        self.ended = True
        if self._stage is not None:
            pieces += self._written(self._stage.finish())
        return [*pieces, as_it_was(b'"')], end + 1

    def waiting(self) -> bytes:
        """What was read and not passed on so far, as it came."""
        return self._waiting.all()

    def _passed_on(self, raw: bytes) -> list[Piece]:
        if self._stage is None:
            return [taken_out(len(raw))]
        text: str = from_json(b'"' + raw + b'"')
        held = text.encode()
        self._waiting.add(raw, len(held))
        return self._written(self._stage.feed(held))

    def _written(self, pieces: list[Piece]) -> list[Piece]:
        """Parts of what the string holds as parts of the string."""
        written: list[Piece] = []
        for piece in pieces:
            raw = self._waiting.take(piece.taken)
            shown = json.dumps(piece.shown.decode(), ensure_ascii=False)[1:-1].encode() if piece.changed else raw
            written.append(Piece(len(raw), shown, piece.changed))
        return written


def beginning(data: bytes) -> str:
    """What a string holds of which more may come, as far as it is there and can be read."""
    whole = _CHARACTERS.match(data)
    assert whole is not None  # noqa: S101 - it matches nothing, too
    try:
        text: str = from_json(b'"' + data[: whole.end()].decode(errors="ignore").encode() + b'"')
    except ValueError:
        return ""
    return text


class _Waiting:
    """A string as it was written, taken away by lengths of what it holds."""

    def __init__(self) -> None:
        self._parts: deque[tuple[bytes, int]] = deque()

    def add(self, raw: bytes, length: int) -> None:
        if raw:
            self._parts.append((raw, length))

    def take(self, length: int) -> bytes:
        taken: list[bytes] = []
        while length:
            raw, held = self._parts.popleft()
            if held > length:
                end = _raw_length(raw, length)
                self._parts.appendleft((raw[end:], held - length))
                raw, held = raw[:end], length
            taken.append(raw)
            length -= held
        return b"".join(taken)

    def all(self) -> bytes:
        return b"".join(raw for raw, _ in self._parts)


def _raw_length(raw: bytes, length: int) -> int:
    """How many bytes of a string, as it is written, hold so many bytes of text."""
    if b"\\" not in raw:
        return length
    for part in _PLAIN_OR_ESCAPE.finditer(raw):
        start, end = part.span()
        if raw[start] != _BACKSLASH:
            if length <= end - start:
                return start + length
            length -= end - start
            continue
        if length == 0:
            return start
        length -= _held_bytes(part)
    return len(raw)


def _held_bytes(escape: re.Match[bytes]) -> int:
    if escape["pair"]:
        return 4
    return len(chr(int(escape["unit"], 16)).encode()) if escape["unit"] else 1
