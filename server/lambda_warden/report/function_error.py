"""Function errors: what the payload and the log of a failed function say of it, and what that means.

The runtimes put errorType, errorMessage and stackTrace (Node.js: trace) into the payload, and the error behind it into
cause (Java, .NET) or reason (Node.js): "Lambda function errors in …" of each language.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from lambda_warden.answers.bounded import cut, cut_frames
from lambda_warden.answers.error_chain import TRACEBACK, ToldError, read_json_chain, read_stack
from lambda_warden.answers.log import BEHIND_LIMIT, caused_by, tells_of
from lambda_warden.answers.payload import Payload
from lambda_warden.model.result import CausedBy, ErrorCause, FunctionError, Log, LogError
from lambda_warden.report.error_cause import Said, cause_of, denied_action, said_in_log
from lambda_warden.report.explanation import explain

MESSAGE_LIMIT: Final = 2000
FRAMES_LIMIT: Final = 30
_FRAME_LIMIT: Final = 300
_TOLD: Final = frozenset({"errorType", "errorMessage", "stackTrace", "trace", "cause", "requestId"})


def read_function_error(kind: str, told: dict[str, Any], log: Log | None) -> FunctionError:
    """Describe how a function failed.

    Args:
        kind: the X-Amz-Function-Error header: Handled or Unhandled.
        told: the JSON object that the payload is, redacted; empty if it is none.
        log: the log, redacted. What it tells of the same error, the payload need not.
    """
    error, *behind = _read_chain(told)
    behind = behind[:BEHIND_LIMIT]
    described = FunctionError(
        kind=kind,
        cause="unknown",
        explanation="",
        type=_text(error.type, _FRAME_LIMIT),
        message=_text(error.message, MESSAGE_LIMIT),
        code=_text(error.code, _FRAME_LIMIT),
        host=_text(error.host, _FRAME_LIMIT),
        stack_trace=cut_frames(error.stack, FRAMES_LIMIT, _FRAME_LIMIT),
        caused_by=[caused_by(each) for each in behind],
    )
    logged = _logged(log, described)
    if logged:
        described = _with_logged(described, logged)
    said = [_said(error), *map(_said, behind)]
    cause = cause_of([*said, *(said_in_log(logged) if logged else [])], log)
    messages = [each.message for each in said] + ([each.message for each in said_in_log(logged)] if logged else [])
    actions = map(denied_action, messages) if cause == "permission_denied" else ()
    action, resource = next((found for found in actions if found[0]), (None, None))
    shown = {"cause": cause, "explanation": explain(cause, said[0], log), "action": action, "resource": resource}
    return described.model_copy(update=shown)


def cause_in_log(log: Log) -> ErrorCause | None:
    """The cause of the last error that a log tells of, by all that it tells of it; None if it tells of none."""
    if not log.errors:
        cause = cause_of([], log)
        return None if cause == "unknown" else cause
    last = FunctionError(kind="", cause="unknown", explanation="", message=log.errors[-1].message)
    return cause_of(said_in_log(_logged(log, last) or log.errors[-1]), log)


def tells_all(payload: Payload) -> bool:
    """Whether the payload of a failed function holds nothing but what a `FunctionError` tells of it."""
    value = payload.value
    return payload.format == "json" and isinstance(value, dict) and bool(value) and value.keys() <= _TOLD


def _read_chain(error: dict[str, Any]) -> list[ToldError]:
    """The error that a payload tells in the form of the runtimes, and those behind it. Other payloads tell none."""
    kind, message = error.get("errorType"), error.get("errorMessage")
    if not (isinstance(kind, str) or isinstance(message, str)):
        frames = error.get("stackTrace") or error.get("trace")
        behind = islice(read_json_chain(error), 1, BEHIND_LIMIT + 1)
        return [ToldError(stack=read_stack({"trace": frames}) if isinstance(frames, list) else []), *behind]
    told, *behind_it = islice(read_json_chain(error), BEHIND_LIMIT + 1)
    return [
        replace(
            told, type=kind if isinstance(kind, str) else None, message=message if isinstance(message, str) else None
        ),
        *behind_it,
    ]


def _logged(log: Log | None, error: FunctionError) -> LogError | None:
    """The error in the log that is the function's, or that its process ended with.

    Code that logs an exception and raises it again leaves two: its own has the errors behind it, the runtime's has not.
    """
    errors = list(reversed(log.errors)) if log else []
    alone = error.model_copy(update={"caused_by": []})
    of_it = [entry for entry in errors if tells_of(entry.message, alone)]
    of_chain = [entry for entry in errors if tells_of(entry.message, error)]
    if told := of_it or of_chain:
        return max(told, key=lambda entry: len(entry.caused_by))  # the newest of the longest
    if error.type and (
        found := next(
            (entry for entry in errors if re.search(rf"(?<!\w){re.escape(error.type)}\b", entry.message)), None
        )
    ):
        return found
    traced = (entry for entry in errors if entry.stack and entry.stack[0].startswith(TRACEBACK))
    return None if error.stack_trace else next(traced, None)


def _with_logged(error: FunctionError, logged: LogError) -> FunctionError:
    """An error with what the log tells of it and the payload does not."""
    return error.model_copy(
        update={
            "code": error.code or logged.code,
            "host": error.host or logged.host,
            "stack_trace": error.stack_trace or logged.stack,
            "caused_by": _longer(error.caused_by, logged.caused_by),
        }
    )


def _longer(told: list[CausedBy], logged: list[CausedBy]) -> list[CausedBy]:
    """The chain that tells more: the log has codes and hosts that the payload lacks."""
    if len(logged) > len(told):
        return logged
    where = [any(each.code or each.host for each in chain) for chain in (told, logged)]
    return logged if len(logged) == len(told) and where == [False, True] else told


def _said(error: ToldError) -> Said:
    return Said((error.type or "")[:_FRAME_LIMIT], (error.message or "")[:MESSAGE_LIMIT], error.code or "")


def _text(value: object, limit: int) -> str | None:
    return cut(value, limit) if isinstance(value, str) else None
