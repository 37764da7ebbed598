"""JSON, read strictly: what two readers could understand differently is an error."""

from __future__ import annotations

import json
from typing import Any


def parse_json(data: bytes) -> object:
    """Read JSON strictly, as a checker has to: what two readers could understand differently is an error.

    Raises:
        ValueError: for anything that is not UTF-8 JSON, for a repeated key, and for NaN or Infinity.
    """
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("an object has a key twice")
    return unique


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
