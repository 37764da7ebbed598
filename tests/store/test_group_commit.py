"""Who writes at the same moment is committed together, and each gets what became of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.audit import recorded, verify


def test_those_who_wait_are_committed_together_and_one_that_fails_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "records.sqlite3"
    with closing(SqliteAuditLog(path)) as records, ThreadPoolExecutor(20) as pool:
        entered, go_on = threading.Event(), threading.Event()
        check, commits = records._file.check_end, []

        def slow_check(seq: int, head: str) -> None:
            commits.append(1)
            entered.set()
            assert go_on.wait(30)
            check(seq, head)

        monkeypatch.setattr(records._file, "check_end", slow_check)
        first = pool.submit(records.append, "denial", "first", {})
        assert entered.wait(30)
        kinds: list[Any] = ["rumour" if number % 3 == 0 else "denial" for number in range(12)]
        others = [pool.submit(records.append, kind, f"call-{number}", {}) for number, kind in enumerate(kinds)]
        while len(records._group._waiting) < 13:
            pass
        go_on.set()
        first.result(30)
        for kind, future in zip(kinds, others, strict=True):
            if kind == "rumour":
                with pytest.raises(RecordError):
                    future.result(30)
            else:
                future.result(30)
    assert len(commits) == 1 + 1  # and that of closing
    assert len(recorded(path)) == 1 + 8
    assert verify(path).problems == ()


def test_nothing_is_left_of_work_that_fails_half_way(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with closing(SqliteAuditLog(path)) as records:

        def half() -> None:
            records._append("denial", "half", "{}")
            raise ValueError

        with pytest.raises(RecordError):
            records._run(half)
        records.append("denial", "whole", {})
    assert [event.invocation_id for event in recorded(path) if event.kind == "denial"] == ["whole"]
    assert verify(path).problems == ()


def test_where_the_disk_is_full_nobody_is_told_that_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with closing(SqliteAuditLog(path)) as records:
        pages = records._db.execute("PRAGMA page_count").fetchone()[0]
        records._db.execute(f"PRAGMA max_page_count = {pages + 5}")
        written: list[str] = []

        def work(number: int) -> None:
            for i in range(20):
                try:
                    records.append("denial", f"{number}-{i}", {"text": "x" * 500})
                    written.append(f"{number}-{i}")
                except RecordError:
                    pass

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert 0 < len(written) < 160
        assert sorted(event.invocation_id for event in recorded(path)) == sorted(written)
        records._db.execute("PRAGMA max_page_count = 100000")
        records.append("denial", "later", {})
    assert verify(path).problems == ()
