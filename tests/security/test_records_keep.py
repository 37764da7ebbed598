"""What the records keep of payloads: digests, or, where the operator wants them, redacted payloads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from support.scripted_endpoint import ScriptedEndpoint, returned
from support.warden import allow, warden

pytestmark = pytest.mark.anyio

KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"


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
    assert json.loads(intent)["payload_sha256"] == hashlib.sha256(sent).hexdigest()
    if kept:
        assert json.loads(json.loads(intent)["payload"])["orderId"] == "A-1"
        assert json.loads(json.loads(outcome)["answer"])["name"] == "Ada"
    else:
        assert "A-1" not in intent
        assert "Ada" not in outcome
