"""Clients that leave at random and come back with the same call: each intent starts once, and its answer is reached."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError

from support.audit import payload_hmac
from support.scripted_endpoint import Received, Reply, ScriptedEndpoint, echo
from support.servers import serve_http
from support.warden import allow, stdio, write_manifest

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

ATTEMPTS = 4
"""How often an intent is sent at the most by one who leaves; the last time it waits."""
AT_ONCE = 12
WAITED_FOR = """SELECT count(*) FROM calls JOIN events USING (invocation_id)
    WHERE kind = 'intent' AND json_extract(body, '$.payload_hmac') = ? AND outcome IS NULL AND waiter IS NOT NULL"""


@dataclass
class Intent:
    """One thing that somebody wants, and what became of each attempt at it.

    A function ends at random where there is a key. Without one it does not end before the last attempt: an answer that
    is on its way while its client leaves counts as delivered, and the same call is another intent.

    `ordered`: whether the server reads that a client has left before it reads what that one sends next. Over HTTP these
    are two connections, and a read that overtakes is one more read; a write is `in_progress`.
    """

    number: int
    chance: random.Random
    ordered: bool
    records: Path
    history: list[str] = field(default_factory=list)
    answer: dict[str, Any] | None = None
    may_end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.function = self.chance.choice(("reads", "writes"))
        self.key = {"idempotency_key": f"intent-{self.number}"} if self.chance.random() < 0.4 else {}
        self.seconds = self.chance.choice((0, 0.04, 0.15))

    def run(self, received: Received) -> Reply:
        """Be the function."""
        self.may_end.wait(self.seconds if self.key else 60)
        return echo(received)

    async def pursue(self, client: Client) -> None:
        """Send it, leave or stay, and send it again, until there is an answer."""
        for _ in range(self.chance.randrange(ATTEMPTS)):
            await self._attempt(client, self.chance.choice((0.01, 0.05, 0.1, 0.2)) * self.chance.uniform(0.5, 1.5))
            if self.function == "reads" and not self.ordered:
                await self._until_left(client)
        await self._until_left(client)
        self.may_end.set()
        while self.answer is None:
            await self._attempt(client, 60)

    async def _until_left(self, client: Client) -> None:
        """Until the server has noted that nobody waits for it."""
        # What was sent before has been read. A connection that is new is read some turns later than one that is open.
        for _ in range(1 if self.ordered else 4):
            await client.list_tools(cache_mode="bypass")
        sent = payload_hmac(self.records, json.dumps({"intent": self.number}, separators=(",", ":")).encode())
        with closing(sqlite3.connect(self.records)) as db:
            while db.execute(WAITED_FOR, (sent,)).fetchone() != (0,):
                await anyio.sleep(0.01)

    async def _attempt(self, client: Client, patience: float) -> None:
        arguments = {"function": f"{self.function}:live", "payload": {"intent": self.number}, **self.key}
        by_timeout = self.chance.random() < 0.5
        try:
            with anyio.move_on_after(60 if by_timeout else patience):
                result = await client.call_tool(
                    "invoke_function", arguments, read_timeout_seconds=patience if by_timeout else 60
                )
                told = result.structured_content or {}
                self.history.append(f"{told.get('outcome')} {told.get('checks', '')}")
                if told.get("outcome") not in ("in_progress", "running"):
                    self.answer = told
                return
        except MCPError as error:
            assert "timed out" in str(error)  # noqa: PT017 - any other error is one
        self.history.append(f"left after {patience:.3f} s by {'timeout' if by_timeout else 'cancel'}")


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.parametrize("mode", ["2026-07-28", pytest.param("legacy", marks=pytest.mark.slow)])
@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=pytest.mark.slow)])
async def test_each_intent_starts_once_and_is_answered(
    count: int, mode: str, transport: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    records = tmp_path / "records.sqlite3"
    seed = random.randrange(2**32)  # noqa: S311
    chance = random.Random(seed)  # noqa: S311
    ordered = transport == "stdio"
    intents = [Intent(number, random.Random(chance.random()), ordered, records) for number in range(count)]  # noqa: S311

    def run(received: Received) -> Reply:
        number: int = json.loads(received.body)["intent"]
        return intents[number].run(received)

    endpoint.behaviours.update(reads=run, writes=run)
    rules = [allow("reads", effect="read"), allow("writes", effect="write")]
    manifest = write_manifest(tmp_path, endpoint.url, rules)
    options = "--records", str(records)
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def pursue(intent: Intent, client: Client) -> None:
        async with limiter:
            await intent.pursue(client)

    with ExitStack() as stack:
        http = stack.enter_context(serve_http(manifest, tmp_path, *options)) if transport == "http" else None
        server = http.transport() if http else stdio(manifest, tmp_path, *options)
        async with Client(server, mode=mode) as client, anyio.create_task_group() as group:
            for intent in intents:
                group.start_soon(pursue, intent, client)
    started = Counter(json.loads(received.body)["intent"] for received in endpoint.started)
    twice = {number: (starts, intents[number].history) for number, starts in started.items() if starts > 1}
    assert twice == {}, seed
    answers = [(intent.answer or {}).get("payload") for intent in intents]
    assert answers == [{"intent": number} for number in range(count)], seed
