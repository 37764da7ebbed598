"""Real functions and their log groups at the embedded endpoint.

It logs under another request id than it answers with, so a log is read by the id that stands in it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from lambda_warden.aws.clients import Clients
from lambda_warden.local.demo import DemoEnvironment
from lambda_warden.model.target import Target
from lambda_warden.settings import Settings
from support.warden import ACCOUNT, REGION, Warden, allow, text_of, warden

pytestmark = pytest.mark.anyio


@pytest.fixture
async def reading(demo: DemoEnvironment, tmp_path: Path) -> AsyncIterator[Warden]:
    any_log = ({"read": "any"} for _ in range(2))
    rules = (
        allow("order-lookup", "live", "1", logs=next(any_log)),
        allow("inventory-sync", invocation_types=["RequestResponse", "Event"], logs=next(any_log)),
        allow("sales-report"),
    )
    async with warden(tmp_path, demo.endpoint_url, *rules) as running:
        yield running


async def logged(demo: DemoEnvironment, name: str, words: str) -> str:
    """The request id of the last invocation whose log has these words."""
    target = Target(account=ACCOUNT, regions=[REGION], endpoint_url=demo.endpoint_url)
    client = Clients(Settings(records=Path("unused"), sign_requests=False), [target]).logs(ACCOUNT, REGION)
    with anyio.fail_after(30):
        while True:
            try:
                events = client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
            except client.exceptions.ResourceNotFoundException:
                events = []
            if streams := [event["logStreamName"] for event in events if words in event["message"]]:
                whole = "\n".join(event["message"] for event in events if event["logStreamName"] == streams[-1])
                return str(re.findall(r"START RequestId: (\S+)", whole)[-1])
            await anyio.sleep(0.1)


async def test_the_log_of_a_queued_call_tells_how_it_went(demo: DemoEnvironment, reading: Warden) -> None:
    made = await reading.invoke("inventory-sync:live", invocation_type="Event", payload={"skus": ["POT-7"]})
    assert made["outcome"] == "accepted"
    request_id = await logged(demo, "inventory-sync", "while reading POT-7")
    reply = await reading.call("read_logs", function="inventory-sync:live", request_id=request_id)
    result = reply.structured_content or {}
    assert (result["outcome"], result["complete"], result["attempts"]) == ("found", True, 1)
    lines = result["text"].split("\n")
    assert lines[:2] == [f"START RequestId: {request_id} Version: 1", "sync started"]
    assert lines[-1].startswith(f"REPORT RequestId: {request_id}")
    assert "no connection to the warehouse while reading POT-7" in result["text"]
    assert result["report"]["memory_size_mb"] == 128
    assert "│ sync started" in text_of(reply)


async def test_each_call_has_its_own_log_and_each_version(demo: DemoEnvironment, reading: Warden) -> None:
    for order, qualifier in {"A-1001": "live", "A-1002": "1"}.items():
        await reading.invoke("order-lookup", qualifier=qualifier, payload={"orderId": order})
        version = "2" if qualifier == "live" else "1"
        request_id = await logged(demo, "order-lookup", f"order {order} with version {version}")
        result = await reading.read_logs(function="order-lookup", qualifier=qualifier, request_id=request_id)
        assert result["text"].split("\n")[1:-2] == [f"looking up order {order} with version {version}"]
    other = await reading.read_logs(function="order-lookup:1", request_id=request_id, wait_seconds=0)
    assert other["outcome"] == "found"
    elsewhere = await logged(demo, "order-lookup", "order A-1001 with version 2")
    assert (await reading.read_logs(function="order-lookup:1", request_id=elsewhere, wait_seconds=0))["outcome"] == (
        "not_found"
    )


async def test_a_function_whose_logs_may_not_be_read_is_not(reading: Warden) -> None:
    made = await reading.invoke("sales-report:live", payload={"year": 2025})
    assert (await reading.read_logs(invocation_id=made["invocation_id"]))["outcome"] == "denied"
