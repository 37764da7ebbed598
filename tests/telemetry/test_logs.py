"""Lines of the log: which call and trace they are of, and what they don't tell."""

from __future__ import annotations

import contextvars
import json
import logging
import threading
from collections.abc import Callable

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from lambda_warden.telemetry.logs import JsonLines, TextLines, ask_of_call, configure_logging, new_call
from lambda_warden.telemetry.spans import trace_header

SPAN = NonRecordingSpan(SpanContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0xF067AA0BA902B7, False, TraceFlags(1)))


def in_a_context(run: Callable[[], str]) -> str:
    return contextvars.Context().run(run)


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger().makeRecord("lambda_warden.x", logging.ERROR, "f", 1, message, (), None, extra=extra)


def in_a_thread_of(call: str) -> str:
    """What a worker thread logs that was started in the context of a call."""
    lines: list[str] = []
    work = threading.Thread(
        target=contextvars.copy_context().run, args=(lambda: lines.append(JsonLines().format(record("said"))),)
    )
    work.start()
    work.join()
    return str(json.loads(lines[0])["invocation_id"])


def test_lines_of_a_call_and_its_threads_carry_its_id() -> None:
    def run() -> str:
        call = new_call()
        assert in_a_thread_of(call) == call
        assert TextLines().format(record("said")).endswith(f"lambda_warden.x: said [{call}]")
        assert TextLines().format(record(f"{call} said")).endswith(f"{call} said")
        assert json.loads(JsonLines().format(record("said", invocation_id="another")))["invocation_id"] == "another"
        return call

    assert in_a_context(run) != in_a_context(run)
    assert "invocation_id" not in json.loads(in_a_context(lambda: JsonLines().format(record("said"))))


def test_what_a_client_names_begins_no_line_of_its_own() -> None:
    def run() -> str:
        ask_of_call("x]\nERROR it is \x1b[31m\u202e")
        return TextLines().format(record("no \r\ud800"))

    said = in_a_context(run)
    assert said.endswith("no \\r\\ud800 [x]\n  ERROR it is \\x1b[31m\\u202e]")
    assert all(line.isprintable() for line in said.split("\n"))


def test_a_json_line_has_the_trace_and_no_more_than_there_is() -> None:
    with use_span(SPAN):
        line = json.loads(in_a_context(lambda: JsonLines().format(record("a\nb"))))
        written = JsonLines().format(record("\x9b31m \u202e"))
        traced = json.loads(JsonLines().format(record("a\nb")))
    assert json.loads(written)["message"] == "\x9b31m \u202e"
    assert written.isprintable()
    assert line.keys() == {"time", "level", "logger", "message"}
    assert (traced["trace_id"], traced["span_id"]) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert (traced["level"], traced["logger"], traced["message"]) == ("ERROR", "lambda_warden.x", "a\nb")


@pytest.mark.parametrize("form", [JsonLines, TextLines])
def test_of_an_error_kind_and_place_are_told_and_not_what_it_says(form: type[logging.Formatter]) -> None:
    payload = "card 4111"
    try:
        try:
            raise KeyError(payload)
        except KeyError as error:
            raise ValueError(payload) from error
    except ValueError as error:
        told = record("failed")
        told.exc_info = (ValueError, error, error.__traceback__)
    line = form().format(told)
    assert "ValueError" in line
    assert "test_logs.py" in line
    assert payload not in line


def test_the_header_for_aws_is_that_of_the_trace_if_there_is_one() -> None:
    assert trace_header() is None
    with use_span(SPAN):
        assert trace_header() == "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"


def test_at_debug_libraries_that_write_whole_messages_stay_at_info() -> None:
    names = ("boto3", "botocore", "urllib3", "httpcore2", "mcp", "sse_starlette", "httpx2")
    try:
        configure_logging("DEBUG", "json")
        assert not any(logging.getLogger(name).isEnabledFor(logging.DEBUG) for name in names)
    finally:
        for name in names:
            logging.getLogger(name).setLevel(logging.NOTSET)
