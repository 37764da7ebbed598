"""Sub-windows: no window is ever exceeded, by whichever of several clocks; and none is full for much longer."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.store.audit_log import Limit, RecordError
from lambda_warden.store.dynamodb.limits import SECOND, SKEW, WINDOWS, Units, Window
from lambda_warden.store.dynamodb.service_clock import KNOWN_WITHIN_SECONDS, ServiceClock

times = st.lists(
    st.tuples(st.floats(0, 20, allow_nan=False), st.integers(0, 2)), min_size=1, max_size=60
)  # how long after the one before, and at which server


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.limit)
@given(
    steps=times,
    allowed=st.integers(1, 4),
    skews=st.tuples(*[st.floats(-KNOWN_WITHIN_SECONDS, KNOWN_WITHIN_SECONDS)] * 3),
)
def test_a_window_is_never_exceeded_and_has_room_soon(
    window: Window, steps: list[tuple[float, int]], allowed: int, skews: tuple[float, float, float]
) -> None:
    """Three servers whose clocks are as wrong as they may be, and a watch that is right."""
    limit = Limit("k", **{window.limit: allowed})
    units, admitted, real = Units(), list[int](), 1_000_000 * SECOND
    for pause, server in steps:
        real += round(pause * window.part)
        now = real + round(skews[server] * SECOND)
        units = Units.of(units.body(), now)
        full = list(units.exceeded(limit, now))
        counted = sum(at > real - window.length for at in admitted)
        if not full:
            assert counted < allowed, "by the watch, there is no room"
            units = units.with_unit(now)
            admitted.append(real)
        else:
            assert sum(at > real - window.length - window.part - 2 * SKEW for at in admitted) >= allowed
            (exceeded,) = full
            assert exceeded.retry_after_seconds is not None
            assert 0 < exceeded.retry_after_seconds <= (window.length + window.part + 2 * SKEW) / SECOND


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.limit)
def test_what_was_admitted_by_a_slow_clock_counts_for_a_fast_one(window: Window) -> None:
    limit, end = Limit("k", **{window.limit: 1}), 10_000 * window.part
    units = Units().with_unit(end - 1)
    for now, is_full in ((end - 1 + window.length + SKEW, True), (end + window.length + SKEW, False)):
        assert bool(list(Units.of(units.body(), now).exceeded(limit, now))) is is_full


def test_a_unit_that_is_given_back_leaves_no_trace() -> None:
    at = 7_000 * SECOND
    units = Units().with_unit(at).with_unit(at).with_unit(at, -1).with_unit(at, -1)
    assert units == Units({window.limit: {} for window in WINDOWS})
    assert units.with_unit(at, -1) == units, "nor is it given back twice"


def test_the_services_time_is_known_within_the_bound_or_no_call_is_admitted() -> None:
    clock = ServiceClock()
    with pytest.raises(RecordError, match="tell the time"):
        clock.elapsed()
    clock.saw("no date", 0, 0)
    here = clock.machine()
    clock.saw("Fri, 15 Jan 2027 08:00:00 GMT", here - 5, here)  # a slow answer tells little
    with pytest.raises(RecordError, match="tell the time"):
        clock.elapsed()
    clock.saw("Fri, 15 Jan 2027 08:00:00 GMT", here - 0.02, here)
    assert clock.elapsed() == pytest.approx(1_800_000_000.5, abs=KNOWN_WITHIN_SECONDS)


@given(offset=st.floats(-1e6, 1e6), answers=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 0.9)), max_size=20))
def test_what_answers_say_of_the_time_is_true_together(offset: float, answers: list[tuple[float, float]]) -> None:
    """Each was made at some moment between its request and its arrival, and tells the second of that."""
    clock, sent = ServiceClock(), ServiceClock().machine() - 100
    for pause, took in [(0.0, 0.01), *answers]:
        sent += pause
        made = sent + took / 2 + offset + 1_800_000_000

        clock.saw(formatdate(int(made), usegmt=True), sent, sent + took)
    assert abs(clock.elapsed() - (clock.machine() + offset + 1_800_000_000)) <= KNOWN_WITHIN_SECONDS
