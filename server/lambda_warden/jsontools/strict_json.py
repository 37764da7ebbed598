"""JSON, read strictly: what two readers could understand differently is an error."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import jiter
from pydantic_core import to_json

from lambda_warden.jsontools.prefilter import Prefilter

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_INFINITY: Final = b"Infinity"  # what an infinite number becomes where it is written
# A double ends at 1.8e308: what is larger has an exponent of three digits, or more than two hundred digits before it.
_LARGE_NUMBER: Final = Prefilter(r"[0-9][eE]\+?[0-9]{3}", "[0-9]{200}")


def parse_json(data: bytes) -> object:
    """Read JSON strictly, as a checker has to: what two readers could understand differently is an error.

    Raises:
        ValueError: for anything that is not UTF-8 JSON, for a repeated key, for NaN and Infinity, and for a number
            that is too large for a reader to tell from Infinity.
    """
    try:
        return parse_usual_json(data)
    except ValueError:  # which the slow reader either confirms, in its words, or does not
        pass
    try:
        return json.loads(
            data.decode(), object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_usual_json(data: bytes, *, partial: bool = False) -> object:
    """Read JSON as `parse_json` does, or give up sooner.

    Args:
        data: JSON in UTF-8.
        partial: whether what is missing at its end is forgiven, and more than that.

    Raises:
        ValueError: as `parse_json`, and for nesting of more than 200 levels.
    """
    value: object = jiter.from_json(
        data,
        allow_inf_nan=False,
        cache_mode="keys",
        catch_duplicate_keys=True,
        partial_mode="on" if partial else "off",
    )
    if _has_infinity(value, data):
        raise ValueError("a number is too large, or seems to be")
    return value


def json_bytes(value: object) -> bytes:
    """A JSON value as compact JSON in UTF-8.

    Raises:
        ValueError: if it has lone surrogates.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def may_hold_surrogates(data: bytes) -> bool:
    """Whether JSON has escapes that make surrogates: lone ones, perhaps, which no answer of ours can have."""
    return _SURROGATE.search(data) is not None


def _has_infinity(value: object, data: bytes) -> bool:
    """Whether a number in some JSON became infinite in the value that was read from it.

    Raises:
        ValueError: if the value is nested too deeply to tell, or has lone surrogates.
    """
    return _LARGE_NUMBER.holds(data.decode("latin-1")) and to_json(value).count(_INFINITY) != data.count(_INFINITY)


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
