from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.aws.invocation_handle import NEVER, GivenUpError, InvocationHandle, Reason, current
from support.calls import LIMIT_SECONDS

NOW = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [NOW]
    monkeypatch.setattr("lambda_warden.aws.invocation_handle.time.monotonic", lambda: now[0])
    return now


def test_a_call_that_nobody_bounds_has_no_deadline() -> None:
    handle = InvocationHandle()
    handle.begin_attempt()
    assert handle.deadline == NEVER
    assert handle.remaining() == NEVER


def test_what_an_attempt_may_take_counts_from_its_beginning(clock: list[float]) -> None:
    handle = InvocationHandle()
    handle.allow(30)
    assert handle.deadline == NEVER, "a call that waits for its turn has not begun"
    handle.begin_attempt()
    assert handle.deadline == NOW + 30
    clock[0] += 20
    assert handle.remaining() == 10
    handle.begin_attempt()
    assert handle.remaining() == 30


def test_an_attempt_under_way_may_be_given_another_time(clock: list[float]) -> None:
    handle = InvocationHandle()
    handle.allow(900)
    handle.begin_attempt()
    clock[0] += 5
    handle.allow(33)
    assert handle.deadline == NOW + 33


@pytest.mark.usefixtures("clock")
def test_what_remains_is_never_less_than_a_moment() -> None:
    handle = InvocationHandle()
    handle.allow(-1)
    handle.begin_attempt()
    assert 0 < handle.remaining() < 0.1


def test_how_much_has_left_is_told_step_by_step_and_anew_for_each_attempt() -> None:
    handle, told = InvocationHandle(), []
    for step in ["begin_attempt", "goes_out", "connects", "has_left"] * 2:
        getattr(handle, step)()
        told.append(handle.sent)
    assert told == ["no", "untracked", "partly", "whole"] * 2


def test_the_first_reason_counts() -> None:
    handle = InvocationHandle()
    assert handle.reason is None
    handle.check()
    handle.give_up("deadline")
    handle.give_up("cancelled")
    assert handle.reason == "deadline"


@pytest.mark.parametrize("reason", ["cancelled", "deadline", "shutdown"])
def test_nothing_goes_out_that_was_given_up(reason: Reason) -> None:
    handle = InvocationHandle()
    handle.give_up(reason)
    for step in (handle.check, handle.goes_out, handle.connects):
        with pytest.raises(GivenUpError, match=reason):
            step()
    assert handle.sent in ("no", "partly")


@given(st.lists(st.sampled_from(["begin_attempt", "goes_out", "connects", "give_up"]), max_size=12))
def test_nothing_has_left_whole_unless_it_was_said(steps: list[str]) -> None:
    handle, given_up = InvocationHandle(), False
    for step in steps:
        before = handle.sent
        try:
            handle.give_up("cancelled") if step == "give_up" else getattr(handle, step)()
        except GivenUpError:
            assert given_up
            # Also what was stopped just before a connection took it is not said to have left.
            assert handle.sent in ("partly", before)
        given_up |= step == "give_up"
        assert handle.sent != "whole"


def test_a_pause_ends_when_the_call_is_given_up() -> None:
    handle = InvocationHandle()
    pausing = threading.Thread(target=handle.wait, args=(3600,), daemon=True)
    pausing.start()
    handle.give_up("shutdown")
    pausing.join(LIMIT_SECONDS)
    assert not pausing.is_alive()


def test_a_reader_wakes_up_when_its_call_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        handle, read = InvocationHandle(), [b"nothing yet"]

        def receive() -> None:
            read[0] = ours.recv(1)

        reading = threading.Thread(target=receive, daemon=True)
        handle.uses(ours)
        reading.start()
        handle.give_up("cancelled")
        reading.join(LIMIT_SECONDS)
        assert read == [b""]


def test_a_socket_that_comes_after_the_call_was_given_up_is_broken_too() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        handle = InvocationHandle()
        handle.give_up("cancelled")
        handle.uses(ours)
        assert ours.recv(1) == b""


def test_a_socket_that_was_let_go_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        handle = InvocationHandle()
        handle.uses(ours)
        handle.uses(None)
        handle.give_up("cancelled")
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"


def test_a_socket_of_a_call_that_has_ended_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        handle = InvocationHandle()
        with handle.on_this_thread():
            handle.uses(ours)
        handle.give_up("cancelled")
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"


def test_a_socket_that_is_closed_already_troubles_nobody() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    theirs.close()
    handle = InvocationHandle()
    handle.uses(ours)
    handle.give_up("cancelled")
    assert handle.reason == "cancelled"


def test_a_thread_knows_the_call_that_it_is_sending_and_no_other() -> None:
    handle, elsewhere = InvocationHandle(), [current()]

    def look() -> None:
        elsewhere[0] = current()

    with handle.on_this_thread():
        assert current() is handle
        other = threading.Thread(target=look)
        other.start()
        other.join()
    assert elsewhere == [None]
    assert current() is None


def test_a_call_that_fails_is_forgotten_by_its_thread() -> None:
    with pytest.raises(KeyError), InvocationHandle().on_this_thread():
        raise KeyError
    assert current() is None
