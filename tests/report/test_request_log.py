"""The messages of one invocation, out of everything that its stream holds."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.model.log_event import LogEvent
from lambda_warden.report.request_log import naming, select

MINE = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
START, END, REPORT = f"START RequestId: {MINE} Version: 7", f"END RequestId: {MINE}", f"REPORT RequestId: {MINE}\tDur"
OTHERS = tuple(line.replace(MINE, OTHER) for line in (START, END, REPORT))


def events(*messages: str, stream: str = "s") -> list[LogEvent]:
    return [LogEvent(stream, number, message) for number, message in enumerate(messages)]


def platform(kind: str, request_id: str = MINE) -> str:
    return json.dumps({"time": "2026-11-25T00:00:00Z", "type": f"platform.{kind}", "record": {"requestId": request_id}})


def app(message: str, request_id: str = MINE, key: str = "requestId") -> str:
    return json.dumps({"timestamp": "2026-11-25T00:00:00Z", "level": "INFO", "message": message, key: request_id})


def test_lines_between_start_and_report_belong_to_it_whether_or_not_they_name_it() -> None:
    found = select(events("before", START, "plain", OTHER, END, "an extension", REPORT, "after", *OTHERS), MINE)
    assert found.messages == (START, "plain", OTHER, END, "an extension", REPORT)
    assert (found.attempts, found.reports, found.complete, found.interleaved) == (1, (REPORT,), True, False)


def test_the_json_format_is_read_as_the_text_format_is() -> None:
    lines = [platform("start"), app("hello"), "printed", platform("runtimeDone"), platform("report")]
    others = [platform("start", OTHER), app("theirs", OTHER), platform("report", OTHER)]
    found = select(events(*others, *lines, *others), MINE)
    assert found.messages == tuple(lines)
    assert (found.attempts, found.reports, found.complete) == (1, (lines[-1],), True)


@pytest.mark.parametrize(
    "line",
    [
        f"[INFO]\t2026-11-25T00:00:00.123Z\t{MINE}\thello",
        f"2026-11-25T00:00:00.123Z\t{MINE}\tINFO\thello",
        f"2026-11-25T00:00:00.123Z {MINE} Task timed out after 3.00 seconds",
        f"2026-11-25 00:00:00 {MINE} INFO app - hello",
        f"RequestId: {MINE} Error: Runtime exited with error: signal: killed",
        app("hello"),
        app("hello", key="AWSRequestId"),
    ],
)
def test_lines_that_lambda_or_its_loggers_wrote_for_it_belong_to_it_wherever_they_stand(line: str) -> None:
    found = select(events(START, END, REPORT, line, *OTHERS), MINE)
    assert found.messages == (START, END, REPORT, line)
    assert list(naming(events(line), MINE)) == ["s"]


def test_a_line_of_another_invocation_that_mentions_it_does_not() -> None:
    mention = f"called with request id {MINE}"
    start, end, report = OTHERS
    found = select(events(START, END, REPORT, start, mention, app(MINE, OTHER), end, report), MINE)
    assert found.messages == (START, END, REPORT)
    assert naming(events(mention, app(mention, OTHER), f"2026-11-25T00:00:00Z\t{OTHER}\t{MINE}"), MINE) == {}


def test_each_attempt_of_an_event_is_taken_and_nothing_between_them() -> None:
    once = (START, "first", END, REPORT)
    found = select(events(*once, *OTHERS, "x", START, "second", END, REPORT), MINE)
    assert found.messages == (*once, START, "second", END, REPORT)
    assert (found.attempts, len(found.reports), found.complete) == (2, 2, True)
    assert not select(events(*once, START, "second"), MINE).complete


def test_where_the_end_is_missing_the_next_start_ends_it() -> None:
    start, end, report = OTHERS
    found = select(events(START, "mine", start, "theirs", end, report, "nobody's"), MINE)
    assert found.messages == (START, "mine")
    assert (found.complete, found.interleaved) == (False, False)


@pytest.mark.parametrize(
    "lines",
    [
        (START, "whose?", OTHERS[0], "whose?", f"printed {MINE}", END, REPORT, OTHERS[1], OTHERS[2]),
        (OTHERS[0], START, "whose?", OTHERS[1], OTHERS[2], f"printed {MINE}", END, REPORT),
    ],
)
def test_where_others_ran_beside_it_only_lines_that_name_it_are_taken(lines: tuple[str, ...]) -> None:
    found = select(events(*lines), MINE)
    assert found.messages == tuple(line for line in lines if MINE in line)
    assert (found.interleaved, found.complete) == (True, True)


def test_where_others_may_run_beside_it_only_lines_that_name_it_are_taken() -> None:
    lines = (platform("start"), "whose?", app("mine"), app("theirs, of " + MINE, OTHER), platform("report"))
    found = select(events(*lines), MINE, concurrent=True)
    assert found.messages == (lines[0], lines[2], lines[4])


def test_without_system_logs_there_are_only_lines_that_name_it() -> None:
    found = select(events(app("mine"), "whose?", app("theirs", OTHER)), MINE)
    assert (found.messages, found.attempts, found.complete) == ((app("mine"),), 0, False)


@pytest.mark.parametrize(
    "line",
    ["{", '{"requestId": 1}', '{"requestId": null}', '["requestId"]', '{"record": [], "requestId": []}', "{" * 9999],
)
def test_lines_that_only_look_like_json_are_lines(line: str) -> None:
    assert select(events(START, line, END, REPORT), MINE).messages == (START, line, END, REPORT)


plain = st.text(st.characters(codec="utf-8"), max_size=30).filter(lambda text: "RequestId" not in text).map(str.rstrip)
runs = st.lists(
    st.tuples(st.uuids().map(str), st.lists(plain, max_size=4), st.booleans()), max_size=6, unique_by=lambda r: r[0]
)


@given(runs)
def test_every_invocation_of_an_environment_gets_its_own_lines_and_no_others(
    ran: list[tuple[str, list[str], bool]],
) -> None:
    written: dict[str, list[str]] = {}
    for request_id, lines, is_json in ran:
        if is_json:
            written[request_id] = [platform("start", request_id), *lines, platform("report", request_id)]
        else:
            written[request_id] = [f"START RequestId: {request_id}", *lines, f"REPORT RequestId: {request_id}"]
    stream = events(*(line + "\n" for lines in written.values() for line in lines))
    for request_id, lines in written.items():
        found = select(stream, request_id)
        assert found.messages == tuple(lines)
        assert found.complete
        first = next(event for event in naming(stream, request_id)["s"])
        assert select(stream[stream.index(first) :], request_id) == found
    assert select(stream, str(uuid.UUID(int=0))).messages == ()


@given(
    st.lists(st.sampled_from([START, END, REPORT, *OTHERS, "x", app("y"), app("z", OTHER), f"in {MINE}"]), max_size=12)
)
def test_no_line_that_is_of_another_is_ever_taken(lines: list[str]) -> None:
    for concurrent in (False, True):
        found = select(events(*lines), MINE, concurrent=concurrent)
        assert not {*OTHERS} & {*found.messages}
        assert len(found.messages) <= len(lines)
        if found.interleaved:
            assert all(MINE in message for message in found.messages)
