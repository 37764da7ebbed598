"""Function errors: what the payload and the log of a failed function say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

from lambda_warden.guard.redaction.value import redact_value
from lambda_warden.model.result import FunctionError
from lambda_warden.report.payload import Payload

MESSAGE_LIMIT: Final = 2000
FRAMES_LIMIT: Final = 30
_FRAME_LIMIT: Final = 300

_TRACEBACK = "Traceback (most recent call last):"
_MARKERS = re.compile(r"[ ^~]*")  # the lines of a Python traceback that point into the line above


def read_function_error(kind: str, payload: Payload, log_text: str | None) -> FunctionError:
    """Describe how a function failed.

    Args:
        kind: the X-Amz-Function-Error header: Handled or Unhandled.
        payload: the whole payload, redacted. Lambda's runtimes put errorType, errorMessage and stackTrace (Node.js:
            trace) there.
        log_text: the log tail, redacted, which has the stack trace where the payload has none.
    """
    error = _json_object(payload)
    frames = error.get("stackTrace") or error.get("trace")
    return FunctionError(
        kind=kind,
        type=_text(error.get("errorType"), _FRAME_LIMIT),
        message=_text(error.get("errorMessage"), MESSAGE_LIMIT),
        stack_trace=_frames(frames) if isinstance(frames, list) else _frames_of_log(log_text or ""),
    )


def _json_object(payload: Payload) -> dict[str, Any]:
    value = payload.value
    if payload.format == "text" and isinstance(value, str):
        try:
            # JSON that strict readers refuse. Redacted again, because its strings are no longer escaped.
            value = redact_value(json.loads(value)).value
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _frames(frames: Sequence[object]) -> list[str]:
    texts = [_cut(str(frame).rstrip("\n"), _FRAME_LIMIT) for frame in frames]
    if len(texts) <= FRAMES_LIMIT:
        return texts
    half = FRAMES_LIMIT // 2
    return [*texts[:half], f"… {len(texts) - 2 * half} frames left out …", *texts[-half:]]


def _frames_of_log(text: str) -> list[str]:
    """The last Python traceback that a log holds, without what follows it."""
    _, found, rest = text.rpartition(_TRACEBACK)
    if not found:
        return []
    # Lambda's Python runtime ends the lines of a traceback with \\r and indents them with no-break spaces.
    lines = [line for line in rest.replace("\u00a0", " ").splitlines() if not _MARKERS.fullmatch(line)]
    stack = list(takewhile(lambda line: line.startswith(" "), lines))
    # The exception stands below its stack; in the log of Lambda's own runtime it stands above, and END below.
    exception = [line for line in lines[len(stack) : len(stack) + 1] if not line.startswith("END RequestId: ")]
    return _frames([_TRACEBACK, *stack, *exception])


def _text(value: object, limit: int) -> str | None:
    return _cut(value, limit) if isinstance(value, str) else None


def _cut(text: str, limit: int) -> str:
    shown = text if len(text) <= limit else text[:limit] + "…"
    return shown.encode(errors="replace").decode()  # JSON may hold lone surrogates, which no answer of ours can
