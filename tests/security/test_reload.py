"""A call that waits for a person or for its turn is decided on again: what a reload denies meanwhile does not run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client.session import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from lambda_warden.manifests.load import load_manifests
from support.scripted_endpoint import Held, ScriptedEndpoint
from support.warden import Rule, Warden, allow, check_of, warden, write_manifest

pytestmark = pytest.mark.anyio

Reload = Callable[[Warden, ScriptedEndpoint, Path], None]


def reloaded(*rules: Rule, **keys: Any) -> Reload:
    """Puts another manifest into force."""

    def reload(running: Warden, endpoint: ScriptedEndpoint, folder: Path) -> None:
        assert running.inside is not None
        path = write_manifest(folder, endpoint.url, rules, **keys)
        running.inside.apply(load_manifests([path]))

    return reload


BEFORE: Rule = allow("f", effect="destructive", limits={"per_day": 9})
DENIED: dict[str, tuple[Reload, str, str]] = {
    "rule gone": (reloaded(allow("g")), "manifest_rule", "no rule of the manifest allows"),
    "qualifier gone": (reloaded({**BEFORE, "qualifiers": ["prod"]}), "qualifier", "not among the allowed"),
    "denied by an entry": (
        reloaded(BEFORE, deny=[{"arn": "arn:aws:lambda:*:*:function:f"}]),
        "manifest_rule",
        "the manifest denies",
    ),
    "other principals": (reloaded({**BEFORE, "principals": ["chat-ops"]}), "principal", "may not call it"),
    "type gone": (reloaded({**BEFORE, "invocation_types": ["Event"]}), "invocation_type", "not among the allowed"),
    "payload limit": (reloaded({**BEFORE, "payload": {"max_bytes": 1}}), "payload_size", "at most 1"),
    "payload schema": (reloaded({**BEFORE, "payload": {"schema": {"type": "array"}}}), "payload_schema", "schema"),
    "another version expected": (
        reloaded({**BEFORE, "expect_version": ["7"]}),
        "manifest_changed",
        "changed the rule or target",
    ),
    "other limits": (reloaded({**BEFORE, "limits": {"per_day": 1}}), "manifest_changed", "changed the rule or target"),
    "another target": (reloaded(BEFORE, target={"concurrency": 7}), "manifest_changed", "changed the rule or target"),
}
SAME: dict[str, Reload] = {
    "nothing changed": reloaded(BEFORE),
    "another rule changed": reloaded(BEFORE, allow("g")),
}


def asked_while(reload: Reload, endpoint: ScriptedEndpoint, folder: Path, running: list[Warden]) -> Any:
    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        reload(running[0], endpoint, folder)
        return ElicitResult(action="accept", content={"approve": True})

    return person


async def after_approval(reload: Reload, endpoint: ScriptedEndpoint, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """What comes of a call during whose approval the manifest is reloaded."""
    running: list[Warden] = []
    person = asked_while(reload, endpoint, folder, running)
    async with warden(folder, endpoint.url, BEFORE, person=person, mode="legacy") as started:
        running.append(started)
        return await started.invoke("f", qualifier="live", payload={"a": 1}), started.kinds()


def assert_denied(result: Mapping[str, Any], check: str, reason: str) -> None:
    assert result["outcome"] == "denied"
    assert check_of(result, check)["passed"] is False
    assert reason in check_of(result, check)["reason"]


@pytest.mark.parametrize("case", DENIED)
async def test_what_a_reload_denies_while_a_person_is_asked_is_not_sent(
    case: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    reload, check, reason = DENIED[case]
    result, kinds = await after_approval(reload, endpoint, tmp_path)
    assert_denied(result, check, reason)
    assert endpoint.started == []
    assert kinds[-1] == "denial"
    assert "intent" not in kinds


@pytest.mark.parametrize("case", SAME)
async def test_a_reload_that_leaves_the_rule_as_it_is_stops_nothing(
    case: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    result, _ = await after_approval(SAME[case], endpoint, tmp_path)
    assert result["outcome"] == "succeeded"
    assert len(endpoint.started) == 1


@pytest.mark.parametrize("case", ["rule gone", "another version expected"])
async def test_what_a_reload_denies_while_a_call_waits_for_its_turn_is_not_sent(
    case: str, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    reload, check, reason = DENIED[case]
    rule = {**BEFORE, "approval": "never"}
    results: list[dict[str, Any]] = []
    async with warden(tmp_path, endpoint.url, rule, concurrency=1) as running, anyio.create_task_group() as group:

        async def invoke() -> None:
            results.append(await running.invoke("f", qualifier="live"))

        group.start_soon(invoke)
        with anyio.fail_after(30):
            while not endpoint.started:
                await anyio.sleep(0.01)
        group.start_soon(invoke)
        assert running.inside is not None
        with anyio.fail_after(30):
            while not running.inside._pipeline._dispatcher._slots.queued:
                await anyio.sleep(0.01)
        reload(running, endpoint, tmp_path)
        held.release()
    first, second = results
    assert first["outcome"] == "succeeded"
    assert_denied(second, check, reason)
    assert len(endpoint.started) == 1
