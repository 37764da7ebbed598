"""Failures that an answer itself tells of, in a form that is known: the function returned, and what it did failed.

Sources: "Configure Lambda functions to send information that an Amazon Bedrock agent elicits" (responseState,
httpStatusCode), "Custom resource response objects" (CloudFormation), "Implementing partial batch responses" (Lambda),
"Data transformation and status model" (Firehose), "Invoke AWS Lambda function" (S3 Batch Operations), "Using Lambda
functions with Amazon Lex V2", the GraphQL, JSON-RPC, JSend and MCP specifications, RFC 9457, "Handling errors in Step
Functions workflows" (Error and Cause), and the answers of Lambda's Invoke, Step Functions, EventBridge, Kinesis, SQS,
SNS and DynamoDB, which functions hand on.
"""

from __future__ import annotations

import re
from typing import Any

from lambda_warden.model.api_gateway import BODY, STATUS, is_http_status

_HTTP_ERROR = 400
_STATUS_IN_TEXT = re.compile(r"[45][0-9]{2}")
_LEFT_OVER = {
    "batchItemFailures": "it hands items of the batch back as failed",
    "FailedEntryCount": "it says FailedEntryCount",
    "FailedRecordCount": "it says FailedRecordCount",
    "FailedPutCount": "it says FailedPutCount",
    "UnprocessedItems": "it says UnprocessedItems, of tables",
    "UnprocessedKeys": "it says UnprocessedKeys, of tables",
}
"""Members that count or hold what was not done, of answers that came back all the same."""
_MOST = 1_000_000  # no service takes more at once, and the number stands in our own words
_BESIDE_ERROR = frozenset({"error", "cause", "code", "details", "error_description", "message", "requestId", "status"})
"""Members of an object that says nothing but an error."""
_BESIDE_STATUS = frozenset({"cause", "error", "errorMessage", "executionArn", "message", "reason"})
"""Members, one of which stands beside a status that tells of a failure, and not of the state of what was asked for."""
_FAILED = frozenset({"aborted", "error", "fail", "failed", "failure", "timed_out"})


def said_failure(value: object) -> str | None:
    """What an answer says of its own failure, in our own words; None where it says nothing of that kind.

    Args:
        value: the answer, decoded, with the body of an API Gateway response unfolded.
    """
    if not isinstance(value, dict):
        return None
    body = value.get(BODY)
    if is_http_status(value.get(STATUS)) and isinstance(body, dict):
        return _said(body)
    return _of_agent(value) or _said(value)


def _of_agent(value: dict[str, Any]) -> str | None:
    response = value.get("response")
    if "messageVersion" not in value or not isinstance(response, dict):
        return None
    function, status = response.get("functionResponse"), response.get("httpStatusCode")
    state = function.get("responseState") if isinstance(function, dict) else response.get("responseState")
    if state in ("FAILURE", "REPROMPT"):
        return f"it tells a Bedrock agent responseState {state}"
    if is_http_status(status) and status >= _HTTP_ERROR:
        return f"it tells a Bedrock agent HTTP status {status}"
    return None


def _said(value: dict[str, Any]) -> str | None:
    return _of_parts(value) or _of_form(value) or _of_status(value)


def _of_parts(value: dict[str, Any]) -> str | None:
    """Of answers that name what was not done of several."""
    for name, words in _LEFT_OVER.items():
        left = value.get(name)
        count = len(left) if isinstance(left, list | dict) else left
        if type(count) is int and 0 < count <= _MOST:
            return f"{words}: {count}"
    match value:
        case {"Failed": [{"Code": _}, *_] as failed}:
            return f"it says Failed of messages: {len(failed)}"
        case {"records": [dict(), *_] as records} if failed := _count(records, "result", "ProcessingFailed"):
            return f"it says ProcessingFailed of records: {failed}"
        case {"results": [dict(), *_] as tasks} if failed := _count(
            tasks, "resultCode", "PermanentFailure", "TemporaryFailure"
        ):
            return f"it says PermanentFailure or TemporaryFailure of tasks: {failed}"
        case _:
            return None


def _count(items: list[Any], name: str, *values: str) -> int:
    return sum(isinstance(item, dict) and item.get(name) in values for item in items)


def _of_status(value: dict[str, Any]) -> str | None:
    """Of answers that have an error, or a status that says so."""
    match value:
        case {"statusCode": str() as status} if _STATUS_IN_TEXT.fullmatch(status):
            return f"HTTP status {status}"
        case {"type": str(), "title": str(), "status": status} if is_http_status(status) and status >= _HTTP_ERROR:
            return f"it is a problem (RFC 9457) of status {status}"
        case {"error": str() | dict() as error} if error and value.keys() <= _BESIDE_ERROR:
            return "it has an error, and nothing else"
        case {"status": str() as status} if status.lower() in _FAILED and (
            value.keys() & _BESIDE_STATUS or value.keys() == {"status", "data"}
        ):
            return f"it says status {status}"
        case {"sessionState": {"intent": {"state": "Failed"}}}:
            return "it says that a Lex intent is Failed"
        case _:
            return None


def _of_form(value: dict[str, Any]) -> str | None:
    match value:
        case {"Status": "FAILED"} if value.keys() & {"Reason", "Error", "StackId", "LogicalResourceId", "RequestId"}:
            return "it says Status FAILED"
        case {"errors": [dict() as first, *_] as errors} if value.keys() <= {"data", "errors", "extensions"}:
            return f"it is a GraphQL response with errors: {len(errors)}" if "message" in first else None
        case {"Error": str(), "Cause": str()}:
            return "it has the form of a Step Functions error"
        case {"errorType": str(), "errorMessage": str()}:
            return "it has the form of an error"
        case {"FunctionError": str(), "StatusCode": int()}:
            return "it is the answer of another function, which failed"
        case {"jsonrpc": "2.0", "error": dict()}:
            return "it is a JSON-RPC error"
        case {"isError": True, "content": list()}:
            return "it says isError true"
        case {"ok": False}:
            return "it says ok false"
        case {"success": False}:
            return "it says success false"
        case _:
            return None
