"""Hostile requests, kept and generated: whatever is written, nothing that is not allowed arrives at the endpoint."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from itertools import cycle
from typing import Any

import pytest

from support.hostile import DAMAGE, HOSTILE_BYTES, HOSTILE_FUNCTIONS, HOSTILE_PAYLOADS, HOSTILE_QUALIFIERS, NAMES, TYPES
from support.scripted_endpoint import ScriptedEndpoint
from support.warden import ACCOUNT, Warden, allow, arn, warden

pytestmark = pytest.mark.anyio

RULES = (
    allow("refund", "live", "7", payload={"schema": {"type": "object", "properties": {"n": {"maximum": 5}}}}),
    allow("report-*", "live", invocation_types=["Event"]),
    allow("report-pay", "12"),
    allow("frozen-a", "live"),
)
DENY = {"deny": [{"arn": "arn:aws:lambda:*:*:function:frozen-*"}, {"arn": "arn:*:lambda:*:*:function:report-x*"}]}


def allowed(function: str, qualifier: str, invocation_type: str) -> bool:
    """What RULES and DENY say, written out by hand, so that the guard is not its own judge."""
    name = function.removeprefix(arn(""))
    dry = invocation_type == "DryRun"
    if name == "refund":
        return qualifier in ("live", "7") and (dry or invocation_type == "RequestResponse")
    if name == "report-pay":
        return qualifier == "12" and (dry or invocation_type == "RequestResponse")
    if name.startswith("report-") and not name.startswith("report-x") and "/" not in name:
        return qualifier == "live" and (dry or invocation_type == "Event")
    return False


@pytest.fixture(scope="module")
async def running(_endpoint: ScriptedEndpoint, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Warden]:
    async with warden(tmp_path_factory.mktemp("attack"), _endpoint.url, *RULES, keys=DENY) as running:
        yield running


async def _try(running: Warden, endpoint: ScriptedEndpoint, request: dict[str, Any]) -> str:
    """Send a request and hold what arrived against what is allowed. Gives the outcome."""
    endpoint.received.clear()
    result = (await running.call("invoke_function", **request)).structured_content or {}
    for received in endpoint.received:
        assert received.qualifier is not None, request
        if received.configuration_of:
            # A function that may be called is asked about once: perhaps that of an earlier request.
            assert allowed(received.configuration_of, received.qualifier, "RequestResponse"), request
            continue
        assert received.function is not None, request
        assert allowed(received.function, received.qualifier, received.invocation_type), request
        if received.invocation_type == "DryRun":
            assert received.body == b""
        elif received.function == arn("refund"):
            assert _fits(received.body), request
    assert len(endpoint.invocations) == (result["outcome"] != "denied"), request
    return str(result["outcome"])


def _fits(body: bytes) -> bool:
    """The schema of `refund`, without jsonschema."""
    value = json.loads(body)
    n = value.get("n")
    return isinstance(value, dict) and (isinstance(n, bool) or not isinstance(n, int | float) or n <= 5)


@pytest.mark.parametrize("function", HOSTILE_FUNCTIONS, ids=lambda text: ascii(text)[:60])
async def test_a_kept_spelling_is_denied_whatever_stands_beside_it(
    function: str, running: Warden, endpoint: ScriptedEndpoint
) -> None:
    for qualifier, invocation_type in zip(HOSTILE_QUALIFIERS, cycle(["RequestResponse", "Event"]), strict=False):
        request = {"function": function} | ({} if qualifier is None else {"qualifier": qualifier})
        outcome = await _try(running, endpoint, {**request, "payload": {}, "invocation_type": invocation_type})
        assert outcome == "denied" or (function, qualifier) in {("refund", "live"), ("refund", "7")}


@pytest.mark.parametrize("payload", HOSTILE_PAYLOADS, ids=lambda value: type(value).__name__)
async def test_a_kept_payload_arrives_as_it_was_checked_or_not_at_all(
    payload: Any, running: Warden, endpoint: ScriptedEndpoint
) -> None:
    await _try(running, endpoint, {"function": "refund:live", "payload": payload})
    await _try(running, endpoint, {"function": "report-a:live", "payload": payload, "invocation_type": "Event"})


@pytest.mark.parametrize("data", HOSTILE_BYTES, ids=ascii)
async def test_kept_bytes_arrive_as_they_were_checked_or_not_at_all(
    data: bytes, running: Warden, endpoint: ScriptedEndpoint
) -> None:
    encoded = base64.b64encode(data).decode()
    assert await _try(running, endpoint, {"function": "refund:live", "payload_base64": encoded}) == "denied"


@pytest.mark.parametrize("requests", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_of_generated_requests_only_allowed_ones_arrive(
    requests: int, running: Warden, endpoint: ScriptedEndpoint
) -> None:
    """Spellings in every format, damaged or not, beside arguments of every kind. The seed makes failures repeatable."""
    draw = random.Random(7)  # noqa: S311
    outcomes = Counter([await _try(running, endpoint, _request(draw)) for _ in range(requests)])
    assert set(outcomes) == {"denied", "succeeded", "accepted"}, "both sides of the guard were reached"


def _request(draw: random.Random) -> dict[str, Any]:
    """One request. Each part is right most of the time, so that a good share comes close to the guard's edge."""

    def mostly(right: Any, wrong: list[Any]) -> Any:
        return right if draw.random() < 0.85 else draw.choice(wrong)

    name, qualifier, invocation_type = draw.choice(
        [("refund", "live", "RequestResponse"), ("refund", "7", "DryRun"), ("report-a", "live", "Event")]
    )
    name = mostly(name, NAMES)
    account = mostly(ACCOUNT, ["210987654321", ACCOUNT[1:]])
    partition = mostly("aws", ["aws-cn", "aws-us-gov", "AWS"])
    region = mostly("us-east-1", ["us-west-2", "cn-north-1", "us-gov-west-1", "moon-1"])
    prefix = draw.choice(["", f"{account}:function:", f"arn:{partition}:lambda:{region}:{account}:function:"])
    request: dict[str, Any] = {"function": prefix + name}
    if draw.random() < 0.5:
        request["qualifier"] = mostly(qualifier, HOSTILE_QUALIFIERS)
    if draw.random() < 0.6:
        request["function"] += ":" + mostly(qualifier, ["12", "$LATEST", "LIVE", "live:7", ""])
    if draw.random() < 0.2:
        place = draw.randrange(len(request["function"]) + 1)
        request["function"] = request["function"][:place] + draw.choice(DAMAGE) + request["function"][place:]
    request["invocation_type"] = mostly(invocation_type, TYPES)
    request["payload"] = mostly({"n": 1}, [{}, {"n": 9}, [], "text", 9, None])
    if draw.random() < 0.05:
        request["payload_base64"] = draw.choice(["e30=", "eyJuIjogOX0=", "!!"])
    if draw.random() < 0.05:
        unknown = draw.choice(["qualifer", "region", "account", "approve", "log_type", "client_context"])
        request[unknown] = draw.choice(["live", True, {}, None])
    return request
