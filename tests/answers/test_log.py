from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_warden.answers import log as log_module
from lambda_warden.answers.error_chain import split_trace
from lambda_warden.answers.log import (
    ERROR_MESSAGE_LIMIT,
    ERROR_STACK_LIMIT,
    ERRORS_LIMIT,
    TAIL_LIMIT,
    read_report,
)
from lambda_warden.answers.log_entry import read_entries
from lambda_warden.model.result import Log, Report
from support.results import hostile_texts, json_values

WARM = (
    "REPORT RequestId: 8f507cfc-6c1b-4f0e-9d3f-000000000001\tDuration: 79.67 ms\tBilled Duration: 80 ms\t"
    "Memory Size: 128 MB\tMax Memory Used: 73 MB\t"
)
COLD = WARM + "Init Duration: 163.62 ms\t"


def read_log(tail: bytes | None) -> Log | None:
    read = log_module.read_log(tail)
    return read.log if read else None


def platform_report(metrics: object, kind: str = "platform.report") -> str:
    return json.dumps({"time": "2026-11-02T10:00:00Z", "type": kind, "record": {"metrics": metrics}})


def test_a_warm_call_has_no_init_duration() -> None:
    log = f"START RequestId: 1 Version: 7\nworking\nEND RequestId: 1\n{WARM}\n"

    assert read_report(log) == Report(
        duration_ms=79.67, billed_duration_ms=80, memory_size_mb=128, max_memory_used_mb=73
    )


def test_a_cold_start_has_its_init_duration_beside_its_duration() -> None:
    assert read_report(COLD) == Report(
        duration_ms=79.67, billed_duration_ms=80, memory_size_mb=128, max_memory_used_mb=73, init_duration_ms=163.62
    )


def test_a_restored_snapshot_does_not_pass_its_restore_durations_for_the_call_s() -> None:
    line = WARM + "Restore Duration: 511.25 ms\tBilled Restore Duration: 512 ms\t"
    reordered = "REPORT RequestId: 1\tRestore Duration: 511.25 ms\tBilled Restore Duration: 512 ms\tDuration: 4.00 ms\t"

    assert read_report(line) == Report(
        duration_ms=79.67,
        billed_duration_ms=80,
        memory_size_mb=128,
        max_memory_used_mb=73,
        restore_duration_ms=511.25,
        billed_restore_duration_ms=512,
    )
    assert read_report(reordered) == Report(duration_ms=4.0, restore_duration_ms=511.25, billed_restore_duration_ms=512)


@pytest.mark.parametrize(
    ("status", "error_type"),
    [
        pytest.param("timeout", None, id="timeout"),
        pytest.param("error", "Runtime.OutOfMemory", id="error"),
        pytest.param("success", None, id="success"),
    ],
)
def test_a_report_says_how_the_call_ended_in_both_formats(status: Any, error_type: str | None) -> None:
    line = WARM + f"Status: {status}" + (f"\tError Type: {error_type}" if error_type else "")
    record = {"metrics": {"durationMs": 1}, "status": status} | ({"errorType": error_type} if error_type else {})

    for log in (line, json.dumps({"time": "now", "type": "platform.report", "record": record})):
        report = read_report(log)
        assert report is not None
        assert (report.status, report.error_type) == (status, error_type)


@pytest.mark.parametrize(
    ("status", "error_type"), [("fine", "E"), ("Error", f"Runtime.{'x' * 61}"), ([], []), (True, True), (None, "key=1")]
)
def test_a_status_or_type_that_lambda_does_not_give_is_left_out(status: Any, error_type: Any) -> None:
    record = {"metrics": {"durationMs": 1}, "status": status, "errorType": error_type}

    assert read_report(json.dumps({"type": "platform.report", "record": record})) == Report(duration_ms=1)
    assert read_report(f"REPORT RequestId: 1\tDuration: 1 ms\tStatus: {status}\tError Type: {error_type}") == Report(
        duration_ms=1
    )


@pytest.mark.parametrize("between", ["\n", "\t"], ids=["on a line of its own", "on the same line"])
def test_a_trace_id_behind_the_report_changes_nothing(between: str) -> None:
    trace = "XRAY TraceId: 1-5e34a614-10bdxmplf1fb44f07bc535a1\tSegmentId: 07f5xmpl2d1f6f85\tSampled: true\t\n"

    assert read_report(COLD + between + trace) == read_report(COLD)


def test_the_last_of_several_reports_counts_because_the_platform_writes_last() -> None:
    forged = "REPORT RequestId: 0\tDuration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 1 MB\tMax Memory Used: 1 MB"

    assert read_report(f"{forged}\n{WARM}\n") == read_report(WARM)


def test_the_json_log_format_is_read() -> None:
    metrics = {
        "durationMs": 101.5,
        "billedDurationMs": 300,
        "memorySizeMB": 512,
        "maxMemoryUsedMB": 33,
        "initDurationMs": 116.67,
    }
    lines = [
        platform_report({"durationMs": 1}),
        json.dumps({"level": "INFO", "message": "working"}),
        platform_report(metrics),
        json.dumps({"level": "INFO", "message": '"platform.report"'}),
        "",
    ]

    assert read_report("\n".join(lines)) == Report(
        duration_ms=101.5, billed_duration_ms=300, memory_size_mb=512, max_memory_used_mb=33, init_duration_ms=116.67
    )


def test_json_metrics_without_init_duration_leave_it_open() -> None:
    assert read_report(platform_report({"durationMs": 2.5, "status": "success"})) == Report(duration_ms=2.5)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("working\nEND RequestId: 1", id="no report"),
        pytest.param("", id="nothing"),
        pytest.param("my REPORT RequestId: 1\tDuration: 5.00 ms", id="not at the start of a line"),
        pytest.param("REPORT on sales, Duration: 5.00 ms", id="another report"),
        pytest.param("REPORT RequestId: 1\tDuration: 1.2.3 ms", id="a number that is none"),
        pytest.param("REPORT RequestId: 1\tMemory Size: " + "9" * 5000 + " MB", id="a number that nobody reads"),
        pytest.param('{"type":"platform.report","record":', id="JSON cut short"),
        pytest.param('["platform.report"]', id="a JSON array"),
        pytest.param('"platform.report"', id="a JSON string"),
        pytest.param('{"type":"platform.report","record":null}', id="no record"),
        pytest.param('{"type":"platform.report","record":{}}', id="no metrics"),
        pytest.param('{"type":"platform.report","record":[]}', id="a record that is a list"),
        pytest.param(platform_report("fast"), id="metrics that are text"),
        pytest.param(platform_report({"durationMs": "fast"}), id="a metric that is text"),
        pytest.param(platform_report({"durationMs": []}), id="a metric that is a list"),
        pytest.param(
            platform_report({"durationMs": 5}, kind="mine").replace("}", ', "message": "platform.report"}', 1),
            id="another type",
        ),
        pytest.param('{"type":"platform.report","a":' + "[" * 100_000, id="nested beyond any parser"),
    ],
)
def test_what_only_looks_like_a_report_is_none(line: str) -> None:
    assert read_report(line) is None


def test_a_report_without_numbers_claims_none() -> None:
    assert read_report("REPORT RequestId: 1 and nothing else") == Report()


@pytest.mark.parametrize("tail", [None, b""], ids=["not asked for", "empty"])
def test_without_a_tail_there_is_no_log(tail: bytes | None) -> None:
    assert read_log(tail) is None


def test_a_log_shorter_than_the_limit_is_whole() -> None:
    log = read_log(f"working ✓\n{WARM}\n".encode())

    assert log is not None
    assert log.text == "working ✓"
    assert not log.truncated
    assert log.report == read_report(WARM)


def test_a_log_of_the_limit_s_size_may_have_lost_its_start() -> None:
    full, short = read_log(b"x" * TAIL_LIMIT), read_log(b"x" * (TAIL_LIMIT - 1))

    assert full is not None
    assert short is not None
    assert (full.truncated, short.truncated) == (True, False)


@pytest.mark.parametrize("character", ["é", "世", "😀"])
def test_a_character_cut_by_the_limit_is_dropped_without_a_trace(character: str) -> None:
    encoded = character.encode()
    for lost in range(1, len(encoded)):
        half = encoded[lost:] + b" "
        log = read_log(half + b"y" * (TAIL_LIMIT - len(half)))
        assert log is not None
        assert log.text == "y" * (TAIL_LIMIT - len(half))


def test_a_word_cut_by_the_limit_is_dropped_as_it_may_be_the_rest_of_a_secret() -> None:
    log = read_log(b"half-a-word and the rest\n".ljust(TAIL_LIMIT, b"."))

    assert log is not None
    assert log.text.startswith("and the rest\n...")


def test_a_cut_log_that_begins_with_a_new_line_loses_nothing() -> None:
    log = read_log(b"\nworking\n".ljust(TAIL_LIMIT, b"."))

    assert log is not None
    assert log.text.startswith("working\n...")


def test_a_cut_log_without_white_space_shows_nothing_but_its_report() -> None:
    log = read_log(b"x" * TAIL_LIMIT)

    assert log == Log(text="", truncated=True)


def test_bytes_that_are_not_utf8_are_replaced_where_nothing_was_cut() -> None:
    log = read_log(b"\x80 half \xff")

    assert log is not None
    assert log.text == "\ufffd half \ufffd"


@given(st.one_of(st.binary(min_size=1), st.binary(min_size=1).map(lambda data: data * (TAIL_LIMIT // len(data) + 1))))
def test_any_bytes_are_read(data: bytes) -> None:
    tail = data[:TAIL_LIMIT]
    log = read_log(tail)

    assert log is not None
    assert log.truncated == (len(tail) == TAIL_LIMIT)
    assert log.report == read_report(tail.decode(errors="replace"))


@given(st.text())
def test_no_text_passes_for_a_report_by_failing(text: str) -> None:
    for line in (text, f"REPORT RequestId: {text}", platform_report({"durationMs": text})):
        read_report(line)


@pytest.mark.parametrize("duration", ["NaN", "Infinity", "-5", "true", "9" * 400], ids=lambda text: text[:8])
def test_a_duration_that_no_call_can_take_is_none(duration: str) -> None:
    line = '{"type": "platform.report", "record": {"metrics": {"durationMs": D, "memorySizeMB": true}}}'
    line = line.replace("D,", f"{duration},")
    report = read_report(line)
    assert report is None or (report.duration_ms, report.memory_size_mb) == (None, None)
    assert read_report(f"REPORT RequestId: 1\tDuration: {'9' * 400} ms\t") is None


ID = "8f507cfc-6c1b-4f0e-9d3f-000000000001"
OTHER = "8f507cfc-6c1b-4f0e-9d3f-000000000002"
END = f"END RequestId: {ID}\nREPORT RequestId: {ID}\tDuration: 1.00 ms\tBilled Duration: 1 ms\t"


def read(text: str, request_id: str | None = ID) -> Log:
    log = log_module.read_log(text.encode(), request_id)
    assert log is not None
    return log.log


@pytest.mark.parametrize(
    "line",
    [
        f"START RequestId: {ID} Version: 7 and more",
        f"END RequestId: {ID} of all",
        f"REPORT RequestId: {ID}\tDuration: 9.00 ms\tBilled Duration: 1 ms\t",
        f"{END.splitlines()[1]}Next: do",
        "INIT_REPORT Init Duration: 5.00 ms\tPhase: init\tStatus: error\tError Type: Runtime.Unknown",
        "INIT_REPORT Init Duration: 5.00 ms",
        "RESTORE_REPORT Restore Duration: 5.00 ms",
        "EXTENSION\tName: x\tState: ExitError\tEvents: []\tError Type: Extension.Crash",
        '{"time":"now","type":"platform.logsDropped","record":{"droppedRecords":1}}',
        '{"time":"now","type":"platform.fault","record":"x"}',
        '{"time":"now","type":"platform.initRuntimeDone","record":{"status":"error"}}',
        '{"type":"platform.start","message":"mine"}',
        '{"time":"now","type":"platform.start","record":{},"message":"mine"}',
    ],
)
def test_a_line_that_says_more_than_the_report_is_shown(line: str) -> None:
    assert read(f"{line}\nworking\n{END}").text == f"{line}\nworking"


def test_a_report_that_cannot_be_read_is_shown() -> None:
    line = f"REPORT RequestId: {ID}\tDuration: {'9' * 400} ms\t"

    assert read(line) == Log(text=line.rstrip("\n"), truncated=False)


def test_of_two_reports_with_other_numbers_the_earlier_one_is_shown() -> None:
    forged = f"REPORT RequestId: {ID}\tDuration: 7.00 ms\t"

    assert read(f"{forged}\n{END}").text == forged


@pytest.mark.parametrize("request_id", [ID, OTHER, None])
def test_the_lines_before_the_end_of_another_call_are_not_this_call_s(request_id: str | None) -> None:
    before = f"old\nEND RequestId: {OTHER}\nREPORT RequestId: {OTHER}\tDuration: 9.00 ms\t\n"
    log = read(f"{before}START RequestId: {ID} Version: 7\nnew\n{END}", request_id)

    assert log.report is not None
    if request_id == ID:
        assert (log.text, log.other_requests, log.report.duration_ms) == ("new", 3, 1)
    elif request_id == OTHER:
        assert (log.text, log.other_requests, log.report.duration_ms) == ("old\nnew", 3, 9)
    else:
        assert (log.other_requests, log.report.duration_ms) == (0, 1)


def test_an_id_that_a_function_logs_leaves_no_line_out() -> None:
    line = json.dumps({"level": "INFO", "requestId": OTHER, "message": "of a web server"})
    node = f"2026-11-25T07:00:00.000Z\t{OTHER}\tINFO\tx"

    assert read(f"START RequestId: {ID} Version: 7\n{line}\n{node}\n{END}").text == f"{line}\n{node}"


@pytest.mark.parametrize(
    ("text", "cold"),
    [
        pytest.param(END, False, id="warm"),
        pytest.param(f"{END}Init Duration: 5.00 ms\t", True, id="cold"),
        pytest.param(f"{END}Restore Duration: 5.00 ms\t", True, id="restored"),
        pytest.param(f"INIT_START Runtime Version: x\n{END}", True, id="init_start"),
        pytest.param("working", None, id="no report"),
        pytest.param('{"cold_start": true, "level": "INFO", "message": "x"}', True, id="Powertools"),
        pytest.param('{"cold_start": "yes", "level": "INFO", "message": "x"}', None, id="a word"),
        pytest.param(f"{'.' * TAIL_LIMIT}\n{END}", None, id="a beginning that is missing"),
    ],
)
def test_a_cold_start_is_told_where_the_log_does(text: str, cold: bool | None) -> None:
    assert read(text).cold_start is cold


def test_errors_are_the_last_ones_each_once_and_cut_where_a_reader_sees_it() -> None:
    lines = [f"ERROR: {number} {'m' * 600}" for number in range(9)]
    log = read("\n".join(["", *lines, lines[0]]))

    assert [entry.message[:1] for entry in log.errors] == ["4", "5", "6", "7", "8"]
    assert {len(entry.message) for entry in log.errors} == {ERROR_MESSAGE_LIMIT + 1}
    assert log.more_errors == 4
    long = read("\nERROR: x\n" + "\n".join(f"    at {'f' * 300} {i}" for i in range(40))).errors[0]
    assert len(long.stack) == ERROR_STACK_LIMIT + 1
    assert "10 frames left out" in long.stack[ERROR_STACK_LIMIT // 2]
    assert max(map(len, long.stack)) == 301


@pytest.mark.parametrize(
    "line",
    [
        "no errors in the ERROR column",
        "INFO ERROR: not mine",
        "[INFO]\t2026-11-25T07:00:00.000Z\t\tERROR",
        f"2026-11-25T07:00:00.000Z\t{ID}\tINFO\tERROR: x",
        '{"level": "INFO", "message": "ERROR"}',
        '{"level": 30, "msg": "ERROR"}',
        '{"level": null, "errorType": "E"}',
        '{"level": true, "message": "x"}',
        "errorType and errorMessage",
    ],
)
def test_a_word_of_failure_is_no_error(line: str) -> None:
    assert read(line).errors == []


def test_json_is_redacted_by_names_that_only_json_pairs_with_their_values() -> None:
    event = {"level": "ERROR", "message": "x", "error": {"name": "E", "message": "y"}, "env": []}
    secret = {"name": "DB_PASSWORD", "value": SECRET}
    read_twice = log_module.read_log(json.dumps(event | {"env": [secret], "error": secret}).encode())

    assert read_twice is not None
    assert SECRET not in read_twice.log.model_dump_json()
    assert json.loads(read_twice.log.text)["env"] == [{"name": "DB_PASSWORD", "value": "[redacted:password]"}]
    assert read_twice.redacted == 2
    plain = read(json.dumps(event))
    assert plain.text == json.dumps(event)


def test_what_ended_badly_is_shown_unless_the_report_says_so() -> None:
    done = json.dumps({"time": 1, "type": "platform.runtimeDone", "record": {"requestId": ID, "status": "timeout"}})
    other = json.dumps({"type": "platform.report", "record": {"requestId": OTHER, "metrics": {"durationMs": 9}}})

    assert read(done).text == done
    assert read(f"{done}\n{END}").text == ""
    assert read(f"{done}\n{other}").report is None
    assert read(f"{other}", OTHER).report == Report(duration_ms=9)


SECRET = "q7Zx3Kv9Wj5Yh2Bn8Dm4Fp6Rt1Gc0Ls7Uq3Ea9To"
SECRETS = st.sampled_from(
    [
        f"password={SECRET}",
        f"Authorization: Bearer {SECRET}",
        "gh" + f"p_{SECRET}",
        f"postgres://bob:{SECRET}@db.example/x",
        f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{SECRET}\n-----END RSA PRIVATE {'KEY'}-----",
        f'{{"db_password": "{SECRET}"}}',
    ]
)
FORMS = st.sampled_from(
    [
        "{}",
        "[ERROR] KeyError: {}",
        "[ERROR]\t2026-11-25T07:00:00.000Z\t" + ID + "\t{}\nTraceback (most recent call last):\n  File {}\nE: {}",
        "2026-11-25T07:00:00.000Z\t" + ID + "\tERROR\t{}\r    at {}",
        "2026-11-25T07:00:00.000Z\t" + ID + "\tERROR\tInvoke Error \tJSON",
        "java.lang.E: {}\n\tat {}\nCaused by: {}",
        "JSON",
        "Error raised from handler method\nJSON",
        "2026/11/25 07:00:00 JSON",
        "panic: {}\n\ngoroutine 1 [running]:\n{}",
        "INIT_REPORT Init Duration: 1.0 ms\tPhase: init\tStatus: error\tError Type: {}",
    ]
)


def form(pattern: str, secret: str, member: str, escaped: bool) -> str:
    value: Any = [secret, *secret.split("\n")] if member == "stackTrace" else {"errorType": "E", "errorMessage": secret}
    event = {"level": "ERROR", "message": secret, "errorType": "E", "errorMessage": "x", member: value}
    line = json.dumps(event)
    if escaped:
        inner = json.dumps(secret)[1:-1]
        line = line.replace(inner, "".join(f"\\u{ord(c):04x}" for c in secret))
    return pattern.replace("JSON", line).replace("{}", secret)


@given(
    st.lists(st.tuples(FORMS, SECRETS, st.sampled_from(["stackTrace", "error", "message"]), st.booleans()), min_size=1)
)
def test_no_secret_in_a_log_of_any_format_is_lifted_or_shown(parts: list[tuple[str, str, str, bool]]) -> None:
    tail = "\n".join(form(*part) for part in parts).encode()
    for data in (tail, tail[-TAIL_LIMIT:]):
        log = log_module.read_log(data, ID)
        assert log is not None
        shown = log.log.model_dump_json()
        assert not any(SECRET[i : i + 8] in shown for i in range(len(SECRET) - 7))


LINES = st.one_of(
    hostile_texts,
    st.builds(form, FORMS, hostile_texts, st.sampled_from(["stackTrace", "error", "message"]), st.booleans()),
    json_values.map(json.dumps),
    st.sampled_from([END, f"START RequestId: {OTHER} Version: 1", '{"time":1,"type":"platform.report","record":[]}']),
)


@example(['{"Cvc": [100]}'], ID)  # a secret, which is another test's matter
@given(st.lists(LINES, max_size=12), st.sampled_from([ID, OTHER, "", None]))
def test_any_log_is_read_in_bounded_size_and_keeps_every_line_of_the_function(
    lines: list[str], request_id: str | None
) -> None:
    text = "\n".join(["first", *lines, "last"])
    log = read(text, request_id)

    last = log.errors[-1] if log.errors else None
    assert log.text.endswith("last") or (last and (last.message.endswith("last") or last.stack[-1:] == ["last"]))
    assert len(log.errors) <= ERRORS_LIMIT
    for entry in log.errors:
        assert len(entry.message) <= ERROR_MESSAGE_LIMIT + 1
        assert len(entry.stack) <= ERROR_STACK_LIMIT + 1
        assert all(len(line) <= 301 for line in entry.stack)
        assert len(entry.level or "") <= 21
    log.model_dump_json()
    kept = [part for entry in read_entries(text, None) for part in entry.lines]
    assert kept == text.replace("\r\n", "\n").replace("\u00a0", " ").split("\n")


def test_a_trace_whose_end_was_cut_off_is_no_error_behind_another() -> None:
    older = ["Traceback (most recent call last):", '  File "/var/task/a.py", line 1, in f', "    g()"]
    newer = ["", "During handling of the above exception, another exception occurred:", "", *older]
    assert split_trace([*older, *newer])[1] == []
    assert [each.type for each in split_trace([*older, "KeyError: 'x'", *newer])[1]] == ["KeyError"]
