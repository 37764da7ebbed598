from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lambda_warden.store.audit_log import IdempotencyClaim, Limit, RecordError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from lambda_warden.store.sqlite.layout import LAYOUT
from support import killed
from support.audit import verify
from support.clock import Clock

Row = tuple[int, str, str, dict[str, Any]]


@contextmanager
def opened(path: Path) -> Iterator[SqliteAuditLog]:
    with closing(SqliteAuditLog(path)) as records:
        yield records


def rows(path: Path) -> list[Row]:
    """Number, kind, invocation id and body of all events but the starts of servers."""
    with closing(sqlite3.connect(path)) as db:
        select = "SELECT kind, invocation_id, body FROM events WHERE kind != 'start' ORDER BY position"
        found = db.execute(select).fetchall()
    return [(i, kind, invocation_id, json.loads(body)) for i, (kind, invocation_id, body) in enumerate(found, 1)]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_record_survives_a_process_that_dies_right_after_it(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    script = (
        "import os, sys; from pathlib import Path; from lambda_warden.store.sqlite.audit_log import SqliteAuditLog\n"
        "SqliteAuditLog(Path(sys.argv[1])).append('intent', 'call-1', {}); os._exit(9)"
    )

    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 9
    assert rows(path) == [(1, "intent", "call-1", {})]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET kind = 'denial'",
        "UPDATE events SET body = '{}' WHERE position = 1",
        "UPDATE OR REPLACE events SET position = 7 WHERE position = 1",
        "INSERT OR REPLACE INTO events VALUES (1, 'w', 1, '', 'denial', 'call-2', '{}', '')",
        "INSERT INTO events (writer, seq, at, kind, invocation_id, body, hash) VALUES ('w', 1, '', 'read', '', '', '')",
        "INSERT INTO events VALUES (4, 'w', 1, '', 'denial', 'call-2', '{}', '')",
        "INSERT INTO events VALUES (3, 'w', 2, '', 'denial', 'call-2', '{}', '')",
        "INSERT INTO events VALUES (0, 'w', 1, '', 'denial', 'call-2', '{}', '')",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = 1",
    ],
)
def test_the_file_itself_refuses_to_change_or_lose_a_record(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "records.sqlite3"
    with opened(path) as records:
        records.append("intent", "call-1", {"tool": "invoke_function"})
    kept = rows(path)

    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.DatabaseError, match="append-only"):
        db.execute(statement)
    assert rows(path) == kept


def test_nobody_else_can_read_the_records(tmp_path: Path) -> None:
    path = tmp_path / "state" / "records.sqlite3"
    before = os.umask(0o022)
    try:
        with opened(path) as records:
            records.append("intent", "call-1", {})
            files = sorted(path.parent.iterdir())
            modes = {file.name: mode(file) for file in files}
    finally:
        os.umask(before)

    assert mode(path.parent) == 0o700
    assert "records.sqlite3" in modes
    assert {mode for name, mode in modes.items() if name != "records.sqlite3-servers"} == {
        0o600
    }  # the write-ahead log holds records too


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    path.touch(mode=0o644)
    with opened(path):
        assert mode(path) == 0o600


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with opened(tmp_path / "records.sqlite3"):
        assert mode(tmp_path) == 0o750


def not_a_database(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database\n" * 100)
    return path


def another_database(tmp_path: Path) -> Path:
    path = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE records (name TEXT)")
    return path


def a_program_of_other_tables(tmp_path: Path) -> Path:
    path = tmp_path / "notes.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE notes (name TEXT)")
    return path


def below_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file" / "records.sqlite3"


def the_folder(tmp_path: Path) -> Path:
    return tmp_path


def a_name_too_long(tmp_path: Path) -> Path:
    return tmp_path / ("r" * 5000)


@pytest.mark.parametrize(
    "place",
    [not_a_database, another_database, a_program_of_other_tables, below_a_file, the_folder, a_name_too_long],
)
def test_a_path_that_cannot_hold_records_is_refused_at_the_start(tmp_path: Path, place: Any) -> None:
    path = place(tmp_path)

    with pytest.raises(RecordError) as caught:
        SqliteAuditLog(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("place", [not_a_database, another_database, a_program_of_other_tables])
def test_a_file_that_holds_something_else_is_left_as_it_was(tmp_path: Path, place: Any) -> None:
    path = place(tmp_path)
    before = path.read_bytes()

    with pytest.raises(RecordError):
        SqliteAuditLog(path)
    assert path.read_bytes() == before


def test_records_without_hashes_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE records (seq INTEGER PRIMARY KEY, at TEXT, kind TEXT, invocation_id TEXT, body TEXT)")

    with pytest.raises(RecordError, match=r"another version .* move it away, or name another file with --records"):
        SqliteAuditLog(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_leave_to_write_is_refused_at_the_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(RecordError):
        SqliteAuditLog(tmp_path / "records.sqlite3")


def test_no_record_is_written_after_an_end_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with opened(path) as records:
        for i in range(3):
            records.append("intent", f"call-{i}", {})
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("DROP TRIGGER events_no_delete")
            db.execute("DELETE FROM events WHERE position > 2")

        with pytest.raises(RecordError, match="counted 4 records, but its last is number 2"):
            records.append("intent", "call-4", {})
        with pytest.raises(RecordError):
            records.admit("call-4", {}, [], 1)
    assert len(rows(path)) == 1


@pytest.mark.parametrize("attempt", range(40))
def test_stores_that_open_a_new_file_at_once_share_it(tmp_path: Path, attempt: int) -> None:
    path = tmp_path / "records.sqlite3"
    ready = threading.Barrier(6)
    failures: list[Exception] = []

    def work() -> None:
        ready.wait()
        try:
            with opened(path) as records:
                records.append("reload", "", {})
        except Exception as error:  # noqa: BLE001 - a failure in a thread would go unseen
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert failures == []
    assert verify(path).count == 12


def test_processes_that_start_at_once_share_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    script = (
        "import sys; from pathlib import Path; from lambda_warden.store.sqlite.audit_log import SqliteAuditLog\n"
        "print('r', flush=True); sys.stdin.read(1)\n"
        "records = SqliteAuditLog(Path(sys.argv[1])); records.append('intent', 'call-1', {}); records.close()"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.read(1)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.flush()
    for process in processes:
        process.communicate()

    assert [process.returncode for process in processes] == [0] * 6
    assert verify(path).count == 12
    assert verify(path).problems == ()


def test_another_process_sees_the_question_and_then_nobody_else_does(records: SqliteAuditLog, path: Path) -> None:
    records.ask("q", "refund A-1", 60)
    script = (
        "import sys; from pathlib import Path; from lambda_warden.store.sqlite.audit_log import SqliteAuditLog\n"
        "records = SqliteAuditLog(Path(sys.argv[1])); print(records.answer('q', 'refund A-1')); records.close()"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "valid\n"
    assert records.answer("q", "refund A-1") == "used"


def test_processes_never_get_more_than_there_is(tmp_path: Path, path: Path) -> None:
    run = killed.Run(path, tmp_path / "starts", base=time.time())
    processes = [
        subprocess.Popen([sys.executable, killed.__file__, *run.arguments("p", calls=40)], stdout=subprocess.DEVNULL)
        for _ in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    history = run.history()
    assert len(run.starts()) == len(history.intents) > 0
    assert history.exceeded() == []
    assert verify(path).problems == ()


def test_a_file_of_another_layout_is_refused_and_left_alone(path: Path) -> None:
    with closing(SqliteAuditLog(path)):
        pass
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == LAYOUT
        for layout in (0, 1, LAYOUT + 1):
            db.execute(f"PRAGMA user_version = {layout}")
            with pytest.raises(RecordError, match="records of another version of lambda-warden"):
                SqliteAuditLog(path)
            with pytest.raises(RecordError, match="records of another version of lambda-warden"):
                verify(path)
            assert db.execute("PRAGMA user_version").fetchone()[0] == layout


def test_what_counts_no_longer_is_forgotten(path: Path, clock: Clock) -> None:
    def count(table: str) -> int:
        with closing(sqlite3.connect(path)) as db:
            return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608

    limit, other = Limit("k", per_minute=100), Limit("other", concurrent=20)
    with closing(SqliteAuditLog(path, clock=clock)) as records:
        for i in range(20):
            claim = IdempotencyClaim("local", f"order-{i}", f"x{i}", 1000)
            records.admit(f"call-{i}", {}, [limit, other], 100_000, claim)
            records.ask(f"q{i}", "refund", 60)
        for i in range(10):
            records.finish(f"call-{i}", {}, ran=True)
        assert [count(table) for table in ("admissions", "approvals", "calls")] == [40, 20, 20]
        clock.now += 86_460
        records.admit("late", {}, [limit], 60, IdempotencyClaim("local", "late", "x", 1000))
        records.ask("late", "refund", 60)
        # Ten calls may still be under way, and nobody asked for the other limit.
        assert [count(table) for table in ("admissions", "approvals", "calls")] == [31, 1, 11]
    clock.now += 100_000
    with closing(SqliteAuditLog(path, clock=clock)):
        assert [count(table) for table in ("admissions", "calls")] == [0, 0]
