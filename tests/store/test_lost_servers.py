"""What a server that was killed left behind is known at once, and an answer that was sealed stays so."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lambda_warden.store.audit_log import SERVER_LOST, IdempotencyClaim, IdempotencyHit, Limit, LimitExceeded
from lambda_warden.store.seal import Seal
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.audit import reading, recorded, verify

LIMIT = Limit("rule", concurrent=1)
CLAIM = IdempotencyClaim("local", "order-1", "x", 86_400)
KILLED = """
import os, sys
from pathlib import Path
from lambda_warden.store.audit_log import IdempotencyClaim, Limit
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog

records = SqliteAuditLog(Path(sys.argv[1]))
claim = IdempotencyClaim("local", "order-1", "x", 86400)
assert records.admit("call-1", {}, [Limit("rule", concurrent=1)], 30.0, claim) is None
os._exit(9)
"""


def killed(path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False).returncode == 9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite3"


def assert_lost(path: Path) -> None:
    (intent, outcome) = recorded(path)[:2]
    assert (intent.kind, outcome.kind, outcome.invocation_id) == ("intent", "outcome", "call-1")
    assert (outcome.fields()["outcome"], outcome.fields()["error"]) == ("unknown", SERVER_LOST)
    assert intent.writer != outcome.writer
    assert verify(path).problems == ()


def test_the_next_server_knows_that_the_calls_of_a_killed_one_are_unknown(path: Path) -> None:
    killed(path)
    with closing(SqliteAuditLog(path)) as records:
        assert records.claimed_by(CLAIM) == IdempotencyHit("call-1", "lost")
        assert_lost(path)
        # The function may still run: its slot is free when it can't any more.
        met = records.admit("call-2", {}, [LIMIT], 30.0)
        assert isinstance(met, LimitExceeded)
        assert met.retry_after_seconds is not None
        assert 0 < met.retry_after_seconds <= 30
    with closing(SqliteAuditLog(path)):
        assert len([event for event in recorded(path) if event.kind == "outcome"]) == 1


def test_a_server_that_was_there_before_finds_out_when_it_looks(path: Path) -> None:
    with closing(SqliteAuditLog(path)) as records:
        killed(path)
        assert records.claimed_by(CLAIM) == IdempotencyHit("call-1", "lost")
        assert_lost(path)


def test_who_reads_sees_it_without_any_server(path: Path) -> None:
    killed(path)
    with reading(path) as reader:
        (entry,) = reader.entries(["intent"])
    assert entry.server_lost


def test_a_server_that_lives_is_left_alone(path: Path) -> None:
    with closing(SqliteAuditLog(path)) as one:
        assert one.admit("call-1", {}, [LIMIT], 30.0, CLAIM) is None
        with closing(SqliteAuditLog(path)) as other:
            assert other.claimed_by(CLAIM) == IdempotencyHit("call-1", "in_progress")
        with reading(path) as reader:
            assert not next(reader.entries(["intent"])).server_lost
        one.finish("call-1", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
        assert one.claimed_by(CLAIM) == IdempotencyHit("call-1", "ended", "{}", "succeeded")


def test_an_answer_under_a_key_stands_sealed_in_the_file(path: Path) -> None:
    with closing(SqliteAuditLog(path, seal=Seal(bytes(range(32))))) as records:
        assert records.admit("call-1", {}, [], 30.0, CLAIM) is None
        records.finish("call-1", {"outcome": "succeeded"}, ran=True, result=lambda: "what nobody else may read")
        files = b"".join(file.read_bytes() for file in path.parent.iterdir() if file.is_file())
    assert b"nobody else" not in files + path.read_bytes()


BEGINNING = """
import os, sys
from pathlib import Path
from lambda_warden.store.audit_log import IdempotencyClaim
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog

records = SqliteAuditLog(Path(sys.argv[1]))
claim = IdempotencyClaim("local", None, "x", 86400, repeatable=sys.argv[2] == "read")
"""
STARTS = BEGINNING + 'assert records.admit("call-1", {}, [], 30.0, claim) is None\n'
ENDS = (
    STARTS
    + """
records.leaving("call-1")
records.note_leaving()
records.finish("call-1", {"outcome": "succeeded"}, ran=True, result=lambda: "{}", delivered=lambda: False)
"""
)
WAITS = BEGINNING + 'assert records.admit("call-2", {}, [], 30.0, claim).state == "left"\n'


def run_and_kill(script: str, path: Path, effect: str = "write") -> None:
    command = [sys.executable, "-c", script + "os._exit(9)", str(path), effect]
    assert subprocess.run(command, check=False).returncode == 9


def same(effect: str = "write", after: str | None = None) -> IdempotencyClaim:
    return IdempotencyClaim("local", None, "x", 86_400, repeatable=effect == "read", after_unknown=after)


@pytest.mark.parametrize("was_there", [False, True], ids=["the next server", "one that was there before"])
def test_the_same_call_has_to_name_one_whose_server_was_killed(was_there: bool, path: Path) -> None:
    if not was_there:
        run_and_kill(STARTS, path)
    with closing(SqliteAuditLog(path)) as records:
        if was_there:
            run_and_kill(STARTS, path)
        met = IdempotencyHit("call-1", "may_have_run", adopted=True)
        assert records.claimed_by(same()) == met
        assert records.fetch("call-1", "local") == IdempotencyHit("call-1", "lost")
        assert records.admit("call-2", {}, [], 30.0, same()) == met
        assert records.admit("call-2", {}, [], 30.0, same(after="call-1")) is None
        assert_lost(path)


def test_that_a_call_which_only_reads_was_lost_is_told_once(path: Path) -> None:
    run_and_kill(STARTS, path, "read")
    with closing(SqliteAuditLog(path)) as records:
        assert records.claimed_by(same("read")) == IdempotencyHit("call-1", "lost", adopted=True)
        assert records.admit("call-2", {}, [], 30.0, same("read")) is None


def test_an_answer_that_reached_nobody_outlives_its_server(path: Path) -> None:
    run_and_kill(ENDS, path)
    with closing(SqliteAuditLog(path)) as records:
        ended = IdempotencyHit("call-1", "ended", "{}", "succeeded", adopted=True)
        assert records.admit("call-2", {}, [], 30.0, same()) == ended
        assert records.admit("call-2", {}, [], 30.0, same()) is None


def test_nobody_waits_whose_server_was_killed(path: Path) -> None:
    """The call goes on at another server, and is the next one's."""
    with closing(SqliteAuditLog(path)) as records:
        assert records.admit("call-1", {}, [], 30.0, same()) is None
        records.leaving("call-1")
        records.note_leaving()
        run_and_kill(WAITS, path)
        assert records.claimed_by(same()) == IdempotencyHit("call-1", "left", adopted=True)
        assert records.claimed_by(same()) == IdempotencyHit("call-1", "in_progress", adopted=True)
