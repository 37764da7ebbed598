"""How the log of a call is found that only its log can tell of."""

from __future__ import annotations

from datetime import datetime, timedelta

from lambda_warden.model.payload_rule import LogsRule
from lambda_warden.model.request import HOURS_BACK_LIMIT
from lambda_warden.model.result import InvokeResult


def way_by_time(function: str, sent: datetime, now: datetime, logs: LogsRule | None) -> str:
    """How to find the log of a call of which no request id is known: by its time.

    Args:
        function: its ARN, with the qualifier.
        sent: when it was about to be sent.
        now: the time now.
        logs: whose logs its rule lets be read.
    """
    at = f"It was sent at {sent.isoformat(timespec='seconds')}"
    hours = int((now - sent) / timedelta(hours=1)) + 1
    if logs is None or logs.read != "any" or hours > HOURS_BACK_LIMIT:
        return f"{at}: somebody who can read the function's log can find it by that time."
    return (
        f"{at}, and AWS told no request id of it: read_logs with function {function} and hours_back {hours} shows the "
        "invocations since then that failed; one that succeeded is not among them."
    )


def with_way_to_its_log(result: InvokeResult, logs: LogsRule | None, now: datetime) -> InvokeResult:
    """A result that says how to see what became of the call, where only its log can tell.

    Args:
        result: of a call that has just ended.
        logs: whose logs its rule lets be read.
        now: the time now.
    """
    if result.invocation_type == "DryRun":
        return result
    match result.outcome:
        case "unknown" if result.request_id is None:
            sent = now - timedelta(milliseconds=result.duration_ms or 0)
            way = way_by_time(f"{result.function}:{result.qualifier}", sent, now, logs)
        case _ if logs is None or result.request_id is None:
            return result
        case "unknown":
            way = "read_logs with this invocation_id shows its log: whether it began, and how it ended."
        case "accepted":
            way = "read_logs with this invocation_id shows what became of it."
        case _:
            return result
    return result.model_copy(update={"next_step": f"{result.next_step} {way}"})
