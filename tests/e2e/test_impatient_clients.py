"""A function that takes longer than real clients wait: it starts once, and its whole answer is reached.

Clients of `--group clients`, and those that npm brings, skip where they are not installed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

from support.impatient import KINDS, Call, Got, Kind, Server, connected
from support.npm import needs_npm
from support.scripted_endpoint import Held, ScriptedEndpoint
from support.servers import serve_http
from support.warden import allow, stdio, write_manifest

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

Transport = Literal["stdio", "http"]
Way = Literal["calling again", "read_result"]
PATIENCE = 4.0
"""Seconds: as impatient as hosts are. One that gives up within `SILENT_SECONDS` may start what only reads once more, if
its new request overtakes the end of the first."""
SMALL: set[tuple[Kind, Transport]] = {("python", "http"), ("typescript", "stdio")}
"""What is enough for each change."""


def clients(small: set[tuple[Kind, Transport]]) -> list[Any]:
    """Each client over each transport; those that are not in `small` are slow tests."""
    return [
        pytest.param(
            kind,
            transport,
            id=f"{kind}-{transport}",
            marks=[
                *([needs_npm] if kind.startswith("typescript") else []),
                *([] if (kind, transport) in small else [pytest.mark.slow]),
            ],
        )
        for kind in KINDS
        for transport in ("stdio", "http")
    ]


@dataclass
class Intent:
    """One thing that a model wants, and the way on which it comes to the answer."""

    function: str
    way: Way
    key: str | None
    answer: dict[str, Any] | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        payload = {"way": self.way, "key": self.key, "text": "x" * 2_000}
        key = {} if self.key is None else {"idempotency_key": f"{self.function}-{self.key}"}
        return {"function": f"{self.function}:live", "payload": payload, **key}

    async def leave(self, call: Call) -> None:
        """Call and give up; and come again while the function runs, but for a client that sends one after another."""
        got = await call("invoke_function", self.arguments)
        assert "timed out" in got.error
        if self.way == "calling again":
            got = await call("invoke_function", self.arguments)
            assert "timed out" in got.error or _outcome(got) in ("in_progress", "succeeded")
            self.answer = got.result if _outcome(got) == "succeeded" else None

    async def reach(self, call: Call) -> dict[str, Any]:
        """Come back until the answer is there."""
        if self.answer is not None:
            return self.answer
        if self.way == "calling again":
            return await _until_told(call, "invoke_function", self.arguments)
        found = Got(None)
        while found.result is None:  # on a slow machine this client gives up on any answer
            found = await call("invoke_function", self.arguments | {"wait_seconds": 0})
        whole = {"invocation_id": found.result["invocation_id"], "wait_seconds": 0}
        result: dict[str, Any] = (await _until_told(call, "read_result", whole))["invocation"]
        return result


def intents(reads: str, writes: str) -> list[Intent]:
    return [
        Intent(function, way, key)
        for function in (reads, writes)
        for way in ("calling again", "read_result")
        for key in (None, f"key-{way[:4]}")
    ]


@pytest.mark.parametrize(("kind", "transport"), clients(SMALL))
async def test_the_answer_is_reached_of_a_function_that_outlasts_its_client(
    kind: Kind, transport: Transport, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    held = endpoint.behaviours["reads"] = endpoint.behaviours["writes"] = Held()
    wanted = intents("reads", "writes")
    async with (
        served(transport, tmp_path, endpoint.url, "reads", "writes") as server,
        connected(kind, server, PATIENCE) as call,
    ):
        async with anyio.create_task_group() as group:
            for intent in wanted:
                group.start_soon(intent.leave, call)
        held.release()
        await all_reach(wanted, call)
    assert_each_started_once(endpoint, wanted)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "transport"), clients(set()))
async def test_the_answer_is_reached_of_a_function_that_takes_20_s(
    kind: Kind, transport: Transport, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    names = "sleep-20000", "sleep-20001"
    wanted = intents(*names)
    async with served(transport, tmp_path, endpoint.url, *names) as server, connected(kind, server, 5) as call:
        async with anyio.create_task_group() as group:
            for intent in wanted:
                group.start_soon(intent.leave, call)
        await all_reach(wanted, call)
    assert_each_started_once(endpoint, wanted)


@asynccontextmanager
async def served(transport: Transport, folder: Path, url: str, reads: str, writes: str) -> AsyncIterator[Server]:
    manifest = write_manifest(folder, url, [allow(reads, effect="read"), allow(writes, effect="write")])
    records = "--records", str(folder / "records.sqlite3")
    if transport == "stdio":
        yield stdio(manifest, folder, *records)
    else:
        with serve_http(manifest, folder, *records) as address:
            yield address


async def all_reach(wanted: list[Intent], call: Call) -> None:
    """Each intent gets its whole answer."""

    async def reach(intent: Intent) -> None:
        result = await intent.reach(call)
        assert (result["outcome"], result["payload"]) == ("succeeded", intent.arguments["payload"])

    with anyio.fail_after(90):
        async with anyio.create_task_group() as group:
            for intent in wanted:
                group.start_soon(reach, intent)


def assert_each_started_once(endpoint: ScriptedEndpoint, wanted: list[Intent]) -> None:
    started = Counter((received.function, received.body) for received in endpoint.started)
    assert sorted(started.values()) == [1] * len(wanted)


def _outcome(got: Got) -> str | None:
    return None if got.result is None else got.result.get("outcome")


async def _until_told(call: Call, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call until the answer tells how the function ended."""
    while True:
        got = await call(tool, arguments)
        if got.result is not None and got.result.get("outcome") not in ("running", "in_progress"):
            return got.result
        await anyio.sleep(0.1)
