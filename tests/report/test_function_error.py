from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.answers.gate import read_error
from lambda_warden.answers.log import BEHIND_FRAMES_LIMIT, BEHIND_LIMIT, BEHIND_MESSAGE_LIMIT, read_log, without
from lambda_warden.answers.payload import read_payload
from lambda_warden.model.result import CausedBy, FunctionError
from lambda_warden.report.function_error import FRAMES_LIMIT, MESSAGE_LIMIT, read_function_error
from support.results import hostile_texts, json_values

PYTHON: Final[dict[str, Any]] = {
    "errorMessage": "no order A-1",
    "errorType": "KeyError",
    "requestId": "8f507cfc-6c1b-4f0e-9d3f-000000000001",
    "stackTrace": ['  File "/var/task/app.py", line 7, in handler\n    raise KeyError(order_id)\n'],
}
NODE: Final[dict[str, Any]] = {
    "errorType": "Error",
    "errorMessage": "no order A-1",
    "trace": ["Error: no order A-1", "    at Runtime.handler (file:///var/task/index.mjs:4:11)"],
}
JAVA: Final[dict[str, Any]] = {
    "errorMessage": "no order A-1",
    "errorType": "java.lang.IllegalStateException",
    "stackTrace": ["example.Handler.handleRequest(Handler.java:24)", "example.Handler.load(Handler.java:40)"],
    "cause": {
        "errorMessage": "closed",
        "errorType": "java.io.IOException",
        "stackTrace": ["example.Db.read(Db.java:3)"],
    },
}
FIELDS: Final = ("errorType", "errorMessage", "stackTrace", "cause")
LOG = """\
START RequestId: 1 Version: 7
Traceback (most recent call last):
  File "/var/task/app.py", line 3, in earlier
ValueError: handled
going on
Traceback (most recent call last):
  File "/var/task/app.py", line 7, in handler
    return load(order_id)
           ^^^^^^^^^^^^^^
  File "/var/task/app.py", line 12, in load
    raise KeyError(order_id)
KeyError: 'A-1'
END RequestId: 1
REPORT RequestId: 1\tDuration: 1.00 ms
"""
LOG_TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/var/task/app.py", line 7, in handler',
    "    return load(order_id)",
    '  File "/var/task/app.py", line 12, in load',
    "    raise KeyError(order_id)",
]


def described(kind: str, payload: object, log: str | None) -> FunctionError:
    return error_of(kind, json.dumps(payload).encode(), log)


def error_of(kind: str, payload: bytes, log: str | None) -> FunctionError:
    read = read_log(log.encode()) if log else None
    return read_function_error(kind, read_error(read_payload(payload)), read.log if read else None)


def of_code(**fields: Any) -> FunctionError:
    """An error that the function's code raised."""
    return FunctionError(cause="code", explanation="The function's code ended with an error of its own.", **fields)


def test_an_error_of_the_python_runtime_is_read() -> None:
    assert described("Unhandled", PYTHON, LOG) == of_code(
        kind="Unhandled",
        type="KeyError",
        message="no order A-1",
        stack_trace=['  File "/var/task/app.py", line 7, in handler\n    raise KeyError(order_id)'],
    )


def test_an_error_of_the_node_runtime_is_read() -> None:
    assert described("Unhandled", NODE, None) == of_code(
        kind="Unhandled", type="Error", message="no order A-1", stack_trace=NODE["trace"]
    )


def test_an_error_of_the_java_runtime_is_read() -> None:
    assert described("Unhandled", JAVA, None) == of_code(
        kind="Unhandled",
        type="java.lang.IllegalStateException",
        message="no order A-1",
        stack_trace=JAVA["stackTrace"],
        caused_by=[CausedBy(type="java.io.IOException", message="closed", stack_trace=["example.Db.read(Db.java:3)"])],
    )


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        pytest.param(
            {"errorMessage": "2026-11-02T10:00:03.009Z 8f507cfc Task timed out after 3.00 seconds"}, None, id="older"
        ),
        pytest.param(
            {
                "errorType": "Sandbox.Timedout",
                "errorMessage": "RequestId: 8f507cfc Error: Task timed out after 3.00 seconds",
            },
            "Sandbox.Timedout",
            id="newer",
        ),
    ],
)
def test_a_timeout_is_told_in_lambda_s_words(payload: dict[str, str], kind: str | None) -> None:
    error = described("Unhandled", payload, "START RequestId: 1\nworking\n")

    assert (error.type, error.message, error.stack_trace) == (kind, payload["errorMessage"], [])


def test_an_error_that_the_code_handled_keeps_its_kind() -> None:
    error = described("Handled", {"errorType": "OutOfStock", "errorMessage": "none left"}, None)

    assert error == of_code(kind="Handled", type="OutOfStock", message="none left")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"reason": "none left"}, id="other keys"),
        pytest.param({}, id="empty object"),
        pytest.param("none left", id="string"),
        pytest.param(["errorMessage", "errorType"], id="array"),
        pytest.param(None, id="null"),
        pytest.param(7, id="number"),
        pytest.param({"errorMessage": {"deep": 1}, "errorType": 7, "stackTrace": "at x"}, id="fields of other types"),
    ],
)
def test_a_payload_without_the_runtimes_fields_claims_nothing(payload: object) -> None:
    error = described("Unhandled", payload, None)

    assert error == FunctionError(kind="Unhandled", cause="unknown", explanation=error.explanation)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"errorMessage": "no order A-1", "errorType": "KeyError"}, id="no trace"),
        pytest.param({"errorMessage": "no order A-1", "errorType": "KeyError", "stackTrace": []}, id="empty trace"),
    ],
)
def test_the_last_traceback_of_the_log_stands_in_for_one_that_the_payload_lacks(payload: dict[str, Any]) -> None:
    error = described("Unhandled", payload, LOG)

    assert error.stack_trace == LOG_TRACEBACK
    assert (error.type, error.message) == ("KeyError", "no order A-1")


def test_lines_that_only_point_into_the_code_above_are_left_out() -> None:
    assert "^" in LOG
    assert not any("^" in frame for frame in described("Unhandled", None, LOG).stack_trace)


def test_a_traceback_at_the_very_end_of_a_log_is_read_to_its_end() -> None:
    cut = LOG[: LOG.index("    raise KeyError")]

    assert described("Unhandled", None, cut).stack_trace == LOG_TRACEBACK[:-1]


def test_a_log_without_a_traceback_gives_none() -> None:
    assert described("Unhandled", None, "START\nworking\nEND\n").stack_trace == []


def test_a_huge_stack_trace_keeps_its_ends_and_says_how_much_is_missing() -> None:
    frames = [f"at frame {i}" for i in range(1000)]
    shown = described("Unhandled", {"stackTrace": frames}, None).stack_trace

    half = FRAMES_LIMIT // 2
    assert shown[:half] == frames[:half]
    assert shown[-half:] == frames[-half:]
    assert shown[half:-half] == [f"… {1000 - FRAMES_LIMIT} frames left out …"]


def test_a_stack_trace_at_the_limit_is_whole() -> None:
    frames = [f"at frame {i}" for i in range(FRAMES_LIMIT)]

    assert described("Unhandled", {"trace": frames}, None).stack_trace == frames


def test_huge_texts_are_cut_where_a_reader_sees_it() -> None:
    payload = {"errorMessage": "m" * 100_000, "errorType": "t" * 100_000, "stackTrace": ["f" * 100_000]}
    error = described("Unhandled", payload, None)

    assert error.message == "m" * MESSAGE_LIMIT + "…"
    assert error.type == "t" * 300 + "…"
    assert error.stack_trace == ["f" * 300 + "…"]


def test_a_message_at_the_limit_is_whole() -> None:
    assert described("Unhandled", {"errorMessage": "m" * MESSAGE_LIMIT}, None).message == "m" * MESSAGE_LIMIT


@given(json_values, hostile_texts)
def test_whatever_a_function_leaves_behind_is_described_in_bounded_size(value: Any, log: str) -> None:
    fields = {"errorType": value, "errorMessage": value, "stackTrace": value}
    for payload in (value, fields):
        error = described("Unhandled", payload, f"Traceback (most recent call last):\n{log * 20}")
        assert len(error.type or "") <= 301
        assert len(error.message or "") <= MESSAGE_LIMIT + 1
        assert len(error.stack_trace) <= FRAMES_LIMIT + 1
        assert all(len(frame) <= 301 for frame in error.stack_trace)
        assert len(error.explanation) < 200


@given(st.recursive(json_values, lambda inner: st.fixed_dictionaries(dict.fromkeys(FIELDS, inner)), max_leaves=6))
def test_errors_behind_an_error_are_bounded(value: Any) -> None:
    error = described("Unhandled", value, None)

    assert len(error.caused_by) <= BEHIND_LIMIT
    for behind in error.caused_by:
        assert len(behind.message or "") <= BEHIND_MESSAGE_LIMIT + 1
        assert len(behind.stack_trace) <= BEHIND_FRAMES_LIMIT + 1
        assert all(len(frame) <= 301 for frame in behind.stack_trace)


def test_a_traceback_as_the_python_runtime_writes_it_into_the_log_is_read() -> None:
    """Its lines end in a carriage return, so that CloudWatch keeps them in one event, with no-break spaces before."""
    log = "[ERROR] KeyError: 'A-1'\rTraceback (most recent call last):\r"
    log += '\u00a0\u00a0File "/var/task/app.py", line 7\r'
    frames = described(
        "Unhandled", {}, log + "\u00a0\u00a0\u00a0\u00a0raise KeyError\r\nEND RequestId: 1\n"
    ).stack_trace
    assert frames == [LOG_TRACEBACK[0], '  File "/var/task/app.py", line 7', "    raise KeyError"]


def test_a_payload_that_is_no_json_object_claims_nothing() -> None:
    for payload in (b"", b"text", b"\xff", b"[1]", b"[" * 100_000):
        error = error_of("Unhandled", payload, None)
        assert error == FunctionError(kind="Unhandled", cause="unknown", explanation=error.explanation)


def test_what_no_answer_can_hold_is_replaced() -> None:
    error = described("Unhandled", {"errorType": "X\ud800", "errorMessage": "\udfff", "stackTrace": ["\ud800"]}, None)
    assert (error.type, error.message, error.stack_trace) == ("X?", "?", ["?"])


def test_a_chain_without_end_is_cut() -> None:
    payload: dict[str, Any] = {"errorType": "E", "errorMessage": "0"}
    for number in range(1, 50):
        payload = {"errorType": "E", "errorMessage": str(number), "cause": payload}

    assert [behind.message for behind in described("Unhandled", payload, None).caused_by] == ["48", "47", "46", "45"]


@pytest.mark.parametrize(
    "behind", [{"cause": "x"}, {"reason": {}}, {"causes": []}, {"causes": ["x"]}, {"cause": {"a": 1}}]
)
def test_what_is_no_error_is_not_behind_one(behind: dict[str, Any]) -> None:
    assert described("Unhandled", PYTHON | behind, None).caused_by == []


def test_the_stack_that_the_log_has_of_an_error_stands_in_for_one_that_the_payload_lacks() -> None:
    log = "java.lang.IllegalStateException: no order A-1\n\tat example.Handler.handleRequest(Handler.java:24)\nbye\n"
    log += "java.io.IOException: of something else\n\tat example.Db.close(Db.java:9)\n"
    payload = {"errorType": "java.lang.IllegalStateException", "errorMessage": "no order A-1"}

    assert described("Unhandled", payload, log).stack_trace == ["\tat example.Handler.handleRequest(Handler.java:24)"]


def test_a_log_does_not_tell_of_the_function_s_error_once_more() -> None:
    log = read_log(b"ERROR: retry\nERROR: no order A-1\nERROR: closed\nERROR: other")
    assert log is not None

    assert [entry.message for entry in without(log.log, described("Unhandled", JAVA, None)).errors] == [
        "retry",
        "other",
    ]
    assert without(log.log, described("Unhandled", None, None)) == log.log


def test_a_logged_error_stays_in_the_log_with_what_it_alone_has() -> None:
    log = "".join(
        f"ERROR: attempt {n}: no order A-1\njava.lang.IllegalStateException: no order A-1\n"
        f"\tat example.Db.read(Db.java:9)\nCaused by: java.io.IOException: node {n} is down\n"
        for n in (1, 2)
    )
    read = read_log(f"{log}ERROR: no order A-1\nERROR: attempt 2: no order A-1\n".encode())
    assert read is not None
    error = described("Unhandled", {"errorType": "E", "errorMessage": "no order A-1"}, log)
    left = without(read.log, error).errors

    assert [behind.message for behind in error.caused_by] == ["node 2 is down"]
    assert [behind.message for entry in left for behind in entry.caused_by] == ["node 1 is down"]


def test_nothing_is_called_denied_where_another_cause_is_told() -> None:
    message = "User: x is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k"
    refused = described("Unhandled", {"errorType": "E", "errorMessage": message}, None)
    ended = described("Unhandled", {"errorType": "Runtime.ExitError", "errorMessage": message}, None)

    assert (refused.cause, refused.action, refused.resource) == (
        "permission_denied",
        "s3:GetObject",
        "arn:aws:s3:::b/k",
    )
    assert (ended.cause, ended.action, ended.resource) == ("exit", None, None)
