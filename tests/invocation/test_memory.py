"""Large answers that come at once: how much memory is taken in all, and who waits for whom."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from lambda_warden import memory
from lambda_warden.memory import LARGE_BYTES, turn_for
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.builders import NAME
from support.calls import LIMIT_SECONDS
from support.large_calls import execution
from support.scripted_endpoint import Reply, ScriptedEndpoint

CALLS = 20
ANSWER = json.dumps([{"id": i, "password": "hunter2"} for i in range(190_000)]).encode()


def peak(endpoint: ScriptedEndpoint, folder: Path, calls: int) -> int:
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "support.large_calls", endpoint.url, str(folder), str(calls)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
    )
    seen, size = done.stdout.splitlines()
    assert seen == f"succeeded {len(ANSWER)}"
    return int(size)


def hold_a_turn(size: int, inside: threading.Barrier | threading.Event, free: threading.Event) -> None:
    with turn_for(size):
        inside.wait(LIMIT_SECONDS) if isinstance(inside, threading.Barrier) else inside.set()
        assert free.wait(LIMIT_SECONDS)


@contextmanager
def all_turns_taken() -> Iterator[None]:
    inside, free = threading.Barrier(memory._AT_ONCE + 1), threading.Event()
    holders = [
        threading.Thread(target=hold_a_turn, args=(LARGE_BYTES + 1, inside, free)) for _ in range(memory._AT_ONCE)
    ]
    for holder in holders:
        holder.start()
    inside.wait(LIMIT_SECONDS)
    try:
        yield
    finally:
        free.set()
        for holder in holders:
            holder.join(LIMIT_SECONDS)


def test_what_is_large_waits_and_what_is_small_does_not() -> None:
    inside, free = threading.Event(), threading.Event()
    free.set()
    waiting = threading.Thread(target=hold_a_turn, args=(LARGE_BYTES + 1, inside, free))
    with all_turns_taken():
        waiting.start()
        with turn_for(LARGE_BYTES):
            pass
        assert not memory._turns.acquire(blocking=False)
        assert not inside.is_set()
    waiting.join(LIMIT_SECONDS)
    assert inside.is_set()


def test_a_turn_ends_with_an_error() -> None:
    for _ in range(memory._AT_ONCE + 1):
        with pytest.raises(ValueError, match="defect"), turn_for(LARGE_BYTES + 1):
            raise ValueError("defect")


def test_a_call_is_sent_and_small_ones_are_answered_while_large_answers_wait(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    answered = threading.Event()

    def large(_: object) -> Reply:
        answered.set()
        return Reply(body=ANSWER)

    endpoint.behaviours |= {NAME: large, "small": lambda _: Reply(body=b"{}")}
    with closing(SqliteAuditLog(tmp_path / "records.sqlite3")) as records, ThreadPoolExecutor(1) as pool:
        carry_out = execution(records, endpoint.url)
        with all_turns_taken():
            ending = pool.submit(carry_out, NAME)
            assert answered.wait(LIMIT_SECONDS)
            assert carry_out("small").result.outcome == "succeeded"
            assert not ending.done()
        assert ending.result(LIMIT_SECONDS).result.payload_bytes == len(ANSWER)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
def test_twenty_large_answers_at_once_take_little_more_than_their_bytes(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours[NAME] = lambda _: Reply(body=ANSWER)
    alone, together = peak(endpoint, tmp_path / "alone", 1), peak(endpoint, tmp_path / "together", CALLS)
    # Each has its bytes, and its redacted bytes wait to be written; as values, which take thirteen times that, few are
    # there at once.
    assert together - alone < 5 * CALLS * len(ANSWER)
