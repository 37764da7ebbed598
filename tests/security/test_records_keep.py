"""What the records keep of payloads: digests, or, where the operator wants them, redacted payloads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from support.audit import payload_hmac
from support.scripted_endpoint import ScriptedEndpoint, returned
from support.warden import allow, warden

pytestmark = pytest.mark.anyio

KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"


SCHEMA = {
    "type": "object",
    "required": ["orderId"],
    "properties": {"orderId": {"pattern": "^A-"}, "amount": {"$ref": "#/$defs/amount"}, "to": {"enum": ["a", "b"]}},
    "additionalProperties": {"type": "integer"},
    "$defs": {"amount": {"maximum": 500}},
}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"orderId": "A-1", "amount": 987654}, "the payload breaks /$defs/amount/maximum: 500"),
        ({"amount": 1}, 'the payload breaks /required: ["orderId"]'),
        ({"orderId": "hunter2"}, 'the payload breaks /properties/orderId/pattern: "^A-"'),
        ({"orderId": "A-1", "to": "hunter2"}, 'the payload breaks /properties/to/enum: ["a", "b"]'),
        ({"orderId": "A-1", "hunter2": "hunter2"}, 'the payload breaks /additionalProperties/type: "integer"'),
        ({"orderId": "A-1", "x": ["hunter2"]}, 'the payload breaks /additionalProperties/type: "integer"'),
        (None, "the payload could not be held to its schema"),
    ],
)
async def test_why_a_payload_does_not_fit_is_on_record_without_a_word_of_it(
    payload: dict[str, Any] | None, reason: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f", payload={"schema": SCHEMA})) as running:
        await running.invoke("f:live", payload=payload)
        ((_, _, denial),) = running.records()
    assert json.loads(denial)["reason"] == reason
    assert "hunter2" not in denial
    assert "987654" not in denial
    assert endpoint.started == []


@pytest.mark.parametrize("kept", [False, True])
async def test_payloads_are_kept_only_where_wanted_and_only_redacted(
    kept: bool, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = lambda _: returned({"card": {"number": "4111"}, "name": "Ada", "key": KEY_ID})
    rule = allow("f", result={"redact": ["/card/number"]})
    async with warden(tmp_path, endpoint.url, rule, record_payloads=kept) as running:
        result = await running.invoke("f:live", payload={"orderId": "A-1", "key": KEY_ID})
        (_, _, intent), (_, _, outcome) = running.records()
    assert "4111" not in json.dumps(result)
    assert KEY_ID not in intent + outcome + json.dumps(result)
    assert "4111" not in intent + outcome
    sent = json.dumps({"orderId": "A-1", "key": KEY_ID}, separators=(",", ":")).encode()
    assert json.loads(intent)["payload_hmac"] == payload_hmac(running.records_file, sent)
    for digest in map(
        hashlib.sha256, (sent, b'{"card": {"number": "4111"}, "name": "Ada", "key": "%b"}' % KEY_ID.encode())
    ):
        assert digest.hexdigest() not in intent + outcome, "a short payload could be guessed"
    if kept:
        assert json.loads(json.loads(intent)["payload"])["orderId"] == "A-1"
        assert json.loads(json.loads(outcome)["answer"])["name"] == "Ada"
    else:
        assert "A-1" not in intent
        assert "Ada" not in outcome
