"""How long an answer is waited for: as the caller or the rule says, or else as long as the function may run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp.client.session import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from lambda_warden.aws import configuration_cache as configurations
from lambda_warden.aws.configuration import Configuration
from lambda_warden.aws.configuration_cache import Configurations
from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.invocation import dispatcher, execution, pipeline
from lambda_warden.model.outcome import Refused
from support.builders import ref
from support.scripted_endpoint import Held, Received, Reply, ScriptedEndpoint, configured, refused
from support.warden import Warden, allow, warden

pytestmark = pytest.mark.anyio


@pytest.fixture
def sendings(monkeypatch: pytest.MonkeyPatch) -> list[InvocationHandle]:
    """The state of every call, in their order: a deadline of 900 s is looked at, and not waited for."""
    made: list[InvocationHandle] = []

    class Noted(InvocationHandle):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(pipeline, "InvocationHandle", Noted)
    return made


def told(endpoint: ScriptedEndpoint, name: str, seconds: int) -> None:
    endpoint.configurations[name] = configured(FunctionName=name, Timeout=seconds)


async def until_asked(endpoint: ScriptedEndpoint, times: int = 1) -> None:
    with anyio.fail_after(30):
        while len(endpoint.configurations_asked) < times:
            await anyio.sleep(0.01)


async def test_a_function_is_waited_for_a_little_longer_than_it_may_run(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "MARGIN_SECONDS", 0.1)
    monkeypatch.setattr(dispatcher, "_FIRST_PROGRESS_SECONDS", 0.1)
    monkeypatch.setattr(dispatcher, "_PROGRESS_SECONDS", 0.1)
    told(endpoint, "f", 1)
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        result = await running.invoke("f:live")
    assert (result["outcome"], result["error"]["code"]) == ("unknown", "DeadlineExceeded")
    assert len(endpoint.started) == 1


async def limit_of(
    endpoint: ScriptedEndpoint, folder: Path, sendings: list[InvocationHandle], rule: dict[str, Any], **arguments: Any
) -> float:
    """What a call's attempt may take in the end, where AWS says that the function may run for 5 s."""
    told(endpoint, "f", 5)
    async with warden(folder, endpoint.url, rule, read_timeout=200.0) as running:
        await running.invoke("f:live", **arguments)
        if not rule.get("timeout_seconds") and not arguments:
            # What AWS tells may come after the answer; then it is for the next call.
            await until_asked(endpoint)
            with anyio.fail_after(30):
                while sendings[-1]._limit != 35:
                    await anyio.sleep(0.01)
                    await running.invoke("f:live")
    return sendings[-1]._limit


async def test_without_a_word_of_anybody_it_is_the_functions_own_timeout(
    endpoint: ScriptedEndpoint, tmp_path: Path, sendings: list[InvocationHandle]
) -> None:
    assert await limit_of(endpoint, tmp_path, sendings, dict(allow("f"))) == 5 + execution.MARGIN_SECONDS


async def test_a_function_on_managed_instances_is_waited_for_to_its_end(
    endpoint: ScriptedEndpoint, tmp_path: Path, sendings: list[InvocationHandle]
) -> None:
    told(endpoint, "f", 5400)
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        await running.invoke("f:live")
        await _until_kept(running, 1)
        await running.invoke("f:live")
    assert sendings[-1]._limit == 5400 + execution.MARGIN_SECONDS


async def test_what_the_rule_says_wins_and_nobody_is_asked(
    endpoint: ScriptedEndpoint, tmp_path: Path, sendings: list[InvocationHandle]
) -> None:
    assert await limit_of(endpoint, tmp_path, sendings, dict(allow("f", timeout_seconds=90))) == 90
    assert endpoint.configurations_asked == []


async def test_nothing_is_waited_for_longer_than_the_settings_say(
    endpoint: ScriptedEndpoint, tmp_path: Path, sendings: list[InvocationHandle]
) -> None:
    assert await limit_of(endpoint, tmp_path, sendings, dict(allow("f", timeout_seconds=900))) == 200


async def test_an_event_is_waited_for_until_it_is_queued(
    endpoint: ScriptedEndpoint, tmp_path: Path, sendings: list[InvocationHandle]
) -> None:
    rule = dict(allow("f", invocation_types=["Event"]))
    assert await limit_of(endpoint, tmp_path, sendings, rule, invocation_type="Event") == 60
    assert endpoint.configurations_asked == []


async def test_aws_is_asked_once_for_each_function_and_qualifier(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    rules = (allow("f", "live", "7"), allow("g"))
    for name in ("f", "g"):
        told(endpoint, name, 30)
    async with warden(tmp_path, endpoint.url, *rules) as running:
        for asked, function in enumerate(("f:live", "f:7", "g:live"), start=1):
            await running.invoke(function)
            await until_asked(endpoint, asked)
        await _until_kept(running, 3)
        for function in ("f:live", "f:7", "g:live", "f:live"):
            assert (await running.invoke(function, payload=1))["outcome"] == "succeeded"
    asked_for = sorted((received.path, received.qualifier) for received in endpoint.configurations_asked)
    assert len(asked_for) == 3
    assert [qualifier for _, qualifier in asked_for] == ["7", "live", "live"]


@pytest.mark.parametrize(
    "answer",
    [refused(403, "AccessDeniedException"), Reply(body=b"[]"), Reply(body=b'{"Timeout": "soon"}'), Reply(fault="cut")],
    ids=["403", "no object", "no number", "cut off"],
)
async def test_where_aws_does_not_tell_the_call_goes_on_and_it_is_not_asked_again(
    answer: Reply, endpoint: ScriptedEndpoint, tmp_path: Path, sendings: list[InvocationHandle]
) -> None:
    endpoint.configurations["f"] = lambda _: answer
    async with warden(tmp_path, endpoint.url, allow("f"), read_timeout=200.0) as running:
        assert (await running.invoke("f:live", payload=1))["outcome"] == "succeeded"
        await _until_kept(running, 1)
        asked = len(endpoint.configurations_asked)
        for _ in range(3):
            assert (await running.invoke("f:live", payload=1))["outcome"] == "succeeded"
    assert len(endpoint.configurations_asked) == asked
    assert [handle._limit for handle in sendings] == [200] * 4


async def test_where_aws_does_not_tell_it_is_waited_for_as_long_as_most_functions_may_run(
    endpoint: ScriptedEndpoint, tmp_path: Path, sendings: list[InvocationHandle]
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f"), allow("g", timeout_seconds=5000)) as running:
        await running.invoke("f:live")
        await running.invoke("g:live")
    assert [handle._limit for handle in sendings] == [960, 5000]


async def test_a_call_does_not_wait_for_what_aws_tells_of_its_function(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    released = threading.Event()

    def slow(received: Received) -> Reply:
        released.wait(30)
        return configured(Timeout=3)(received)

    endpoint.configurations["f"] = slow
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        assert (await running.invoke("f:live", payload=1))["payload"] == 1
        assert not released.is_set()
        released.set()
        await _until_kept(running, 1)


async def test_the_time_that_a_person_thinks_is_not_the_callers(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """In the era of handshakes the question is asked in the middle of the call."""

    async def slow_person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        await anyio.sleep(4.2)
        return ElicitResult(action="accept", content={"approve": True})

    rule = allow("f", effect="destructive")
    async with warden(tmp_path, endpoint.url, rule, person=slow_person, mode="legacy") as running:
        result = await running.invoke("f:live", payload=1, timeout_seconds=4)
    assert result["outcome"] == "succeeded"


async def _until_kept(running: Warden, number: int) -> None:
    assert running.inside is not None
    known = running.inside._policy.configurations
    with anyio.fail_after(30):
        while len(known._known) < number or known._asked:
            await anyio.sleep(0.01)


class Aws:
    """Tells what it is told to tell, and counts how often it was asked."""

    def __init__(self, *answers: Configuration | Refused) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _: object) -> Configuration | Refused:
        self.asked += 1
        return self.answers.pop(0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("answer", [Configuration(30), Refused("AccessDeniedException", "no")], ids=["told", "refused"])
def test_an_answer_is_kept_for_its_time_and_not_longer(answer: Configuration | Refused) -> None:
    aws, clock = Aws(answer, Configuration(60)), Clock()
    known = Configurations(aws, clock)
    first = None if isinstance(answer, Refused) else answer
    assert known.get(ref()) == first
    clock.now += configurations.KEPT_SECONDS - 0.001
    assert known.get(ref()) == first
    assert aws.asked == 1
    clock.now += 0.001
    assert known.get(ref()) == Configuration(60)
    assert aws.asked == 2


def test_who_asks_while_aws_is_being_asked_starts_no_second_request() -> None:
    released, heard = threading.Event(), threading.Semaphore(0)
    asked: list[object] = []

    def slow(wanted: object) -> Configuration:
        asked.append(wanted)
        released.wait(30)
        return Configuration(30)

    known = Configurations(slow)
    for _ in range(5):
        known.tell(ref(), lambda _: heard.release())
    released.set()
    assert heard.acquire(timeout=30)
    assert len(asked) == 1
    known.tell(ref(), lambda _: heard.release())
    assert heard.acquire(timeout=30)
    assert len(asked) == 1


def test_a_machine_that_has_no_thread_left_is_asked_again_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    known, heard = Configurations(Aws(Configuration(30))), threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        known.tell(ref(), lambda _: pytest.fail("nobody was asked"))
    known.tell(ref(), lambda _: heard.set())
    assert heard.wait(30)


async def test_an_aws_configuration_that_can_not_be_read_is_a_refusal_and_no_loose_thread(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "config"
    broken.write_text("[profile")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        result = await running.invoke("f:live")
        await _until_kept(running, 1)
    assert (result["outcome"], result["error"]["code"]) == ("refused", "SettingsError")
    assert endpoint.received == []
