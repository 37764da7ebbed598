"""Answers as functions commonly give them, by name, for the scripted endpoint: `answer-NAME`."""

from __future__ import annotations

import base64
import json

ANSWERS = [
    "small",
    "gateway",
    "text",
    "rows-100",
    "rows-10000",
    "large",
    "error-python",
    "error-java",
    "timeout",
    "binary",
]


def answer_of(name: str) -> tuple[bytes, str | None, str]:
    """An answer by its name: payload, FunctionError and log."""
    request = "4f2c1d7e-0000-4000-8000-000000000001"
    report = f"REPORT RequestId: {request}\tDuration: 12.51 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\t"
    report += "Max Memory Used: 41 MB\n"
    log = f"START RequestId: {request} Version: 7\nlooked up order A-1001\nEND RequestId: {request}\n{report}"
    rows = [
        {"id": f"order-{i}", "status": "shipped", "total": i * 1.5, "customer": f"c-{i % 50}"} for i in range(10_000)
    ]
    trace = [f'  File "/var/task/app.py", line {i}, in step_{i}\n    step_{i + 1}(event)\n' for i in range(12)]
    java = [f"com.example.orders.Step{i}.run(Step{i}.java:{40 + i})" for i in range(40)]
    match name:
        case "small":
            return json.dumps({"orderId": "A-1001", "status": "shipped"}).encode(), None, log
        case "gateway":
            body = json.dumps({"orders": rows[:5]})
            headers = {"content-type": "application/json"}
            return json.dumps({"statusCode": 200, "headers": headers, "body": body}).encode(), None, log
        case "text":
            return b"refunded order A-1001\n" * 20, None, log
        case "rows-100":
            return json.dumps(rows[:100]).encode(), None, log
        case "rows-10000":
            return json.dumps(rows).encode(), None, log
        case "large":
            return json.dumps({"document": "lorem ipsum " * 500_000}).encode(), None, log
        case "error-python":
            error = {"errorMessage": "'amount'", "errorType": "KeyError", "requestId": request, "stackTrace": trace}
            return json.dumps(error).encode(), "Unhandled", log
        case "error-java":
            cause = {"errorMessage": "timeout", "errorType": "java.net.SocketTimeoutException", "stackTrace": java}
            failed: dict[str, object] = {
                "errorMessage": "failed",
                "errorType": "OrderException",
                "stackTrace": java,
                "cause": cause,
            }
            return json.dumps(failed).encode(), "Unhandled", log
        case "timeout":
            message = f"2026-11-25T08:00:00.000Z {request} Task timed out after 3.00 seconds"
            late = f"START RequestId: {request} Version: 7\n{message}\n\nEND RequestId: {request}\n{report}"
            return json.dumps({"errorMessage": message}).encode(), "Unhandled", late
        case _:
            return base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ") * 2000, None, log
