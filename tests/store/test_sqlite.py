from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.store.audit_log import Field, Kind, Limit, RecordError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.audit import verify
from support.clock import Clock

KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "start")

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


def test_records_are_kept_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with opened(path) as records:
        for kind in KINDS:
            records.append(kind, "call-1", {"tool": "invoke_function", "payload_bytes": 2, "ok": True, "share": 0.5})

    body = {"tool": "invoke_function", "payload_bytes": 2, "ok": True, "share": 0.5}
    assert rows(path) == [(seq, kind, "call-1", body) for seq, kind in enumerate(KINDS, 1)]


def test_a_record_has_the_time_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    before = datetime.now(UTC)
    with opened(path) as records:
        records.append("intent", "call-1", {})
    after = datetime.now(UTC)

    with closing(sqlite3.connect(path)) as db:
        at = datetime.fromisoformat(db.execute("SELECT at FROM events WHERE kind != 'start'").fetchone()[0])
    assert at.utcoffset() == timedelta(0)
    assert before - timedelta(milliseconds=1) <= at <= after


def test_fields_without_a_value_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with opened(path) as records:
        records.append("intent", "call-1", {"absent": None, "zero": 0, "no": False, "empty": ""})

    assert rows(path) == [(1, "intent", "call-1", {"zero": 0, "no": False, "empty": ""})]


def test_a_record_can_be_read_by_others_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with opened(path) as records:
        records.append("intent", "call-1", {})
        assert len(rows(path)) == 1


def test_a_record_survives_a_process_that_dies_right_after_it(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    script = (
        "import os, sys; from pathlib import Path; from lambda_warden.store.sqlite.audit_log import SqliteAuditLog\n"
        "SqliteAuditLog(Path(sys.argv[1])).append('intent', 'call-1', {}); os._exit(9)"
    )

    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 9
    assert rows(path) == [(1, "intent", "call-1", {})]


def test_records_survive_reopening_and_go_on_counting(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    for i in range(3):
        with opened(path) as records:
            records.append("intent", f"call-{i}", {})

    assert [(seq, invocation_id) for seq, _, invocation_id, _ in rows(path)] == [
        (1, "call-0"),
        (2, "call-1"),
        (3, "call-2"),
    ]


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


def test_the_file_takes_no_record_of_an_unknown_kind(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with opened(path) as records, pytest.raises(RecordError):
        records.append("rumour", "call-1", {})  # type: ignore[arg-type]

    assert rows(path) == []


def test_two_stores_on_one_file_lose_nothing_under_many_threads(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    threads, each = 8, 25
    ready = threading.Barrier(2 * threads)
    failures: list[Exception] = []

    def work(records: SqliteAuditLog, worker: str) -> None:
        ready.wait()
        try:
            for i in range(each):
                records.append("intent", f"{worker}-{i}", {"worker": worker})
        except Exception as error:  # noqa: BLE001 - a failure in a thread would go unseen
            failures.append(error)

    with opened(path) as one, opened(path) as other:
        workers = [
            threading.Thread(target=work, args=(records, f"{name}{i}"))
            for i in range(threads)
            for name, records in (("one", one), ("other", other))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    assert failures == []
    found = [invocation_id for _, _, invocation_id, _ in rows(path)]
    assert len(found) == 2 * threads * each
    for name in (f"{store}{i}" for store in ("one", "other") for i in range(threads)):
        assert [each_id for each_id in found if each_id.startswith(f"{name}-")] == [f"{name}-{i}" for i in range(each)]


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


def test_a_closed_store_takes_no_more_records(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with opened(path) as records:
        records.append("intent", "call-1", {})

    with pytest.raises(RecordError):
        records.append("outcome", "call-1", {})
    assert len(rows(path)) == 1


def test_a_store_may_be_closed_twice(tmp_path: Path) -> None:
    records = SqliteAuditLog(tmp_path / "records.sqlite3")
    records.close()
    records.close()


fields = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())


@given(st.lists(st.dictionaries(st.text(), fields), max_size=5))
def test_any_fields_are_read_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[dict[str, Field]]
) -> None:
    path = tmp_path_factory.mktemp("records") / "records.sqlite3"
    with opened(path) as records:
        for body in bodies:
            records.append("intent", "call-1", body)

    assert [body for _, _, _, body in rows(path)] == [
        {key: value for key, value in body.items() if value is not None} for body in bodies
    ]


@pytest.mark.parametrize("body", [{"share": float("nan")}, {"share": float("inf")}, {"what": b"bytes"}, {"what": {1}}])
def test_what_cannot_be_written_as_json_is_not_recorded_and_nothing_is_taken(
    tmp_path: Path, body: dict[str, Any]
) -> None:
    path = tmp_path / "records.sqlite3"
    bucket = Limit("rule", per_day=1)
    with opened(path) as records:
        with pytest.raises(RecordError):
            records.append("denial", "call-1", body)
        with pytest.raises(RecordError):
            records.admit("call-1", body, [bucket], 1)
        assert records.admit("call-1", {}, [bucket], 1) is None
    assert [kind for _, kind, _, _ in rows(path)] == ["intent"]


def test_an_id_that_cannot_be_written_is_not_recorded_and_nothing_is_taken(tmp_path: Path) -> None:
    bucket = Limit("rule", per_day=1)
    with opened(tmp_path / "records.sqlite3") as records:
        with pytest.raises(RecordError):
            records.admit("\ud800", {}, [bucket], 1)
        assert records.admit("call-1", {}, [bucket], 1) is None


@pytest.mark.parametrize("now", [float("nan"), float("inf"), 1e300])
@pytest.mark.parametrize("which", ["time_of_day", "elapsed"])
def test_a_clock_that_tells_no_time_stops_the_calls(
    tmp_path: Path, now: float, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "records.sqlite3", Clock()
    with closing(SqliteAuditLog(path, clock=clock)) as records:
        monkeypatch.setattr(clock, which, lambda: now)
        with pytest.raises(RecordError):
            records.admit("call-1", {}, [Limit("rule", per_day=1)], 1)
    assert rows(path) == []


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


def test_a_call_that_ends_frees_nothing_if_its_outcome_cannot_be_written(tmp_path: Path) -> None:
    bucket = Limit("rule", concurrent=1)
    with opened(tmp_path / "records.sqlite3") as records:
        assert records.admit("call-1", {}, [bucket], 1000) is None
        with pytest.raises(RecordError):
            records.finish("call-1", {"share": float("nan")}, ran=True)
        assert records.admit("call-2", {}, [bucket], 1000) is not None


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
