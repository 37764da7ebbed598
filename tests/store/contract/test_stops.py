"""While calls are paused none is admitted, and a function that failed too often in a row is left alone for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.store.audit_log import AuditLog, CircuitBreaker, CircuitOpen, IdempotencyClaim, Limit, Pause
from lambda_warden.store.opening import Store
from support.audit import reading, recorded, verify
from support.backends import Backend
from support.clock import START, Clock

BREAKER = CircuitBreaker("f:live", failures=2, cool_down_seconds=60)
SINCE = "2027-01-15T08:00:00.000+00:00"
"""`START`, as it is shown."""


def end(records: AuditLog, call: str, outcome: str, breaker: CircuitBreaker = BREAKER) -> None:
    """A call from its admission to its end."""
    assert records.admit(call, {}, [], 60, None, breaker) is None
    records.finish(call, {"outcome": outcome}, ran=outcome != "refused")


def test_a_pause_admits_nobody_and_says_who_when_and_why(records: AuditLog, store: Store, clock: Clock) -> None:
    assert records.admit("under way", {}, [], 60) is None
    assert records.pause("ann", "incident 7") is None
    clock.now += 5
    pause = Pause("ann", SINCE, "incident 7")
    assert records.pause("bob") == pause, "the first one stays"
    assert records.admit("call-1", {}, [Limit("k", per_day=1)], 60, None, BREAKER) == pause
    assert records.stopped_by() == records.stopped_by(BREAKER) == pause
    with reading(store) as reader:
        assert reader.stopped_by() == pause
    records.finish("under way", {"outcome": "succeeded"}, ran=True)
    assert records.resume("bob", "over") == pause
    assert records.resume("bob") is None
    assert records.admit("call-1", {}, [Limit("k", per_day=1)], 60, None, BREAKER) is None, "the pause took no unit"
    events = [(event.kind, event.fields()) for event in recorded(store) if event.kind in ("pause", "resume")]
    assert events == [("pause", {"by": "ann", "reason": "incident 7"}), ("resume", {"by": "bob", "reason": "over"})]
    assert [event.kind for event in recorded(store)] == ["intent", "pause", "outcome", "resume", "intent"]


def test_a_pause_holds_for_all_who_share_a_store(store: Store, clock: Clock) -> None:
    with closing(store.audit_log(clock=clock)) as one, closing(store.audit_log(clock=clock)) as other:
        one.pause("ann")
        assert other.admit("call-1", {}, [], 60) == Pause("ann", SINCE)
        other.resume("ann")
        assert one.admit("call-1", {}, [], 60) is None


def test_a_pause_outlives_servers_and_starts_of_the_machine(lasting: Store) -> None:
    clock = Clock()
    with closing(lasting.audit_log(clock=clock)) as records:
        records.pause("ann")
    clock.reboot(3600)
    with closing(lasting.audit_log(clock=clock)) as records:
        assert records.admit("call-1", {}, [], 60) == Pause("ann", SINCE)


def test_a_key_that_a_call_has_gives_its_result_while_calls_are_paused(records: AuditLog) -> None:
    claim = IdempotencyClaim("local", "order-1", "digest", 3600)
    assert records.admit("call-1", {}, [], 60, claim) is None
    records.finish("call-1", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
    records.pause("ann")
    met = records.admit("call-2", {}, [], 60, claim)
    assert getattr(met, "invocation_id", None) == "call-1"


@pytest.mark.usefixtures("race")
def test_no_call_is_admitted_behind_a_pause(store: Store, backend: Backend) -> None:
    """Threads that admit as fast as they can, and one that pauses: there is no intent more once that is done."""
    begun = threading.Barrier(5)

    def work(records: AuditLog, worker: int) -> None:
        begun.wait()
        number = 0
        while records.admit(f"{worker}-{number}", {}, [], 60) is None:
            number += 1

    with closing(store.audit_log(clock=Clock())) as one, closing(store.audit_log(clock=Clock())) as other:
        threads = [threading.Thread(target=work, args=(records, n)) for n, records in enumerate((one, other) * 2)]
        for thread in threads:
            thread.start()
        begun.wait()
        one.pause("ann")
        events = len(recorded(store))
        for thread in threads:
            thread.join()
        assert len(recorded(store)) == events
        if not backend.engine:  # there, servers have no common order
            assert recorded(store)[-1].kind == "pause"


def test_failures_in_a_row_stop_a_function_until_the_cool_down_has_passed(
    records: AuditLog, store: Store, clock: Clock
) -> None:
    end(records, "call-1", "function_error")
    clock.now += 10
    end(records, "call-2", "unknown")
    clock.now += 20
    stopped = CircuitOpen("f:live", 2, 40)
    assert records.admit("call-3", {}, [Limit("k", per_day=1)], 60, None, BREAKER) == stopped
    assert records.stopped_by(BREAKER) == stopped
    with closing(store.audit_reader(clock=clock)) as reader:
        assert reader.stopped_by(BREAKER) == stopped
        assert [(run.function, run.failures, run.last_at) for run in reader.failure_runs()] == [
            ("f:live", 2, "2027-01-15T08:00:10.000+00:00")
        ]
    assert records.admit("other", {}, [], 60, None, CircuitBreaker("g:live", 2, 60)) is None
    assert records.admit("without", {}, [], 60) is None
    clock.now += 39.999
    assert records.admit("call-3", {}, [], 60, None, BREAKER) is not None
    clock.now = START + 70
    # Then calls go through, and one failure is enough to stop it again.
    end(records, "call-3", "function_error")
    assert records.stopped_by(BREAKER) == CircuitOpen("f:live", 3, 60)
    clock.now += 60
    end(records, "call-4", "succeeded")
    end(records, "call-5", "function_error")
    assert records.stopped_by(BREAKER) is None


@pytest.mark.parametrize("between", ["refused", "accepted", "denied"])
def test_what_says_nothing_of_the_function_leaves_its_failures_as_they_are(between: str, records: AuditLog) -> None:
    for number, outcome in enumerate(["function_error", between, "unknown"]):
        assert records.stopped_by(BREAKER) is None
        end(records, f"call-{number}", outcome)
    assert records.stopped_by(BREAKER) == CircuitOpen("f:live", 2, 60)


def test_a_call_counts_once_and_only_under_the_breaker_that_it_was_admitted_with(records: AuditLog) -> None:
    assert records.admit("call-1", {}, [], 60) is None
    records.finish("call-1", {"outcome": "unknown"}, ran=True)
    end(records, "call-2", "unknown")
    records.finish("call-2", {"outcome": "unknown"}, ran=True)
    assert [run.failures for run in records.failure_runs()] == [1]


def test_a_call_whose_server_is_gone_counts_as_the_unknown_that_it_is(lasting: Store, clock: Clock) -> None:
    with closing(lasting.audit_log(clock=clock)) as records:
        assert records.admit("call-1", {}, [], 60, None, BREAKER) is None
    with closing(lasting.audit_log(clock=clock)) as records:
        assert [run.failures for run in records.failure_runs()] == [1]
        records.finish("call-1", {"outcome": "unknown"}, ran=True)
        assert [run.failures for run in records.failure_runs()] == [1]


def test_a_person_resumes_a_function_and_that_is_on_record(records: AuditLog, store: Store) -> None:
    for number in range(2):
        end(records, f"call-{number}", "unknown")
    assert not records.resume_function("g:live", "ann")
    assert records.resume_function("f:live", "ann", "fixed")
    assert not records.resume_function("f:live", "ann")
    assert records.admit("call-3", {}, [], 60, None, BREAKER) is None
    resumed = [event.fields() for event in recorded(store) if event.kind == "resume"]
    assert resumed == [{"by": "ann", "function": "f:live", "reason": "fixed"}]


@pytest.mark.parametrize("down_seconds", [0.0, 30.0, -3600.0])
def test_a_cool_down_goes_on_over_a_start_of_the_machine_and_is_no_longer_for_it(
    lasting: Store, down_seconds: float
) -> None:
    clock = Clock()
    with closing(lasting.audit_log(clock=clock)) as records:
        end(records, "call-1", "unknown")
        assert records.admit("call-2", {}, [], 900, None, BREAKER) is None
        clock.now += 500
        records.finish("call-2", {"outcome": "unknown"}, ran=True)
    clock.reboot(down_seconds)
    with closing(lasting.audit_reader(clock=clock)) as reader:
        read = reader.stopped_by(BREAKER)
    with closing(lasting.audit_log(clock=clock)) as records:
        met = records.admit("call-3", {}, [], 60, None, BREAKER)
        assert read == met
        assert isinstance(met, CircuitOpen)
        assert met.retry_after_seconds == pytest.approx(60 - max(0.0, down_seconds))
        clock.step(86_400)
        assert records.admit("call-3", {}, [], 60, None, BREAKER) is not None
        clock.step(-10 * 86_400)
        clock.now += 60
        assert records.admit("call-3", {}, [], 60, None, BREAKER) is None


outcomes = st.sampled_from(["function_error", "function_error", "unknown", "succeeded", "refused", "accepted"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.sampled_from([1.0, 15.0, 60.0])),
        st.tuples(st.just("step"), st.sampled_from([-1e6, -30.0, 30.0, 1e6])),
        st.tuples(st.just("call"), outcomes),
        st.tuples(st.just("call"), outcomes),
        st.tuples(st.just("begin"), st.none()),
        st.tuples(st.just("end"), outcomes),
        st.tuples(st.sampled_from(["pause", "resume", "resume f", "reopen"]), st.none()),
    ),
    max_size=50,
)


@given(st.integers(1, 3), steps)
def test_stops_are_those_of_a_simple_model_whatever_the_clock_does(
    new_store: Callable[[], Store], failures: int, steps: list[tuple[str, object]]
) -> None:
    store, clock, breaker = new_store(), Clock(), CircuitBreaker("f:live", failures, 60)
    real, paused, run, last = 0.0, False, 0, 0.0
    under_way: list[str] = []
    records = store.audit_log(clock=clock)
    try:
        for number, (step, value) in enumerate(steps):
            stopped = run >= failures and real < last + 60
            if step in ("call", "begin"):
                met = records.admit(f"call-{number}", {}, [], 1e6, None, breaker)
                assert isinstance(met, Pause if paused else CircuitOpen if stopped else type(None))
                if isinstance(met, CircuitOpen):
                    assert met.failures == run
                    assert met.retry_after_seconds == pytest.approx(last + 60 - real)
                if met is None:
                    under_way.append(f"call-{number}")
            if (step == "end" or (step == "call" and not paused and not stopped)) and under_way:
                records.finish(under_way.pop(), {"outcome": str(value)}, ran=value != "refused")
                if value in ("function_error", "unknown"):
                    run, last = run + 1, real
                elif value == "succeeded":
                    run = 0
            match step, value:
                case "pass", float(seconds):
                    clock.now += seconds
                    real += seconds
                case "step", float(seconds):
                    clock.step(seconds)
                case "pause", _:
                    assert (records.pause("ann") is not None) is paused
                    paused = True
                case "resume", _:
                    assert (records.resume("ann") is not None) is paused
                    paused = False
                case "resume f", _:
                    assert records.resume_function("f:live", "ann") is (run > 0)
                    run = 0
                case "reopen", _ if not under_way:  # those of a server that is gone are unknown: see above
                    opened = store.audit_log(clock=clock)
                    records.close()
                    records = opened
        assert verify(store).problems == ()
    finally:
        records.close()
