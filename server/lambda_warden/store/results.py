"""Results that are kept for a while, whole and redacted, so that they can be read later, in pieces.

They are kept apart from the audit log: that is append-only and on disk before anything happens, results expire, and one
may be lost in a crash. Nothing comes in here that was not redacted before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from lambda_warden.model.result import PayloadFormat

PartName = Literal["payload", "log"]

CHUNK_BYTES: Final = 256 * 1024
"""Contents are stored and sealed in chunks of this size; the last one of a part is shorter."""
_CHUNK_BYTES_LIMIT: Final = 16 * 1024 * 1024

_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)

_Size = Annotated[int, Field(ge=0)]


class ResultError(Exception):
    """Kept results, or one of them, can't be written or read. The message says why, to whoever may read it."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose result it is, and of what: the principal who called, and the function's ARN with its qualifier."""

    principal: str
    function: str


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part to keep.

    Attributes:
        data: its redacted bytes. Without any, the part is not kept.
        format: json and text are UTF-8; base64 stands for any other bytes, which are kept as they are.
        original_bytes: how many there were before redaction.
        redacted: how many places were replaced. If none, `data` are the original's exact bytes.
    """

    data: bytes
    format: PayloadFormat
    original_bytes: int
    redacted: int


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Part(_Stored):
    """A kept part. There is no digest of the original where something was redacted: it would let a reader guess.

    Attributes:
        size: of what is kept, in bytes.
        sha256: of what is kept, in hexadecimal.
    """

    format: PayloadFormat
    size: _Size
    sha256: str
    original_bytes: _Size
    redacted: _Size


class About(_Stored):
    """What is written of a result once it is complete: its function, when it was kept, and the layout of its parts."""

    function: str
    created_at: float
    chunk_bytes: Annotated[int, Field(ge=1, le=_CHUNK_BYTES_LIMIT)] = CHUNK_BYTES
    parts: dict[PartName, Part]


def chunk_size(part: Part, index: int, chunk_bytes: int) -> int:
    """How many bytes a chunk of a part has."""
    return min(chunk_bytes, part.size - index * chunk_bytes)


def is_result_id(text: str) -> bool:
    """Whether a result may have this id. All other text, whatever it holds, names none."""
    return _ID.fullmatch(text) is not None


class KeptResult(Protocol):
    """A result that can be read, until the `with` that gave it ends."""

    @property
    def id(self) -> str:
        """Of the call."""

    @property
    def expires_at(self) -> float:
        """In seconds since the epoch."""

    @property
    def about(self) -> About:
        """Its parts."""

    def read(self, name: PartName, start: int, length: int) -> bytes:
        """Bytes of a part, from `start` on; fewer than `length` only at its end.

        Raises:
            ResultError: if they are damaged or were changed.
            KeyError: if there is no such part.
        """

    def chunks(self, name: PartName) -> Iterator[bytes]:
        """All bytes of a part, in pieces. Raises what `read` raises, at the piece that is not as it was written."""


class ResultReader(Protocol):
    """Reads results, which servers may be writing meanwhile."""

    def reading(self, result_id: str, principal: str) -> AbstractContextManager[KeptResult | None]:
        """A result, as it is at this moment, whatever is removed meanwhile.

        Args:
            result_id: any text; what is no id is unknown.
            principal: who asks.

        Returns:
            None if it is unknown, has expired or is another principal's: nobody can tell which.

        Raises:
            ResultError: if it can't be read: it was sealed with another key or with none, or is not as it was written.
        """

    def close(self) -> None:
        """Release the store, once nobody reads."""


class ResultStore(ResultReader, Protocol):
    """Keeps results, and reads them once they are written. Safe to use from any thread."""

    def keep(self, result_id: str, owner: Owner, parts: Mapping[PartName, NewPart]) -> float | None:
        """Keep a result. It is written later, and can be read at once. Nobody waits.

        Args:
            result_id: that no other result has: letters, digits, `-` and `_`, up to 64.
            owner: whose it is.
            parts: of it.

        Returns:
            When it expires, in seconds since the epoch; it is removed sooner where newer ones need its room. None if
            it is not kept: too much waits to be written, or it is larger than all of them may be together.
        """

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until all that waits is written and what has expired is removed. False: it took too long."""

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits, for so long at the most, and release the store. It may be closed twice."""
