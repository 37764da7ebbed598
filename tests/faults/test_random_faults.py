"""Calls in parallel, each attempt of which meets a drawn fault: what is said of them is what the endpoint knows."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from mcp import Client

from lambda_warden import app
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings
from support.faulty_endpoint import ERRORS, NOT_STARTED, Entry, FaultyEndpoint, faulty_endpoint
from support.warden import structured

pytestmark = pytest.mark.anyio

SEED = 7
AT_ONCE = 64

# Each stands for an account of its own: where its function is reached.
DRAWN, REFUSED, RESET, CLOSED, SILENT = (f"{number:012d}" for number in range(1, 6))
NAMES = {DRAWN: ["orders", "events"]} | {account: ["orders"] for account in (REFUSED, RESET, CLOSED, SILENT)}

REFUSALS = {fault for fault in ERRORS if fault < "500"}
"""Faults that say for certain that nothing ran."""
UNTOLD = NOT_STARTED - REFUSALS
"""Faults that start nothing, and from which a client that has sent its request whole can't tell that."""
SURE = {"ok", "slow", "drip", "stale", "wrong_length", "function_error", "stream_drip"}
"""Faults that end with an answer, which can be read whole."""


@contextmanager
def nobody() -> Iterator[str]:
    """A URL that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


def write_manifest(folder: Path, urls: Mapping[str, str]) -> Path:
    targets = [{"account": account, "regions": ["us-east-1"], "endpoint_url": url} for account, url in urls.items()]
    functions = [
        {
            "arn": f"arn:aws:lambda:us-east-1:{account}:function:{name}",
            "qualifiers": ["live"],
            "invocation_types": ["RequestResponse", "Event"],
            "timeout_seconds": 1,
            "invoke_mode": "RESPONSE_STREAM" if name == "events" else "BUFFERED",
        }
        for account, names in NAMES.items()
        for name in names
    ]
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "targets": targets, "functions": functions}))
    return path


async def call_with_faults(client: Client, number: int, results: dict[str, dict[str, Any] | None]) -> None:
    """One call. Some are of functions that can't be reached, some are cancelled by their client."""
    chance = random.Random(f"{SEED}:{number}")  # noqa: S311
    account = chance.choices(list(NAMES), [0.92, 0.02, 0.02, 0.02, 0.02])[0]
    call = f"call-{number}"
    arguments = {
        "function": f"arn:aws:lambda:us-east-1:{account}:function:{chance.choice(NAMES[account])}:live",
        "payload": {"call": call},
        "invocation_type": chance.choices(["RequestResponse", "Event"], [0.9, 0.1])[0],
    }
    results[call] = None
    patience = chance.uniform(0.0, 0.4) if chance.random() < 0.05 else 60
    with anyio.move_on_after(patience):
        results[call] = structured(await client.call_tool("invoke_function", arguments))


def recorded(path: Path) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """The records of each invocation, as kind and body, in their order."""
    with closing(sqlite3.connect(path)) as db:
        select = "SELECT invocation_id, kind, body FROM events WHERE kind != 'start' ORDER BY position"
        rows = db.execute(select).fetchall()
    found: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for invocation_id, kind, body in rows:
        found[invocation_id].append((kind, json.loads(body)))
    return found


def check(call: str, result: Mapping[str, Any], entry: Entry | None) -> None:
    """What was said of a call against what the endpoint knows of it."""
    outcome, error = result["outcome"], result.get("error", {}).get("code")
    started = entry.started if entry else 0
    # None: the last attempt never got there, on a connection that an earlier answer had spoilt perhaps.
    fault = entry.fault if entry and entry.attempts == result.get("attempts", 1) else None
    assert started <= 1, (call, outcome, fault)
    match outcome:
        case "succeeded" | "function_error" | "accepted":
            assert started == 1, (call, outcome, fault)
        case "refused" | "denied":
            assert started == 0, (call, outcome, error, fault)
        case "unknown":
            given_up = error in ("Cancelled", "DeadlineExceeded")
            assert started == 1 or given_up or fault is None or fault in UNTOLD, (call, error, fault)
            # Evidence that it did not run, or how it ended, was there.
            assert given_up or fault not in REFUSALS | SURE, (call, error, fault)


@pytest.mark.parametrize("calls", [200, pytest.param(2000, marks=pytest.mark.slow)])
async def test_what_is_said_of_calls_is_what_the_endpoint_knows(calls: int, tmp_path: Path) -> None:
    tasks_before = len(asyncio.all_tasks())
    results: dict[str, dict[str, Any] | None] = {}
    records = tmp_path / "records.sqlite3"
    with faulty_endpoint(seed=SEED) as endpoint, nobody() as refused:
        urls = {
            DRAWN: endpoint.url,
            REFUSED: refused,
            RESET: endpoint.urls["reset_before_reading"],
            CLOSED: endpoint.urls["close_before_reading"],
            SILENT: endpoint.urls["accept_hang"],
        }
        settings = Settings(records=records, sign_requests=False, concurrency=AT_ONCE)
        inside = app.Warden(settings, load_manifests([write_manifest(tmp_path, urls)]))
        slots = anyio.Semaphore(AT_ONCE)

        async def one(client: Client, number: int) -> None:
            async with slots:
                await call_with_faults(client, number, results)

        async with Client(inside.server) as client, anyio.create_task_group() as group:
            for number in range(calls):
                group.start_soon(one, client, number)
        await until_idle(endpoint)
        ledger = endpoint.ledger

    found = recorded(records)
    outcomes: Counter[str] = Counter()
    for call, result in results.items():
        if result is None:  # its client left: its records say what is known, and they are found by what was sent
            outcomes["cancelled"] += 1
            assert ledger.get(call, Entry()).started <= 1
            continue
        outcomes[result["outcome"]] += 1
        check(call, result, ledger.get(call))
        kinds = [kind for kind, _ in found[result["invocation_id"]]]
        if result["outcome"] == "denied":  # a slot that calls of clients who left still had
            assert (result["reason"]["check"], kinds) == ("busy", ["denial"]), (call, kinds, result)
            continue
        attempts = result.get("attempts", 1)
        # A retry is on record before it is made, and on a slow machine its deadline can pass in between.
        assert len(kinds) - 1 in (attempts, attempts + 1), (call, kinds, result)
        assert kinds == ["intent", *["retry"] * (len(kinds) - 2), "outcome"], (call, kinds, result)
        assert found[result["invocation_id"]][-1][1]["outcome"] == result["outcome"]
    for records_of in found.values():  # also of those whose client left, some before it was their turn
        kind, body = records_of[-1]
        assert "outcome" in body or ([kind], body["check"]) == ([kind for kind, _ in records_of], "busy")
        assert kind in ("outcome", "denial")
    sent = sum(1 for records_of in found.values() if records_of[0][0] == "intent")
    assert sum(entry.started for entry in ledger.values()) <= sent
    assert {"succeeded", "refused", "unknown"} <= outcomes.keys()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("invocation")]
    assert len(asyncio.all_tasks()) == tasks_before


async def until_idle(endpoint: FaultyEndpoint) -> None:
    """Until nothing of a call is left: no thread, and no connection."""
    with anyio.fail_after(30):
        while any(thread.name.startswith("invocation") for thread in threading.enumerate()):
            await anyio.sleep(0.05)
        while endpoint.open:
            await anyio.sleep(0.05)
