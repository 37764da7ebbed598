"""A person's answer is good once, for exactly what was asked, and in time."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.clock import START, Clock


def kept(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        count: int = db.execute("SELECT count(*) FROM approvals").fetchone()[0]
        return count


def test_an_answer_is_valid_once(records: SqliteAuditLog) -> None:
    records.ask("q", "refund A-1", 60)
    assert records.answer("q", "refund A-1") == "valid"
    assert records.answer("q", "refund A-1") == "used"
    assert records.answer("q", "refund A-2") == "used"


def test_what_was_never_asked_is_unknown(records: SqliteAuditLog) -> None:
    records.ask("q", "refund A-1", 60)
    assert records.answer("Q", "refund A-1") == "unknown"
    assert records.answer("q", "refund A-1") == "valid"


def test_an_answer_to_something_else_uses_the_question_up(records: SqliteAuditLog) -> None:
    records.ask("q", "refund A-1", 60)
    assert records.answer("q", "refund A-2") == "changed"
    assert records.answer("q", "refund A-1") == "used"


def test_an_answer_that_comes_too_late_uses_the_question_up(records: SqliteAuditLog, clock: Clock) -> None:
    records.ask("q", "refund A-1", 60)
    clock.now = START + 60
    assert records.answer("q", "refund A-1") == "expired"
    clock.now = START
    assert records.answer("q", "refund A-1") == "used"


def test_an_answer_in_the_last_moment_is_valid(records: SqliteAuditLog, clock: Clock) -> None:
    records.ask("q", "refund A-1", 60)
    clock.now = START + 59.999
    assert records.answer("q", "refund A-1") == "valid"


def test_the_same_question_is_not_asked_twice(records: SqliteAuditLog) -> None:
    records.ask("q", "refund A-1", 60)
    assert records.answer("q", "refund A-1") == "valid"
    with pytest.raises(RecordError):
        records.ask("q", "refund A-1", 120)
    assert records.answer("q", "refund A-1") == "used"


def test_questions_that_expired_long_ago_are_forgotten(records: SqliteAuditLog, path: Path, clock: Clock) -> None:
    for i in range(10):
        records.ask(f"q{i}", "refund", 60)
    records.answer("q0", "refund")
    clock.now = START + 3600
    records.ask("another", "refund", 60)
    assert kept(path) == 11
    clock.now = START + 60 + 86_400
    records.ask("a third", "refund", 60)
    assert kept(path) == 2
    assert records.answer("q1", "refund") == "unknown"


def test_another_process_sees_the_question_and_then_nobody_else_does(records: SqliteAuditLog, path: Path) -> None:
    records.ask("q", "refund A-1", 60)
    script = (
        "import sys; from pathlib import Path; from lambda_warden.store.sqlite.audit_log import SqliteAuditLog\n"
        "records = SqliteAuditLog(Path(sys.argv[1])); print(records.answer('q', 'refund A-1')); records.close()"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "valid\n"
    assert records.answer("q", "refund A-1") == "used"


def test_of_many_answers_at_once_one_is_valid(path: Path, clock: Clock) -> None:
    questions, threads = 20, 8
    ready = threading.Barrier(threads)
    answers: list[tuple[int, str]] = []

    def work(records: SqliteAuditLog) -> None:
        ready.wait()
        answers.extend([(i, records.answer(f"q{i}", "refund")) for i in range(questions)])

    with closing(SqliteAuditLog(path, clock=clock)) as one, closing(SqliteAuditLog(path, clock=clock)) as other:
        for i in range(questions):
            one.ask(f"q{i}", "refund", 60)
        workers = [threading.Thread(target=work, args=((one, other)[i % 2],)) for i in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    expected = {(i, "valid"): 1 for i in range(questions)} | {(i, "used"): threads - 1 for i in range(questions)}
    assert Counter(answers) == expected
