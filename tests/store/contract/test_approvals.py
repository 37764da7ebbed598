"""A person's answer is good once, for exactly what was asked, and in time."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import closing

import pytest

from lambda_warden.store.audit_log import AuditLog, RecordError
from lambda_warden.store.opening import Store
from support.clock import START, Clock


def test_an_answer_is_valid_once(records: AuditLog) -> None:
    records.ask("q", "refund A-1", 60)
    assert records.answer("q", "refund A-1") == "valid"
    assert records.answer("q", "refund A-1") == "used"
    assert records.answer("q", "refund A-2") == "used"


def test_what_was_never_asked_is_unknown(records: AuditLog) -> None:
    records.ask("q", "refund A-1", 60)
    assert records.answer("Q", "refund A-1") == "unknown"
    assert records.answer("q", "refund A-1") == "valid"


def test_an_answer_to_something_else_uses_the_question_up(records: AuditLog) -> None:
    records.ask("q", "refund A-1", 60)
    assert records.answer("q", "refund A-2") == "changed"
    assert records.answer("q", "refund A-1") == "used"


def test_an_answer_that_comes_too_late_uses_the_question_up(records: AuditLog, clock: Clock) -> None:
    records.ask("q", "refund A-1", 60)
    clock.now = START + 60
    assert records.answer("q", "refund A-1") == "expired"
    clock.now = START
    assert records.answer("q", "refund A-1") == "used"


def test_an_answer_in_the_last_moment_is_valid(records: AuditLog, clock: Clock) -> None:
    records.ask("q", "refund A-1", 60)
    clock.now = START + 59.999
    assert records.answer("q", "refund A-1") == "valid"


def test_the_same_question_is_not_asked_twice(records: AuditLog) -> None:
    records.ask("q", "refund A-1", 60)
    assert records.answer("q", "refund A-1") == "valid"
    with pytest.raises(RecordError):
        records.ask("q", "refund A-1", 120)
    assert records.answer("q", "refund A-1") == "used"


def test_a_question_that_expired_long_ago_is_unknown(records: AuditLog, clock: Clock) -> None:
    records.ask("q", "refund A-1", 60)
    clock.now = START + 60 + 86_400
    records.ask("another", "refund A-1", 60)
    assert records.answer("q", "refund A-1") == "unknown"


@pytest.mark.usefixtures("race")
def test_of_many_answers_at_once_one_is_valid(store: Store, clock: Clock) -> None:
    questions, threads = 20, 8
    ready = threading.Barrier(threads)
    answers: list[tuple[int, str]] = []

    def work(records: AuditLog) -> None:
        ready.wait()
        answers.extend([(i, records.answer(f"q{i}", "refund")) for i in range(questions)])

    with closing(store.audit_log(clock=clock)) as one, closing(store.audit_log(clock=clock)) as other:
        for i in range(questions):
            one.ask(f"q{i}", "refund", 60)
        workers = [threading.Thread(target=work, args=((one, other)[i % 2],)) for i in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    expected = {(i, "valid"): 1 for i in range(questions)} | {(i, "used"): threads - 1 for i in range(questions)}
    assert Counter(answers) == expected
