"""A large request keeps nobody else waiting."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from support.scripted_endpoint import ScriptedEndpoint
from support.warden import allow, warden

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}}


async def test_the_loop_goes_on_while_a_large_payload_is_held_against_its_schema(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    payload: list[object] = [{"id": number} for number in range(60_000)]
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await anyio.sleep(0.005)
            turns += 1

    rule = allow("f", payload={"schema": SCHEMA})
    async with warden(tmp_path, endpoint.url, rule) as running, anyio.create_task_group() as group:
        group.start_soon(take_turns)
        result = await running.dry_run("f:live", payload=[*payload, {"id": "x"}])
        group.cancel_scope.cancel()
    assert result["checks"][-1]["name"] == "payload_schema"
    assert '"x" is not of type "integer"' in result["checks"][-1]["reason"]
    assert turns > 15
