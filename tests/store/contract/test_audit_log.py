"""What is appended is there, whole, in its order and for good, and nobody changes it unseen."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.store.audit_log import AuditLog, Field, IdempotencyClaim, Kind, Limit, RecordError
from lambda_warden.store.hash_chain import GENESIS
from lambda_warden.store.opening import Store
from support.audit import reading, recorded, verify
from support.clock import START, Clock

KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "start")
DAY = Limit("rule", per_day=1)

fields = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
bodies = st.lists(st.dictionaries(st.text(max_size=5), fields, max_size=3), max_size=6)


def test_records_are_kept_in_their_order_and_read_by_others_at_once(records: AuditLog, store: Store) -> None:
    body: dict[str, Field] = {"tool": "invoke_function", "payload_bytes": 2, "ok": True, "share": 0.5}
    for number, kind in enumerate(KINDS, 1):
        records.append(kind, "call-1", {**body, "absent": None})
        assert [(event.kind, event.invocation_id, event.fields()) for event in recorded(store)] == [
            (each, "call-1", body) for each in KINDS[:number]
        ]


def test_looking_whether_records_can_be_written_writes_none(records: AuditLog, store: Store) -> None:
    records.append("denial", "call-1", {})
    records.check_writable()
    assert [event.kind for event in recorded(store)] == ["denial"]
    records.append("denial", "call-2", {})
    assert verify(store).problems == ()


def test_a_server_says_what_it_is_and_goes_on_where_another_was(lasting: Store) -> None:
    for i in range(3):
        with closing(lasting.audit_log(about={"version": i})) as records:
            records.append("denial", f"call-{i}", {})
    with reading(lasting) as reader:
        events = list(reader.events())
    positions = [event.position for event in events]
    assert positions == sorted(set(positions))
    assert [event.kind for event in events] == ["start", "denial"] * 3
    assert [event.fields()["version"] for event in events[::2]] == [0, 1, 2]
    assert [event.invocation_id for event in events[1::2]] == ["call-0", "call-1", "call-2"]
    assert verify(lasting).problems == ()


def test_a_record_has_the_time_of_day_in_utc(records: AuditLog, store: Store, clock: Clock) -> None:
    clock.step(0.25)
    records.append("denial", "call-1", {})
    (event,) = recorded(store)
    assert event.at == "2027-01-15T08:00:00.250+00:00"
    assert datetime.fromisoformat(event.at).timestamp() == START + 0.25


def test_no_record_of_an_unknown_kind_is_taken(records: AuditLog, store: Store) -> None:
    with pytest.raises(RecordError):
        records.append("rumour", "call-1", {})  # type: ignore[arg-type]
    assert recorded(store) == []


@pytest.mark.parametrize("body", [{"share": float("nan")}, {"share": float("inf")}, {"what": b"bytes"}, {"what": {1}}])
def test_what_cannot_be_written_as_json_is_not_recorded_and_nothing_is_taken(
    records: AuditLog, store: Store, body: dict[str, Any]
) -> None:
    with pytest.raises(RecordError):
        records.append("denial", "call-1", body)
    with pytest.raises(RecordError):
        records.admit("call-1", body, [DAY], 1)
    assert records.admit("call-1", {}, [DAY], 1) is None
    assert [event.kind for event in recorded(store)] == ["intent"]


def test_an_id_that_cannot_be_written_is_not_recorded_and_nothing_is_taken(records: AuditLog) -> None:
    with pytest.raises(RecordError):
        records.admit("\ud800", {}, [DAY], 1)
    assert records.admit("call-1", {}, [DAY], 1) is None


@pytest.mark.parametrize("now", [float("nan"), float("inf"), 1e300])
@pytest.mark.parametrize("which", ["time_of_day", "elapsed"])
def test_a_clock_that_tells_no_time_stops_the_calls(
    records: AuditLog, store: Store, clock: Clock, now: float, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(clock, which, lambda: now)
        with pytest.raises(RecordError):
            records.admit("call-1", {}, [DAY], 1)
    assert recorded(store) == []


def test_a_call_that_ends_frees_nothing_if_its_outcome_cannot_be_written(records: AuditLog) -> None:
    limit = Limit("rule", concurrent=1)
    assert records.admit("call-1", {}, [limit], 1000) is None
    with pytest.raises(RecordError):
        records.finish("call-1", {"share": float("nan")}, ran=True)
    assert records.admit("call-2", {}, [limit], 1000) is not None


def test_a_closed_log_takes_no_more_records_and_may_be_closed_again(store: Store) -> None:
    with closing(store.audit_log()) as other:
        records = store.audit_log()
        records.append("denial", "call-1", {})
        records.close()
        records.close()
        with pytest.raises(RecordError):
            records.append("denial", "call-2", {})
        assert [event.invocation_id for event in recorded(store)] == ["call-1"]
        assert other.verify().problems == ()


def test_two_servers_lose_nothing_under_many_threads(store: Store) -> None:
    threads, each = 8, 25
    ready = threading.Barrier(2 * threads)
    failures: list[Exception] = []

    def work(records: AuditLog, worker: str) -> None:
        ready.wait()
        try:
            for i in range(each):
                records.append("intent", f"{worker}-{i}", {"worker": worker})
        except Exception as error:  # noqa: BLE001 - a failure in a thread would go unseen
            failures.append(error)

    with closing(store.audit_log()) as one, closing(store.audit_log()) as other:
        names = [(f"{name}{i}", records) for i in range(threads) for name, records in (("one", one), ("other", other))]
        workers = [threading.Thread(target=work, args=(records, name)) for name, records in names]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        found = [event.invocation_id for event in recorded(store)]
        assert verify(store).problems == ()
    assert failures == []
    assert len(found) == 2 * threads * each
    for name, _ in names:
        assert [each_id for each_id in found if each_id.startswith(f"{name}-")] == [f"{name}-{i}" for i in range(each)]


@given(bodies)
def test_any_fields_are_read_as_they_were_and_hashed_as_it_is_documented(
    new_store: Callable[[], Store], contents: list[dict[str, Field]]
) -> None:
    with closing(new_store().audit_log()) as records:
        for i, body in enumerate(contents):
            records.append("denial" if i % 2 else "intent", f"call-{i}", body)
        events, verification = list(records.events()), records.verify()
        assert [event.fields() for event in events[1:]] == [
            {key: value for key, value in body.items() if value is not None} for body in contents
        ]
        head = "0" * 64
        for event in events:
            array = [head, event.writer, event.seq, event.at, event.kind, event.invocation_id, event.fields()]
            text = json.dumps(array, separators=(",", ":"), sort_keys=True)
            head = hashlib.sha256(text.encode("ascii")).hexdigest()
            assert event.hash == head
        assert (verification.count, verification.problems) == (len(contents) + 1, ())
        assert verification.heads == (head,)
        assert all(records.verify([noted]).problems == () for noted in (GENESIS, *(event.hash for event in events)))
        (problem,) = records.verify(["1" * 64]).problems
        assert f"no record has the hash {'1' * 64}" in problem


def test_chains_of_servers_that_write_at_once_hold_each_other(store: Store) -> None:
    with closing(store.audit_log()) as one, closing(store.audit_log()) as other:
        for number in range(3):
            one.append("denial", f"one-{number}", {})
            other.append("denial", f"other-{number}", {})
        noted = verify(store)
        assert (len(noted.heads), noted.problems) == (2, ())
        with closing(store.audit_log()):
            after = verify(store, *noted.heads)
            assert (after.count, len(after.heads), after.problems) == (9, 1, ())
            assert after.heads[0] not in noted.heads


def test_the_chain_holds_at_every_moment_of_a_server_that_writes(store: Store) -> None:
    failures: list[Exception] = []

    def write(records: AuditLog) -> None:
        try:
            for i in range(300):
                records.admit(f"call-{i}", {}, [], 1)
                records.finish(f"call-{i}", {}, ran=True)
        except Exception as error:  # noqa: BLE001 - a failure in a thread would go unseen
            failures.append(error)

    with closing(store.audit_log()) as records:
        writer = threading.Thread(target=write, args=(records,))
        writer.start()
        counts, noted = [0], tuple[str, ...]()
        while writer.is_alive():
            verification = verify(store, *noted)
            assert verification.problems == ()
            counts.append(verification.count)
            noted = verification.heads
        writer.join()
        assert verify(store, *noted).count == 601
    assert failures == []
    assert counts == sorted(counts)


def test_records_are_read_after_a_position(records: AuditLog, store: Store) -> None:
    for i in range(4):
        records.append("denial", f"call-{i}", {"n": i})
    with reading(store) as reader:
        positions = [event.position for event in reader.events()]
        for of in (reader, records):
            for _ in range(2):
                assert [found.position for found in of.events(after=positions[2])] == positions[3:]
            assert of.last() == positions[-1]
            assert list(of.events(after=positions[-1])) == []
        records.append("denial", "call-5", {})
        assert [found.invocation_id for found in reader.events(after=positions[-1])] == ["call-5"]
    with pytest.raises(RecordError):
        reader.last()


def test_nothing_is_read_where_no_server_has_written(store: Store) -> None:
    with pytest.raises(RecordError):
        store.audit_reader()


def test_a_call_is_found_with_all_that_is_on_record_of_it(records: AuditLog, store: Store, clock: Clock) -> None:
    records.append("approval", "call-1", {"answer": "approved"})
    records.admit("call-1", {}, [], 60)
    clock.now += 10
    records.admit("call-2", {}, [], 60)
    records.finish("call-1", {"outcome": "succeeded"}, ran=True)
    records.append("denial", "call-3", {})
    now = datetime.fromtimestamp(clock.now, UTC)
    with reading(store) as reader:
        for of in (reader, records):
            assert [event.kind for event in of.find_invocation("call-1")] == ["approval", "intent", "outcome"]
            assert [event.kind for event in of.find_invocation("call-2")] == ["intent"]
            assert of.find_invocation("\ud800") == of.find_invocation("") == []
            assert [entry.outcome(now) for entry in of.entries(["intent"])] == ["running", "succeeded"]
            assert [entry.outcome(now + timedelta(60)) for entry in of.entries(["intent"])] == ["unknown", "succeeded"]
            since = [entry.event.invocation_id for entry in of.entries(["intent", "denial"], since=now)]
            assert since == ["call-3", "call-2"]
            assert list(of.entries(["intent"], since=now + timedelta(seconds=1))) == []


def test_the_chain_of_each_writer_is_read_on_its_own_from_where_one_is(store: Store) -> None:
    with closing(store.audit_log()) as one, closing(store.audit_log()) as other:
        for number in range(5):
            (one if number % 2 else other).append("denial", f"call-{number}", {})
        assert one.writer != other.writer
        for log in (one, other):
            expected = [event for event in log.events() if event.writer == log.writer]
            assert list(log.chain(log.writer)) == expected
            with reading(store) as reader:
                assert list(reader.chain(log.writer, 1)) == expected[1:]
                assert list(reader.chain(log.writer, 0, 2)) == expected[:2]
        assert list(one.chain(one.writer, 99)) == list(one.chain("nobody")) == []


def test_what_stands_beside_the_chains_is_told(records: AuditLog, store: Store, clock: Clock) -> None:
    claim = IdempotencyClaim("local", "key", "digest", kept_seconds=3600)
    limits = [Limit("rule", per_minute=9), Limit("principal", concurrent=9)]
    for call in ("ran", "refused", "under way"):
        records.admit(call, {}, limits, 60, claim if call == "ran" else None)
    records.finish("ran", {"outcome": "succeeded"}, ran=True)
    records.finish("refused", {"outcome": "refused"}, ran=False)
    with closing(store.audit_reader(clock=clock)) as reader:
        assert reader.state().units == records.state().units == {"rule": 2, "principal": 2}
        assert reader.state().calls == {"ran", "under way"}
        assert (reader.state().approvals, reader.state().paused) == ({}, False)
    records.pause("ada")
    assert records.state().paused
    clock.now += 2 * 86_400
    assert not any(records.state().units.values())
