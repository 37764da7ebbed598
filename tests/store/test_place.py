"""A file that is moved, deleted, replaced or cut under a running server: no call is sent that the path won't know."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lambda_warden.store.audit_log import IdempotencyClaim, IdempotencyHit, RecordError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.audit import reading
from support.store_process import ServerRefusedError, store_process


def move(path: Path) -> None:
    path.rename(path.with_name("moved"))


def move_all(path: Path) -> None:
    for file in list(path.parent.glob(f"{path.name}*")):
        file.rename(file.with_name(file.name.replace(path.name, "moved")))


def delete(path: Path) -> None:
    path.unlink()


def copy_in_its_place(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def link_in_its_place(path: Path) -> None:
    move(path)
    path.symlink_to(path.with_name("moved"))


def empty_in_its_place(path: Path) -> None:
    move(path)
    path.touch()


def another_in_its_place(path: Path) -> None:
    move_all(path)
    SqliteAuditLog(path).close()


def cut(path: Path) -> None:
    os.truncate(path, 0)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def without_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def without_index(path: Path) -> None:
    Path(f"{path}-shm").unlink()


def without_both(path: Path) -> None:
    without_log(path)
    without_index(path)


def another_log(path: Path) -> None:
    without_log(path)
    Path(f"{path}-wal").touch()


def log_cut(path: Path) -> None:
    os.truncate(f"{path}-wal", 0)


def log_cut_in_half(path: Path) -> None:
    cut_in_half(Path(f"{path}-wal"))


def log_short_of_a_byte(path: Path) -> None:
    os.truncate(f"{path}-wal", Path(f"{path}-wal").stat().st_size - 1)


def log_zeroed(path: Path) -> None:
    zero(Path(f"{path}-wal"), Path(f"{path}-wal").stat().st_size)


def log_without_head(path: Path) -> None:
    zero(Path(f"{path}-wal"), 32)


def zero(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.write(bytes(size))


def folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def folder_replaced(path: Path) -> None:
    folder_moved(path)
    SqliteAuditLog(path).close()


def written_over(path: Path) -> None:
    older = path.with_name("older")
    SqliteAuditLog(older).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")  # else the log would hold all of it, and nothing were lost
    with older.open("rb") as source, path.open("r+b") as target:
        shutil.copyfileobj(source, target)
    os.utime(path, (1, 1))


CHANGES: list[Callable[[Path], None]] = [
    move,
    move_all,
    delete,
    copy_in_its_place,
    link_in_its_place,
    empty_in_its_place,
    another_in_its_place,
    cut,
    cut_in_half,
    without_log,
    without_index,
    without_both,
    another_log,
    log_cut,
    log_cut_in_half,
    log_short_of_a_byte,
    log_zeroed,
    log_without_head,
    folder_moved,
    folder_replaced,
    written_over,
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "records.sqlite3"


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_no_call_is_sent_that_the_path_does_not_know(file: Path, change: Callable[[Path], None]) -> None:
    with store_process(file) as running:
        assert running.call("before") == "started"
        change(file)
        for _ in range(2):
            said = running.call("after")
            assert said.startswith("denied")
            assert str(file) in said


@pytest.mark.parametrize("kill", [False, True], ids=["ended", "killed"])
@pytest.mark.parametrize("change", [without_log, without_index, without_both])
def test_keys_that_stood_in_a_log_that_was_deleted_are_taken_after_a_restart(
    file: Path, change: Callable[[Path], None], kill: bool
) -> None:
    with store_process(file, kill=kill) as running:
        for number in range(3):
            assert running.call(f"key-{number}") == "started"
        change(file)
        assert running.call("after").startswith("denied")
    with store_process(file) as again:
        assert [again.call(f"key-{number}") for number in range(3)] == ["lost"] * 3
        assert again.call("after") == "started"


@pytest.mark.parametrize("change", [move, move_all, copy_in_its_place, link_in_its_place, empty_in_its_place])
def test_what_was_moved_away_is_whole_and_goes_on_where_it_is_put_back(
    file: Path, change: Callable[[Path], None]
) -> None:
    with store_process(file, kill=True) as running:
        assert running.call("before") == "started"
        if change is copy_in_its_place:
            os.link(file, file.with_name("moved"))
        change(file)
        assert running.call("after").startswith("denied")
    for side in ("", "-wal", "-shm"):
        Path(f"{file}{side}").unlink(missing_ok=True)
    file.with_name("moved").rename(file)
    with store_process(file) as again:
        assert again.call("before") == "lost"
        assert again.call("after") == "started"


@pytest.mark.parametrize("change", [log_cut, log_cut_in_half, log_short_of_a_byte, log_zeroed, log_without_head])
def test_a_file_whose_log_was_cut_is_not_served_before_a_person_says_so(
    file: Path, change: Callable[[Path], None]
) -> None:
    with store_process(file, kill=True) as one, store_process(file, kill=True) as other:
        assert one.call("a") == "started"
        assert other.call("b") == "started"
        assert one.call("c") == "started"
        change(file)
        for running in (other, one, other):
            assert running.call("after").startswith("denied")
    with pytest.raises(ServerRefusedError), store_process(file):
        pass
    Path(f"{file}-lost").unlink()
    with store_process(file) as again:
        assert again.call("after") == "started"


def test_a_file_that_comes_back_serves_on(file: Path) -> None:
    with store_process(file) as running:
        assert running.call("one") == "started"
        move(file)
        assert running.call("two").startswith("denied")
        file.with_name("moved").rename(file)
        assert running.call("two") == "started"
        assert running.call("one") == "in_progress"


def test_a_file_behind_a_link_is_served_until_the_link_leads_elsewhere(file: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    file.parent.symlink_to(tmp_path / "one")
    with store_process(file) as running:
        assert running.call("a") == "started"
        file.parent.unlink()
        file.parent.symlink_to(tmp_path / "other")
        assert running.call("b").startswith("denied")


def test_a_file_that_is_moved_between_the_look_and_the_commit_starts_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SqliteAuditLog(file)) as records:
        monkeypatch.setattr("lambda_warden.store.sqlite.audit_log.limits.take", lambda *_: move(file))
        with pytest.raises(RecordError, match="moved or deleted"):
            records.admit("call-1", {}, [], 900.0)


@pytest.mark.parametrize("change", [log_cut, log_zeroed, log_without_head])
def test_a_log_that_is_cut_between_the_look_and_the_commit_starts_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    with closing(SqliteAuditLog(file)) as records:
        with monkeypatch.context() as patch:
            patch.setattr("lambda_warden.store.sqlite.audit_log.limits.take", lambda *_: change(file))
            with pytest.raises(RecordError, match="is not what it was: its -wal was"):
                records.admit("call-1", {}, [], 900.0)
        with pytest.raises(RecordError, match="is not what it was"):
            records.admit("call-2", {}, [], 900.0)


@pytest.mark.parametrize("read", ["claimed_by", "answer", "ask"])
def test_nothing_is_read_either(file: Path, read: str) -> None:
    with closing(SqliteAuditLog(file)) as records:
        records.ask("q", "x", 60)
        delete(file)
        calls: dict[str, Callable[[], object]] = {
            "claimed_by": lambda: records.claimed_by(IdempotencyClaim("local", "key", "x", 86_400)),
            "answer": lambda: records.answer("q", "x"),
            "ask": lambda: records.ask("q2", "x", 60),
        }
        with pytest.raises(RecordError, match="moved or deleted"):
            calls[read]()


def test_a_file_that_was_cut_to_nothing_is_not_taken_for_a_new_one(file: Path) -> None:
    with store_process(file, kill=True) as running:
        assert running.call("before") == "started"
    cut(file)
    with pytest.raises(RecordError, match="was cut to nothing"):
        SqliteAuditLog(file)


def test_checkpoints_of_servers_that_share_a_file_are_no_problem(file: Path) -> None:
    with closing(SqliteAuditLog(file)) as one, closing(SqliteAuditLog(file)) as other:
        for number in range(120):
            (one, other)[number % 2].append("reload", f"call-{number}", {"text": "x" * 5000})
            if number % 10 == 0:
                with closing(sqlite3.connect(file)) as third:
                    third.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        first = IdempotencyClaim("local", "key", "x", 86_400)
        assert one.admit("call", {}, [], 900.0, first) is None
        assert other.claimed_by(first) == IdempotencyHit("call", "in_progress")
    with reading(file) as reader:
        assert reader.last() == 123
