"""Somebody who may do anything to the file of records: what they did is found by `verify` with anchors that stand
elsewhere, and, where calls are concerned, by `reconcile`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.sinks.checkpoint import write_new_key
from lambda_warden.store.approvals import ApprovalAsk, ApprovalRuling
from lambda_warden.store.opening import open_store
from support.cloudtrail import deliver, management_event, trail_event
from support.scripted_endpoint import Received, Reply, ScriptedEndpoint, echo
from support.tampering import Change, rewrite, tampering
from support.warden import allow, warden

pytestmark = pytest.mark.anyio

ASK = ApprovalAsk(
    "asked", "digest", "local", None, "f", "destructive", "m:1", "7", "manifest", "Run it?", None, expires_seconds=900
)
RULING = ApprovalRuling("denied", "ada", "terminal", None, "signed")


@dataclass(frozen=True)
class Kept:
    """What a company has: records, a sink with checkpoints, and CloudTrail's files."""

    folder: Path

    @property
    def records(self) -> Path:
        return self.folder / "records.sqlite3"

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["records", "--records", str(self.records), *arguments])

    def verify(self, *, anchored: bool = True) -> Result:
        anchors = ("--checkpoints", f"{self.folder}/sink.jsonl", "--public-key", f"{self.folder}/public.pem")
        return self.run("verify", *(anchors if anchored else ()))

    def reconcile(self) -> Result:
        return self.run("reconcile", "--cloudtrail", str(self.folder / "trail"))


@pytest.fixture
async def kept(endpoint: ScriptedEndpoint, tmp_path: Path) -> Kept:
    """Two servers, each of which made two calls."""
    (tmp_path / "public.pem").write_text(write_new_key(tmp_path / "key.pem"))
    events: list[dict[str, Any]] = []

    def numbered(received: Received) -> Reply:
        request_id = f"00000000-0000-4000-8000-{len(events):012}"
        events.append(trail_event(request_id, received.function or ""))
        reply = echo(received)
        return Reply(reply.status, reply.body, {**reply.headers, "x-amzn-RequestId": request_id})

    endpoint.behaviours |= {"f": numbered, "g": numbered}
    rules = allow("f", limits={"per_day": 9}), allow("g")
    sink: dict[str, Any] = {"sinks": (f"file://{tmp_path}/sink.jsonl",), "checkpoint_key_file": tmp_path / "key.pem"}
    for server in range(2):
        async with warden(tmp_path, endpoint.url, *rules, **sink) as running:
            await running.invoke("f:live", payload={"server": server}, idempotency_key=f"key-{server}")
            await running.invoke("g:live", payload={"server": server})
    now = datetime.now(UTC)
    far = management_event(now - timedelta(hours=1)), management_event(now + timedelta(hours=3))
    deliver(tmp_path / "trail", events, far)
    return Kept(tmp_path)


def altered(number: int, row: dict[str, Any]) -> dict[str, Any]:
    if row["kind"] in ("intent", "outcome") and number in (4, 5):
        row["body"] = {name: str(value).replace(":g:", ":f:") for name, value in row["body"].items()}
        row["body"].pop("counts_in", None)
    return row


def cut(number: int, row: dict[str, Any]) -> dict[str, Any] | None:
    return row if number <= 7 else None  # the second server's last call is gone


def redated(number: int, row: dict[str, Any]) -> dict[str, Any]:
    return row | {"at": row["at"].replace("+00:00", "+00:30")}


def without_first(number: int, row: dict[str, Any]) -> dict[str, Any] | None:
    return row if number > 5 else None  # the whole chain of the first server


def removed(number: int, row: dict[str, Any]) -> dict[str, Any] | None:
    return row if number not in (4, 5) else None  # one call, from the middle


@pytest.mark.parametrize(
    ("change", "told", "reconciled"),
    [
        (altered, "record 4 (position 4) or what is before it was rewritten", "another_function"),
        (cut, "records 3 to 5 were cut off", "no_record"),
        (redated, "record 1 (position 1) or what is before it was rewritten", None),
        (without_first, "its whole chain is gone: 5 records were there", "no_record"),
        (removed, "was rewritten", "no_record"),
    ],
)
async def test_a_history_that_is_whole_in_itself_is_found_by_its_anchors(
    change: Change, told: str, reconciled: str | None, kept: Kept
) -> None:
    assert kept.verify().exit_code == 0, kept.verify().output
    assert kept.reconcile().exit_code == 0, kept.reconcile().output
    rewrite(kept.records, change)
    assert kept.verify(anchored=False).exit_code == 0, "who can write the file leaves no trace in it"
    found = kept.verify()
    assert found.exit_code == 1
    assert told in found.stderr
    held = kept.reconcile()
    assert held.exit_code == (1 if reconciled else 0), held.output
    if reconciled:
        assert f"\t{reconciled}\t" in held.stdout


async def test_ranges_say_what_is_anchored_and_what_is_not(kept: Kept) -> None:
    with closing(open_store(kept.records).audit_log()) as log:
        log.append("denial", "later", {})
    found = kept.verify()
    assert found.exit_code == 0
    assert found.stdout.count("records 1 to 5 anchored by the checkpoint of 20") == 2
    assert f"writer {log.writer}: records 1 to 2 not anchored" in found.stdout


async def test_a_forged_checkpoint_is_found(kept: Kept) -> None:
    sink = kept.folder / "sink.jsonl"
    whole = sink.read_text()
    sink.write_text(whole.replace('"count":5', '"count":4'))
    assert "a checkpoint that was altered" in kept.verify().stderr
    sink.write_text(whole)
    (kept.folder / "public.pem").write_text(write_new_key(kept.folder / "other.pem"))
    told = kept.verify().stderr
    assert "a checkpoint of another key" in told
    assert "nothing is anchored" in told


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM admissions", "the limit rule:arn:aws:lambda:us-east-1:123456789012:function:f live was reset"),
        ("UPDATE admissions SET at = at - 86400000000", "was reset: it counts 0 calls of the last day"),
        ("DELETE FROM calls", "its idempotency key is free for another"),
        ("UPDATE calls SET invocation_id = 'x' WHERE key = 'key-1'", "its idempotency key is free for another"),
        ("DELETE FROM pauses", "calls are not paused, and the records say otherwise"),
        ("DELETE FROM approval_requests", "the request for approval asked is gone, and by the records denied"),
        ("UPDATE approval_requests SET state = 'approved'", "asked is approved, and by the records denied"),
        ("UPDATE approval_requests SET state = 'pending'", "asked is pending, and by the records denied"),
    ],
)
async def test_what_is_reset_beside_the_chains_is_found(statement: str, told: str, kept: Kept) -> None:
    with closing(open_store(kept.records).audit_log()) as log:
        log.request_approval(ASK)
        log.decide_approval("asked", RULING)
        log.pause("ada")
    assert kept.verify(anchored=False).exit_code == 0, kept.verify(anchored=False).output
    with tampering(kept.records) as db:
        assert db.execute(statement).rowcount > 0
    found = kept.verify(anchored=False)
    assert found.exit_code == 1
    assert told in found.stderr
