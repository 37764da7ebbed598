"""A call that outlives its caller: who gets its answer, what the same call meets, what may follow an unknown one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from lambda_warden.store.audit_log import AuditLog, HitState, IdempotencyClaim, IdempotencyHit
from lambda_warden.store.opening import Store
from lambda_warden.store.seal import Seal
from support.clock import Clock

DAY: Final = 86_400.0
LEASE: Final = 915.0
ADOPT: Final = 600.0


def same(
    key: str | None = None,
    *,
    of: str = "refund A-1",
    by: str = "local",
    reads: bool = False,
    after: str | None = None,
    kept: float = DAY,
) -> IdempotencyClaim:
    return IdempotencyClaim(by, key, of, kept, reads, ADOPT, after)


def admit(records: AuditLog, call: str, claim: IdempotencyClaim, lease: float = LEASE) -> IdempotencyHit | None:
    met = records.admit(call, {"tool": "invoke_function"}, [], lease, claim)
    assert met is None or isinstance(met, IdempotencyHit)
    return met


def end(records: AuditLog, call: str, outcome: str = "succeeded", *, delivered: bool = True) -> None:
    ran, result = outcome != "refused", f"{call}: {outcome}"
    records.finish(call, {"outcome": outcome}, ran=ran, result=lambda: result, delivered=lambda: delivered)


def bring_back(records: AuditLog, call: str, claim: IdempotencyClaim, outcome: str) -> None:
    records.bring_back(call, claim, outcome, f"{call}: {outcome}", ran=outcome != "refused")
    records.note_leaving()


def leave(records: AuditLog, call: str) -> None:
    records.leaving(call)
    records.note_leaving()


def state(met: IdempotencyHit | None) -> HitState | None:
    return None if met is None else met.state


def adopted(call: str, outcome: str = "succeeded") -> IdempotencyHit:
    return IdempotencyHit(call, "ended", f"{call}: {outcome}", outcome, adopted=True)


def test_a_call_is_waited_for_by_its_id(records: AuditLog, clock: Clock) -> None:
    admit(records, "one", same())
    under_way = records.fetch("one", "local")
    assert under_way == IdempotencyHit("one", "in_progress")
    assert under_way is not None
    assert under_way.until == pytest.approx(clock.now + LEASE)
    end(records, "one")
    for _ in range(2):
        ended = records.fetch("one", "local")
        assert ended == IdempotencyHit("one", "ended", "one: succeeded", "succeeded"), "whoever waited may not have it"


def test_nobody_else_learns_of_a_call_and_what_was_delivered_is_forgotten(records: AuditLog) -> None:
    admit(records, "left", same())
    leave(records, "left")
    admit(records, "delivered", same(of="other"))
    end(records, "delivered")
    for call, principal in (("left", "bob"), ("delivered", "local"), ("nobody's", "local")):
        assert not records.keeps(call, principal)
        assert records.fetch(call, principal) is None
    assert records.keeps("left", "local")
    assert state(records.claimed_by(same())) == "left", "to look whether it is kept changed nothing"
    end(records, "left", delivered=False)
    assert records.fetch("left", "bob") is None


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("key", [None, "order-1"])
def test_a_call_that_was_left_is_adopted_and_once_it_was_told_the_next_one_starts(
    key: str | None, reads: bool, records: AuditLog
) -> None:
    claim = same(key, reads=reads)
    admit(records, "one", claim)
    leave(records, "one")
    assert state(admit(records, "two", claim)) == "left"
    leave(records, "one")
    end(records, "one", delivered=False)
    told = IdempotencyHit("one", "ended", "one: succeeded", "succeeded", adopted=key is None)
    assert admit(records, "three", claim) == told
    assert admit(records, "four", claim) == (None if key is None else told)


def test_who_asks_is_who_waits(records: AuditLog) -> None:
    """The next one finds it wanted, as if its first caller were there."""
    admit(records, "one", same())
    leave(records, "one")
    assert state(admit(records, "two", same())) == "left"
    assert state(admit(records, "three", same())) == "in_progress"
    leave(records, "one")
    assert state(records.fetch("one", "local")) == "in_progress"
    assert state(admit(records, "four", same())) == "in_progress"


def test_an_answer_that_was_read_by_its_id_is_not_adopted(records: AuditLog) -> None:
    admit(records, "one", same())
    leave(records, "one")
    end(records, "one", delivered=False)
    assert state(records.fetch("one", "local")) == "ended"
    assert admit(records, "two", same()) is None


@pytest.mark.parametrize(("seconds", "met"), [(ADOPT - 0.001, adopted("one")), (ADOPT, None)])
def test_an_answer_is_adopted_for_its_time(
    seconds: float, met: IdempotencyHit | None, records: AuditLog, clock: Clock
) -> None:
    admit(records, "one", same())
    leave(records, "one")
    clock.now += 800
    end(records, "one", delivered=False)
    clock.now += seconds
    assert admit(records, "two", same()) == met
    assert records.keeps("one", "local")


def test_whoever_was_told_and_left_gives_the_answer_back(records: AuditLog, clock: Clock) -> None:
    admit(records, "one", same())
    leave(records, "one")
    end(records, "one", delivered=False)
    for _ in range(3):
        clock.now += ADOPT - 1
        assert admit(records, "two", same()) == adopted("one")
        leave(records, "one")


def test_an_answer_goes_to_the_next_one_where_the_same_call_came_while_it_was_under_way(records: AuditLog) -> None:
    """Nobody knows which of the two clients still listens."""
    admit(records, "one", same())
    assert state(admit(records, "two", same())) == "in_progress"
    end(records, "one", delivered=True)
    assert admit(records, "three", same()) == adopted("one")
    assert admit(records, "four", same()) is None


def test_calls_that_only_read_run_at_once_until_one_may_have_been_sent_again(records: AuditLog, clock: Clock) -> None:
    admit(records, "one", same(reads=True))
    clock.now += 2.999
    assert admit(records, "two", same(reads=True)) is None
    clock.now += 0.001
    assert admit(records, "three", same(reads=True)) == IdempotencyHit("one", "left", adopted=True)


@pytest.mark.parametrize(
    "other", [same(of="refund A-2"), same(by="bob"), same("b")], ids=["request", "principal", "key"]
)
@pytest.mark.parametrize("left", [False, True])
def test_another_call_is_not_the_same(left: bool, other: IdempotencyClaim, records: AuditLog) -> None:
    admit(records, "one", same("a"))
    if left:
        leave(records, "one")
        end(records, "one", delivered=False)
    assert admit(records, "two", other) is None


def test_a_key_that_comes_with_an_adoption_belongs_to_the_call(records: AuditLog) -> None:
    admit(records, "one", same())
    leave(records, "one")
    end(records, "one", delivered=False)
    assert admit(records, "two", same("a")) == adopted("one")
    replayed = IdempotencyHit("one", "ended", "one: succeeded", "succeeded")
    assert admit(records, "three", same("a")) == replayed
    assert state(admit(records, "four", same("a", of="refund A-2"))) == "another_request"


def test_what_did_not_run_is_told_and_stands_against_nothing(records: AuditLog) -> None:
    admit(records, "one", same("a"))
    leave(records, "one")
    end(records, "one", "refused", delivered=False)
    assert admit(records, "two", same("a")) is None
    assert records.fetch("one", "local") == IdempotencyHit("one", "ended", "one: refused", "refused")


# An answer that counted as delivered, and did not reach its caller.


@pytest.mark.parametrize("key", [None, "a"])
@pytest.mark.parametrize("outcome", ["succeeded", "unknown"])
def test_an_answer_that_is_brought_back_is_adopted(outcome: str, key: str | None, records: AuditLog) -> None:
    claim = same(key)
    admit(records, "one", claim)
    end(records, "one", outcome)
    bring_back(records, "one", claim, outcome)
    told = IdempotencyHit("one", "ended", f"one: {outcome}", outcome, adopted=key is None)
    assert admit(records, "two", claim) == told
    assert state(admit(records, "three", claim)) == (
        "ended" if key else {"succeeded": None, "unknown": "may_have_run"}[outcome]
    )


@pytest.mark.parametrize("taken", [False, True])
def test_of_what_did_not_run_only_the_answer_is_brought_back(taken: bool, records: AuditLog) -> None:
    admit(records, "one", same("a"))
    end(records, "one", "refused")
    if taken:
        assert admit(records, "two", same("a", of="refund A-2")) is None
    bring_back(records, "one", same("a"), "refused")
    assert records.fetch("one", "local") == IdempotencyHit("one", "ended", "one: refused", "refused")
    assert state(admit(records, "three", same("a"))) == ("another_request" if taken else None)


# After an unknown one.


def unknown(records: AuditLog, clock: Clock, how: str, claim: IdempotencyClaim) -> None:
    """A call `one` may have run, and its caller was told so, or had the time to ask."""
    admit(records, "one", claim)
    if how == "no word of it":
        clock.now += LEASE
    else:
        end(records, "one", "unknown")


UNKNOWN = pytest.mark.parametrize("how", ["an outcome", "no word of it"])


@UNKNOWN
@pytest.mark.parametrize("key", [None, "a"])
def test_after_an_unknown_one_only_a_call_that_names_it_starts(
    key: str | None, how: str, records: AuditLog, clock: Clock
) -> None:
    unknown(records, clock, how, same(key))
    for other in (same(), same("b"), same(after="two"), same("c", after="")):
        assert state(admit(records, "two", other)) == "may_have_run"
        assert state(records.claimed_by(other)) == "may_have_run"
    assert admit(records, "other", same(of="refund A-2", after="one")) is None, "it settles nothing of another request"
    assert admit(records, "bob's", same(by="bob", after="one")) is None, "nor of another principal"
    assert state(admit(records, "two", same())) == "may_have_run"
    assert records.claimed_by(same("b", after="one")) is None
    assert admit(records, "two", same("b", after="one")) is None
    end(records, "two")
    assert admit(records, "three", same("c")) is None, "it is settled"


@UNKNOWN
def test_it_is_not_settled_by_a_call_that_was_not_admitted(how: str, records: AuditLog, clock: Clock) -> None:
    unknown(records, clock, how, same())
    paused = same(after="one")
    records.pause("ann")
    assert records.admit("two", {}, [], LEASE, paused) is not None
    records.resume("ann")
    assert state(admit(records, "three", same())) == "may_have_run"


def test_each_unknown_one_is_named(records: AuditLog) -> None:
    admit(records, "one", same())
    end(records, "one", "unknown")
    assert admit(records, "two", same(after="one")) is None
    end(records, "two", "unknown")
    met = admit(records, "three", same(after="one"))
    assert met == IdempotencyHit("two", "may_have_run", adopted=True)
    assert admit(records, "three", same(after="two")) is None


@UNKNOWN
@pytest.mark.parametrize(("seconds", "met"), [(DAY - 0.001, "may_have_run"), (DAY, None)])
def test_it_stands_for_as_long_as_a_key(
    seconds: float, met: HitState | None, how: str, records: AuditLog, clock: Clock
) -> None:
    began = clock.now
    unknown(records, clock, how, same())
    clock.now = began + seconds
    assert state(admit(records, "two", same())) == met


def test_a_call_that_only_reads_may_follow(records: AuditLog, clock: Clock) -> None:
    admit(records, "one", same(reads=True))
    end(records, "one", "unknown")
    assert admit(records, "two", same(reads=True)) is None
    clock.now += LEASE
    assert admit(records, "three", same(reads=True)) == IdempotencyHit("two", "lost", adopted=True), "it is told once"
    assert admit(records, "three", same(reads=True)) is None


def test_an_unknown_one_that_was_left_is_told_first(records: AuditLog) -> None:
    admit(records, "one", same())
    leave(records, "one")
    end(records, "one", "unknown", delivered=False)
    assert admit(records, "two", same()) == adopted("one", "unknown")
    assert state(admit(records, "two", same())) == "may_have_run"


# Time, other servers, seals.


def test_a_key_whose_time_is_over_is_free_at_once(records: AuditLog, clock: Clock) -> None:
    """Also where what is over was not forgotten yet."""
    admit(records, "one", same("a", kept=1000))
    end(records, "one")
    clock.now += 970
    admit(records, "other", same(of="refund A-2"))
    clock.now += 30
    assert admit(records, "two", same("a", kept=1000)) is None


@pytest.mark.parametrize("key", [None, "a"])
def test_a_call_is_known_for_as_long_as_it_may_be_under_way(key: str | None, records: AuditLog, clock: Clock) -> None:
    claim = same(key, kept=960)
    admit(records, "one", claim, lease=5415)
    clock.now += 5414
    assert state(admit(records, "two", claim)) == "in_progress"
    leave(records, "one")
    end(records, "one", delivered=False)
    clock.now += ADOPT - 0.001
    assert state(records.claimed_by(claim)) == "ended"
    clock.now += 0.001
    assert admit(records, "two", claim) is None, "its time is over, and its key's"


def test_servers_on_one_store_know_the_same_calls(store: Store, clock: Clock) -> None:
    with closing(store.audit_log(clock=clock)) as one, closing(store.audit_log(clock=clock)) as other:
        admit(one, "one", same())
        assert state(admit(other, "two", same())) == "in_progress"
        leave(one, "one")
        assert state(admit(other, "two", same())) == "left"
        assert state(admit(one, "three", same())) == "in_progress", "the other server's client waits"
        end(one, "one", delivered=False)
        assert other.fetch("one", "local") == IdempotencyHit("one", "ended", "one: succeeded", "succeeded")
        assert admit(one, "three", same()) is None


def test_calls_survive_the_end_of_the_process(lasting: Store, clock: Clock) -> None:
    with closing(lasting.audit_log(clock=clock)) as records:
        for call, outcome in (("one", "succeeded"), ("two", "unknown")):
            admit(records, call, same(of=call))
            leave(records, call)
            end(records, call, outcome, delivered=False)
        admit(records, "three", same(of="three"))
        end(records, "three", "unknown")
    with closing(lasting.audit_log(clock=clock)) as records:
        assert admit(records, "four", same(of="one")) == adopted("one")
        assert admit(records, "four", same(of="two")) == adopted("two", "unknown")
        assert state(admit(records, "four", same(of="three"))) == "may_have_run"


def test_without_its_seal_an_answer_is_unreadable_and_nothing_starts_again(store: Store) -> None:
    with closing(store.audit_log(seal=Seal(bytes(range(32))))) as records:
        admit(records, "one", same())
        leave(records, "one")
        end(records, "one", delivered=False)
        for seal in (None, Seal(bytes(32))):
            with closing(store.audit_log(seal=seal)) as without:
                assert without.fetch("one", "local") == IdempotencyHit("one", "unreadable", None, "succeeded")
                leave(without, "one")
                met = admit(without, "two", same())
                assert met == IdempotencyHit("one", "unreadable", None, "succeeded", adopted=True)
                leave(without, "one")
        assert admit(records, "two", same()) == adopted("one")


# A model.


@dataclass
class Call:
    """What a client would know of one call that was started, if it knew everything.

    Attributes:
        told: whether its ending has reached somebody. None: nobody knows.
        heard_at: when it last became clear that it has not.
    """

    name: str
    claim: IdempotencyClaim
    began: float
    key: str | None
    outcome: str | None = None
    wanted: bool = True
    told: bool | None = False
    asked_again: bool = False
    heard_at: float | None = None
    settled: bool = False

    def is_same(self, claim: IdempotencyClaim) -> bool:
        both_keys = self.key is not None and claim.key is not None and self.key != claim.key
        return self.outcome != "refused" and self.claim.request_digest == claim.request_digest and not both_keys

    def is_under_way(self, now: float) -> bool:
        return self.outcome is None and now < self.began + LEASE

    def reached_nobody(self, now: float) -> bool:
        """Certainly, and not so long ago that nobody will ask any more."""
        if self.told is not False or now >= self.began + DAY:
            return False
        if self.outcome is None:
            return now < (self.heard_at if self.heard_at is not None else self.began + LEASE) + ADOPT
        return self.heard_at is not None and now < self.heard_at + ADOPT

    def may_have_run(self, now: float) -> bool:
        unknown = self.outcome == "unknown" or (self.outcome is None and not self.is_under_way(now))
        return unknown and not self.settled and not self.claim.repeatable and now < self.began + DAY


class Callers(RuleBasedStateMachine):
    """Callers send, leave, come back and read, and functions end, in any order, on a clock that goes on."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.clock = Clock()
        self.records = store.audit_log(clock=self.clock)
        self.calls: list[Call] = []

    def open(self) -> list[Call]:
        """What may still end, also after its lease."""
        return [call for call in self.calls if call.outcome is None and self.clock.now < call.began + DAY]

    @rule(
        of=st.sampled_from(["write", "read"]),
        key=st.sampled_from([None, None, "a", "b"]),
        named=st.integers(-3, 2),
    )
    def send(self, of: str, key: str | None, named: int) -> None:
        now, name = self.clock.now, f"call-{len(self.calls)}"
        after = self.calls[named].name if -len(self.calls) <= named < 0 else None
        claim = same(key if key is None else f"{of}-{key}", of=of, reads=of == "read", after=after)
        met = admit(self.records, name, claim)
        if met is None:
            self._may_start(claim, now)
            for call in self.calls:
                if call.name == after and call.claim.request_digest == of:
                    call.settled = True
            self.calls.append(Call(name, claim, now, claim.key))
        else:
            self._was_met(met, claim, now)

    def _may_start(self, claim: IdempotencyClaim, now: float) -> None:
        for call in self.calls:
            if call.name != claim.after_unknown:
                same_request = call.claim.request_digest == claim.request_digest
                assert not (same_request and call.may_have_run(now)), "what may have run was not named"
            if not call.is_same(claim) or call.settled or call.name == claim.after_unknown:
                continue
            if call.is_under_way(now):
                assert claim.repeatable, "two at once"
                assert call.wanted, "its caller had gone, and sent it again"
            else:
                assert not (call.reached_nobody(now) and call.outcome), "its answer had reached nobody"
            assert claim.key is None or call.key != claim.key or now >= call.began + DAY, "the key was another's"

    def _was_met(self, met: IdempotencyHit, claim: IdempotencyClaim, now: float) -> None:
        call = next(call for call in self.calls if call.name == met.invocation_id)
        has_key = claim.key is not None and call.key == claim.key
        assert call.claim.request_digest == claim.request_digest
        assert call.outcome != "refused"
        match met.state:
            case "ended" | "lost":
                assert (met.state == "ended") == (call.outcome is not None)
                assert has_key or call.told is not True, "it was delivered"
                assert met.result == (f"{call.name}: {call.outcome}" if call.outcome else None)
                call.told = True
            case "left" | "in_progress":
                assert call.is_under_way(now)
                assert met.state == "in_progress" or not call.wanted or claim.repeatable
                call.wanted = call.wanted or met.state == "left"
                call.asked_again = True
            case "may_have_run":
                assert call.may_have_run(now)
                assert claim.after_unknown != call.name
            case _:
                raise AssertionError(met)
        if met.state in ("left", "ended", "lost") and call.key is None:
            call.key = claim.key

    @precondition(lambda self: self.open())
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "unknown", "refused"]), arrives=st.booleans())
    def end(self, data: st.DataObject, outcome: str, arrives: bool) -> None:
        """An answer counts as delivered to whoever waits for it, and may not arrive."""
        call = data.draw(st.sampled_from(self.open()))
        end(self.records, call.name, outcome, delivered=call.wanted)
        call.outcome, call.heard_at = outcome, self.clock.now
        call.told = None if call.wanted and call.asked_again else call.wanted
        if call.wanted and not arrives:
            bring_back(self.records, call.name, call.claim, outcome)
            call.told = False

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Also who was told already, and went away before that was true."""
        kept = [call for call in self.calls if self.records.keeps(call.name, "local")]
        for call in data.draw(st.lists(st.sampled_from(kept), max_size=1)) if kept else []:
            leave(self.records, call.name)
            call.wanted, call.told, call.heard_at = False, False, self.clock.now

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.calls))
        found = self.records.fetch(call.name, "local")
        if found is None:
            assert call.told is True or self.clock.now >= call.began + DAY
        elif found.state == "in_progress":
            assert call.is_under_way(self.clock.now)
            call.wanted = call.asked_again = True
        else:
            assert found.result == (f"{call.name}: {call.outcome}" if call.outcome else None)
            call.told = True

    @rule(seconds=st.sampled_from([0.5, 3.0, ADOPT - 1, ADOPT, LEASE, DAY]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    def teardown(self) -> None:
        self.records.close()


def test_calls_are_those_of_a_simple_model(new_store: Callable[[], Store]) -> None:
    run_state_machine_as_test(lambda: Callers(new_store()))  # type: ignore[arg-type]  # any callable will do
