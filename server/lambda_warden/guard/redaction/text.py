"""The names under which the rest of the code knows `lambda_warden.redaction.text`."""

from __future__ import annotations

from lambda_warden.redaction.text import (
    RedactedText,
    Suspicion,
    closes_key,
    end_of_key,
    is_mark,
    mark,
    named_number,
    named_value,
    opens_key,
    redact_cut_text,
    redact_text,
    secret_named,
    suspicion,
    unescaped,
)

__all__ = (
    "RedactedText",
    "Suspicion",
    "closes_key",
    "end_of_key",
    "is_mark",
    "mark",
    "named_number",
    "named_value",
    "opens_key",
    "redact_cut_text",
    "redact_text",
    "secret_named",
    "suspicion",
    "unescaped",
)
