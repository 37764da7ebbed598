"""Redaction of an answer that comes piece by piece, in bounded memory: nothing is passed on that may be a secret.

`redact_value` and `redact_text` say what a secret is, as for an answer that is there whole. What they redact, this
redacts; beyond that only what can't be told apart in a window:

- in an object larger than the window, strings under `value` while what names them may come later, and the string at
  `/body` of what may be an API Gateway response while its `statusCode` has not come, or if it holds text in base64;
- of a string larger than the window under `Authorization`, all of it;
- of text, the rest of a line that holds a secret larger than the window.

The body of an API Gateway response stays a string; what it holds is redacted as an answer of its own.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from typing import Final

from lambda_warden.jsontools.pointer import Pointer
from lambda_warden.model.json_entries import SPACES
from lambda_warden.model.result import PayloadFormat
from lambda_warden.redaction.json_stream import JsonStream
from lambda_warden.redaction.piece import Piece, Stage, UnredactableError, as_it_was, joined
from lambda_warden.redaction.text_stream import TextStream

WINDOW: Final = 1 << 20
"""Bytes that are looked at together. Some of these are held, however long the stream is."""
_NOT_JSON: Final = "it is not JSON, so the places that must not be shown can't be found in it"


class StreamRedactor:
    """Redacts one answer; a `Stage`.

    What it is, JSON, text or neither, shows in its first window, as `read_payload` would tell of that. JSON that
    breaks off later goes on as text. Bytes that are no text are passed on as they are.

    Args:
        pointers: the places of the answer that are replaced.
        window: bytes.
        is_body: whether it is the body of an API Gateway response: of JSON, only an object or an array is read there.

    Raises:
        UnredactableError: by `feed` and `finish`, if it can't be redacted for certain: there are pointers, and it is
            not JSON; or JSON breaks off where its rest may be secret. Then nothing that was given may be used.
    """

    def __init__(self, pointers: Sequence[Pointer] = (), window: int = WINDOW, *, is_body: bool = False) -> None:
        self._pointers = tuple(pointers)
        self._window = window
        self._is_body = is_body
        self._stage: Stage | None = None
        self._head = b""
        self._counted = 0

    @property
    def count(self) -> int:
        """How many places were replaced so far."""
        return self._counted + (self._stage.count if self._stage else 0)

    @property
    def format(self) -> PayloadFormat:
        """What all of it is, once it is finished. JSON is strict; text is UTF-8."""
        match self._stage:
            case JsonStream(strict=True):
                return "json"
            case JsonStream():
                return "text"
            case TextStream(utf8=True):
                return "text"
            case _:
                return "base64"

    def redact(self, data: bytes) -> Iterator[bytes]:
        """Take more of the answer, and give what may be shown by now."""
        for start in range(0, len(data), self._window):
            for piece in self.feed(data[start : start + self._window]):
                if piece.shown:
                    yield piece.shown

    def rest(self) -> bytes:
        """What may be shown at the end, and was not given so far."""
        return joined(self.finish())

    def feed(self, data: bytes) -> list[Piece]:
        """Take more; see `Stage`."""
        pieces: list[Piece] = []
        for start in range(0, len(data), self._window):
            part = data[start : start + self._window]
            if self._stage is not None:
                pieces += self._checked(self._stage, self._stage.feed(part), final=False)
                continue
            self._head += part
            if len(self._head) >= self._window:
                pieces += self._begin(final=False)
        return pieces

    def finish(self) -> list[Piece]:
        """Give the rest; see `Stage`."""
        if self._stage is None:
            return self._begin(final=True)
        return self._checked(self._stage, self._stage.finish(), final=True)

    def _begin(self, *, final: bool) -> list[Piece]:
        """Find out what it is."""
        head, self._head = self._head, b""
        if not self._is_body or head.lstrip(SPACES)[:1] in (b"{", b"["):
            json = JsonStream(self._pointers, self._window, None if self._is_body else self._body)
            pieces = json.feed(head)
            if final and not json.broken:
                pieces += json.finish()
            if not json.broken:
                self._stage = json
                return pieces
        if self._pointers:
            raise UnredactableError(_NOT_JSON)
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head, final)
        except UnicodeDecodeError:
            self._stage = _AsItIs()
        else:
            self._stage = TextStream(self._window)
        pieces = self._stage.feed(head)
        return [*pieces, *self._stage.finish()] if final else pieces

    def _body(self, pointers: Sequence[Pointer]) -> Stage:
        return StreamRedactor(pointers, self._window, is_body=True)

    def _checked(self, stage: Stage, pieces: list[Piece], *, final: bool) -> list[Piece]:
        """What a stage gave and, if it was JSON that breaks off, its rest as text."""
        if not isinstance(stage, JsonStream) or not stage.broken:
            return pieces
        if self._pointers:
            raise UnredactableError(_NOT_JSON)
        if stage.withholds:
            raise UnredactableError("it is JSON that breaks off where its rest may be secret")
        self._counted += stage.count
        self._stage = TextStream(self._window)
        pieces += self._stage.feed(stage.rest)
        return [*pieces, *self._stage.finish()] if final else pieces


class _AsItIs:
    """Passes on what is no text: nobody can tell a secret in it."""

    @property
    def count(self) -> int:
        return 0

    def feed(self, data: bytes) -> list[Piece]:
        return [as_it_was(data)]

    def finish(self) -> list[Piece]:
        return []
