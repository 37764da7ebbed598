"""A key belongs to the first call that takes it: for its time, for one request, over processes, and only if it ran."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from lambda_warden.store.audit_log import (
    AuditLog,
    IdempotencyClaim,
    IdempotencyHit,
    Limit,
    LimitExceeded,
    NotAdmitted,
    RecordError,
)
from lambda_warden.store.opening import Store
from lambda_warden.store.seal import Seal
from support.audit import recorded, verify
from support.clock import Clock

DAY = 86_400.0
LEASE = 915.0


def wants(
    key: str = "order-1", request_digest: str = "refund A-1", principal: str = "local", kept: float = DAY
) -> IdempotencyClaim:
    return IdempotencyClaim(principal, key, request_digest, kept)


def admit(records: AuditLog, call: str, claim: IdempotencyClaim, *limits: Limit) -> NotAdmitted | None:
    return records.admit(call, {"tool": "invoke_function"}, limits, LEASE, claim)


def kinds(store: Store) -> list[tuple[str, str]]:
    return [(event.kind, event.invocation_id) for event in recorded(store)]


def test_the_first_call_gets_the_key_and_the_next_its_result(records: AuditLog, store: Store) -> None:
    assert records.claimed_by(wants()) is None
    assert admit(records, "one", wants()) is None
    records.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: '{"outcome":"succeeded"}')
    first = IdempotencyHit("one", "ended", '{"outcome":"succeeded"}', "succeeded")
    assert records.claimed_by(wants()) == first
    assert admit(records, "two", wants()) == first
    assert kinds(store) == [("intent", "one"), ("outcome", "one")], "the second has no intent"


def test_while_the_first_is_under_way_it_is_in_progress(records: AuditLog, clock: Clock) -> None:
    admit(records, "one", wants())
    clock.now += LEASE - 0.001
    assert admit(records, "two", wants()) == IdempotencyHit("one", "in_progress")


def test_a_call_that_can_be_under_way_no_longer_is_lost(records: AuditLog, clock: Clock) -> None:
    admit(records, "one", wants())
    clock.now += LEASE
    assert admit(records, "two", wants()) == IdempotencyHit("one", "lost")
    assert records.claimed_by(wants()) == IdempotencyHit("one", "lost")


def test_a_result_that_comes_after_its_lease_is_kept_all_the_same(records: AuditLog, clock: Clock) -> None:
    admit(records, "one", wants())
    clock.now += LEASE + 1
    records.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
    assert admit(records, "two", wants()) == IdempotencyHit("one", "ended", "{}", "succeeded")


@pytest.mark.parametrize("ended", [True, False])
def test_another_request_does_not_get_the_result(ended: bool, records: AuditLog) -> None:
    admit(records, "one", wants())
    if ended:
        records.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: '{"payload":"private"}')
    other = wants(request_digest="refund A-2")
    assert admit(records, "two", other) == IdempotencyHit("one", "another_request", None)
    assert records.claimed_by(other) == IdempotencyHit("one", "another_request", None)


def test_a_key_is_free_when_its_time_is_over(records: AuditLog, clock: Clock) -> None:
    admit(records, "one", wants(kept=1000))
    records.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
    clock.now += 999.999
    assert isinstance(admit(records, "two", wants(kept=1000)), IdempotencyHit)
    clock.now += 0.001
    assert records.claimed_by(wants()) is None
    assert admit(records, "two", wants(request_digest="something else")) is None


def test_a_replay_does_not_keep_the_key_any_longer(records: AuditLog, clock: Clock) -> None:
    admit(records, "one", wants(kept=1000))
    records.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
    clock.now += 600
    assert isinstance(admit(records, "two", wants(kept=1000)), IdempotencyHit)
    clock.now += 400
    assert admit(records, "three", wants(kept=1000)) is None


@pytest.mark.parametrize("ran", [True, False])
def test_only_a_call_that_did_not_run_frees_its_key(ran: bool, records: AuditLog) -> None:
    admit(records, "one", wants())
    records.finish("one", {"outcome": "succeeded"}, ran=ran, result=lambda: '{"outcome":"whatever"}')
    again = admit(records, "two", wants(request_digest="other arguments" if not ran else "refund A-1"))
    assert again == (IdempotencyHit("one", "ended", '{"outcome":"whatever"}', "succeeded") if ran else None)


def test_an_end_that_is_not_known_keeps_the_key(records: AuditLog) -> None:
    admit(records, "one", wants())
    records.finish("one", {"outcome": "unknown"}, ran=True, ended=False, result=lambda: '{"outcome":"unknown"}')
    assert admit(records, "two", wants()) == IdempotencyHit("one", "ended", '{"outcome":"unknown"}', "unknown")


def test_the_end_of_another_call_frees_no_key(records: AuditLog) -> None:
    admit(records, "one", wants("a"))
    admit(records, "two", wants("b"))
    records.finish("two", {"outcome": "succeeded"}, ran=False)
    assert admit(records, "three", wants("a")) == IdempotencyHit("one", "in_progress")
    assert admit(records, "four", wants("b")) is None


def test_each_principal_has_keys_of_its_own(records: AuditLog) -> None:
    admit(records, "one", wants(principal="local"))
    records.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
    assert records.claimed_by(wants(principal="chat-ops")) is None
    assert admit(records, "two", wants(principal="chat-ops")) is None


def test_a_replay_takes_no_unit_of_a_limit(records: AuditLog) -> None:
    limit = Limit("rule:f", per_day=2, concurrent=2)
    admit(records, "one", wants(), limit)
    for number in range(5):
        assert isinstance(admit(records, f"again-{number}", wants(), limit), IdempotencyHit)
    assert admit(records, "other", wants("order-2"), limit) is None


def test_a_call_that_a_limit_stops_does_not_take_the_key(records: AuditLog) -> None:
    limit = Limit("rule:f", per_day=0)
    assert isinstance(admit(records, "one", wants(), limit), LimitExceeded)
    assert admit(records, "two", wants(request_digest="other arguments")) is None


def test_who_has_the_key_is_told_before_what_has_no_room(records: AuditLog) -> None:
    limit = Limit("rule:f", per_day=1)
    admit(records, "one", wants(), limit)
    assert admit(records, "two", wants(), limit) == IdempotencyHit("one", "in_progress")


def test_what_can_not_be_written_takes_no_key(records: AuditLog) -> None:
    with pytest.raises(RecordError):
        records.admit("one", {"share": float("nan")}, [], LEASE, wants())
    admit(records, "two", wants())
    with pytest.raises(RecordError):
        records.finish("two", {"share": float("nan")}, ran=False)
    assert admit(records, "three", wants()) == IdempotencyHit("two", "in_progress"), (
        "the outcome was not written, nor the key freed"
    )


def test_keys_survive_the_end_of_the_process(lasting: Store, clock: Clock) -> None:
    with closing(lasting.audit_log(clock=clock)) as records:
        admit(records, "one", wants("ended"))
        records.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
        admit(records, "two", wants("under way"))
    clock.now += LEASE
    with closing(lasting.audit_log(clock=clock)) as records:
        assert admit(records, "four", wants("ended")) == IdempotencyHit("one", "ended", "{}", "succeeded")
        assert admit(records, "five", wants("under way")) == IdempotencyHit("two", "lost")


def test_a_sealed_result_is_unreadable_without_its_seal_and_nothing_starts_again(store: Store) -> None:
    seal = Seal(bytes(range(32)))
    with closing(store.audit_log(seal=seal)) as records:
        admit(records, "one", wants())
        records.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
        assert records.claimed_by(wants()) == IdempotencyHit("one", "ended", "{}", "succeeded")
        for other in (None, Seal(bytes(32))):
            with closing(store.audit_log(seal=other)) as without:
                unreadable = IdempotencyHit("one", "unreadable", None, "succeeded")
                assert without.claimed_by(wants()) == unreadable
                assert admit(without, "two", wants()) == unreadable


def test_two_stores_on_one_file_know_the_same_keys(store: Store, clock: Clock) -> None:
    with closing(store.audit_log(clock=clock)) as one, closing(store.audit_log(clock=clock)) as other:
        assert admit(one, "one", wants()) is None
        assert admit(other, "two", wants()) == IdempotencyHit("one", "in_progress")
        one.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
        assert admit(other, "two", wants()) == IdempotencyHit("one", "ended", "{}", "succeeded")


@pytest.mark.usefixtures("race")
def test_of_many_that_want_a_key_at_once_one_gets_it(store: Store) -> None:
    """Twenty threads, over two stores of one file, in rounds."""
    with closing(store.audit_log()) as one, closing(store.audit_log()) as other:
        for round_ in range(10):
            met: list[str] = []
            together = threading.Barrier(20)

            def race(number: int, round_: int, together: threading.Barrier, met: list[str]) -> None:
                together.wait(30)
                found = admit((one, other)[number % 2], f"{round_}-{number}", wants(f"order-{round_}"))
                met.append(found.state if isinstance(found, IdempotencyHit) else "admitted")

            threads = [threading.Thread(target=race, args=(number, round_, together, met)) for number in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert Counter(met) == {"admitted": 1, "in_progress": 19}
        assert len(kinds(store)) == 10
        assert verify(store).problems == ()


class Keys(RuleBasedStateMachine):
    """Calls want keys, end and are lost in any order, on a clock that goes on; beside it a model in a dict."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.clock = Clock()
        self.records = store.audit_log(clock=self.clock)
        self.owners: dict[tuple[str, str], tuple[str, str, float]] = {}
        self.results: dict[str, str] = {}
        self.under_way: dict[str, float] = {}
        self.calls = 0

    @rule(
        key=st.sampled_from(["a", "b"]),
        request_digest=st.sampled_from(["x", "y"]),
        principal=st.sampled_from(["p", "q"]),
        kept=st.sampled_from([960.0, DAY]),
    )
    def want(self, key: str, request_digest: str, principal: str, kept: float) -> None:
        self.calls += 1
        call = f"call-{self.calls}"
        wanted = IdempotencyClaim(principal, key, request_digest, kept, repeatable=True)
        expected = self.expected(wanted)
        assert self.records.claimed_by(wanted) == expected
        assert admit(self.records, call, wanted) == expected
        if expected is None:
            self.owners[principal, key] = call, request_digest, self.clock.now + kept
            self.under_way[call] = self.clock.now

    def expected(self, wanted: IdempotencyClaim) -> IdempotencyHit | None:
        assert wanted.key is not None
        owner = self.owners.get((wanted.principal, wanted.key))
        if owner is None or owner[2] <= self.clock.now:
            return None
        call, request_digest, _ = owner
        if request_digest != wanted.request_digest:
            return IdempotencyHit(call, "another_request")
        if call in self.results:
            return IdempotencyHit(call, "ended", self.results[call], "succeeded")
        return IdempotencyHit(call, "in_progress" if self.clock.now < self.under_way[call] + LEASE else "lost")

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), ran=st.booleans())
    def end(self, data: st.DataObject, ran: bool) -> None:
        call = data.draw(st.sampled_from(sorted(set(self.under_way) - set(self.results)) or ["nobody"]))
        self.records.finish(call, {"outcome": "succeeded"}, ran=ran, result=lambda: f"result of {call}")
        if ran:
            self.results[call] = f"result of {call}"
        else:
            self.owners = {key: owner for key, owner in self.owners.items() if owner[0] != call}

    @rule(seconds=st.sampled_from([1.0, 900.0, LEASE, DAY]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    def teardown(self) -> None:
        self.records.close()


def test_keys_are_those_of_a_simple_model(new_store: Callable[[], Store]) -> None:
    run_state_machine_as_test(lambda: Keys(new_store()))  # type: ignore[arg-type]  # any callable will do
