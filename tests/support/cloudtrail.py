"""Events as CloudTrail writes them for Lambda's Invoke."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support.builders import ACCOUNT, REGION, function_arn

ROLE = f"arn:aws:iam::{ACCOUNT}:role/lambda-warden"


def trail_event(
    request_id: str,
    name: str = "f",
    at: datetime | str | None = None,
    *,
    event_name: str = "Invoke",
    role: str | None = ROLE,
    **fields: Any,
) -> dict[str, Any]:
    """One event of a function, given by its name or ARN. Without a role it is of another service.

    `fields` replace what is there."""
    arn = name if name.startswith("arn:") else function_arn(name)
    when = at if isinstance(at, str) else (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    who: dict[str, Any] = {"type": "AWSService", "invokedBy": "events.amazonaws.com"}
    if role is not None:
        session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/ann"
        issuer = {"type": "Role", "arn": role, "accountId": ACCOUNT}
        who = {"type": "AssumedRole", "arn": session, "sessionContext": {"sessionIssuer": issuer}}
    return {
        "eventVersion": "1.11",
        "userIdentity": who,
        "eventTime": when,
        "eventSource": "lambda.amazonaws.com",
        "eventName": event_name,
        "awsRegion": REGION,
        "requestParameters": {"functionName": name, "qualifier": "live"},
        "responseElements": None,
        "additionalEventData": {"functionVersion": f"{arn}:7"},
        "requestID": request_id,
        "readOnly": False,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::Lambda::Function", "ARN": arn}],
        "managementEvent": False,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data",
        **fields,
    }


def management_event(at: datetime) -> dict[str, Any]:
    """Something else, which shows how far the files reach."""
    return trail_event("other", at=at, event_name="ListFunctions20150331", eventCategory="Management")


def deliver(folder: Path, *batches: Sequence[dict[str, Any]]) -> Path:
    """The files, as CloudTrail puts them into a bucket."""
    for number, events in enumerate(batches):
        path = folder / f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/11/28/{number}.json.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(json.dumps({"Records": list(events)}).encode()))
    return folder
