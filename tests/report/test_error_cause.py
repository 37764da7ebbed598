from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.model.result import ErrorCause, Log, Report
from lambda_warden.report.error_cause import Said, cause_of, denied_action
from support.results import hostile_texts

USER = "User: arn:aws:sts::123456789012:assumed-role/r/f is"
KILLED = Said("Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: signal: killed")


def log(text: str = "", **report: object) -> Log:
    return Log(text=text, truncated=False, report=Report.model_validate(report) if report else None)


@pytest.mark.parametrize(
    ("kind", "message", "cause"),
    [
        ("Sandbox.Timedout", "", "timeout"),
        ("", "2026-11-25T07:00:03.009Z 8f507cfc Task timed out after 3.00 seconds", "timeout"),
        ("", "RequestId: 8f507cfc Error: Task timed out after 3.00 seconds", "timeout"),
        ("", "Task timed out after 3.00 seconds", "timeout"),
        ("", "The job said: Task timed out after 3.00 seconds", "code"),
        ("", "Task timed out after 3.00 seconds of waiting", "code"),
        ("TimeoutError", "Task timed out after 3.00 seconds", "network"),
        ("JobError", "Task timed out after 3.00 seconds", "code"),
        ("JobError", "Response payload size exceeded maximum allowed payload size (1 bytes).", "code"),
        ("", "RequestId: 8f507cfc Process exited before completing request", "exit"),
        ("Runtime.ExitError", "", "exit"),
        ("Runtime.SomethingNew", "x", "unknown"),
        ("Runtime.Unknown", "Unknown application error occurred", "unknown"),
        ("Function.Unknown", "", "unknown"),
        ("", "", "unknown"),
        ("", "boom", "code"),
        ("my.Runtime.ExitError", "x", "code"),
        ("AccessDenied", "", "permission_denied"),
        ("com.example.AccessDeniedException", "", "permission_denied"),
        ("Function<Aws::S3::Errors::AccessDenied>", "", "permission_denied"),
        ("Init<Aws::S3::Errors::AccessDenied>", "", "permission_denied"),
        ("Init<StandardError>", "x", "init_failure"),
        ("Function<StandardError>", "x", "code"),
        (
            "ClientError",
            "An error occurred (UnauthorizedOperation) when calling the RunInstances operation: x",
            "permission_denied",
        ),
        ("ClientError", "An error occurred (ValidationException) when calling the GetItem operation: x", "code"),
        ("E", "x (Service: AmazonS3; Status Code: 403; Error Code: AccessDenied; Request ID: 1)", "permission_denied"),
        ("E", f"{USER} not authorized to perform: s3:GetObject", "permission_denied"),
        ("NotAllowedToRefund", "Bob is not authorized to perform refunds", "code"),
        ("PermissionError", "[Errno 13] Permission denied: '/x'", "code"),
        ("TooManyRequestsException", "", "throttled"),
        ("E", "api error ThrottlingException: Rate exceeded", "throttled"),
        ("E", "the success rate exceeded expectations", "throttled"),
        ("E", "connect ECONNREFUSED 10.0.0.1:5432", "network"),
        ("Errno::ECONNREFUSED", "Connection refused - connect(2)", "network"),
        ("requests.exceptions.ConnectionError", "", "network"),
        ("KeyError", "connection", "code"),
        ("Error", "Cannot find module 'x'", "import_failure"),
        ("Error", "I said: Cannot find module 'x'", "code"),
        ("NoMethodError", "undefined method 'total' for nil", "code"),
        ("Function<NoMethodError>", "undefined method `run' for main:Object", "code"),
        ("MemoryError", "", "out_of_memory"),
        ("java.lang.OutOfMemoryError", "Java heap space", "out_of_memory"),
        ("*json.UnmarshalTypeError", "json: cannot unmarshal string into Go value of type int", "invalid_input"),
        ("*json.UnsupportedTypeError", "json: unsupported type: chan int", "invalid_response"),
        ("JsonSerializerException", "Error converting the response object of type X", "invalid_response"),
        ("Function.ResponseSizeTooLarge", "", "response_too_large"),
    ],
)
def test_an_error_has_the_cause_that_it_names(kind: str, message: str, cause: ErrorCause) -> None:
    assert cause_of([Said(kind, message)], None) == cause


def test_the_nearest_error_that_names_a_cause_counts() -> None:
    chain = [Said("OrderError", "x"), Said("IOException", "y"), Said("AccessDenied", ""), Said("SlowDown", "")]

    assert cause_of(chain, None) == "permission_denied"
    assert cause_of(chain[:2], None) == "code"


@pytest.mark.parametrize(
    ("used", "cause"), [(128, "out_of_memory"), (129, "out_of_memory"), (127, "exit"), (None, "exit")]
)
def test_a_process_that_was_killed_ran_out_of_memory_if_it_used_all_of_it(used: int | None, cause: ErrorCause) -> None:
    assert cause_of([KILLED], log(memory_size_mb=128, max_memory_used_mb=used)) == cause


def test_a_process_that_ended_by_itself_did_not_run_out_of_memory() -> None:
    ended = Said("Runtime.ExitError", "Runtime exited with error: exit status 1")

    assert cause_of([ended], log(memory_size_mb=128, max_memory_used_mb=128)) == "exit"
    assert cause_of([KILLED], None) == "exit"
    assert cause_of([KILLED], log(max_memory_used_mb=128)) == "exit"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("/var/task/bootstrap: error while loading shared libraries: libssl.so.1.1", "invalid_entrypoint"),
        ("./func: version `GLIBC_2.34' not found\nINIT_REPORT Phase: invoke\tStatus: error", "invalid_entrypoint"),
        (
            "/opt/bin/ffmpeg: error while loading shared libraries: libx.so: cannot open shared object file",
            "import_failure",
        ),
        ("/var/task/bootstrap: line 7: ./convert: cannot execute binary file: Exec format error", "exit"),
        ("2026/11/28 05:00:00 fork/exec /opt/bin/ffmpeg: exec format error", "exit"),
        (
            "2026/11/28 05:00:00 fork/exec /opt/bin/ffmpeg: exec format error\nINIT_REPORT Phase: init\tStatus: error",
            "exit",
        ),
    ],
)
def test_a_program_that_the_function_starts_says_nothing_of_whether_the_handler_ran(
    words: str, cause: ErrorCause
) -> None:
    ended = Said("Runtime.ExitError", "RequestId: 8f507cfc Error: Runtime exited with error: exit status 1")

    assert cause_of([ended, Said("", words.splitlines()[0])], log(words)) == cause


@pytest.mark.parametrize(
    "words", ["JavaScript heap out of memory", "Task timed out after 3.00 seconds", "Status: timeout"]
)
def test_a_log_is_asked_only_where_the_error_says_too_little(words: str) -> None:
    assert cause_of([Said("KeyError", "'x'")], log(words)) == "code"
    assert cause_of([Said("Sandbox.Timedout", "")], log(words)) == "timeout"


@pytest.mark.parametrize(
    ("report", "cause"),
    [
        ({"status": "timeout"}, "timeout"),
        ({"status": "error", "error_type": "Runtime.OutOfMemory"}, "out_of_memory"),
        ({"status": "error", "error_type": "Runtime.Unknown"}, "unknown"),
        ({"status": "error"}, "unknown"),
        ({"status": "success"}, "unknown"),
    ],
)
def test_the_report_tells_what_an_error_without_words_does_not(report: dict[str, str], cause: ErrorCause) -> None:
    assert cause_of([], log(**report)) == cause
    assert cause_of([Said("Runtime.Unknown", "Unknown application error occurred")], log(**report)) == cause


@pytest.mark.parametrize("status", ["error", "timeout"])
@pytest.mark.parametrize(
    "line",
    [
        "INIT_REPORT Init Duration: 5.00 ms\tPhase: {}\tStatus: {}",
        '{{"time":"now","type":"platform.initReport","record":{{"phase":"{}","status":"{}"}}}}',
        '{{"time": "now", "type": "platform.initReport", "record": {{"phase": "{}", "status": "{}"}}}}',
    ],
)
def test_a_start_that_failed_within_the_call_is_the_cause(line: str, status: str) -> None:
    said = [Said("Sandbox.Timedout" if status == "timeout" else "ValueError", "x")]

    assert cause_of(said, log(line.format("invoke", status))) == "init_failure"
    assert cause_of([], log(line.format("invoke", "error"))) == "init_failure"
    assert cause_of(said, log(line.format("init", status))) != "init_failure"
    assert cause_of(said, log(f"{line.format('invoke', status)}\n{line.format('invoke', 'success')}")) != "init_failure"
    assert cause_of(said, log(f"I print {line.format('invoke', status)[12:]}")) != "init_failure"


@pytest.mark.parametrize(
    ("message", "action", "resource"),
    [
        (
            f"{USER} not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k because",
            "s3:GetObject",
            "arn:aws:s3:::b/k",
        ),
        (
            f'{USER} not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::b/k"',
            "s3:PutObject",
            "arn:aws:s3:::b/k",
        ),
        (
            f"{USER} not authorized to perform: kms:Decrypt on the resource arn:aws:kms:us-east-1:1:key/2.",
            "kms:Decrypt",
            "arn:aws:kms:us-east-1:1:key/2",
        ),
        (
            f"{USER} not authorized to perform: sts:AssumeRole on resource: arn:aws-us-gov:iam::1:role/r",
            "sts:AssumeRole",
            "arn:aws-us-gov:iam::1:role/r",
        ),
        (f"{USER} not authorized to perform: ec2:DescribeInstances because", "ec2:DescribeInstances", None),
        (f"{USER} not authorized to perform: s3:GetObject on resource: the bucket", "s3:GetObject", None),
        ("Access Denied", None, None),
        ("Bob is not authorized to perform refunds", None, None),
        (f"{USER} not authorized to perform: s3:GetObject\nNext: do on resource: arn:aws:s3:::b", "s3:GetObject", None),
    ],
)
def test_what_was_denied_is_read_from_the_message(message: str, action: str | None, resource: str | None) -> None:
    assert denied_action(message) == (action, resource)


@given(hostile_texts, hostile_texts)
def test_what_was_denied_is_one_short_word_each(before: str, after: str) -> None:
    action, resource = denied_action(
        f"{before} not authorized to perform: s3:Get{after} on resource: arn:aws:s3:::{after}"
    )

    for word in (action, resource):
        assert word is None or (len(word) <= 400 and word.isascii() and word.isprintable() and " " not in word)


@given(st.lists(st.builds(Said, hostile_texts, hostile_texts), max_size=4), hostile_texts)
def test_any_error_has_a_cause(said: list[Said], text: str) -> None:
    assert cause_of(said, log(text)) in get_args(ErrorCause)


@pytest.mark.parametrize(
    "part", ["Task timed out ", "x ", "api error ", "Error: ", "not authorized to perform: a:", "((((", "dial tcp "]
)
def test_no_message_makes_a_pattern_backtrack(part: str) -> None:
    for kind in ("", "E", "Runtime.Unknown"):
        assert cause_of([Said(kind, (part * 2000)[:2000])], log(part * 1000)) in get_args(ErrorCause)
