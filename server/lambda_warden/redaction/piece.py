"""What redaction of a stream passes on: a part of what came, as it was or as it may be shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class Piece(NamedTuple):
    """The next part of a stream.

    Attributes:
        taken: how many bytes of what came it stands for.
        shown: what may be shown of them. Unless `changed`, these very bytes.
        changed: whether something was redacted or written anew.
    """

    taken: int
    shown: bytes
    changed: bool


class Stage(Protocol):
    """Redacts a stream of bytes. What it holds back is bounded."""

    @property
    def count(self) -> int:
        """How many places were replaced so far."""

    def feed(self, data: bytes) -> list[Piece]:
        """Take more of the stream, in whatever pieces it comes, and give what is certain by now."""

    def finish(self) -> list[Piece]:
        """The stream is at its end: give the rest."""


class UnredactableError(Exception):
    """A stream can't be redacted for certain, so that none of it may be kept. The message says why, and quotes
    nothing."""


def as_it_was(data: bytes) -> Piece:
    """A part in which nothing was redacted."""
    return Piece(len(data), data, changed=False)


def taken_out(length: int) -> Piece:
    """A part of which nothing may be shown."""
    return Piece(length, b"", changed=True)


def joined(pieces: Iterable[Piece]) -> bytes:
    """What may be shown of consecutive parts."""
    return b"".join(piece.shown for piece in pieces)
