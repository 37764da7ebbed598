"""Three servers on one store, behind a balancer: together they keep what one alone would keep.

`KILL_ROUNDS=100` makes the slow run longer.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lambda_warden.store.opening import open_store
from support.approvals import approver, decide
from support.dynamodb import new_table
from support.instances import Client, Instances, instances
from support.scripted_endpoint import Held, Received, Reply, ScriptedEndpoint, echo
from support.warden import Rule, allow, write_manifest

ROUNDS = int(os.environ.get("KILL_ROUNDS", "30"))
CLIENTS = 12
pytestmark = pytest.mark.timeout(300)


STORES = ("sqlite", "ministack", pytest.param("dynamodb-local", marks=pytest.mark.slow))


@dataclass
class Counted:
    """Counts at the Lambda endpoint, independently of any record: when each call arrived, with what, how many at once.

    Attributes:
        arrived: time and payload of each start.
        most: how many there were at once.
    """

    seconds: float = 0.02
    arrived: list[tuple[float, Any]] = field(default_factory=list)
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, received: Received) -> Reply:
        with self._lock:
            self.arrived.append((time.monotonic(), json.loads(received.body or b"null")))
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(self.seconds)
        with self._lock:
            self._now -= 1
        return echo(received)

    def within(self, seconds: float) -> int:
        """The most that arrived within any so many seconds."""
        times = sorted(at for at, _ in self.arrived)
        return max((sum(first <= at < first + seconds for at in times) for first in times), default=0)


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path, engines: Callable[[str], str]) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/records.sqlite3"
    return new_table(engines(request.param))


@pytest.fixture
def serving(
    store_url: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> Callable[..., AbstractContextManager[Instances]]:
    """Starts three servers of some rules."""

    def start(*rules: Rule, **keys: Any) -> AbstractContextManager[Instances]:
        manifest = write_manifest(tmp_path, endpoint.url, rules, **keys)
        secret = str(approver()[0])
        options = ("--records", store_url, "--approvals-secret-file", secret, "--record-payloads")
        return instances(manifest, tmp_path, *options)

    return start


def at_once(number: int, work: Callable[[int], object]) -> None:
    """Do it so many times, each in a thread."""
    with ThreadPoolExecutor(number) as pool:
        for done in [pool.submit(work, each) for each in range(number)]:
            done.result()


def assert_chains_hold(store_url: str) -> None:
    with closing(open_store(store_url).audit_reader()) as reader:
        assert reader.verify().problems == ()


Serving = Callable[..., AbstractContextManager[Instances]]


def test_limits_hold_for_all_of_them_together(serving: Serving, store_url: str, endpoint: ScriptedEndpoint) -> None:
    counted = endpoint.behaviours["f"] = Counted()
    outcomes: Counter[str] = Counter()
    with serving(allow("f", limits={"per_minute": 30, "concurrent": 4})) as running:

        def call(number: int) -> None:
            client = running.client()
            for each in range(8):
                answer = client.call("invoke_function", function="f:live", payload=[number, each])
                outcomes[answer["outcome"] if answer else "broken"] += 1

        started = time.monotonic()
        at_once(CLIENTS, call)
        within_a_minute = time.monotonic() - started < 60
    assert outcomes.keys() == {"succeeded", "denied"}
    assert counted.most <= 4
    assert len(counted.arrived) == outcomes["succeeded"]
    if within_a_minute:
        assert len(counted.arrived) <= 30
    assert_chains_hold(store_url)


@pytest.mark.slow
def test_a_rolling_minute_is_never_exceeded(serving: Serving, store_url: str, endpoint: ScriptedEndpoint) -> None:
    """Between a call's admission and its arrival passes a moment, so that what is counted are 50 seconds."""
    counted = endpoint.behaviours["f"] = Counted(0)
    with serving(allow("f", limits={"per_minute": 40})) as running:
        ends = time.monotonic() + 150

        def call(number: int) -> None:
            client, each = running.client(), 0
            while time.monotonic() < ends:
                each += 1
                client.call("invoke_function", function="f:live", payload=[number, each])
                time.sleep(secrets.randbelow(1000) / 1000)

        at_once(CLIENTS, call)
    assert counted.within(50) <= 40
    assert 80 <= len(counted.arrived) <= 120
    assert_chains_hold(store_url)


def test_a_key_has_one_start_whichever_gets_it(serving: Serving, endpoint: ScriptedEndpoint) -> None:
    counted = endpoint.behaviours["f"] = Counted()
    ids: dict[str, set[str]] = {f"key-{number}": set() for number in range(6)}
    with serving(allow("f", effect="write")) as running:

        def call(_: int) -> None:
            client = running.client()
            for key, found in ids.items():
                answer = client.call("invoke_function", function="f:live", payload=key, idempotency_key=key)
                assert answer is not None
                found.add(answer["invocation_id"])

        at_once(CLIENTS, call)
    assert Counter(payload for _, payload in counted.arrived) == dict.fromkeys(ids, 1)
    assert all(len(found) == 1 for found in ids.values())


def test_what_one_asked_is_approved_elsewhere_and_runs_on_another(
    serving: Serving, store_url: str, endpoint: ScriptedEndpoint
) -> None:
    sent: dict[str, Any] = {"function": "refund:7", "payload": {"amount": 1}}
    with serving(allow("refund", "7", effect="destructive")) as running:
        first, second, third = map(running.client, running.all)
        asked = first.call("invoke_function", wait_seconds=0, **sent)
        assert asked is not None
        assert asked["outcome"] == "approval_pending"
        again = second.call("invoke_function", wait_seconds=0, **sent)
        assert again is not None
        assert again["approval_id"] == asked["approval_id"]
        assert decide(store_url, asked["approval_id"])
        answers: list[dict[str, Any]] = []

        def call(number: int) -> None:
            answer = (second, third)[number % 2].call("invoke_function", wait_seconds=2, **sent)
            assert answer is not None
            answers.append(answer)

        at_once(6, call)
    assert len(endpoint.started) == 1
    succeeded = [answer for answer in answers if answer["outcome"] == "succeeded"]
    assert len({answer["invocation_id"] for answer in succeeded}) == 1
    # One that came while it ran may be its caller, come again: so the next one after its end gets its answer, too.
    assert [answer.get("replayed", False) for answer in succeeded].count(False) == 1


def test_a_call_that_one_began_is_read_from_another(serving: Serving, held: Held, endpoint: ScriptedEndpoint) -> None:
    payload = {"rows": ["x" * 1000] * 200}
    with serving(allow("f", timeout_seconds=900)) as running:
        first, second, third = map(running.client, running.all)
        begun = first.call("invoke_function", function="f:live", payload=payload, wait_seconds=0)
        assert begun is not None
        assert begun["outcome"] == "running"
        held.wait_for()
        with ThreadPoolExecutor() as pool:
            reading = pool.submit(second.call, "read_result", invocation_id=begun["invocation_id"], wait_seconds=30)
            held.release()
            ended = reading.result()
        assert ended is not None
        assert ended["invocation"]["outcome"] == "succeeded"
        assert ended["invocation"]["kept_until"]
        # It is kept a moment after it was given.
        wanted = {"invocation_id": begun["invocation_id"], "part": "payload", "query": "length(rows)"}
        while (kept := third.call("read_result", **wanted)) and "value" not in kept:
            time.sleep(0.05)
    assert kept is not None
    assert kept["value"] == 200
    assert len(endpoint.started) == 1


@dataclass
class Met:
    """What clients met while servers were killed.

    Attributes:
        succeeded: the call of each answer that says so and was not asked for by a key.
        keyed: the calls that each key's answers are of.
        broken: how many requests had no answer.
    """

    succeeded: list[str] = field(default_factory=list)
    keyed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    outcomes: Counter[str] = field(default_factory=Counter)
    broken: int = 0

    def call(self, client: Client, name: str, *, keyed: bool) -> None:
        """Make one call, anew where its connection broke or it is under way, until it has an end."""
        key = {"idempotency_key": name} if keyed else {}
        for _ in range(50):
            answer = client.call("invoke_function", function="f:live", payload=name, **key)
            self.outcomes[answer["outcome"] if answer else "broken"] += 1
            if answer is None:
                self.broken += 1
                time.sleep(0.05)
            elif answer["outcome"] == "succeeded" and keyed:
                self.keyed[name].add(answer["invocation_id"])
                return
            elif answer["outcome"] == "succeeded":
                self.succeeded.append(answer["invocation_id"])
                return
            elif answer["outcome"] != "in_progress":
                return  # unknown or, since an earlier one is, denied


def kill_while_they_serve(running: Instances, rounds: int) -> Met:
    """Kill servers at random, each started again at once, so many times in all, while clients make calls."""
    met, over = Met(), threading.Event()

    def work(number: int) -> None:
        client = running.client()
        for each in count():
            if over.is_set():
                return
            met.call(client, f"{number}-{each}", keyed=each % 3 == 0)

    with ThreadPoolExecutor(CLIENTS) as clients:
        working = [clients.submit(work, number) for number in range(CLIENTS)]
        try:
            for _ in range(rounds):
                time.sleep(secrets.randbelow(500) / 1000)
                killed = secrets.choice(running.all)
                killed.kill()
                killed.start()
        finally:
            over.set()
        for done in working:
            done.result()
    return met


@pytest.mark.timeout(600 + 20 * ROUNDS)
@pytest.mark.parametrize("rounds", [3, pytest.param(ROUNDS, marks=pytest.mark.slow)])
def test_killed_at_random_nothing_starts_unrecorded_and_nothing_is_handed_out_twice(
    rounds: int, serving: Serving, store_url: str, endpoint: ScriptedEndpoint
) -> None:
    counted = endpoint.behaviours["f"] = Counted()
    with serving(allow("f", effect="write", timeout_seconds=60, limits={"per_day": 1_000_000})) as running:
        met = kill_while_they_serve(running, rounds)
        # A last call on each, so that all have settled what the killed ones left.
        for number, instance in enumerate(running.all):
            assert running.client(instance).call("invoke_function", function="f:live", payload=f"last-{number}")
    with closing(open_store(store_url).audit_reader()) as reader:
        assert reader.verify().problems == ()
        intents = Counter(
            str(json.loads(event.fields()["payload"])) for event in reader.events() if event.kind == "intent"
        )
    starts = Counter(str(payload) for _, payload in counted.arrived)
    print(
        f"{rounds} kills: {intents.total()} intents, {starts.total()} starts, {met.broken} answers lost, {met.outcomes}"
    )
    assert starts - intents == {}, "each start has an intent of its own"
    assert max(starts[key] for key in met.keyed) == 1
    assert all(len(calls) == 1 for calls in met.keyed.values())
    assert len(set(met.succeeded)) == len(met.succeeded), "no answer reaches two callers"
    assert met.broken
