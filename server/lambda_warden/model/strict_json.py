"""JSON, read strictly: what two readers could understand differently is an error."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from pydantic_core import from_json, to_json

_PIECE_ENTRIES: Final = 512
_PIECE_LEVELS: Final = 4


def parse_json(data: bytes) -> object:
    """Read JSON strictly, as a checker has to: what two readers could understand differently is an error.

    Raises:
        ValueError: for anything that is not UTF-8 JSON, for a repeated key, for NaN and Infinity, and for a number
            that is too large for a reader to tell from Infinity.
    """
    try:
        value = from_json(data, allow_inf_nan=False, cache_strings="keys")
        if _is_all_of(value, data):
            return value
    except ValueError:  # which the slow reader either confirms, in its words, or does not
        pass
    try:
        return json.loads(
            data.decode(), object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def encoded_pieces(value: object) -> Iterator[bytes]:
    """A JSON value as compact JSON in UTF-8 that escapes nothing it need not, in pieces.

    Every key and scalar stands in one piece, whole. The pieces of one container may be arrays of its items or objects
    of its members, so that together they are not the value's JSON, but hold the same strings and numbers, in order.

    Raises:
        ValueError: if it is nested too deeply, or has lone surrogates.
    """
    return _pieces(value, _PIECE_LEVELS)


def _pieces(value: object, levels: int) -> Iterator[bytes]:
    if isinstance(value, list) and len(value) > _PIECE_ENTRIES:
        for start in range(0, len(value), _PIECE_ENTRIES):
            yield to_json(value[start : start + _PIECE_ENTRIES])
    elif isinstance(value, dict) and len(value) > _PIECE_ENTRIES:
        members = iter(value.items())
        while some := dict(islice(members, _PIECE_ENTRIES)):
            yield to_json(some)
    elif isinstance(value, list) and value and levels:
        for item in value:
            yield from _pieces(item, levels - 1)
    elif isinstance(value, dict) and value and levels:
        yield to_json(list(value))
        for item in value.values():
            yield from _pieces(item, levels - 1)
    else:
        yield to_json(value)


def _is_all_of(value: object, data: bytes) -> bool:
    """Whether a value read from JSON holds all that stands there: it lost no repeated key, and no number to infinity.

    Each string has two quotes and those it holds, and a repeated key takes its quotes with it: unless the JSON writes
    quotes as \\u0022, as many are left as there were exactly if nothing is lost. The same goes for the word that an
    infinite number becomes, which stands in strings otherwise.
    """
    if b"\\u0022" in data:
        return False
    quotes = infinities = 0
    for piece in encoded_pieces(value):
        quotes += piece.count(b'"')
        infinities += piece.count(b"Infinity")
    return quotes == data.count(b'"') and infinities == data.count(b"Infinity")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("an object has a key twice")
    return unique


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
