"""Payloads as a model sees them: JSON, text or base64 within a byte budget, saying what was left out."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from lambda_warden.answers.payload import Payload
from lambda_warden.jsontools.preview import preview_json
from lambda_warden.model.result import Omission, PayloadFormat
from lambda_warden.report.omissions import summarize

BINARY_SHOWN: Final = 1024
"""Bytes of a payload that is no text which are worth showing to a model whole."""
_BINARY_HEAD: Final = 96


@dataclass(frozen=True, slots=True)
class PayloadView:
    """A payload as a model sees it; `format` is None where there were no bytes."""

    value: JsonValue
    format: PayloadFormat | None
    truncated: bool = False
    omitted: tuple[Omission, ...] = ()


def preview(payload: Payload, budget: int, *, binary: int | None = None) -> PayloadView:
    """Show a payload within a budget.

    Args:
        payload: decoded and redacted: what is cut off here can't leave half a secret behind.
        budget: bytes of compact JSON (or of text, or of base64) that the view may take; at least 16.
        binary: bytes up to which a payload that is no text is worth showing whole; of a larger one, there are only
            some to recognize it by. None: as many as the budget allows.
    """
    match payload.value:
        case bytes() as data:
            return _base64_view(data, payload.total, binary, budget)
        case str() as text if payload.format == "text":
            return _text_view(text, budget, in_part=payload.in_part)
        case value:
            shown = preview_json(value, budget, payload.open_levels)
            if shown is None:  # a lone number has no parts
                return _text_view(json.dumps(value), budget)
            truncated = bool(shown.cuts) or payload.in_part
            return PayloadView(shown.value, payload.format, truncated, summarize(shown.cuts, budget))


def _text_view(text: str, budget: int, *, in_part: bool = False) -> PayloadView:
    kept = text[:budget].encode()[:budget].decode(errors="ignore")
    if len(kept) == len(text) and not in_part:
        return PayloadView(text, "text")
    cut = Omission(path="", kept=len(kept), total=None if in_part else len(text), unit="characters")
    return PayloadView(kept, "text", True, (cut,))


def _base64_view(data: bytes, total: int, worth: int | None, budget: int) -> PayloadView:
    head = budget if worth is None or total <= worth else _BINARY_HEAD
    kept = data[: min(head, budget // 4 * 3)]
    value = base64.b64encode(kept).decode("ascii")
    if len(kept) == total:
        return PayloadView(value, "base64")
    return PayloadView(value, "base64", True, (Omission(path="", kept=len(kept), total=total, unit="bytes"),))
