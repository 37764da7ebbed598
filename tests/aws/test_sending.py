from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.aws.sending import NEVER, GivenUpError, Reason, Sending, current
from support.calls import LIMIT_SECONDS

NOW = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [NOW]
    monkeypatch.setattr("lambda_warden.aws.sending.time.monotonic", lambda: now[0])
    return now


def test_a_call_that_nobody_bounds_has_no_deadline() -> None:
    sending = Sending()
    sending.begin_attempt()
    assert sending.deadline == NEVER
    assert sending.remaining() == NEVER


def test_what_an_attempt_may_take_counts_from_its_beginning(clock: list[float]) -> None:
    sending = Sending()
    sending.allow(30)
    assert sending.deadline == NEVER, "a call that waits for its turn has not begun"
    sending.begin_attempt()
    assert sending.deadline == NOW + 30
    clock[0] += 20
    assert sending.remaining() == 10
    sending.begin_attempt()
    assert sending.remaining() == 30


def test_no_attempt_goes_on_when_the_caller_s_time_is_up(clock: list[float]) -> None:
    sending = Sending(until=NOW + 50)
    assert sending.deadline == NOW + 50
    sending.allow(30)
    sending.begin_attempt()
    clock[0] += 30
    sending.begin_attempt()
    assert sending.deadline == NOW + 50


def test_an_attempt_under_way_may_be_given_another_time(clock: list[float]) -> None:
    sending = Sending()
    sending.allow(900)
    sending.begin_attempt()
    clock[0] += 5
    sending.allow(33)
    assert sending.deadline == NOW + 33


def test_what_remains_is_never_less_than_a_moment(clock: list[float]) -> None:
    sending = Sending(until=NOW - 1)
    assert 0 < sending.remaining() < 0.1


def test_how_much_has_left_is_told_step_by_step_and_anew_for_each_attempt() -> None:
    sending, told = Sending(), []
    for step in ["begin_attempt", "goes_out", "connects", "has_left"] * 2:
        getattr(sending, step)()
        told.append(sending.sent)
    assert told == ["no", "unwatched", "partly", "whole"] * 2


def test_the_first_reason_counts() -> None:
    sending = Sending()
    assert sending.reason is None
    sending.check()
    sending.give_up("deadline")
    sending.give_up("cancelled")
    assert sending.reason == "deadline"


@pytest.mark.parametrize("reason", ["cancelled", "deadline", "shutdown"])
def test_nothing_goes_out_that_was_given_up(reason: Reason) -> None:
    sending = Sending()
    sending.give_up(reason)
    for step in (sending.check, sending.goes_out, sending.connects):
        with pytest.raises(GivenUpError, match=reason):
            step()
    assert sending.sent in ("no", "partly")


@given(st.lists(st.sampled_from(["begin_attempt", "goes_out", "connects", "give_up"]), max_size=12))
def test_nothing_has_left_whole_unless_it_was_said(steps: list[str]) -> None:
    sending, given_up = Sending(), False
    for step in steps:
        before = sending.sent
        try:
            sending.give_up("cancelled") if step == "give_up" else getattr(sending, step)()
        except GivenUpError:
            assert given_up
            # Also what was stopped just before a connection took it is not said to have left.
            assert sending.sent in ("partly", before)
        given_up |= step == "give_up"
        assert sending.sent != "whole"


def test_a_pause_ends_when_the_call_is_given_up() -> None:
    sending = Sending()
    pausing = threading.Thread(target=sending.wait, args=(3600,), daemon=True)
    pausing.start()
    sending.give_up("shutdown")
    pausing.join(LIMIT_SECONDS)
    assert not pausing.is_alive()


def test_a_reader_wakes_up_when_its_call_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sending, read = Sending(), [b"nothing yet"]

        def receive() -> None:
            read[0] = ours.recv(1)

        reading = threading.Thread(target=receive, daemon=True)
        sending.uses(ours)
        reading.start()
        sending.give_up("cancelled")
        reading.join(LIMIT_SECONDS)
        assert read == [b""]


def test_a_socket_that_comes_after_the_call_was_given_up_is_broken_too() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sending = Sending()
        sending.give_up("cancelled")
        sending.uses(ours)
        assert ours.recv(1) == b""


def test_a_socket_that_was_let_go_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sending = Sending()
        sending.uses(ours)
        sending.uses(None)
        sending.give_up("cancelled")
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"


def test_a_socket_of_a_call_that_has_ended_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sending = Sending()
        with sending.on_this_thread():
            sending.uses(ours)
        sending.give_up("cancelled")
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"


def test_a_socket_that_is_closed_already_troubles_nobody() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    theirs.close()
    sending = Sending()
    sending.uses(ours)
    sending.give_up("cancelled")
    assert sending.reason == "cancelled"


def test_a_thread_knows_the_call_that_it_is_sending_and_no_other() -> None:
    sending, elsewhere = Sending(), [current()]

    def look() -> None:
        elsewhere[0] = current()

    with sending.on_this_thread():
        assert current() is sending
        other = threading.Thread(target=look)
        other.start()
        other.join()
    assert elsewhere == [None]
    assert current() is None


def test_a_call_that_fails_is_forgotten_by_its_thread() -> None:
    with pytest.raises(KeyError), Sending().on_this_thread():
        raise KeyError
    assert current() is None
