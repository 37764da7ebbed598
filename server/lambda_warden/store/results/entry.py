"""What is known of a kept result beside its contents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal

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
