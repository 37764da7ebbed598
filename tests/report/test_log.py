from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.model.result import Log, Report
from lambda_warden.report import log as log_module
from lambda_warden.report.log import TAIL_LIMIT, read_report

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
    line = COLD + "Restore Duration: 511.25 ms\tBilled Restore Duration: 512 ms\t"
    reordered = "REPORT RequestId: 1\tRestore Duration: 511.25 ms\tBilled Restore Duration: 512 ms\tDuration: 4.00 ms\t"

    assert read_report(line) == read_report(COLD)
    assert read_report(reordered) == Report(duration_ms=4.0)


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
    assert log.text == f"working ✓\n{WARM}\n"
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
