"""Results as objects: each one whole, under its id, in a table or a bucket that several servers share.

An object is a head, in JSON, and then the chunks of all parts, one after the other. What several servers keep together
is not added up anywhere: the time to live bounds it.
"""

from __future__ import annotations

import base64
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Final, Literal, Protocol, TypeVar

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from lambda_warden.store.clock import Clock, SystemClock
from lambda_warden.store.kept_result import (
    DAMAGED,
    KeptChunks,
    chunk_place,
    close_about,
    describe,
    key_id_of,
    open_about,
)
from lambda_warden.store.results import (
    CHUNK_BYTES,
    About,
    NewPart,
    Owner,
    PartName,
    ResultError,
    chunk_size,
    is_result_id,
)
from lambda_warden.store.seal import SEAL_BYTES, Seal

OVERHEAD_BYTES: Final = 4 * 1024
"""What an object has beside its contents at the most: its head, and what seals its chunks."""
_LENGTH_BYTES: Final = 4
_ATTEMPTS: Final = 4
_FIRST_PAUSE_SECONDS: Final = 0.1

_T = TypeVar("_T")


class ObjectBusyError(ResultError):
    """A request failed in a way that passes: throttling, a broken connection. It may have been done."""


class ObjectExistsError(ResultError):
    """There is an object with this name already."""


class StoredObject(Protocol):
    """One object, as it was found."""

    def read(self, start: int, length: int) -> bytes:
        """Some of its bytes; fewer, or none, behind its end. Raises `ResultError` if they can't be read any more."""


class Objects(Protocol):
    """Where objects are. Safe to use from any thread. Each method raises `ResultError` if it can't do its work."""

    @property
    def object_bytes(self) -> int:
        """How large an object may be."""

    def check(self) -> None:
        """Make sure that objects can be kept here."""

    def put(self, name: str, data: bytes, expires_at: int) -> None:
        """Write an object that is not there yet. Some time after `expires_at` it may be removed."""

    def get(self, name: str) -> StoredObject | None:
        """Find an object."""


class _Head(BaseModel):
    """What stands before the contents, and is not sealed itself; what is sealed names all of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    principal: str
    expires_at: Annotated[int, Field(ge=0)]
    key_id: str | None
    about: Base64Bytes


def make_object(
    result_id: str,
    owner: Owner,
    parts: Mapping[PartName, NewPart],
    created_at: float,
    expires_at: int,
    seal: Seal | None,
) -> bytes:
    """The object of a result. Times are in seconds since the epoch."""
    described = {name: describe(part) for name, part in parts.items()}
    about = About(function=owner.function, created_at=created_at, parts=described)
    head = {
        "version": 1,
        "principal": owner.principal,
        "expires_at": expires_at,
        "key_id": key_id_of(seal),
        "about": base64.b64encode(close_about(about, result_id, owner.principal, expires_at, seal)).decode(),
    }
    written = json.dumps(head).encode()
    pieces = [len(written).to_bytes(_LENGTH_BYTES), written]
    for name, part in parts.items():
        for index, start in enumerate(range(0, len(part.data), CHUNK_BYTES)):
            chunk = part.data[start : start + CHUNK_BYTES]
            pieces.append(seal.close(chunk, chunk_place(result_id, name, index)) if seal else chunk)
    return b"".join(pieces)


def again(operation: Callable[[], _T]) -> _T:
    """What an operation gives that may be repeated; it is, a few times, while its store is busy."""
    for attempt in range(_ATTEMPTS - 1):
        try:
            return operation()
        except ObjectBusyError:
            time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt * (0.5 + random.random() / 2))  # noqa: S311 - no secret
    return operation()


class ObjectResultReader:
    """Reads results that are objects; see `ResultReader`.

    Args:
        objects: where they are.
        seal: opens what is encrypted.
        clock: what time it is.

    Raises:
        ResultError: if there is nothing that can be read.
    """

    def __init__(self, objects: Objects, seal: Seal | None = None, clock: Clock | None = None) -> None:
        self._objects = objects
        self._seal = seal
        self._clock = clock or SystemClock()
        again(objects.check)

    @contextmanager
    def reading(self, result_id: str, principal: str) -> Iterator[KeptChunks | None]:
        """A result; see `ResultReader.reading`. Of one that is removed meanwhile no more can be read."""
        yield self._find(result_id, principal)

    def close(self) -> None:
        """Nothing is held."""

    def _find(self, result_id: str, principal: str) -> KeptChunks | None:
        found = again(partial(self._objects.get, result_id)) if is_result_id(result_id) else None
        if found is None:
            return None
        length = int.from_bytes(found.read(0, _LENGTH_BYTES))
        try:
            head = _Head.model_validate_json(found.read(_LENGTH_BYTES, min(length, OVERHEAD_BYTES)))
        except ValidationError:
            raise ResultError(DAMAGED) from None
        if head.principal != principal or head.expires_at <= self._clock.time_of_day():
            return None
        about = open_about(head.about, result_id, principal, head.expires_at, head.key_id, self._seal)
        fetch = partial(_chunk, found, about, _LENGTH_BYTES + length, SEAL_BYTES if self._seal else 0)
        return KeptChunks(result_id, head.expires_at, about, fetch, self._seal)


def _chunk(found: StoredObject, about: About, start: int, overhead: int, name: PartName, index: int) -> bytes:
    """A chunk of an object, as it is stored, whose contents begin at `start`."""
    for part_name, part in about.parts.items():
        if part_name == name:
            break
        start += part.size + -(-part.size // about.chunk_bytes) * overhead
    start += index * (about.chunk_bytes + overhead)
    return again(partial(found.read, start, chunk_size(about.parts[name], index, about.chunk_bytes) + overhead))


def expiry(now: float, ttl_seconds: float) -> int:
    """When a result expires that is kept now: in whole seconds, as tables and buckets count."""
    return math.ceil(now + ttl_seconds)
