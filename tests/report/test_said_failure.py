"""What an answer says of its own failure, and what only looks like that."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_warden.report.said_failure import said_failure

FAILED = {"taskId": "t", "resultCode": "PermanentFailure"}
TELLING: list[tuple[Any, str]] = [
    ({"statusCode": "502", "body": "x"}, "502"),
    ({"statusCode": 200, "body": {"error": "no such order"}}, "error"),
    ({"type": "https://x.example/no-order", "title": "No order", "status": 404}, "404"),
    ({"error": "no such order"}, "error"),
    ({"error": {"code": 404}, "requestId": "r"}, "error"),
    ({"error": "States.TaskFailed", "cause": "no such order"}, "error"),
    ({"StatusCode": 200, "FunctionError": "Unhandled", "Payload": "{}"}, "another function"),
    ({"executionArn": "arn:aws:states:x", "status": "TIMED_OUT"}, "TIMED_OUT"),
    ({"requestId": "r", "status": "failure", "errorMessage": "no", "fragment": {}}, "failure"),
    ({"status": "error", "message": "no"}, "error"),
    ({"status": "fail", "data": {"title": "required"}}, "fail"),
    ({"invocationId": "i", "results": [FAILED, {"taskId": "u", "resultCode": "Succeeded"}]}, "tasks: 1"),
    ({"FailedEntryCount": 2, "Entries": []}, "FailedEntryCount: 2"),
    ({"FailedRecordCount": 1, "Records": []}, "FailedRecordCount: 1"),
    ({"UnprocessedItems": {"orders": [{}]}}, "UnprocessedItems, of tables: 1"),
    ({"Successful": [], "Failed": [{"Id": "1", "Code": "InternalError"}]}, "messages: 1"),
    ({"sessionState": {"intent": {"name": "order", "state": "Failed"}}}, "Lex"),
]
SILENT: list[Any] = [
    None,
    [{"error": "x"}],
    {"error": None, "rows": [1]},
    {"error": "", "message": "x"},
    {"error": "x", "rows": [1]},
    {"statusCode": "200", "body": "x"},
    {"status": "failed", "jobId": 7},
    {"status": "success", "data": {}},
    {"type": "order", "title": "x", "status": 200},
    {"batchItemFailures": []},
    {"FailedEntryCount": 0, "Entries": []},
    {"FailedEntryCount": True},
    {"FailedEntryCount": 10**30},
    {"type": "order", "title": "x", "status": 10**30},
    {"UnprocessedItems": {}},
    {"Failed": 3},
    {"Failed": []},
    {"results": [{"resultCode": "Succeeded"}]},
    {"results": ["PermanentFailure"]},
    {"isAuthorized": False},
    {"policyDocument": {"Statement": [{"Effect": "Deny"}]}},
]


@pytest.mark.parametrize(("value", "says"), TELLING, ids=str)
def test_an_answer_that_tells_of_a_failure_is_known(value: Any, says: str) -> None:
    assert says in (said_failure(value) or "")


@pytest.mark.parametrize("value", SILENT, ids=str)
def test_an_answer_that_only_looks_like_one_is_not(value: Any) -> None:
    assert said_failure(value) is None
