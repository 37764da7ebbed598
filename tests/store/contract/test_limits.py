"""No limit is ever exceeded, whatever the clock does and whoever shares the file, and nothing is held back for good."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.store.audit_log import AuditLog, Limit, LimitExceeded, LimitName, RecordError
from lambda_warden.store.opening import Store
from support.audit import recorded, verify
from support.backends import Backend
from support.clock import START, Clock


def kinds(store: Store) -> list[str]:
    return [event.kind for event in recorded(store)]


def test_a_call_without_limits_is_only_recorded(records: AuditLog, store: Store) -> None:
    for i in range(5):
        assert records.admit(f"call-{i}", {"tool": "dry_run"}, [Limit("rule")] if i % 2 else [], 60) is None
    assert kinds(store) == ["intent"] * 5


def test_the_intent_says_how_long_the_call_can_be_under_way(records: AuditLog, store: Store) -> None:
    records.admit("call-1", {"tool": "dry_run"}, [], 60.5)
    (intent,) = recorded(store)
    assert intent.fields() == {"tool": "dry_run", "lease_seconds": 60.5}


Waits = Callable[[object, str, LimitName, int, float], float]
"""Makes sure that a call has to wait, for a limit's key, name and number: seconds, and as much longer as a store may
take. Gives how long."""


@pytest.fixture
def waits(backend: Backend) -> Waits:
    def check(met: object, key: str, limit: LimitName, allowed: int, seconds: float) -> float:
        assert isinstance(met, LimitExceeded)
        assert (met.key, met.limit, met.allowed) == (key, limit, allowed)
        assert met.retry_after_seconds is not None
        assert seconds - 0.001 <= met.retry_after_seconds <= seconds + backend.late.get(limit, 0) + 0.001
        return met.retry_after_seconds

    return check


@pytest.mark.parametrize(
    ("wanted", "seconds"), [(Limit("k", per_minute=2), 60), (Limit("k", per_day=2), 86_400)], ids=["minute", "day"]
)
def test_a_window_has_room_again_exactly_when_it_was_said(
    records: AuditLog, clock: Clock, waits: Waits, wanted: Limit, seconds: float
) -> None:
    limit: LimitName = "per_minute" if wanted.per_minute else "per_day"
    assert records.admit("call-1", {}, [wanted], 1) is None
    clock.now += 10
    assert records.admit("call-2", {}, [wanted], 1) is None
    clock.now += 5
    room = clock.now + waits(records.admit("call-3", {}, [wanted], 1), "k", limit, 2, seconds - 15)
    clock.now = room - 0.001
    assert records.admit("call-3", {}, [wanted], 1) is not None
    clock.now = room
    assert records.admit("call-3", {}, [wanted], 1) is None
    if room < START + seconds + 10:
        waits(records.admit("call-4", {}, [wanted], 1), "k", limit, 2, START + seconds + 10 - room)


def test_nothing_is_taken_or_recorded_where_one_limit_has_no_room(
    records: AuditLog, store: Store, waits: Waits
) -> None:
    rule, principal = Limit("rule", per_minute=5), Limit("principal", per_day=1)
    assert records.admit("call-1", {}, [principal], 1) is None
    for _ in range(9):
        waits(records.admit("call-2", {}, [rule, principal], 1), "principal", "per_day", 1, 86_400)
    assert kinds(store) == ["intent"]
    for i in range(3, 8):
        assert records.admit(f"call-{i}", {}, [rule], 1) is None


def test_the_limit_to_be_waited_for_longest_is_named(records: AuditLog, waits: Waits) -> None:
    wanted_limits = [Limit("a", per_minute=1, concurrent=1), Limit("b", per_day=1), Limit("c", per_minute=1)]
    assert records.admit("call-1", {}, wanted_limits, 1) is None
    waits(records.admit("call-2", {}, wanted_limits, 1), "b", "per_day", 1, 86_400)
    waits(records.admit("call-2", {}, [wanted_limits[0]], 1), "a", "per_minute", 1, 60)
    none = Limit("d", concurrent=0)
    assert records.admit("call-2", {}, [*wanted_limits, none], 1) == LimitExceeded("d", "concurrent", 0, None)


@pytest.mark.parametrize("wanted", [Limit("k", per_minute=0), Limit("k", per_day=0), Limit("k", concurrent=0)])
def test_a_limit_of_none_at_all_never_has_room(records: AuditLog, wanted: Limit) -> None:
    busy = records.admit("call-1", {}, [wanted], 1)
    assert isinstance(busy, LimitExceeded)
    assert (busy.allowed, busy.retry_after_seconds) == (0, None)


def test_a_slot_comes_back_when_its_call_ends(records: AuditLog, store: Store) -> None:
    wanted = Limit("k", concurrent=1)
    assert records.admit("call-1", {}, [wanted], 60) is None
    assert records.admit("call-2", {}, [wanted], 60) == LimitExceeded("k", "concurrent", 1, 60)
    records.finish("call-1", {"outcome": "succeeded"}, ran=True)
    assert records.admit("call-2", {}, [wanted], 60) is None
    assert kinds(store) == ["intent", "outcome", "intent"]


def test_a_slot_of_a_call_that_never_ended_comes_back_with_its_lease(records: AuditLog, clock: Clock) -> None:
    wanted = Limit("k", concurrent=1)
    assert records.admit("call-1", {}, [wanted], 60) is None
    clock.now += 59.999
    assert records.admit("call-2", {}, [wanted], 60) is not None
    clock.now += 0.001
    assert records.admit("call-2", {}, [wanted], 60) is None
    records.finish("call-1", {}, ran=True)  # late: it must not free the slot of another
    assert records.admit("call-3", {}, [wanted], 60) is not None


def test_a_call_that_did_not_run_gives_everything_back(records: AuditLog) -> None:
    wanted = Limit("k", per_minute=1, per_day=1, concurrent=1)
    assert records.admit("call-1", {}, [wanted], 60) is None
    records.finish("call-1", {"outcome": "refused"}, ran=False)
    assert records.admit("call-2", {}, [wanted], 60) is None
    records.finish("call-2", {"outcome": "succeeded"}, ran=True)
    assert records.admit("call-3", {}, [wanted], 60) is not None


def test_a_call_that_may_still_run_holds_its_slot_until_the_end_of_its_lease(records: AuditLog, clock: Clock) -> None:
    limit = Limit("k", per_minute=9, concurrent=1)
    assert records.admit("call-1", {}, [limit], 60) is None
    clock.now += 10
    records.finish("call-1", {"outcome": "unknown"}, ran=True, ended=False)
    assert records.admit("call-2", {}, [limit], 60) == LimitExceeded("k", "concurrent", 1, 50)
    clock.now += 50
    assert records.admit("call-2", {}, [limit], 60) is None


def test_a_call_is_admitted_once(records: AuditLog, store: Store) -> None:
    wanted = Limit("k", per_minute=5)
    assert records.admit("call-1", {}, [wanted], 60) is None
    with pytest.raises(RecordError):
        records.admit("call-1", {}, [wanted], 60)
    assert kinds(store) == ["intent"]


def test_limits_hold_for_all_who_share_a_store(store: Store, clock: Clock) -> None:
    wanted = Limit("k", per_day=2)
    with closing(store.audit_log(clock=clock)) as one, closing(store.audit_log(clock=clock)) as other:
        assert one.admit("call-1", {}, [wanted], 60) is None
        assert other.admit("call-2", {}, [wanted], 60) is None
        assert one.admit("call-3", {}, [wanted], 60) is not None


def test_limits_outlive_the_server(lasting: Store, clock: Clock, waits: Waits) -> None:
    wanted = Limit("k", per_day=1)
    with closing(lasting.audit_log(clock=clock)) as records:
        assert records.admit("call-1", {}, [wanted], 60) is None
    clock.now += 80_000
    with closing(lasting.audit_log(clock=clock)) as later:
        waits(later.admit("call-2", {}, [wanted], 60), "k", "per_day", 1, 6_400)


def test_a_lower_limit_counts_the_calls_made_under_the_higher_one(
    records: AuditLog, clock: Clock, waits: Waits
) -> None:
    for i in range(4):
        assert records.admit(f"call-{i}", {}, [Limit("k", per_minute=4)], 60) is None
        clock.now += 1
    # The third of them must be gone too.
    waits(records.admit("call-9", {}, [Limit("k", per_minute=2)], 60), "k", "per_minute", 2, 58)


def test_a_clock_that_was_wrong_for_a_while_holds_nothing_back_for_good(
    records: AuditLog, clock: Clock, waits: Waits
) -> None:
    wanted = Limit("k", per_minute=1, concurrent=1)
    clock.now = START + 10 * 365 * 86_400
    assert records.admit("call-1", {}, [wanted], 60) is None
    clock.now = START
    clock.now += waits(records.admit("call-2", {}, [wanted], 60), "k", "per_minute", 1, 60)
    assert records.admit("call-2", {}, [wanted], 60) is None


@pytest.mark.parametrize("down_seconds", [0.0, 3600.0, -3600.0])
def test_windows_go_on_over_a_restart_of_the_machine(lasting: Store, down_seconds: float, waits: Waits) -> None:
    clock, limit = Clock(), Limit("rule", per_day=1)
    with closing(lasting.audit_log(clock=clock)) as records:
        assert records.admit("call-1", {}, [limit], 1) is None
    clock.reboot(down_seconds)
    with closing(lasting.audit_log(clock=clock)) as records:
        room = waits(records.admit("call-2", {}, [limit], 1), "rule", "per_day", 1, 86_400 - max(0.0, down_seconds))
        clock.step(10 * 86_400)
        assert records.admit("call-2", {}, [limit], 1) is not None
        clock.step(-20 * 86_400)
        clock.now += room
        assert records.admit("call-2", {}, [limit], 1) is None


@dataclass
class Unit:
    """A call under a limit, as the model sees it. `real` is by a watch."""

    key: str
    real: float
    lease: float
    under_way: bool = True
    counts: bool = True


@dataclass
class Model:
    """The limits without a database: a list that is counted through.

    Attributes:
        wanted_limits: by their keys.
        late: how much longer than in a window a unit may count in it.
    """

    wanted_limits: dict[str, Limit]
    late: Mapping[str, float]
    units: list[Unit] = field(default_factory=list)
    too_many_at_once: bool = False

    def wait(self, real: float, keys: frozenset[str], late: Mapping[str, float]) -> float:
        """The longest time to wait for room, 0 where nobody can say; below 0 if there is room."""
        waits = [-1.0]
        for key in keys:
            mine = [unit for unit in self.units if unit.key == key and unit.counts]
            waits += [self._wait(mine, real, self.wanted_limits[key].per_minute, 60 + late["per_minute"])]
            waits += [self._wait(mine, real, self.wanted_limits[key].per_day, 86_400 + late["per_day"])]
            concurrent = self.wanted_limits[key].concurrent
            held = [unit for unit in mine if unit.under_way and unit.real + unit.lease > real]
            waits += [0.0] if concurrent is not None and len(held) >= concurrent else [-1.0]
        return max(waits)

    def refuses_rightly(self, busy: LimitExceeded, real: float, keys: frozenset[str]) -> bool:
        """Whether there is no room, or none yet, and it is said when there will be."""
        soonest, latest = self.wait(real, keys, dict.fromkeys(self.late, 0.0)), self.wait(real, keys, self.late)
        if busy.limit == "concurrent":
            return latest >= 0
        wait = busy.retry_after_seconds or 0.0
        return max(soonest, 0.0) - 0.001 <= wait <= latest + 0.001

    def admit(self, real: float, keys: frozenset[str], lease: float) -> list[Unit]:
        """Take what is to be taken."""
        taken = [Unit(key, real, lease) for key in keys]
        self.units += taken
        for key in keys:
            held = [u for u in self.units if u.key == key and u.counts and u.under_way and u.real + u.lease > real]
            self.too_many_at_once |= len(held) > (self.wanted_limits[key].concurrent or len(held))
        return taken

    @staticmethod
    def _wait(units: list[Unit], now: float, allowed: int | None, length: float) -> float:
        ends = sorted(unit.real + length for unit in units)
        still = [end for end in ends if end > now]
        if allowed is None or len(still) < allowed:
            return -1.0
        return still[len(still) - allowed] - now

    def exceeded(self) -> bool:
        """Whether, by the watch, more was ever admitted than a limit allows."""
        for key, wanted in self.wanted_limits.items():
            mine = [unit for unit in self.units if unit.key == key and unit.counts]
            for allowed, length in ((wanted.per_minute, 60), (wanted.per_day, 86_400)):
                for unit in mine:
                    window = [other for other in mine if unit.real - length < other.real <= unit.real]
                    if allowed is not None and len(window) > allowed:
                        return True
        return self.too_many_at_once


quarters = st.integers(0, 4 * 90_000).map(lambda n: n / 4)
short = st.integers(0, 4 * 40).map(lambda n: n / 4)
allowed = st.none() | st.integers(1, 4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.one_of(short, short, st.just(60.0), quarters)),
        st.tuples(st.just("step"), st.one_of(short, quarters)),
        st.tuples(st.just("step"), st.one_of(short, quarters).map(lambda seconds: -seconds)),
        st.tuples(st.just("admit"), st.sampled_from(["a", "b", "ab"])),
        st.tuples(st.just("admit"), st.sampled_from(["a", "b", "ab"])),
        st.tuples(st.just("finish"), st.tuples(st.integers(0, 20), st.booleans())),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=60,
)


@given(
    st.builds(Limit, st.just("a"), allowed, allowed, allowed),
    st.builds(Limit, st.just("b"), allowed, allowed, allowed),
    steps,
)
def test_limits_are_those_of_a_simple_model_whatever_the_clock_does(
    new_store: Callable[[], Store], backend: Backend, a: Limit, b: Limit, steps: list[tuple[str, object]]
) -> None:
    store, clock, real, lease = new_store(), Clock(), 0.0, 30.0
    model = Model({wanted.key: wanted for wanted in (a, b) if wanted != Limit(wanted.key)}, backend.late)
    admitted: list[tuple[str, list[Unit]]] = []
    records = store.audit_log(clock=clock)
    try:
        for number, (step, value) in enumerate(steps):
            match step, value:
                case "pass", float(seconds):
                    clock.now += seconds
                    real += seconds
                case "step", float(seconds):
                    clock.step(seconds)
                case "admit", str(names):
                    keys = frozenset(names) & model.wanted_limits.keys()
                    busy = records.admit(f"call-{number}", {}, [{"a": a, "b": b}[name] for name in names], lease)
                    if busy is None:
                        assert model.wait(real, keys, dict.fromkeys(model.late, 0.0)) < 0
                        admitted.append((f"call-{number}", model.admit(real, keys, lease)))
                    else:
                        assert isinstance(busy, LimitExceeded)
                        assert model.refuses_rightly(busy, real, keys)
                case "finish", (int(index), bool(ran)) if index < len(admitted):
                    invocation_id, units = admitted[index]
                    if all(unit.under_way for unit in units):
                        records.finish(invocation_id, {}, ran=ran)
                        for unit in units:
                            unit.under_way, unit.counts = False, ran
                case "reopen", _:
                    opened = store.audit_log(clock=clock)
                    records.close()
                    records = opened
        assert verify(store).problems == ()
    finally:
        records.close()
    assert not model.exceeded()


@pytest.mark.usefixtures("race")
def test_many_threads_never_get_more_than_there_is(store: Store) -> None:
    threads, each = 12, 20
    wanted_limits = [Limit("rule", per_minute=70, concurrent=3), Limit("principal", per_day=100)]
    ready = threading.Barrier(threads)
    under_way: set[str] = set()
    most: list[int] = []
    failures: list[Exception] = []

    def work(records: AuditLog, worker: int) -> None:
        ready.wait()
        try:
            for i in range(each):
                invocation_id = f"{worker}-{i}"
                if records.admit(invocation_id, {}, wanted_limits, 1e6) is None:
                    under_way.add(invocation_id)
                    most.append(len(under_way))
                    under_way.discard(invocation_id)
                    records.finish(invocation_id, {}, ran=True)
        except Exception as error:  # noqa: BLE001 - a failure in a thread would go unseen
            failures.append(error)

    stopped = Clock()
    with closing(store.audit_log(clock=stopped)) as one, closing(store.audit_log(clock=stopped)) as other:
        workers = [threading.Thread(target=work, args=((one, other)[i % 2], i)) for i in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        written = kinds(store)
        assert verify(store).problems == ()
    assert failures == []
    assert max(most) <= 3
    assert written.count("intent") == written.count("outcome") <= 70
