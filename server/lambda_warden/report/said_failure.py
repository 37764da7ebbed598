"""Failures that an answer itself tells of, in a form that is known: the function returned, and what it did failed.

Sources: "Configure Lambda functions to send information that an Amazon Bedrock agent elicits" (responseState,
httpStatusCode), "Custom resource response objects" (CloudFormation), "Implementing partial batch responses" (Lambda),
"Data transformation and status model" (Firehose), the GraphQL, JSON-RPC and MCP specifications, and "Handling errors in
Step Functions workflows" (Error and Cause).
"""

from __future__ import annotations

from typing import Any

from lambda_warden.model.api_gateway import BODY, STATUS, is_http_status

_HTTP_ERROR = 400


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
    match value:
        case {"Status": "FAILED"} if value.keys() & {"Reason", "Error", "StackId", "LogicalResourceId", "RequestId"}:
            return "it says Status FAILED"
        case {"errors": [dict() as first, *_] as errors} if value.keys() <= {"data", "errors", "extensions"}:
            return f"it is a GraphQL response with errors: {len(errors)}" if "message" in first else None
        case {"batchItemFailures": [_, *_] as failures}:
            return f"it hands items of the batch back as failed: {len(failures)}"
        case {"records": [dict(), *_] as records} if failed := sum(
            isinstance(record, dict) and record.get("result") == "ProcessingFailed" for record in records
        ):
            return f"it says ProcessingFailed of records: {failed}"
        case {"Error": str(), "Cause": str()}:
            return "it has the form of a Step Functions error"
        case {"errorType": str(), "errorMessage": str()}:
            return "it has the form of an error"
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
