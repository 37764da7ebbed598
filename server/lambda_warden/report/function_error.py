"""Function errors: what the payload and the log of a failed function say of it, and what that means.

The runtimes put errorType, errorMessage and stackTrace (Node.js: trace) into the payload, and the error behind it into
cause (Java, .NET) or reason (Node.js): "Lambda function errors in …" of each language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Any, Final

from lambda_warden.model.result import CausedBy, FunctionError, Log
from lambda_warden.redaction.value import redact_value
from lambda_warden.report.bounded import cut, cut_frames
from lambda_warden.report.error_cause import Said, cause_of, denied
from lambda_warden.report.explanation import explain
from lambda_warden.report.log import tells_of
from lambda_warden.report.log_entry import frame_text
from lambda_warden.report.payload import Payload

MESSAGE_LIMIT: Final = 2000
FRAMES_LIMIT: Final = 30
BEHIND_LIMIT: Final = 4
BEHIND_MESSAGE_LIMIT: Final = 500
BEHIND_FRAMES_LIMIT: Final = 6
_FRAME_LIMIT: Final = 300
_TOLD: Final = frozenset({"errorType", "errorMessage", "stackTrace", "trace", "cause", "requestId"})

_TRACEBACK = "Traceback (most recent call last):"
_MARKERS = re.compile(r"[ ^~]*")  # the lines of a Python traceback that point into the line above
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?::|\s*\Z)")  # as a traceback ends


def read_function_error(kind: str, payload: Payload, log: Log | None) -> FunctionError:
    """Describe how a function failed.

    Args:
        kind: the X-Amz-Function-Error header: Handled or Unhandled.
        payload: the whole payload, redacted.
        log: the log, redacted, which has the stack trace where the payload has none.
    """
    error = _json_object(payload)
    behind = list(islice(_behind(error), BEHIND_LIMIT))
    said = [_said(each) for each in (error, *behind)]
    cause = cause_of(said, log)
    actions = (denied(each.message) for each in said) if cause == "permission_denied" else ()
    action, resource = next((found for found in actions if found[0]), (None, None))
    described = FunctionError(
        kind=kind,
        cause=cause,
        explanation=explain(cause, said[0], log),
        type=_text(error.get("errorType"), _FRAME_LIMIT),
        message=_text(error.get("errorMessage"), MESSAGE_LIMIT),
        action=action,
        resource=resource,
        stack_trace=cut_frames(_frames(error), FRAMES_LIMIT, _FRAME_LIMIT),
        caused_by=[
            CausedBy(
                type=_text(each.get("errorType"), _FRAME_LIMIT),
                message=_text(each.get("errorMessage"), BEHIND_MESSAGE_LIMIT),
                stack_trace=cut_frames(_frames(each), BEHIND_FRAMES_LIMIT, _FRAME_LIMIT),
            )
            for each in behind
        ],
    )
    if described.stack_trace or log is None:
        return described
    logged = next((entry.stack for entry in reversed(log.errors) if tells_of(entry.message, described)), [])
    frames = cut_frames(_frames_of_log(log.text), FRAMES_LIMIT, _FRAME_LIMIT) or logged
    return described.model_copy(update={"stack_trace": frames})


def tells_all(payload: Payload) -> bool:
    """Whether the payload of a failed function holds nothing but what a `FunctionError` tells of it."""
    value = payload.value
    return payload.format == "json" and isinstance(value, dict) and bool(value) and value.keys() <= _TOLD


def _json_object(payload: Payload) -> dict[str, Any]:
    value = payload.value
    if payload.format == "text" and isinstance(value, str):
        try:
            # JSON that strict readers refuse. Redacted again, because its strings are no longer escaped.
            value = redact_value(json.loads(value)).value
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _behind(error: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The errors behind an error: .NET lists several in `causes`, of which the first is in `cause` too."""
    while True:
        several = error.get("causes")
        nearest = (
            error.get("cause") or error.get("reason") or (several[0] if isinstance(several, list) and several else 0)
        )
        if not isinstance(nearest, dict) or not {"errorType", "errorMessage"} & nearest.keys():
            return
        error = nearest
        yield error


def _said(error: dict[str, Any]) -> Said:
    kind, message = error.get("errorType"), error.get("errorMessage")
    return Said(
        kind[:_FRAME_LIMIT] if isinstance(kind, str) else "",
        message[:MESSAGE_LIMIT] if isinstance(message, str) else "",
    )


def _frames(error: dict[str, Any]) -> list[str]:
    frames = error.get("stackTrace") or error.get("trace") or error.get("stack")
    return [frame_text(frame) for frame in frames] if isinstance(frames, list) else []


def _frames_of_log(text: str) -> list[str]:
    """The last Python traceback that a log holds, without what follows it."""
    _, found, rest = text.rpartition(_TRACEBACK)
    if not found:
        return []
    lines = [line for line in rest.splitlines() if not _MARKERS.fullmatch(line)]
    stack = list(takewhile(lambda line: line.startswith(" "), lines))
    # The exception stands below its stack; in the log of Lambda's own runtime it stands above.
    exception = [line for line in lines[len(stack) : len(stack) + 1] if _EXCEPTION.match(line)]
    return [_TRACEBACK, *stack, *exception] if stack else []


def _text(value: object, limit: int) -> str | None:
    return cut(value, limit) if isinstance(value, str) else None
