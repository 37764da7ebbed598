"""Bad input gets one clear error that names the argument and the right form, and nothing reaches AWS."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lambda_warden.report.visible import is_hidden
from support.scripted_endpoint import ScriptedEndpoint
from support.warden import Warden, allow, arn, check_of, structured, warden

pytestmark = pytest.mark.anyio

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "amount": {"multipleOf": 0.01}},
    "additionalProperties": {"type": "string"},
    "required": ["id"],
}
DEEP: list[Any] = []
for _ in range(201):
    DEEP = [DEEP]
RULES = (
    allow("f", "live", "$LATEST", invocation_types=["RequestResponse", "Event"]),
    allow("strict", "live", payload={"schema": SCHEMA}),
)
MB = 1024 * 1024


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no function": ({"qualifier": "live"}, "function", "is missing"),
    "malformed ARN": ({"function": "arn:aws:lambda:us-east-1"}, "function", "malformed ARN"),
    "wrong service": ({"function": arn("f").replace(":lambda:", ":s3:")}, "function", "of the service 'lambda'"),
    "alias against qualifier": ({"function": "f:live", "qualifier": "7"}, "qualifier", "contradicts"),
    "unknown partition": ({"function": arn("f").replace("arn:aws:", "arn:aws-moon:")}, "function", "aws-us-gov"),
    "unknown region": ({"function": arn("f").replace("us-east-1", "moon-1")}, "function", "unknown region"),
    "region of another partition": ({"function": arn("f").replace("us-east-1", "cn-north-1")}, "function", "partition"),
    "account of 11 digits": ({"function": "12345678901:function:f"}, "function", "12 digits"),
    "name over 64": ({"function": "f" * 65}, "function", "at most 64"),
    "qualifier over 128": ({"function": "f", "qualifier": "q" * 129}, "qualifier", "at most 128"),
    "qualifier of the wrong form": ({"function": "f", "qualifier": "li ve"}, "qualifier", "an alias (live)"),
    "spaces around the name": ({"function": " f:live"}, "function", "a function name"),
    "payload over 6 MB": ({"function": "f:live", "payload": "x" * (6 * MB)}, "payload", "at most 6,291,456 bytes"),
    "payload over 1 MB for Event": (
        {"function": "f:live", "payload": "x" * MB, "invocation_type": "Event"},
        "payload",
        "at most 1,048,576 bytes",
    ),
    "client context over its limit": (
        {"function": "f:live", "client_context": {"k": "x" * 2700}},
        "client_context",
        "at most 3,583 bytes",
    ),
    "client context with Event": (
        {"function": "f:live", "client_context": {}, "invocation_type": "Event"},
        "client_context",
        "synchronous calls only",
    ),
    "client context that is no object": ({"function": "f:live", "client_context": "[]"}, "client_context", "object"),
    "payload_json that is not JSON": ({"function": "f:live", "payload_json": "{'id': 1}"}, "payload_json", "JSON text"),
    "payload_json with a key twice": (
        {"function": "f:live", "payload_json": '{"id": 1, "id": 2}'},
        "payload_json",
        "twice",
    ),
    "payload as JSON text against its schema": (
        {"function": "strict:live", "payload": '{"id": "1"}'},
        "payload",
        "$.id",
    ),
    "invalid base64": ({"function": "f:live", "payload_base64": "{}"}, "payload_base64", "standard base64"),
    "two payloads": (
        {"function": "f:live", "payload": 1, "payload_base64": "MQ=="},
        "payload_base64",
        "one of the two",
    ),
    "payload as JSON text": ({"function": "f:live", "payload": '{"id": 1}'}, "payload", "the JSON value itself"),
    "payload against its schema": ({"function": "strict:live", "payload": {"id": "1"}}, "payload", "$.id"),
    "no payload against a schema": ({"function": "strict:live"}, "payload", "no payload is given"),
    "bytes against a schema": (
        {"function": "strict:live", "payload_base64": base64.b64encode(b'{"id": 1, "id": 2}').decode()},
        "payload",
        "key twice",
    ),
    "payload that its schema can't be applied to": (
        {"function": "strict:live", "payload": {"id": 1, "amount": DEEP}},
        "payload",
        "nested deeper than 200 levels",
    ),
    "payload with an endless key": (
        {"function": "strict:live", "payload": {"id": 1, "k" * 50_000: {}}},
        "payload",
        "…",
    ),
    "unknown argument": ({"function": "f", "qualifer": "live"}, "qualifer", "'qualifier', perhaps"),
    "unknown invocation type": ({"function": "f:live", "invocation_type": "Sync"}, "invocation_type", "'DryRun'"),
    "unknown log type": ({"function": "f:live", "log_type": "All"}, "log_type", "'Tail'"),
    "timeout of nothing": (
        {"function": "f:live", "timeout_seconds": 0},
        "timeout_seconds",
        "greater than or equal to 1",
    ),
    "timeout over 91 minutes": ({"function": "f:live", "timeout_seconds": 5461}, "timeout_seconds", "5460"),
    "timeout as text": ({"function": "f:live", "timeout_seconds": "5"}, "timeout_seconds", "an integer"),
    "tenant over 256": ({"function": "f:live", "tenant_id": "t" * 257}, "tenant_id", "at most 256"),
    "durable execution name over 64": (
        {"function": "f:live", "durable_execution_name": "d" * 65},
        "durable_execution_name",
        "at most 64",
    ),
}


@pytest.fixture(scope="module")
async def running(_endpoint: ScriptedEndpoint, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Warden]:
    async with warden(tmp_path_factory.mktemp("bad"), _endpoint.url, *RULES) as running:
        yield running


@pytest.mark.parametrize("tool", ["invoke_function", "dry_run"])
@pytest.mark.parametrize(("arguments", "named", "expected"), BAD.values(), ids=BAD)
async def test_bad_input_is_one_clear_error_and_reaches_nobody(
    tool: str, arguments: dict[str, Any], named: str, expected: str, running: Warden, endpoint: ScriptedEndpoint
) -> None:
    reply = await running.call(tool, **arguments)
    result = reply.structured_content or {}
    (failed,) = [check for check in result["checks"] if check["passed"] is False]
    assert failed["reason"].strip("'").startswith(named)
    assert expected in failed["reason"]
    assert len(failed["reason"]) < 1500
    assert result.get("outcome") == ("denied" if tool == "invoke_function" else None)
    if tool == "invoke_function":
        assert reply.is_error
    assert endpoint.connections == 0


@pytest.mark.parametrize(
    ("arguments", "named", "expected"),
    [
        ({"limit": 0}, "limit", "greater than or equal to 1"),
        ({"limit": 51}, "limit", "less than or equal to 50"),
        ({"cursor": "next"}, "cursor", "next_cursor of the page before"),
        ({"effect": "any"}, "effect", "'destructive'"),
        ({"name": "f"}, "name", "name_contains"),
        ({"account": "1"}, "account", "it to match pattern"),
        ({"region": "moon"}, "region", "it to match pattern"),
    ],
)
async def test_bad_filters_of_the_list_are_one_clear_error(
    arguments: dict[str, Any], named: str, expected: str, running: Warden
) -> None:
    reply = await running.call("list_functions", **arguments)
    assert reply.is_error
    reason = check_of(structured(reply), "arguments")["reason"]
    assert named in reason.split(":")[0]
    assert expected in reason


async def test_a_denied_payload_is_not_kept(running: Warden) -> None:
    secret = "hunter2-and-more"
    await running.invoke("strict:live", payload={"id": secret})
    await running.invoke("f:live", payload={"password": secret})
    assert all(secret not in json.dumps(record) for record in running.records())


async def test_what_a_client_sends_is_recorded_escaped_and_in_bounds(running: Warden) -> None:
    hostile = "\u200b\u202e\x1b[2J\n\u00e9" * 20_000
    for cut in (10, len(hostile)):
        for name in ("function", "qualifier", "invocation_type", "idempotency_key", "tenant_id", hostile[:cut]):
            sent = {"function": "f:live", name: hostile[:cut]}
            for tool in ("invoke_function", "dry_run", "read_logs"):
                await running.call(tool, **sent)
    kept = [body for kind, _, body in running.records() if kind == "denial"]
    assert len(kept) >= 36
    assert all(len(body) < 3_000 for body in kept)
    assert not any(is_hidden(each) for body in running.bodies("denial") for each in "".join(map(str, body.values())))
