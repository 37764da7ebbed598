"""Kept results: what is kept, for how long, for whom, and in how much room."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.results import CHUNK_BYTES, ResultError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from lambda_warden.store.sqlite.results import keeper
from lambda_warden.store.sqlite.results.keeper import SqliteResultStore
from lambda_warden.store.sqlite.results.reading import SqliteResultReader
from lambda_warden.store.sqlite.results.writing import OVERHEAD_BYTES
from support.clock import Clock
from support.kept import GB, keep, opened, read

LARGE = hashlib.shake_256(b"large").digest(3 * CHUNK_BYTES + 17)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "results.sqlite3"


def ids(path: Path) -> list[str]:
    """What stands in the file, complete or not."""
    with closing(sqlite3.connect(path)) as db:
        return [row[0] for row in db.execute("SELECT id FROM results ORDER BY seq")]


def chunks(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        count: int = db.execute("SELECT count(*) FROM chunks").fetchone()[0]
        return count


def counted_and_true_total(path: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(path)) as db:
        total: int = db.execute("SELECT bytes FROM total").fetchone()[0]
        true: int = db.execute("SELECT coalesce(sum(bytes), 0) FROM results").fetchone()[0]
    return total, true


def test_what_has_expired_is_removed_at_the_start_and_its_bytes_with_it(path: Path) -> None:
    clock, mark = Clock(), b"these bytes must go" * 1000
    with opened(path, clock=clock) as store:
        for i in range(100):
            keep(store, f"old-{i}", mark)
        clock.now += 10
        keep(store, "young", b"x")
    assert mark[:19] in path.read_bytes()
    clock.now += 3595
    with opened(path, clock=clock) as store:
        assert store.flush()
        assert ids(path) == ["young"]
    assert chunks(path) == 1
    assert counted_and_true_total(path) == (1 + OVERHEAD_BYTES,) * 2
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert mark[:19] not in path.read_bytes()


def test_what_has_expired_is_removed_as_it_goes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_PRUNE_SECONDS", 0.0)
    clock = Clock()
    with opened(path, clock=clock) as store:
        keep(store, "old", b"x")
        assert store.flush()
        clock.now += 3600
        keep(store, "young", b"x")
        assert store.flush()
        keep(store, "younger", b"x")
        assert store.flush()
        assert ids(path) == ["young", "younger"]


@given(sizes=st.lists(st.integers(1, 4000), max_size=12), limit=st.integers(2000, 12_000))
def test_the_newest_are_kept_as_far_as_there_is_room(
    tmp_path_factory: pytest.TempPathFactory, sizes: Sequence[int], limit: int
) -> None:
    path = tmp_path_factory.mktemp("results") / "results.sqlite3"
    expected: list[tuple[str, int]] = []
    with opened(path, max_bytes=limit) as store:
        for i, size in enumerate(sizes):
            kept = keep(store, f"call-{i}", bytes(size))
            assert (kept is not None) == (size + OVERHEAD_BYTES <= limit)
            if kept is not None:
                expected.append((f"call-{i}", size + OVERHEAD_BYTES))
                while sum(size for _, size in expected) > limit:
                    expected.pop(0)
    assert ids(path) == [name for name, _ in expected]
    assert counted_and_true_total(path) == (sum(size for _, size in expected),) * 2
    assert chunks(path) == len(expected)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another writer has the file, so that nothing is written."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def test_nobody_waits_for_a_full_queue_and_what_does_not_fit_is_not_kept(path: Path) -> None:
    with opened(path, queued_bytes=100) as store:
        assert store.flush()
        with held(path):
            assert keep(store, "slow", bytes(60)) is not None
            assert keep(store, "fits", bytes(40)) is not None
            assert keep(store, "too-much", bytes(1)) is None
        assert store.flush()
        assert keep(store, "later", bytes(5000)) is not None  # alone, it may pass
        assert store.flush()
        assert ids(path) == ["slow", "fits", "later"]


def test_the_queue_is_bounded_by_count(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "QUEUED_RESULTS", 2)
    with opened(path) as store:
        assert store.flush()
        with held(path):
            assert [keep(store, f"call-{i}", b"x") is not None for i in range(3)] == [True, True, False]


def test_a_reader_waits_for_what_is_still_to_be_written_of_its_result_alone(path: Path) -> None:
    with opened(path) as store, ThreadPoolExecutor(1) as pool:
        keep(store, "call-1", b"x")
        assert store.flush()
        with held(path):
            keep(store, "slow", b"slow")
            found = pool.submit(read, store, "slow")
            assert read(store, "call-1") == b"x"
            assert not found.done()
        assert found.result(30) == b"slow"


def test_closing_waits_no_longer_than_its_bound(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = SqliteResultStore(path, ttl_seconds=3600, max_bytes=GB)
    assert store.flush()
    with held(path):
        keep(store, "call-1", b"x")
        store.close(seconds=0.01)
    store._thread.join(30)
    assert ids(path) == []
    assert "1 results were not kept" in caplog.text


def test_the_file_and_its_folder_are_the_owners_alone(path: Path) -> None:
    mask = os.umask(0)
    try:
        with opened(path) as store:
            keep(store, "call-1", b"x")
            assert store.flush()
            for file in path.parent.iterdir():
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        path.chmod(0o644)
        with opened(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(mask)


def test_several_processes_share_a_file(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from support.kept import *\n"
        "with opened(Path(sys.argv[1])) as store:\n"
        "    for i in range(40): assert keep(store, f'{sys.argv[2]}-{i}', sys.argv[2].encode() * 1000)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(path)]
    with opened(path) as store:
        others = [subprocess.Popen([*command, name], env=environment) for name in ("a", "b")]
        for i in range(40):
            assert keep(store, f"c-{i}", b"c" * 1000)
        assert [other.wait(60) for other in others] == [0, 0]
        assert store.flush()
        assert read(store, "b-39") == b"b" * 1000
        assert sorted(ids(path)) == sorted(f"{name}-{i}" for name in "abc" for i in range(40))
    assert counted_and_true_total(path) == (120 * (1000 + OVERHEAD_BYTES),) * 2


def test_a_process_that_dies_harms_no_older_result(path: Path) -> None:
    with opened(path) as store:
        keep(store, "old", LARGE)
    script = (
        "import os, sys; from pathlib import Path; from support.kept import *\n"
        "store = SqliteResultStore(Path(sys.argv[1]), ttl_seconds=60, max_bytes=GB)\n"
        "keep(store, 'new', bytes(1000000)); os._exit(9)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(path)]
    assert subprocess.run(command, env=environment, check=False).returncode == 9
    with opened(path) as store:
        assert read(store, "old") == LARGE
        assert read(store, "new") in (None, bytes(1_000_000))


@pytest.mark.parametrize("content", ["text", "records", "other version", "other program"])
def test_a_file_that_holds_something_else_is_refused_and_left_as_it_is(path: Path, content: str) -> None:
    path.parent.mkdir()
    if content == "text":
        path.write_text("something else " * 100)
    elif content == "records":
        SqliteAuditLog(path).close()
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE results (id TEXT)" if content == "other version" else "CREATE TABLE t (id)")
    before = path.read_bytes()
    for open_it in (lambda: SqliteResultStore(path, ttl_seconds=1, max_bytes=1), lambda: SqliteResultReader(path)):
        with pytest.raises(ResultError, match=r"results\.sqlite3"):
            open_it()
    assert path.read_bytes() == before


def test_records_are_not_written_into_a_file_of_results(path: Path) -> None:
    with opened(path):
        pass
    with pytest.raises(RecordError, match="another program"):
        SqliteAuditLog(path)


def test_a_reader_makes_no_file(path: Path) -> None:
    with pytest.raises(ResultError, match="can't be read"):
        SqliteResultReader(path)
    path.parent.mkdir()
    path.touch()
    with pytest.raises(ResultError, match="no server has written to it yet"):
        SqliteResultReader(path)
    assert path.stat().st_size == 0


def test_a_full_disk_costs_the_result_and_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(path) as store:
        keep(store, "call-1", b"x")
        assert store.flush()
        store._file._db.execute("PRAGMA max_page_count = 20")
        keep(store, "call-2", LARGE)
        assert read(store, "call-2") is None
        assert read(store, "call-1") == b"x"
    assert "a result could not be kept: database or disk is full" in caplog.text


@pytest.mark.parametrize("change", ["moved", "deleted", "folder deleted"])
def test_a_file_that_is_gone_costs_what_it_held_and_no_result_after_that(
    path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(path) as store:
        keep(store, "call-1", b"one")
        assert read(store, "call-1") == b"one"
        match change:
            case "moved":
                path.rename(path.with_name("moved"))
            case "deleted":
                path.unlink()
            case _:
                shutil.rmtree(path.parent)
        keep(store, "call-2", b"two")
        assert store.flush()
        assert read(store, "call-2") == b"two"
        assert str(path) in caplog.text
    with opened(path) as store:
        assert read(store, "call-2") == b"two"


def test_a_file_without_its_log_keeps_nothing_until_it_is_opened_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(path) as store:
        keep(store, "call-1", b"one")
        assert store.flush()
        Path(f"{path}-wal").unlink()
        keep(store, "call-2", b"two")
        assert store.flush()
        assert "until the server is started again" in caplog.text
        with pytest.raises(ResultError, match="-wal was deleted"):
            read(store, "call-1")
    with opened(path) as store:
        assert read(store, "call-1") == b"one"
        assert read(store, "call-2") is None
        keep(store, "call-3", b"three")
        assert read(store, "call-3") == b"three"
