"""What an operator adds to redaction, and lets pass, holds wherever something of a function or of AWS is shown."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from security.test_logs import ANY, now_ms, reading, run
from support.event_stream import CONTENT_TYPE, chunk, complete
from support.logs_endpoint import LogsEndpoint
from support.scripted_endpoint import Reply, ScriptedEndpoint, refused, returned
from support.warden import allow, arn, structured, text_of, warden

pytestmark = pytest.mark.anyio

KEY = "acme_" + "a1B2c3D4e5" * 3
NUMBER = "A7-kappa"
PASSES = "zQ7xK9-passes"
KEYS: dict[str, Any] = {
    "redaction": {
        "detectors": [{"kind": "acme-key", "prefix": "acme_", "alphabet": "A-Za-z0-9", "length": 30, "entropy": 2.5}],
        "names": ["customer number"],
        "allow": ["orderToken"],
    }
}
TOLD = f"no {KEY} for customerNumber={NUMBER} orderToken={PASSES}"
VALUE = {"note": f"use {KEY}", "customer_number": NUMBER, "orderToken": PASSES, "log": TOLD}
LOG = (
    f"ERROR {TOLD}\n{json.dumps({'level': 'ERROR', 'message': TOLD, 'customer_number': NUMBER})}\ndone: {TOLD}\n"
    + json.dumps({"level": "INFO", "note": TOLD})
)
TWICE = json.dumps({"errorType": "E", "errorMessage": TOLD}).replace('"errorType"', '"errorType": "E", "errorType"')


def assert_redacted(*shown: object) -> None:
    """Nothing that the operator says is secret is in any of these, and what may pass is in each."""
    for each in shown:
        text = each if isinstance(each, str) else json.dumps(each)
        assert KEY not in text
        assert NUMBER not in text
        assert PASSES in text
        assert "[redacted:token]" not in text
        assert "[redacted:acme-key]" in text


@pytest.mark.parametrize("payload", [VALUE, TOLD.encode(), {"statusCode": 200, "body": json.dumps(VALUE)}])
async def test_in_payload_log_kept_result_replay_and_records(
    endpoint: ScriptedEndpoint, tmp_path: Path, payload: Any
) -> None:
    endpoint.behaviours["f"] = lambda _: returned(payload, log=LOG)
    call = {"function": "f:live", "payload": {"told": TOLD}, "idempotency_key": "one-key"}
    async with warden(tmp_path, endpoint.url, allow("f"), keys=KEYS, record_payloads=True) as running:
        reply = await running.call("invoke_function", **call)
        result = structured(reply)
        assert_redacted(result["payload"], result["log"]["text"], result["log"]["errors"], text_of(reply))
        replayed = await running.call("invoke_function", **call)
        assert structured(replayed)["replayed"]
        assert_redacted(structured(replayed)["payload"], structured(replayed)["log"], text_of(replayed))
        kept = {"invocation_id": result["invocation_id"]}
        for part in ("payload", "log"):
            assert_redacted(structured(await running.call("read_result", **kept, part=part))["content"])
        if not isinstance(payload, bytes):
            found = structured(await running.call("read_result", **kept, query="body || @"))
            assert_redacted(found["value"])
        intent, outcome = running.bodies("intent")[0], running.bodies("outcome")[0]
        assert_redacted(intent["payload"], outcome["answer"])


@pytest.mark.parametrize("payload", [json.dumps({"errorType": "E", "errorMessage": TOLD}).encode(), TWICE.encode()])
async def test_in_function_errors(endpoint: ScriptedEndpoint, tmp_path: Path, payload: bytes) -> None:
    endpoint.behaviours["f"] = lambda _: returned(payload, log=LOG, error="Unhandled")
    async with warden(tmp_path, endpoint.url, allow("f"), keys=KEYS) as running:
        reply = await running.call("invoke_function", function="f:live")
    text = text_of(reply)
    assert_redacted(structured(reply)["function_error"]["message"], text[text.index("done: ") :])


async def test_in_errors_of_streams(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    body = chunk(b'{"a":1') + complete(code="Unhandled", details=TOLD)
    endpoint.behaviours["f"] = lambda _: Reply(body=body, headers={"Content-Type": CONTENT_TYPE})
    async with warden(tmp_path, endpoint.url, allow("f", invoke_mode="RESPONSE_STREAM"), keys=KEYS) as running:
        result = await running.invoke("f:live")
    assert_redacted(result["function_error"]["message"])


async def test_in_what_aws_says(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["f"] = lambda _: refused(400, "InvalidRequestContentException", TOLD)
    async with warden(tmp_path, endpoint.url, allow("f"), keys=KEYS) as running:
        result, probed = await running.invoke("f:live"), await running.dry_run("f:live")
    assert_redacted(result["error"]["message"], probed["checks"])


async def test_in_records_of_denials(endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path) -> None:
    qualifier = f"{KEY} orderToken={PASSES}"  # an error quotes the beginning of it
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY), keys=KEYS) as running:
        assert (await running.invoke("f", qualifier=qualifier))["outcome"] == "denied"
        assert (await running.read_logs(function="f", qualifier=qualifier))["outcome"] == "denied"
        reasons = [body["reason"] for body in running.bodies("denial")]
    assert len(reasons) == 2
    assert_redacted(*reasons)


async def test_in_logs_that_are_read(endpoint: ScriptedEndpoint, logs: LogsEndpoint, tmp_path: Path) -> None:
    request_id = str(uuid.uuid4())
    logs.groups["/aws/lambda/f"] = run(request_id, f"[ERROR] {TOLD}\n", at=now_ms() - 1000)
    async with reading(tmp_path, endpoint, logs, allow("f", **ANY), keys=KEYS) as running:
        reply = await running.call("read_logs", function="f:live", request_id=request_id)
        assert_redacted(structured(reply)["text"], text_of(reply))
        reply = await running.call("read_logs", function="f:live")
        assert_redacted(structured(reply)["failures"], text_of(reply))
        endpoint.behaviours["f"] = lambda _: refused(403, "AccessDeniedException", TOLD)
        endpoint.configurations["f"] = lambda _: refused(403, "AccessDeniedException", TOLD)
        result = await running.read_logs(function="f:live", request_id=request_id)
        assert_redacted(result["error"])


async def test_in_what_aws_says_of_functions(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.catalog = [{"FunctionName": "f", "FunctionArn": arn("f"), "Description": TOLD}]
    async with warden(tmp_path, endpoint.url, allow("f"), keys=KEYS) as running:
        assert_redacted((await running.list_functions())["functions"][0]["description"])
