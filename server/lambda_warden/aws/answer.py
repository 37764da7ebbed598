"""Reads ids, codes and messages out of AWS's answers: short tokens, whatever an endpoint sends."""

from __future__ import annotations

import re
from typing import Final

from botocore.exceptions import ClientError

from lambda_warden.aws.advice import advice_for
from lambda_warden.model.outcome import Refused

_TOKEN: Final = re.compile(r"[A-Za-z0-9$._:/-]+", re.ASCII)
_LIMIT: Final = 256


def token(value: object, limit: int = _LIMIT) -> str | None:
    """A request id, version, ARN or code as it stands, or None for anything that does not look like one."""
    return value if isinstance(value, str) and len(value) <= limit and _TOKEN.fullmatch(value) else None


def text(value: object) -> str:
    """Any value as text that can be encoded: a lone surrogate becomes a question mark."""
    return str(value).encode(errors="replace").decode()


def refusal_of(error: ClientError) -> Refused:
    """What AWS answered to a request that only reads."""
    details, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, message = token(details.get("Code")) or "unknown", text(details.get("Message") or "")
    return Refused(
        code,
        message,
        metadata.get("HTTPStatusCode"),
        token(metadata.get("RequestId")),
        advice=advice_for(code, message),
    )
