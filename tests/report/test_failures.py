"""What tells of a failure in a log, in text and in JSON, and what only sounds like it."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.answers.gate import redact_lines
from lambda_warden.errors import ArgumentError
from lambda_warden.model.log_event import LogEvent
from lambda_warden.report.failures import (
    FailedInvocation,
    Position,
    group_failures,
    is_failure,
    read_position,
    show_failure,
    write_position,
)
from lambda_warden.report.request_log import ended_after

ID = "4f2c1d7e-0000-4000-8000-000000000001"  # not made anew: it stands in the names of tests
REPORT = f"REPORT RequestId: {ID}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\t"


def platform(kind: str, status: str) -> str:
    return json.dumps({"time": "2026-11-25T10:00:00Z", "type": kind, "record": {"requestId": ID, "status": status}})


@pytest.mark.parametrize(
    "message",
    [
        f"2026-11-25T10:00:00.000Z {ID} Task timed out after 3.00 seconds\n\n",
        f"RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
        f"{REPORT}Status: timeout\n",
        f"{REPORT}Status: error\tError Type: Runtime.ExitError\n",
        platform("platform.report", "error"),
        platform("platform.report", "failure"),
        platform("platform.runtimeDone", "timeout"),
        "[ERROR] KeyError: 'a'\nTraceback (most recent call last):\n",
        f"[ERROR]\t2026-11-25T10:00:00.000Z\t{ID}\tcould not",
        f"2026-11-25T10:00:00.000Z\t{ID}\tERROR\tInvoke Error \t{{}}",
        f"2026-11-25T10:00:00.000Z\t{ID}\tFATAL\tx",
        "Traceback (most recent call last):\n",
        "java.lang.IllegalStateException: no rate\n\tat f.Handler",
        'Exception in thread "main" java.lang.Error',
        "Unhandled promise rejection",
        json.dumps({"level": "ERROR", "message": "x", "requestId": ID}),
        json.dumps({"level": "critical", "message": "x"}),
        json.dumps({"errorType": "Error", "errorMessage": "x", "stackTrace": []}),
        '{"level": "ERROR", cut',
    ],
)
def test_signs_of_a_failure(message: str) -> None:
    assert is_failure(message)


@pytest.mark.parametrize(
    "message",
    [
        f"{REPORT}\n",
        f"{REPORT}Status: success\n",
        f"START RequestId: {ID} Version: 7\n",
        platform("platform.report", "success"),
        platform("platform.start", ""),
        "errors: 0, no failure, timeout=30",
        "the ErrorHandler is ready",
        json.dumps({"level": "INFO", "message": "ERROR is only a word here"}),
        json.dumps({"level": "warn", "error": None}),
        "[]",
        "{}",
        "",
    ],
)
def test_what_only_sounds_like_it(message: str) -> None:
    assert not is_failure(message)


def test_the_signs_of_one_invocation_stand_together_the_newest_invocation_first() -> None:
    other = str(uuid.uuid4())
    named = [LogEvent("s", at, f"RequestId: {each} Error: {at}") for each, at in ((ID, 1), (other, 2), (ID, 3))]
    bare = LogEvent("s", 4, "[ERROR] x")
    found = group_failures([bare, *named], {bare: other})
    assert [(each.request_id, each.timestamp, len(each.messages)) for each in found] == [(other, 4, 2), (ID, 3, 2)]
    assert [each.request_id for each in group_failures([bare], {})] == [None]


def test_a_report_is_shown_where_nothing_else_tells_of_the_failure() -> None:
    report, error = f"{REPORT}Status: error\n", "[ERROR] KeyError: 'a'\n" + "".join(f"  line {n}\n" for n in range(30))
    shown, _ = show_failure(FailedInvocation(0, "0" * 8, ID, (error, report)), redact_lines)
    assert (shown.lines[0], shown.lines[-1], len(shown.lines)) == ("[ERROR] KeyError: 'a'", "…", 9)
    shown, _ = show_failure(FailedInvocation(0, "0" * 8, ID, (report,)), redact_lines)
    assert "Status: error" in shown.lines[0]


def test_an_exception_is_of_the_invocation_that_ends_next_in_its_stream() -> None:
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    lines = [
        f"END RequestId: {first}",
        f"START RequestId: {second} Version: 7",
        "[ERROR] x",
        f"END RequestId: {second}",
    ]
    events = [LogEvent("s", 7, line) for line in lines]
    assert ended_after(events, [events[2]]) == {events[2]: second}
    assert ended_after(events[:3], [events[2]]) == {}
    assert ended_after(events[:2], [events[2]]) == {}
    # It was logged while nothing ran.
    assert ended_after([events[2], *events[1:2], events[3]], [events[2]]) == {}


@given(st.lists(st.text("0123456789abcdef", min_size=8, max_size=8), min_size=1, max_size=20), st.integers(0, 10**13))
def test_a_cursor_is_read_as_it_was_written_and_only_for_its_function(keys: list[str], at: int) -> None:
    shown = [FailedInvocation(at, key, None, ()) for key in keys]
    cursor = write_position("f:live", Position(), shown, at)
    assert read_position("f:live", cursor) == Position(at, tuple(keys))
    again = write_position("f:live", Position(at, ("a" * 8,)), shown, at)
    assert read_position("f:live", again).shown == ("a" * 8, *keys)
    for function, wrong in (("g:live", cursor), ("f:live", cursor[:-4]), ("f:live", "é"), ("f:live", "")):
        with pytest.raises(ArgumentError):
            read_position(function, wrong)
