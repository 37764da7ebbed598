"""Nothing is sent whose intent a required sink does not have: counted at a socket."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from lambda_warden.errors import SettingsError
from lambda_warden.sinks import delivery
from lambda_warden.sinks.checkpoint import write_new_key
from support.raw_server import Script, answer, answering, hold, raw_server, reset
from support.scripted_endpoint import Received, Reply, ScriptedEndpoint, returned
from support.warden import allow, check_of, warden

pytestmark = pytest.mark.anyio

FAULTS: dict[str, Script | None] = {
    "nobody listens": None,
    "reset": reset,
    "hangs": hold,
    "refuses": answering(answer(400, b'{"__type": "AccessDeniedException", "message": "no"}')),
    "rejects": answering(answer(200, b'{"rejectedLogEventsInfo": {"expiredLogEventEndIndex": 1}}')),
    "fails": answering(answer(500, b"{}")),
    "says nothing": answering(answer(200, b"<p>Log in</p>", {"x-amzn-RequestId": ""})),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_without_its_required_sink_nothing_is_sent_and_stderr_says_why(
    fault: str,
    endpoint: ScriptedEndpoint,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "CONFIRM_SECONDS", 1.0)
    script = FAULTS[fault]
    with ExitStack() as stack:
        url = stack.enter_context(raw_server(script)).url if script else "http://127.0.0.1:9"
        sink = f"cloudwatch://group/stream?required=true&region=us-east-1&endpoint_url={url}"
        async with warden(tmp_path, endpoint.url, allow("f", limits={"per_day": 1}), sinks=(sink,)) as running:
            result = await running.invoke("f:live", payload={}, idempotency_key="k")
            kinds = running.kinds()
            stack.close()
    assert result["outcome"] == "denied"
    assert check_of(result, "record")["passed"] is False
    assert endpoint.started == []
    assert kinds == ["intent", "outcome", "denial"]
    assert "the required sink cloudwatch://group/stream does not have the record" in caplog.text
    async with warden(tmp_path, endpoint.url, allow("f", limits={"per_day": 1})) as running:
        again = await running.invoke("f:live", payload={}, idempotency_key="k")
    assert again["outcome"] == "succeeded", "neither the limit nor the key was used up"


async def test_an_intent_is_in_the_required_sink_when_the_function_starts(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    file = tmp_path / "sink.jsonl"
    seen: list[list[str]] = []

    def look(_: Received) -> Reply:
        seen.append([json.loads(line)["kind"] for line in file.read_text().splitlines()])
        return returned({"secret": "AKIA" + "IOSFODNN7EXAMPLE", "name": "Ada"})

    endpoint.behaviours["f"] = look
    async with warden(tmp_path, endpoint.url, allow("f"), sinks=(f"file://{file}?required=true",)) as running:
        await running.invoke("f:live", payload={"name": "Ada"})
    assert seen == [["start", "intent"]]
    kept = file.read_text()
    assert [json.loads(line)["kind"] for line in kept.splitlines()] == ["start", "intent", "outcome"]
    assert "Ada" not in kept
    assert "AKIA" not in kept


async def test_an_optional_sink_that_is_away_stops_no_call(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, allow("f"), sinks=(f"file://{tmp_path}/no/sink.jsonl",)) as running:
        assert (await running.invoke("f:live", payload={}))["outcome"] == "succeeded"


async def test_checkpoints_need_a_sink(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    write_new_key(tmp_path / "key.pem")
    server = warden(tmp_path, endpoint.url, allow("f"), checkpoint_key_file=tmp_path / "key.pem")
    with pytest.raises(SettingsError, match="needs --sink"):
        await server.__aenter__()
