"""Servers that share a table: who is silent is taken for dead; who lives all the same goes on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime

import pytest

from lambda_warden.model.sink_entry import SinkEntry
from lambda_warden.sinks.delivery import SinkDelivery
from lambda_warden.sinks.opening import OpenSink
from lambda_warden.store.audit_log import (
    SERVER_LOST,
    AuditLog,
    CircuitBreaker,
    IdempotencyClaim,
    IdempotencyHit,
    Limit,
    LimitExceeded,
    Pause,
    RecordError,
)
from lambda_warden.store.dynamodb.keys import LIMIT
from lambda_warden.store.dynamodb.limits import DAY, MINUTE
from lambda_warden.store.dynamodb.requests import Table
from lambda_warden.store.dynamodb.writers import LEASE_SECONDS
from lambda_warden.store.opening import Store
from support.backends import BACKENDS
from support.clock import Clock

SILENT = LEASE_SECONDS + 3
KEY = IdempotencyClaim("local", "order-1", "refund A-1", 86_400)
BREAKER = CircuitBreaker("f:live", 1, 600)


@pytest.fixture
def store(engine_url: str) -> Store:
    backend = next(each for each in BACKENDS.values() if each.engine and each.late["per_day"])
    return backend.open(engine_url)


@pytest.fixture
def opened(store: Store, clock: Clock) -> Iterator[Callable[[], AuditLog]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(store.audit_log(clock=clock)))


def outcomes(records: AuditLog, call: str) -> list[object]:
    return [event.fields()["outcome"] for event in records.find_invocation(call) if event.kind == "outcome"]


def test_the_calls_of_a_server_that_fell_silent_are_lost_and_what_it_says_later_is_on_record(
    opened: Callable[[], AuditLog], clock: Clock
) -> None:
    one = opened()
    first = one.writer
    assert one.admit("call-1", {}, [Limit("k", concurrent=1)], 900, KEY, BREAKER) is None
    other = opened()
    clock.now += SILENT - 3
    assert other.admit("call-2", {}, [], 900, KEY) == IdempotencyHit("call-1", "in_progress")
    assert outcomes(other, "call-1") == []
    clock.now += 3
    assert other.admit("call-2", {}, [], 900, KEY) == IdempotencyHit("call-1", "lost")
    assert outcomes(other, "call-1") == ["unknown"]
    assert [run.failures for run in other.failure_runs()] == [1]
    assert isinstance(other.admit("call-3", {}, [Limit("k", concurrent=1)], 900), LimitExceeded), "it may run still"
    (event,) = [event for event in other.events() if event.kind == "outcome"]
    assert (event.fields()["error"], event.fields()["server"]) == (SERVER_LOST, first)
    # It lives after all.
    one.finish("call-1", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
    assert one.writer != first
    assert outcomes(other, "call-1") == ["unknown", "succeeded"]
    assert other.admit("call-2", {}, [], 900, KEY) == IdempotencyHit("call-1", "ended", "{}", "succeeded")
    (entry,) = [entry for entry in other.entries(["intent"]) if entry.event.invocation_id == "call-1"]
    assert entry.outcome(datetime.fromtimestamp(clock.now, UTC)) == "succeeded"
    assert other.verify().problems == ()


def test_a_server_that_says_a_word_in_time_lives(opened: Callable[[], AuditLog], clock: Clock) -> None:
    one = opened()
    writer = one.writer
    assert one.admit("call-1", {}, [], 900, KEY) is None
    for _ in range(5):
        clock.now += LEASE_SECONDS - 1
        one.append("read", "other", {})
        other = opened()
        assert other.admit("call-2", {}, [], 900, KEY) == IdempotencyHit("call-1", "in_progress")
    assert one.writer == writer
    assert outcomes(one, "call-1") == []


def test_who_is_silent_for_longer_than_its_function_is_unknown_until_it_says_more(
    opened: Callable[[], AuditLog], clock: Clock
) -> None:
    one = opened()
    for number in range(40):
        assert one.admit(f"call-{number}", {}, [], 900) is None
    clock.now += SILENT
    other = opened()
    assert Counter(len(outcomes(other, f"call-{number}")) for number in range(40)) == {1: 40}, "in several transactions"
    assert other.verify().problems == ()


def test_a_dead_server_admits_nothing_behind_a_pause(opened: Callable[[], AuditLog], clock: Clock) -> None:
    one = opened()
    clock.now += SILENT
    other = opened()
    other.pause("ann")
    assert isinstance(one.admit("call-1", {}, [], 900), Pause)
    assert isinstance(opened().admit("call-1", {}, [], 900), Pause)
    other.resume("ann")
    for records in (one, other, opened()):
        assert records.admit(f"call-{records.writer}", {}, [], 900) is None


def test_an_answer_that_is_too_large_to_be_kept_is_unreadable_and_nothing_starts_again(
    opened: Callable[[], AuditLog],
) -> None:
    records = opened()
    assert records.admit("call-1", {}, [], 900, KEY) is None
    large = "".join(map(str, range(300_000)))
    records.finish("call-1", {"outcome": "succeeded"}, ran=True, result=lambda: large)
    assert records.admit("call-2", {}, [], 900, KEY) == IdempotencyHit("call-1", "unreadable", None, "succeeded")
    with pytest.raises(RecordError, match="more than an item"):
        records.admit("call-3", {"payload": "x" * 400_000}, [], 900)
    assert records.find_invocation("call-3") == []


class Noted:
    """A sink in memory."""

    def __init__(self) -> None:
        self.records: set[tuple[str, int]] = set()

    def write(self, entries: Sequence[SinkEntry]) -> None:
        self.records |= {(entry.writer, entry.seq) for entry in entries}

    def last_seq(self, writer: str) -> int:
        return max((seq for of, seq in self.records if of == writer), default=0)

    def lines(self) -> Iterator[str]:
        yield from ()

    def close(self) -> None: ...


def test_a_sink_has_what_stands_in_both_chains_of_a_server_that_was_taken_for_dead(
    opened: Callable[[], AuditLog], clock: Clock
) -> None:
    one, sink = opened(), Noted()
    with closing(SinkDelivery(OpenSink("noted", sink, required=True), one, None, 100, 60)) as delivery:
        delivery.confirm()
        before = one.writer
        one.append("read", "call-1", {})
        clock.now += SILENT
        opened()
        one.append("read", "call-2", {})
        delivery.confirm()
        assert one.writer != before
        assert sink.records >= {(before, 1), (before, 2), (one.writer, 1), (one.writer, 2)}


def race(store: Store, clock: Clock, servers: int, threads: int, each: int, per_day: int, keys: int) -> Counter[str]:
    """Threads of several servers that admit at once, under one limit and with keys that several want."""
    met: list[str] = []
    ready = threading.Barrier(threads)

    def work(records: AuditLog, thread: int) -> None:
        ready.wait()
        for number in range(each):
            call = thread * each + number
            claim = IdempotencyClaim("local", f"key-{call % keys}", f"digest-{call % keys}", 86_400)
            found = records.admit(f"call-{call}", {}, [Limit("rule", per_day=per_day)], 900, claim)
            met.append("admitted" if found is None else type(found).__name__)

    with ExitStack() as stack:
        opened = [stack.enter_context(closing(store.audit_log(clock=clock))) for _ in range(servers)]
        workers = [threading.Thread(target=work, args=(opened[n % servers], n)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        intents = Counter(event.invocation_id for event in opened[0].events() if event.kind == "intent")
        assert max(intents.values()) == 1
        assert len(intents) == met.count("admitted")
        assert len({int(call.removeprefix("call-")) % keys for call in intents}) == len(intents), "a key starts one"
        assert opened[0].verify().problems == ()
    assert len(met) == threads * each, "one failed"
    return Counter(met)


def test_many_servers_that_race_exceed_no_limit_and_start_no_key_twice(store: Store, clock: Clock) -> None:
    met = race(store, clock, servers=3, threads=12, each=10, per_day=40, keys=60)
    assert met["admitted"] == 40


@pytest.mark.slow
def test_ten_thousand_that_race_exceed_no_limit_and_start_no_key_twice(store: Store, clock: Clock) -> None:
    met = race(store, clock, servers=3, threads=50, each=200, per_day=3000, keys=5000)
    assert met["admitted"] == 3000


def test_what_a_limit_takes_in_the_table_does_not_grow(
    opened: Callable[[], AuditLog], clock: Clock, store: Store
) -> None:
    """An item of a limit that is used all the time is as large after a day as after an hour."""
    records, parts = opened(), (MINUTE.length // MINUTE.part, DAY.length // DAY.part)
    for number in range(60):
        clock.now += 3_000 if number % 2 else 3
        assert records.admit(f"call-{number}", {}, [Limit("k", per_minute=99, concurrent=9)], 30) is None
        records.finish(f"call-{number}", {"outcome": "succeeded"}, ran=True)
    table = getattr(records, "_table")  # noqa: B009 - it is nobody else's
    assert isinstance(table, Table)
    (item,) = table.scan(LIMIT, "units")
    assert len(item["body"]["S"]) < 30 * (sum(parts) + 4)
