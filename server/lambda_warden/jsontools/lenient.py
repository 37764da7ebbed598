"""JSON, read as it comes: what others wrote is looked into where it can be, and nothing is decided on it."""

from __future__ import annotations

import json
from typing import Any


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, or None: of a repeated key the last value, NaN and Infinity as Python has them.

    >>> json_object('{"level": "ERROR"}'), json_object("[1]"), json_object("ERROR")
    ({'level': 'ERROR'}, None, None)
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
