"""A kept result as every store has it: chunks, each sealed for its place, and a description that lists them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from lambda_warden.store.results import About, NewPart, Part, PartName, ResultError, chunk_size
from lambda_warden.store.seal import Seal

DAMAGED: Final = "the kept result is damaged, so it is not shown"
_PURPOSE: Final = "lambda-warden result 1"


@dataclass(frozen=True, slots=True)
class KeptChunks:
    """A result that can be read, until the `with` that gave it ends; see `KeptResult`.

    `fetch` gives a chunk of a part as it is stored, or no bytes if there is none; it may raise `ResultError`.
    """

    id: str
    expires_at: float
    about: About
    fetch: Callable[[PartName, int], bytes]
    seal: Seal | None

    def read(self, name: PartName, start: int, length: int) -> bytes:
        """Bytes of a part; see `KeptResult.read`."""
        return b"".join(self._ranges(name, start, length))

    def chunks(self, name: PartName) -> Iterator[bytes]:
        """All bytes of a part; see `KeptResult.chunks`."""
        return self._ranges(name, 0, self.about.parts[name].size)

    def _ranges(self, name: PartName, start: int, length: int) -> Iterator[bytes]:
        part, size = self.about.parts[name], self.about.chunk_bytes
        end = min(start + length, part.size)
        for index in range(start // size, -(-end // size)):
            first = index * size
            yield self._chunk(name, part, index)[max(start - first, 0) : end - first]

    def _chunk(self, name: PartName, part: Part, index: int) -> bytes:
        data = self.fetch(name, index)
        if self.seal:
            data = self.seal.open(data, chunk_place(self.id, name, index))
        if len(data) != chunk_size(part, index, self.about.chunk_bytes):
            raise ResultError(DAMAGED)
        return data


def describe(part: NewPart) -> Part:
    """What is written of a part that is kept."""
    return Part(
        format=part.format,
        size=len(part.data),
        sha256=hashlib.sha256(part.data).hexdigest(),
        original_bytes=part.original_bytes,
        redacted=part.redacted,
    )


def close_about(about: About, result_id: str, principal: str, expires_at: float, seal: Seal | None) -> bytes:
    """The description of a result as it is stored."""
    stored = about.model_dump_json().encode()
    return seal.close(stored, about_place(result_id, principal, expires_at)) if seal else stored


def open_about(
    stored: bytes, result_id: str, principal: str, expires_at: float, key_id: str | None, seal: Seal | None
) -> About:
    """The description of a result, of what is stored of it and beside it.

    Raises:
        ResultError: if it was sealed with another key or with none, or is not as it was written.
    """
    if key_id != key_id_of(seal):
        raise ResultError(_other_key(key_id, seal))
    if seal:
        stored = seal.open(stored, about_place(result_id, principal, expires_at))
    try:
        return About.model_validate_json(stored)
    except ValidationError:
        raise ResultError(DAMAGED) from None


def key_id_of(seal: Seal | None) -> str | None:
    """What a result says of the key that it is sealed with."""
    return seal.key_id if seal else None


def chunk_place(result_id: str, part: PartName, index: int) -> bytes:
    """Where a sealed chunk belongs."""
    return json.dumps([_PURPOSE, "chunk", result_id, part, index]).encode()


def about_place(result_id: str, principal: str, expires_at: float) -> bytes:
    """Where the sealed description of a result belongs, with what stands beside it unsealed."""
    return json.dumps([_PURPOSE, "about", result_id, principal, expires_at]).encode()


def _other_key(key_id: str | None, seal: Seal | None) -> str:
    if key_id is None:
        return "the kept result is not encrypted, and with a key only what was encrypted with it is read"
    if seal is None:
        return "the kept result is encrypted: its key is needed (--results-key-file)"
    return "the kept result was encrypted with another key"
