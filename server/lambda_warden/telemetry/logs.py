"""What goes to stderr: lines of text, or JSON. Each line that a call causes carries its id and its trace."""

from __future__ import annotations

import json
import logging
import sys
import traceback
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

_QUIET: Final = {
    # At DEBUG these write whole requests and answers, with payloads and signatures.
    **dict.fromkeys(("boto3", "botocore", "urllib3", "httpcore2", "mcp", "sse_starlette"), logging.INFO),
    # At INFO it writes whole URLs, and that of a webhook is often a secret.
    "httpx2": logging.WARNING,
}
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_ID_CHARACTERS: Final = 32
_call: ContextVar[str | None] = ContextVar("call", default=None)


def new_call() -> str:
    """An id for a call that begins. From here on the log lines of this task, and of its threads, carry it."""
    invocation_id = uuid.uuid4().hex
    ask_of_call(invocation_id)
    return invocation_id


def ask_of_call(invocation_id: str) -> None:
    """What follows is of this earlier call, as its caller names it: so the log lines of this task carry its id."""
    _call.set(invocation_id[:_ID_CHARACTERS])


def configure_logging(level: str, form: str) -> None:
    """Write what is logged to stderr.

    Args:
        level: what is written, from this level on.
        form: text, or a JSON object a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=level)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, logging.getLevelName(level)))


def _call_of(record: logging.LogRecord) -> str | None:
    """Which call a line is of: as it says itself, where a thread works for many, or as its thread or task has it."""
    said: str | None = getattr(record, "invocation_id", None)
    return said or _call.get()


def _stack_of(error: BaseException | None) -> str:
    """Where an error was raised. What it says may quote a payload, and is left out."""
    return "" if error is None else "".join(traceback.format_tb(error.__traceback__))


class TextLines(logging.Formatter):
    """A line of text, with the call's id at its end unless it says it already.

    Of an error that is logged with its stack it tells kind and place, as `JsonLines` does.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's
        """The line."""
        line, call = super().formatMessage(record), _call_of(record)
        said = line if call is None or call in line else f"{line} [{call}]"
        # What a client named may stand in it, and must not pass for a line of its own: further lines are indented.
        return "\n  ".join(
            "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line) for line in said.split("\n")
        )

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - the library's
        """Kind and place of an error."""
        return f"{_stack_of(ei[1])}{type(ei[1]).__name__}"


class JsonLines(logging.Formatter):
    """A JSON object, with the ids that there are.

    Of an error that is logged with its stack it tells kind and place: what it says may quote a payload.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (call := _call_of(record)) is not None:
            fields["invocation_id"] = call
        span = get_current_span().get_span_context()
        if span.is_valid:
            fields |= {"trace_id": format_trace_id(span.trace_id), "span_id": format_span_id(span.span_id)}
        if record.exc_info and (error := record.exc_info[1]) is not None:
            fields["error"] = type(error).__name__
            fields["stack"] = _stack_of(error)
        return json.dumps(fields)  # in ASCII: nothing in it moves a terminal's cursor or turns the line round
