"""Attempts, with nothing real in them: outcomes from a list, pauses that take no time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.invocation.retry import attempt_until_it_may_have_run, may_retry
from lambda_warden.model.outcome import RawOutcome, Refused, Remedy, Returned, Unknown

PASSES = Refused("TooManyRequestsException", "no", 429, retry_sensible=True)
STAYS = Refused("ResourceNotFoundException", "no", 404)
RAN = Returned(200, b"1")
LOST = Unknown("ConnectionClosedError", "gone")


def after(seconds: float) -> Refused:
    return Refused("TooManyRequestsException", "no", 429, retry_sensible=True, retry_after_seconds=seconds)


class Clock:
    """The time of a test, which passes in pauses alone."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeHandle(InvocationHandle):
    """Pauses at once, and can be given up in one of its pauses."""

    def __init__(self, clock: Clock, until: float = float("inf"), given_up_in_pause: int = 0) -> None:
        super().__init__()
        self._until = until
        self.pauses: list[float] = []
        self._clock = clock
        self._given_up_in_pause = given_up_in_pause

    @property
    def deadline(self) -> float:
        return self._until

    def wait(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._clock.now += seconds
        if len(self.pauses) == self._given_up_in_pause:
            self.give_up("shutdown")


class Run:
    """One call: what was attempted, and what was told."""

    def __init__(
        self,
        outcomes: Sequence[RawOutcome],
        max_attempts: int,
        *,
        until: float = float("inf"),
        given_up_in_pause: int = 0,
        given_up_in_telling: bool = False,
        telling_takes: float = 0,
    ) -> None:
        self.begun: list[float] = []
        self.told: list[tuple[int, Refused, float]] = []
        clock = Clock()
        self.handle = FakeHandle(clock, clock.now + until, given_up_in_pause)
        left = iter(outcomes)

        def attempt() -> RawOutcome:
            self.begun.append(clock.now)
            self.handle.begin_attempt()
            return next(left)

        def on_retry(number: int, refusal: Refused, pause: float) -> None:
            assert number == len(self.begun)
            assert len(self.handle.pauses) == len(self.told) + 1, "a retry is told after its pause"
            self.told.append((number, refusal, pause))
            clock.now += telling_takes
            if given_up_in_telling:
                self.handle.give_up("cancelled")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lambda_warden.invocation.retry.time.monotonic", clock)
            self.raw, self.attempts = attempt_until_it_may_have_run(attempt, max_attempts, self.handle, on_retry)
        assert self.attempts == len(self.begun)
        assert [pause for _, _, pause in self.told] == self.handle.pauses[: len(self.told)]
        if not (given_up_in_telling or telling_takes):
            assert len(self.told) == self.attempts - 1, "what is told stands for an attempt that is made"


@pytest.mark.parametrize("raw", [STAYS, RAN, LOST, Unknown("TooManyRequestsException", "no", 429)], ids=repr)
def test_what_may_have_run_or_stays_is_attempted_once(raw: RawOutcome) -> None:
    run = Run([raw], 10)
    assert (run.raw, run.attempts, run.told) == (raw, 1, [])


@pytest.mark.parametrize("last", [STAYS, RAN, LOST], ids=repr)
def test_after_refusals_that_pass_the_first_other_outcome_counts(last: RawOutcome) -> None:
    run = Run([PASSES, PASSES, last], 10)
    assert (run.raw, run.attempts) == (last, 3)
    assert [(number, refusal) for number, refusal, _ in run.told] == [(1, PASSES), (2, PASSES)]


@pytest.mark.parametrize("max_attempts", [1, 2, 3, 10])
def test_no_more_attempts_are_made_than_allowed(max_attempts: int) -> None:
    run = Run([PASSES] * 20, max_attempts)
    assert (run.raw, run.attempts, len(run.told)) == (PASSES, max_attempts, max_attempts - 1)


def test_pauses_grow_at_random_and_have_a_limit() -> None:
    longest = [max(pauses) for pauses in zip(*(Run([PASSES] * 10, 10).handle.pauses for _ in range(200)), strict=True)]
    assert all(pause <= min(0.2 * 2**number, 10) for number, pause in enumerate(longest))
    assert longest[0] < longest[3] < longest[6]
    assert len({Run([PASSES, RAN], 2).handle.pauses[0] for _ in range(20)}) > 1


@pytest.mark.parametrize("seconds", [0.0, 1.0, 30.0, 600.0])
def test_a_retry_after_is_waited_for_and_little_longer(seconds: float) -> None:
    (pause,) = Run([after(seconds), RAN], 3).handle.pauses
    assert seconds <= pause <= seconds + 0.5


def test_nothing_is_attempted_beyond_the_deadline() -> None:
    run = Run([after(30), RAN], 3, until=20)
    assert (run.attempts, run.told, run.handle.pauses) == (1, [], [])
    assert run.raw == after(30)
    assert Run([after(30), RAN], 3, until=40).raw == RAN


def test_nothing_is_attempted_after_the_call_was_given_up_in_a_pause() -> None:
    run = Run([PASSES, PASSES, RAN], 10, given_up_in_pause=2)
    assert (run.raw, run.attempts) == (PASSES, 2)
    assert [number for number, _, _ in run.told] == [1], "the attempt that is not made is not on record"


def test_nothing_is_attempted_after_the_call_was_given_up_while_the_retry_was_recorded() -> None:
    run = Run([PASSES, RAN], 10, given_up_in_telling=True)
    assert (run.raw, run.attempts) == (PASSES, 1)


def test_nothing_is_attempted_where_recording_the_retry_took_what_time_was_left() -> None:
    run = Run([after(5), RAN], 3, until=20, telling_takes=20)
    assert (run.raw, run.attempts) == (after(5), 1)
    assert Run([after(5), RAN], 3, until=20, telling_takes=10).raw == RAN


def test_a_pause_that_takes_longer_than_planned_is_followed_by_nothing_after_the_deadline() -> None:
    class Slow(FakeHandle):
        def wait(self, seconds: float) -> None:
            super().wait(seconds + 30)

    told: list[object] = []
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lambda_warden.invocation.retry.time.monotonic", clock)
        ended = attempt_until_it_may_have_run(
            lambda: PASSES, 10, Slow(clock, clock.now + 20), lambda *each: told.append(each)
        )
    assert (ended, told) == ((PASSES, 1), [])


def removed(remedy: Remedy) -> Refused:
    return Refused("X", "no", 403, remedy=remedy)


@pytest.mark.parametrize("max_attempts", [1, 3])
def test_a_refusal_whose_cause_was_removed_is_followed_by_one_more_attempt_at_once(max_attempts: int) -> None:
    told: list[tuple[int, Refused, float]] = []

    def run(*outcomes: RawOutcome) -> tuple[RawOutcome, int]:
        left = iter(outcomes)
        return attempt_until_it_may_have_run(
            lambda: next(left), max_attempts, InvocationHandle(), lambda *each: told.append(each)
        )

    log_type, credentials = removed("log_type"), removed("credentials")
    assert run(log_type, RAN) == (RAN, 2)
    assert run(log_type, credentials, LOST) == (LOST, 3)
    assert run(credentials, credentials) == (credentials, 2), "once for each kind"
    assert run(credentials, log_type, credentials) == (credentials, 3)
    assert run(credentials, STAYS) == (STAYS, 2)
    assert {pause for _, _, pause in told} == {0.0}
    assert len(told) == 1 + 2 + 1 + 2 + 1


def test_a_call_that_was_given_up_is_not_attempted_again_although_the_cause_was_removed() -> None:
    handle = InvocationHandle()
    handle.give_up("cancelled")
    refused = removed("log_type")
    assert attempt_until_it_may_have_run(lambda: refused, 3, handle, lambda *_: None) == (refused, 1)


def test_nothing_is_attempted_after_the_call_was_given_up_in_an_attempt() -> None:
    handle, made = InvocationHandle(), []

    def attempt() -> RawOutcome:
        made.append(1)
        handle.give_up("cancelled")
        return PASSES

    assert attempt_until_it_may_have_run(attempt, 10, handle, lambda *_: None) == (PASSES, 1)
    assert made == [1]


def test_a_retry_that_can_not_be_told_is_not_made() -> None:
    made = []

    def attempt() -> RawOutcome:
        made.append(1)
        return PASSES

    def on_retry(*_: object) -> None:
        raise RuntimeError("the records are full")

    with pytest.raises(RuntimeError, match="full"):
        attempt_until_it_may_have_run(attempt, 10, InvocationHandle(), on_retry)
    assert made == [1]


refusals = st.builds(
    Refused,
    st.just("X"),
    st.just("no"),
    retry_sensible=st.booleans(),
    retry_after_seconds=st.none() | st.floats(0, 1000),
)
outcomes = st.one_of(refusals, st.just(RAN), st.just(LOST))


@given(st.lists(outcomes, min_size=10, max_size=10), st.integers(1, 10), st.floats(1, 5000), st.integers(0, 10))
def test_after_the_first_outcome_that_is_no_passing_refusal_there_is_no_attempt(
    sequence: list[RawOutcome], max_attempts: int, until: float, given_up_in_pause: int
) -> None:
    run = Run(sequence, max_attempts, until=until, given_up_in_pause=given_up_in_pause)

    assert run.raw == sequence[run.attempts - 1]
    assert 1 <= run.attempts <= max_attempts
    assert all(isinstance(raw, Refused) and raw.retry_sensible for raw in sequence[: run.attempts - 1])
    assert all(begun < run.handle.deadline for begun in run.begun)
    for _, refusal, pause in run.told:
        assert pause >= (refusal.retry_after_seconds or 0)
    if given_up_in_pause:
        assert run.attempts <= given_up_in_pause


@given(outcomes, st.integers(1, 20), st.integers(1, 20))
def test_another_attempt_needs_certainty_and_room(raw: RawOutcome, attempts: int, max_attempts: int) -> None:
    expected = isinstance(raw, Refused) and raw.retry_sensible and attempts < max_attempts
    assert may_retry(raw, attempts, max_attempts) is expected
