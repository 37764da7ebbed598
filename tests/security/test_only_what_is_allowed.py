"""Only what is allowed reaches the wire, counted at the socket, for any request that a client may think of."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_warden.store.sqlite import database
from support.scripted_endpoint import ScriptedEndpoint
from support.warden import ACCOUNT, Warden, allow, arn, warden

pytestmark = pytest.mark.anyio

NAMES = ["a", "ab", "a-b", "b", "report-a", "report-", "Report-a", "report"]
QUALIFIERS = ["live", "1", "2", "$LATEST", "LIVE", "10"]
REGIONS = ["us-east-1", "eu-west-1"]
RULES = (
    allow("a", "live", "1"),
    allow("ab", "$LATEST", invocation_types=["RequestResponse", "Event"]),
    allow("report-*", "live", "2", invocation_types=["Event"]),
    allow("report-a", "1"),
    {"arn": arn("b", "eu-west-1"), "qualifiers": ["live"], "payload": {"max_bytes": 8}},
)

# Written out by hand from the rules above, so that the guard is not its own judge.
ALLOWED: dict[tuple[str, str], set[str]] = {
    (arn("a"), "live"): {"RequestResponse"},
    (arn("a"), "1"): {"RequestResponse"},
    (arn("ab"), "$LATEST"): {"RequestResponse", "Event"},
    (arn("report-"), "live"): {"Event"},
    (arn("report-"), "2"): {"Event"},
    (arn("report-a"), "1"): {"RequestResponse"},
    (arn("b", "eu-west-1"), "live"): {"RequestResponse"},
}


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """How somebody may write a function: in every format, and with small damage now and then."""
    name, region = draw(st.sampled_from(NAMES)), draw(st.sampled_from(REGIONS))
    account = draw(st.sampled_from([ACCOUNT, ACCOUNT, "210987654321"]))
    partition = draw(st.sampled_from(["aws", "aws", "aws-cn"]))
    text = draw(
        st.sampled_from(
            [name, f"{account}:function:{name}", f"arn:{partition}:lambda:{region}:{account}:function:{name}"]
        )
    )
    text += draw(st.sampled_from(["", "", *(f":{qualifier}" for qualifier in QUALIFIERS)]))
    if draw(st.integers(0, 4)) == 0:
        place = draw(st.integers(0, len(text)))
        text = (
            text[:place]
            + draw(st.sampled_from([":", " ", "*", "%2F", "/", "\n", "A", "", "\u0430", ".."]))
            + text[place:]
        )
    return text


ANY: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"function": spellings()},
    optional={
        "qualifier": st.sampled_from([*QUALIFIERS, "*", "", " live", "live:1"]),
        "invocation_type": st.sampled_from(["RequestResponse", "Event", "DryRun", "event"]),
        "payload": st.sampled_from([None, {}, [1], "text", 0, "123456789"]),
        "timeout_seconds": st.sampled_from([0, 1, 5460, 5461]),
        "log_type": st.sampled_from(["Tail", "None", "All"]),
    },
)


@st.composite
def near_misses(draw: st.DrawFn) -> dict[str, Any]:
    """Requests for something that is allowed, with one part or none of them exchanged."""
    function, qualifier = draw(st.sampled_from(sorted(ALLOWED)))
    if draw(st.booleans()):
        elsewhere = function.replace("us-east-1", "eu-west-1") if "us-east-1" in function else function + "-"
        function = draw(st.sampled_from([elsewhere, function.replace(":function:", ":function:x"), function.upper()]))
    return {
        "function": function,
        "qualifier": draw(st.just(qualifier) | st.sampled_from(QUALIFIERS)),
        "invocation_type": draw(st.sampled_from(["RequestResponse", "Event", "DryRun"])),
        "payload": draw(st.sampled_from([None, {}, "123456789"])),
    }


REQUESTS: st.SearchStrategy[dict[str, Any]] = near_misses() | ANY


@pytest.fixture(scope="module")
async def running(_endpoint: ScriptedEndpoint, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Warden]:
    async with warden(tmp_path_factory.mktemp("guard"), _endpoint.url, *RULES, regions=REGIONS) as running:
        yield running


@given(request=REQUESTS)
@example(request={"function": arn("report-a") + ":live", "invocation_type": "Event"})  # the pattern is shadowed
@example(request={"function": arn("a") + ":live", "invocation_type": "Event"})
@example(request={"function": arn("a") + ":2"})
@example(request={"function": arn("a")})
@example(request={"function": arn("a", "eu-west-1") + ":live"})
@example(request={"function": arn("b", "eu-west-1") + ":live", "payload": "123456789"})
async def test_nothing_reaches_the_wire_that_is_not_allowed(
    request: dict[str, Any], running: Warden, endpoint: ScriptedEndpoint
) -> None:
    endpoint.reset()
    result = await running.invoke(**request)
    for received in endpoint.received:
        assert received.qualifier is not None
        if received.configuration_of:
            assert (received.configuration_of, received.qualifier) in ALLOWED, "that of an earlier request, perhaps"
            continue
        assert received.function is not None
        types = ALLOWED[received.function, received.qualifier]
        assert received.invocation_type in {*types, "DryRun"}
        assert received.function == result["function"]
        assert received.qualifier == result["qualifier"]
    assert len(endpoint.invocations) == (0 if result["outcome"] == "denied" else 1)


@given(request=REQUESTS)
async def test_a_dry_run_starts_nothing_and_agrees_with_the_call(
    request: dict[str, Any], running: Warden, endpoint: ScriptedEndpoint
) -> None:
    endpoint.reset()
    asked = await running.dry_run(**request)
    assert endpoint.started == []
    assert all((r.function or r.configuration_of, r.qualifier) in ALLOWED for r in endpoint.received)
    assert all(r.body == b"" for r in endpoint.received)
    result = await running.invoke(**request)
    assert asked["would_invoke"] == (result["outcome"] != "denied")


@pytest.mark.parametrize("place", ALLOWED, ids=":".join)
async def test_what_is_allowed_goes_through(
    place: tuple[str, str], running: Warden, endpoint: ScriptedEndpoint
) -> None:
    """Without this, a guard that denies everything would pass."""
    function, qualifier = place
    for invocation_type in ALLOWED[place]:
        result = await running.invoke(function, qualifier=qualifier, invocation_type=invocation_type)
        assert result["outcome"] in ("succeeded", "accepted")
    assert len(endpoint.started) == len(ALLOWED[place])


async def test_nothing_is_sent_that_could_not_be_recorded(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.5)
    async with warden(tmp_path, endpoint.url, *RULES, regions=REGIONS) as running:
        # Another connection that holds the file's write lock for good: the server waits for it, and then gives up.
        with closing(sqlite3.connect(running.records_file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            result = await running.invoke(arn("a"), qualifier="live")
    assert result["outcome"] == "denied"
    assert "Tell the operator" in result["next_step"]
    assert endpoint.connections == 0
