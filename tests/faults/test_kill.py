"""Servers are killed at any point: what they started is on record, and no limit was exceeded before or after.

`KILL_ROUNDS=200` makes it a long run.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import killed
from support.audit import verify

ROUNDS = int(os.environ.get("KILL_ROUNDS", "15"))


def run_and_kill(run: killed.Run, principal: str) -> None:
    """Two servers on one file, killed at points of their own: while they open it, while they write, while they wait."""
    servers = [
        subprocess.Popen([sys.executable, killed.__file__, *run.arguments(principal)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for server in servers:
        assert server.stdout is not None
        assert server.stdout.readline() == b"here\n"
    for server in servers:
        time.sleep(secrets.randbelow(200_000) / 1e6)
        server.kill()
    for server in servers:
        server.communicate()
        assert server.returncode == -signal.SIGKILL


@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_what_killed_servers_started_is_on_record_and_within_the_limits(tmp_path: Path) -> None:
    run = killed.Run(tmp_path / "records.sqlite3", tmp_path / "starts", base=time.time())
    recorded: list[str] = []
    for number in range(ROUNDS):
        run_and_kill(run, principal=f"p{number // 5}")

        history, starts = run.history(), run.starts()
        if history.records:
            assert verify(run.path).problems == ()
            assert run.counted_beyond() == []
        intents = [record.invocation_id for record in history.intents]
        assert len(set(starts)) == len(starts)
        assert set(starts) <= set(intents)
        assert {record.invocation_id for record in history.outcomes} <= set(starts)
        hashes = [record.hash for record in history.records]
        assert hashes[: len(recorded)] == recorded  # nothing that was there is lost
        recorded = hashes
        assert history.exceeded() == []
    open_ended = len(intents) - len(history.outcomes)
    print(f"{ROUNDS} rounds: {len(intents)} intents, {len(starts)} starts, {open_ended} without an outcome")
    assert starts
