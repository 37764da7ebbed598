"""What may be read off an answer of AWS: short tokens, whatever an endpoint sends."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(r"[A-Za-z0-9$._:/-]{1,256}", re.ASCII)


def token(value: object) -> str | None:
    """A request id, version, ARN or code as it stands, or None for anything that does not look like one."""
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def text(value: object) -> str:
    """Any value as text that can be encoded: a lone surrogate becomes a question mark."""
    return str(value).encode(errors="replace").decode()
