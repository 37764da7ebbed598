"""JSON, read strictly: what two readers could understand differently is an error."""

from __future__ import annotations

import json
import math
from typing import Any


def parse_json(data: bytes) -> object:
    """Read JSON strictly, as a checker has to: what two readers could understand differently is an error.

    Raises:
        ValueError: for anything that is not UTF-8 JSON, for a repeated key, for NaN and Infinity, and for a number
            that is too large for a reader to tell from Infinity.
    """
    try:
        return json.loads(
            data.decode(), object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


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
