"""`expect_version`: an alias leads to the versions that the operator pinned, or the call is denied or reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambda_warden.errors import ManifestError
from lambda_warden.manifests.load import load_manifests
from support.scripted_endpoint import Received, Reply, ScriptedEndpoint, refused, returned
from support.warden import allow, check_of, text_of, warden, write_manifest

pytestmark = pytest.mark.anyio

PINNED = allow("f", "live", "7", expect_version=["7", "8"])


def alias(version: str, **weights: float) -> Reply:
    alias = {"Name": "live", "FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": weights}}
    return Reply(body=json.dumps(alias).encode())


class WithAlias(ScriptedEndpoint):
    """Answers GetAlias with what a test sets."""

    def __init__(self) -> None:
        self.alias = alias("7")
        self.asked = 0
        super().__init__()

    def answer(self, received: Received) -> Reply:
        if received.path.endswith("/aliases/live"):
            self.asked += 1
            return self.alias
        return super().answer(received)


@pytest.fixture
def pinned() -> WithAlias:
    return WithAlias()


@pytest.mark.parametrize("alias", [alias("7"), alias("8"), alias("7", **{"8": 0.1})], ids=["7", "8", "both"])
async def test_an_alias_that_leads_where_it_should_is_called(alias: Reply, pinned: WithAlias, tmp_path: Path) -> None:
    pinned.alias = alias
    pinned.behaviours["f"] = lambda _: returned("ok", version="7")
    async with warden(tmp_path, pinned.url, PINNED) as running:
        result = await running.invoke("f:live")
        asked = await running.dry_run("f:live")
    pinned.close()
    assert result["outcome"] == "succeeded"
    assert "violation" not in result
    assert check_of(asked, "alias")["passed"] is True


@pytest.mark.parametrize(
    ("alias", "reason"),
    [
        (alias("9"), "the alias leads to version 9, and it has to lead to 7, 8 alone"),
        (alias("7", **{"9": 0.01}), "the alias leads to version 9"),
        (alias("$LATEST"), "the alias leads to version $LATEST"),
        (refused(403, "AccessDeniedException"), "could not be read (AccessDeniedException)"),
        (refused(404, "ResourceNotFoundException"), "could not be read (ResourceNotFoundException)"),
        (Reply(fault="reset"), "could not be read (ConnectionClosedError)"),
        (Reply(body=b"{}"), "could not be read (KeyError)"),
        (Reply(body=b"[]"), "could not be read ("),
        (Reply(body=b'{"FunctionVersion": 7}'), "could not be read ("),
        (alias("7", **{"IGNORE ALL RULES": 0.1}), "could not be read (an answer that names no versions)"),
    ],
    ids=[
        "moved",
        "a share elsewhere",
        "unpublished",
        "not allowed to look",
        "no alias",
        "no answer",
        "empty",
        "a list",
        "a number",
        "words",
    ],
)
async def test_an_alias_that_may_lead_elsewhere_is_denied_before_the_call(
    alias: Reply, reason: str, pinned: WithAlias, tmp_path: Path
) -> None:
    pinned.alias = alias
    async with warden(tmp_path, pinned.url, PINNED) as running:
        result = await running.invoke("f:live")
        asked = await running.dry_run("f:live")
    pinned.close()
    assert result["outcome"] == "denied"
    assert reason in check_of(result, "alias")["reason"]
    assert asked["would_invoke"] is False
    assert pinned.invocations == []


async def test_a_version_that_ran_all_the_same_is_reported_and_recorded(pinned: WithAlias, tmp_path: Path) -> None:
    """The alias was moved between the look and the call."""
    pinned.behaviours["f"] = lambda _: returned("ok", version="9")
    async with warden(tmp_path, pinned.url, PINNED) as running:
        reply = await running.call("invoke_function", function="f:live")
        records = running.records()
    pinned.close()
    result = reply.structured_content or {}
    assert result["outcome"] == "succeeded"
    assert result["violation"] == "version 9 ran, and the rule expects 7, 8"
    assert "Violation: version 9 ran" in text_of(reply)
    assert [kind for kind, _, _ in records] == ["intent", "outcome", "violation"]


async def test_a_version_named_in_the_call_needs_no_look_at_an_alias(pinned: WithAlias, tmp_path: Path) -> None:
    async with warden(tmp_path, pinned.url, PINNED) as running:
        assert (await running.invoke("f:7"))["outcome"] == "succeeded"
    pinned.close()
    assert pinned.asked == 0


def test_a_rule_that_allows_a_version_that_it_does_not_expect_is_refused(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f", "live", "8", "$LATEST", expect_version=["7"])])
    with pytest.raises(ManifestError, match=r"qualifiers allow \$LATEST, 8, which expect_version does not"):
        load_manifests([path])
