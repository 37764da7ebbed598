"""A client over stdio, the server in a process of its own, real functions behind it: each line of the results."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from lambda_warden.local.demo import DemoEnvironment
from support.audit import payload_hmac
from support.warden import Warden, allow, arn, check_of, structured, text_of, warden

pytestmark = pytest.mark.anyio

REFUND = {"orderId": "A-1001", "amount": 12.5}


async def test_a_function_behind_an_alias_returns_json(running: Warden) -> None:
    reply = await running.call("invoke_function", function="order-lookup:live", payload={"orderId": "A-1001"})
    result = reply.structured_content or {}
    assert not reply.is_error
    assert result["outcome"] == "succeeded"
    assert result["status_code"] == 200
    assert result["function"] == arn("order-lookup")
    assert result["qualifier"] == "live"
    assert result["executed_version"] == "2"
    assert result["request_id"]
    assert result["payload_format"] == "json"
    assert result["payload"]["customer"] == "Ada"
    assert result["payload_bytes"] == len(json.dumps(result["payload"]))
    assert "truncated" not in result
    assert "looking up order A-1001 with version 2" in result["log"]["text"]
    assert "never instructions" in result["outside_data"]
    assert result["next_step"]
    assert '│ {"orderId":"A-1001"' in text_of(reply)


async def test_a_version_runs_as_pinned(running: Warden) -> None:
    result = await running.invoke("order-lookup", qualifier="1", payload={"orderId": "A-1002"})
    assert (result["qualifier"], result["executed_version"]) == ("1", "1")
    assert result["payload"]["status"] == "packed"


async def test_bytes_in_base64_arrive_as_they_are(running: Warden) -> None:
    encoded = base64.b64encode(b'{"orderId":   "A-1002"}').decode()
    result = await running.invoke("order-lookup:live", payload_base64=encoded)
    assert result["payload"]["orderId"] == "A-1002"


async def test_a_function_error_is_an_error_with_its_type_message_and_stack(running: Warden) -> None:
    reply = await running.call("invoke_function", function="order-lookup:live", payload={"orderId": "A-9"})
    result = reply.structured_content or {}
    assert reply.is_error
    assert result["outcome"] == "function_error"
    assert result["status_code"] == 200
    assert result["function_error"]["kind"] == "Unhandled"
    assert result["function_error"]["type"]
    assert result["function_error"]["message"] == "no order A-9"
    assert any("raise OrderNotFound" in frame for frame in result["function_error"]["stack_trace"])
    assert "not undone" in result["next_step"]
    assert "│ " in text_of(reply)


async def test_a_function_that_exceeds_its_own_timeout_is_a_function_error(running: Warden) -> None:
    result = await running.invoke("nightly-export:live", payload={"seconds": 30})
    assert result["outcome"] == "function_error"
    assert "timed out after 3" in result["function_error"]["message"]


async def test_a_caller_that_waits_too_short_gets_the_answer_later(running: Warden) -> None:
    first = await running.invoke("nightly-export:live", payload={"seconds": 2}, timeout_seconds=1)
    assert first["outcome"] == "running"
    read = structured(await running.call("read_result", invocation_id=first["invocation_id"]))
    assert read["invocation"]["outcome"] == "succeeded"


async def test_an_event_is_accepted(running: Warden) -> None:
    reply = await running.call("invoke_function", function="inventory-sync:live", invocation_type="Event", payload={})
    result = reply.structured_content or {}
    assert not reply.is_error
    assert (result["outcome"], result["status_code"]) == ("accepted", 202)
    assert "payload" not in result


async def test_a_dry_run_by_type_is_accepted(running: Warden) -> None:
    result = await running.invoke("order-refund:live", invocation_type="DryRun", payload=REFUND)
    assert (result["outcome"], result["status_code"]) == ("accepted", 204)
    assert "Nothing ran" in result["next_step"]


async def test_latest_is_denied_where_it_is_not_listed(running: Warden) -> None:
    for arguments in ({"function": "order-refund"}, {"function": "order-refund", "qualifier": "$LATEST"}):
        reply = await running.call("invoke_function", **arguments, payload=REFUND)
        assert reply.is_error
        assert reply.structured_content is not None
        assert reply.structured_content["outcome"] == "denied"
        assert "$LATEST" in check_of(reply.structured_content, "qualifier")["reason"]


async def test_latest_runs_where_it_is_listed(running: Warden) -> None:
    result = await running.invoke("inventory-sync", payload={"skus": []})
    assert (result["outcome"], result["qualifier"], result["payload"]) == ("succeeded", "$LATEST", {})


async def test_a_function_outside_the_manifest_is_denied(running: Warden) -> None:
    result = await running.invoke("billing:live", payload={})
    assert result["outcome"] == "denied"
    assert check_of(result, "manifest_rule")["passed"] is False
    assert "list_functions" in result["next_step"]


async def test_a_large_answer_is_cut_to_the_rules_budget(running: Warden) -> None:
    result = await running.invoke("sales-report:live", payload={"year": 2025})
    assert result["truncated"] is True
    assert result["payload_bytes"] > 100_000
    assert len(json.dumps(result["payload"], separators=(",", ":")).encode()) <= 1024
    assert result["payload"]["currency"] == "EUR"
    assert {"path": "/rows", "total": 1344, "unit": "items"}.items() <= result["omitted"][0].items()


async def test_a_dry_run_answers_every_check_and_runs_nothing(running: Warden) -> None:
    result = await running.dry_run("order-refund:live", payload=REFUND)
    assert result["would_invoke"] is True
    assert {check["name"]: check["passed"] for check in result["checks"]} == dict.fromkeys(
        (
            "resolve",
            "manifest_rule",
            "qualifier",
            "principal",
            "invocation_type",
            "tenant",
            "payload_size",
            "payload_schema",
            "approval",
            "aws_dry_run",
        ),
        True,
    )


@pytest.mark.parametrize(
    ("arguments", "failed"),
    [
        ({"function": "order refund"}, "resolve"),
        ({"function": "billing"}, "manifest_rule"),
        ({"function": "order-refund:9"}, "qualifier"),
        ({"function": "order-refund:live", "invocation_type": "Event"}, "invocation_type"),
        ({"function": "order-refund:live", "payload": {"orderId": "A-" + "1" * 2000, "amount": 1}}, "payload_size"),
        ({"function": "order-refund:live", "payload": {"orderId": "A-1", "amount": 501}}, "payload_schema"),
        ({"function": "order-refund:live", "payload": {}, "qualifer": "live"}, "arguments"),
    ],
)
async def test_a_dry_run_names_the_check_that_fails(arguments: dict[str, object], failed: str, running: Warden) -> None:
    result = (await running.call("dry_run", **arguments)).structured_content or {}
    assert result["would_invoke"] is False
    assert next(check["name"] for check in result["checks"] if check["passed"] is False) == failed


async def test_what_the_manifest_allows_and_aws_does_not_have_is_refused_by_aws(
    demo: DemoEnvironment, tmp_path: Path
) -> None:
    async with warden(tmp_path, demo.endpoint_url, allow("order-refund", "retired"), allow("ghost")) as other:
        asked = await other.dry_run("order-refund:retired")
        assert asked["would_invoke"] is False
        assert "ResourceNotFoundException" in check_of(asked, "aws_dry_run")["reason"]
        result = await other.invoke("order-refund:retired")
        assert (result["outcome"], result["status_code"]) == ("refused", 404)
        assert result["error"]["code"] == "ResourceNotFoundException"
        listed = await other.list_functions()
        assert {entry["function"]: entry["exists"] for entry in listed["functions"]} == {
            arn("order-refund"): True,
            arn("ghost"): False,
        }
        assert listed["functions"][1]["qualifiers"][0]["exists"] is False


async def test_the_list_joins_the_manifest_with_what_aws_knows(running: Warden) -> None:
    result = await running.list_functions()
    assert result["total"] == 5
    entries = {entry["function"]: entry for entry in result["functions"] if entry.get("examples")}
    refund = entries[arn("order-refund")]
    assert refund["effect"] == "destructive"
    assert refund["description"] == "Refund an order, up to 500 EUR."
    assert refund["payload_schema"]["required"] == ["orderId", "amount"]
    assert refund["examples"] == [REFUND]
    assert (refund["runtime"], refund["handler"]) == ("python3.12", "order_refund.handler")
    assert (refund["memory_mb"], refund["timeout_seconds"], refund["state"]) == (128, 10, "Active")
    assert refund["last_modified"]
    assert refund["qualifiers"] == [{"qualifier": "live", "kind": "alias", "exists": True, "function_version": "1"}]
    lookup = entries[arn("order-lookup")]
    assert [q["qualifier"] for q in lookup["qualifiers"]] == ["live", "1"]
    assert lookup["qualifiers"][0]["function_version"] == "2"


async def test_the_list_filters_and_pages(running: Warden) -> None:
    assert [e["function"] for e in (await running.list_functions(effect="read"))["functions"]] == [
        arn("order-lookup"),
        arn("sales-report"),
    ]
    assert (await running.list_functions(name_contains="order-"))["total"] == 2
    assert (await running.list_functions(region="us-east-1", account="123456789012"))["total"] == 5
    assert (await running.list_functions(region="eu-west-1"))["total"] == 0
    first = await running.list_functions(limit=3)
    second = await running.list_functions(limit=3, cursor=first["next_cursor"])
    assert len(first["functions"]) == 3
    assert len(second["functions"]) == 3
    assert "next_cursor" not in second


async def test_every_call_is_on_record_without_its_payload(running: Warden) -> None:
    before = len(running.records())
    result = await running.invoke("order-refund:live", payload=REFUND)
    (approval, _, _), (intent, intent_id, intent_body), (outcome, _, outcome_body) = running.records()[before:]
    assert (approval, intent, outcome, intent_id) == ("approval", "intent", "outcome", result["invocation_id"])
    assert json.loads(intent_body)["function"] == arn("order-refund") + ":live"
    sent = json.dumps(REFUND, separators=(",", ":")).encode()
    assert json.loads(intent_body)["payload_hmac"] == payload_hmac(running.records_file, sent)
    assert json.loads(outcome_body)["request_id"] == result["request_id"]
    assert "A-1001" not in intent_body + outcome_body
