from __future__ import annotations

import threading

import pytest

from lambda_warden.aws.configuration import Configuration
from lambda_warden.aws.configuration_cache import KEPT_SECONDS, Configurations
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import Refused
from support.builders import ref
from support.calls import LIMIT_SECONDS

KNOWN = Configuration(timeout_seconds=3)


class Aws:
    """What AWS says, and how often it was asked. `held` keeps it from answering until `release`."""

    def __init__(self, answer: Configuration | Refused = KNOWN, *, held: bool = False) -> None:
        self.answer = answer
        self.asked: list[FunctionRef] = []
        self.now = 1000.0
        self._released = threading.Event()
        if not held:
            self._released.set()
        self.configurations = Configurations(self._read, lambda: self.now)

    def release(self) -> None:
        self._released.set()

    def _read(self, ref: FunctionRef) -> Configuration | Refused:
        self.asked.append(ref)
        assert self._released.wait(LIMIT_SECONDS)
        return self.answer


class Told:
    """Somebody who is told of a configuration."""

    def __init__(self) -> None:
        self.all: list[Configuration] = []
        self._event = threading.Event()

    def __call__(self, configuration: Configuration) -> None:
        self.all.append(configuration)
        self._event.set()

    def wait(self) -> None:
        assert self._event.wait(LIMIT_SECONDS)


def until_asked() -> None:
    """Until no thread asks any more."""
    for thread in threading.enumerate():
        if thread.name == "configuration":
            thread.join(LIMIT_SECONDS)
            assert not thread.is_alive()


def test_aws_is_asked_once_in_a_while_for_each_function_and_qualifier() -> None:
    aws = Aws()
    for asked in (ref(), ref(), ref(qualifier="7"), ref()):
        assert aws.configurations.get(asked) == KNOWN
    assert aws.asked == [ref(), ref(qualifier="7")]


def test_what_aws_said_is_asked_for_again_after_a_while() -> None:
    aws = Aws()
    aws.configurations.get(ref())
    aws.now += KEPT_SECONDS - 1
    aws.answer = Configuration(timeout_seconds=9)
    assert aws.configurations.get(ref()) == KNOWN
    aws.now += 1
    assert aws.configurations.get(ref()) == Configuration(timeout_seconds=9)
    assert len(aws.asked) == 2


def test_that_aws_does_not_tell_is_remembered_as_long() -> None:
    aws = Aws(Refused("AccessDeniedException", "no"))
    told = Told()
    assert aws.configurations.get(ref()) is None
    assert aws.configurations.get(ref()) is None
    aws.configurations.tell(ref(), told)
    until_asked()
    assert (len(aws.asked), told.all) == (1, [])
    aws.now += KEPT_SECONDS
    aws.answer = KNOWN
    assert aws.configurations.get(ref()) == KNOWN


def test_the_time_counts_from_the_answer() -> None:
    aws = Aws()

    def slow(asked: FunctionRef) -> Configuration:
        aws.asked.append(asked)
        aws.now += 30
        return KNOWN

    configurations = Configurations(slow, lambda: aws.now)
    configurations.get(ref())
    aws.now += KEPT_SECONDS - 1
    configurations.get(ref())
    assert len(aws.asked) == 1


def test_what_is_known_is_told_at_once() -> None:
    aws, told = Aws(), Told()
    aws.configurations.get(ref())
    aws.configurations.tell(ref(), told)
    assert told.all == [KNOWN]


def test_what_is_not_known_is_told_when_aws_has_answered_and_nobody_waits() -> None:
    aws, told = Aws(held=True), Told()
    aws.configurations.tell(ref(), told)
    assert told.all == []
    aws.release()
    told.wait()
    assert told.all == [KNOWN]
    assert aws.configurations.get(ref()) == KNOWN
    assert len(aws.asked) == 1


def test_aws_is_asked_once_at_a_time_whoever_wants_to_be_told() -> None:
    aws, first, others = Aws(held=True), Told(), [Told() for _ in range(20)]
    aws.configurations.tell(ref(), first)
    for other in others:
        aws.configurations.tell(ref(), other)
    aws.release()
    first.wait()
    until_asked()
    assert len(aws.asked) == 1
    assert [other.all for other in others] == [[]] * 20


def test_of_another_function_aws_is_asked_meanwhile() -> None:
    aws, first, second = Aws(held=True), Told(), Told()
    aws.configurations.tell(ref(), first)
    aws.configurations.tell(ref(qualifier="7"), second)
    aws.release()
    first.wait()
    second.wait()
    assert sorted(asked.qualifier for asked in aws.asked) == ["7", "live"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_while_asking_or_telling_reaches_no_caller_and_aws_is_asked_again() -> None:
    aws, told = Aws(), Told()

    def fail(_: object) -> Configuration:
        aws.asked.append(ref())
        raise RuntimeError("a defect")

    broken = Configurations(fail, lambda: aws.now)
    for _ in range(2):
        broken.tell(ref(), told)
        until_asked()
    assert (len(aws.asked), told.all) == (2, [])

    aws.configurations.tell(ref(), fail)  # type: ignore[arg-type]
    until_asked()
    assert aws.configurations.get(ref()) == KNOWN


def test_a_thread_that_asks_keeps_no_process_alive() -> None:
    until_asked()
    aws, told = Aws(held=True), Told()
    aws.configurations.tell(ref(), told)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "configuration"]
    assert thread.daemon
    aws.release()
    told.wait()
