"""The one gate before `report/`: what AWS and functions say → the same, redacted. Nothing else is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lambda_warden.answers.log import RedactedLog, read_log
from lambda_warden.answers.payload import Payload, read_payload
from lambda_warden.jsontools.pointer import Pointer
from lambda_warden.model.outcome import RawOutcome, Returned
from lambda_warden.redaction.marks import RedactedText
from lambda_warden.redaction.policy import BUILT_IN, Detectors
from lambda_warden.redaction.text import redact_text
from lambda_warden.redaction.value import redact_value

Redact = Callable[[Iterable[str]], RedactedText]
"""What redacts lines as one text."""

__all__: Final = (
    "DecodedAnswer",
    "Redact",
    "RedactedOutcome",
    "RedactedText",
    "read_answer",
    "redact_lines",
    "redact_outcome",
)


@dataclass(frozen=True, slots=True)
class DecodedAnswer:
    """What a function returned and logged, decoded and redacted, at its whole length; of a failed one, its error."""

    payload: Payload
    log: RedactedLog | None
    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RedactedOutcome:
    """How a call ended, as it may be shown.

    Attributes:
        raw: without secrets in its message, and without payload, log and error, which stand in `answer`.
        answer: what came back, if something did.
        redacted: how many places of the message were replaced.
    """

    raw: RawOutcome
    answer: DecodedAnswer | None = None
    redacted: int = 0


def redact_outcome(raw: RawOutcome, redact: Sequence[Pointer] = (), detectors: Detectors = BUILT_IN) -> RedactedOutcome:
    """Redact what is known of how a call ended.

    Args:
        raw: as it came.
        redact: the places of the function's payload that are not shown at all.
        detectors: what is redacted wherever it stands.
    """
    if isinstance(raw, Returned):
        shown = replace(raw, payload=b"", log_tail=None, stream_error=None)
        return RedactedOutcome(shown, read_answer(raw, redact, detectors))
    message = redact_text(raw.message, detectors=detectors)
    return RedactedOutcome(replace(raw, message=message.text), redacted=message.count)


def read_answer(raw: Returned, redact: Sequence[Pointer] = (), detectors: Detectors = BUILT_IN) -> DecodedAnswer:
    """Decode what a function returned and logged, and take out what must not be shown.

    Args:
        raw: what came back.
        redact: the places of the function's payload that are not shown at all.
        detectors: what is redacted wherever it stands.
    """
    payload = read_payload(raw.payload, redact, total=raw.payload_bytes, detectors=detectors)
    log = read_log(raw.log_tail, raw.request_id, detectors)
    return DecodedAnswer(payload, log, _error(raw, payload, detectors) if raw.function_error is not None else {})


def redact_lines(lines: Iterable[str], detectors: Detectors = BUILT_IN) -> RedactedText:
    """Redact lines as one text, in which a secret may stand on several of them."""
    return redact_text("\n".join(lines), detectors=detectors)


def read_error(payload: Payload, detectors: Detectors = BUILT_IN) -> dict[str, Any]:
    """The JSON object that the payload of a failed function is; empty if it is none."""
    value = payload.value
    if payload.format == "text" and isinstance(value, str):
        try:
            # JSON that strict readers refuse. Redacted again, because its strings are no longer escaped.
            value = redact_value(json.loads(value), detectors=detectors).value
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _error(raw: Returned, payload: Payload, detectors: Detectors) -> dict[str, Any]:
    if raw.stream_error is not None:  # what the stream brought before it is no error's payload
        kind, details = raw.stream_error
        told = json.dumps({"errorType": kind, "errorMessage": details}).encode()
        payload = read_payload(told, detectors=detectors)
    return read_error(payload, detectors)
