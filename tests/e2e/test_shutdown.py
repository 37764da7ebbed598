"""How a server ends: what it has read is answered, what it has sent is on record, and nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import psutil
import pytest
from mcp import Client

from support import wire
from support.audit import reading, verify
from support.scripted_endpoint import Held, ScriptedEndpoint, scripted_endpoint
from support.servers import SERVING, HttpServer, over_http, token_in
from support.warden import Rule, allow, check_of, stdio, structured, write_manifest

WAIT = 60.0
"""Seconds that nothing takes, unless a test fails."""
RULES: tuple[Rule, ...] = (allow("f", timeout_seconds=900), allow("quick", timeout_seconds=900))
ERAS = pytest.mark.parametrize(
    "legacy", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["2026-07-28", "handshake"]
)
MODES = pytest.mark.parametrize("mode", ["2026-07-28", pytest.param("legacy", marks=pytest.mark.slow)])
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    """One for each test: who is connected to it is of interest."""
    with scripted_endpoint() as running:
        yield running


class Server:
    """A server in a process of its own, and what it writes."""

    def __init__(self, folder: Path, url: str, *options: str) -> None:
        self.records = folder / "records.sqlite3"
        command = stdio(write_manifest(folder, url, RULES), folder, "--records", str(self.records), *options)
        self.process = subprocess.Popen(
            [command.command, *command.args],
            env=os.environ | (command.env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._read = {"stdout": b"", "stderr": b""}
        self._readers = [threading.Thread(target=self._drain, args=(name,), daemon=True) for name in self._read]
        for reader in self._readers:
            reader.start()

    def _drain(self, name: str) -> None:
        for line in getattr(self.process, name):
            self._read[name] += line

    @property
    def stdout(self) -> bytes:
        return self._read["stdout"]

    @property
    def stderr(self) -> str:
        return self._read["stderr"].decode()

    def send(self, *lines: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(lines))
        self.process.stdin.flush()

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its end: its exit code, or the signal that it died by as a negative number."""
        code = self.process.wait(WAIT)
        for reader in self._readers:
            reader.join(WAIT)
        return code

    def answers(self) -> dict[int, dict[str, Any]]:
        return wire.answers(self._read["stdout"])

    def until_answered(self, number: int) -> dict[str, Any]:
        until(lambda: number in self.answers())
        return self.answers()[number]

    def result(self, number: int) -> dict[str, Any]:
        content = self.answers()[number]["result"]["structuredContent"]
        assert isinstance(content, dict)
        return content

    def recorded(self) -> list[tuple[str, dict[str, Any]]]:
        """Kind and body of every record."""
        assert verify(self.records).problems == ()
        with reading(self.records) as reader:
            return [(event.kind, dict(event.fields())) for event in reader.events() if event.kind != "start"]

    def outcomes(self) -> list[tuple[Any, Any]]:
        """Outcome and error of every call that has ended."""
        return [(body["outcome"], body.get("error")) for kind, body in self.recorded() if kind == "outcome"]

    def kinds(self) -> list[str]:
        """Kinds of what is on record of calls."""
        return [kind for kind, _ in self.recorded() if kind != "start"]


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def served(folder: Path, url: str, *options: str) -> Iterator[Server]:
    """A server that leaves nothing behind: no process of its own making, and none of itself."""
    server = Server(folder, url, *options)
    try:
        family = psutil.Process(server.process.pid)
        yield server
        children = family.children(recursive=True) if family.is_running() else []
        assert children == []
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait(WAIT)
        for stream in (server.process.stdin, server.process.stdout, server.process.stderr):
            if stream is not None:
                stream.close()


def opening(legacy: bool) -> bytes:
    return wire.handshake() if legacy else b""


# Standard input ends: what was read is answered.


@ERAS
def test_what_was_piped_in_is_answered(legacy: bool, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """As `printf … | lambda-warden serve` does: all requests are there at once, and then there is nobody."""
    with served(tmp_path, endpoint.url, "--shutdown-grace", "60") as server:
        calls = [wire.invoke(number, legacy=legacy, function="quick:live", payload=number) for number in range(1, 9)]
        server.send(opening(legacy), wire.request(9, "tools/list", {}, legacy=legacy), *calls)
        server.close_stdin()
        assert server.end() == 0
        assert "invoke_function" in [tool["name"] for tool in server.answers()[9]["result"]["tools"]]
        assert [server.result(number)["payload"] for number in range(1, 9)] == list(range(1, 9))
        assert server.kinds().count("outcome") == 8
    assert server.stderr == ""
    assert len(endpoint.started) == 8


@ERAS
def test_a_slow_call_is_answered_after_stdin_has_closed(
    legacy: bool, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with served(tmp_path, endpoint.url, "--shutdown-grace", "60") as server:
        server.send(opening(legacy), wire.invoke(1, legacy=legacy, function="f:live", payload=1))
        held.wait_for()
        server.close_stdin()
        held.release()
        assert server.end() == 0
        assert server.result(1)["payload"] == 1
        assert server.outcomes() == [("succeeded", None)]


@ERAS
def test_what_does_not_end_in_time_is_broken_off_and_on_record(
    legacy: bool, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with served(tmp_path, endpoint.url, "--shutdown-grace", "0.2") as server:
        server.send(opening(legacy), wire.invoke(1, legacy=legacy, function="f:live"))
        held.wait_for()
        server.close_stdin()
        assert server.end() == 0
        assert server.result(1)["error"]["code"] == "Shutdown"
        assert server.outcomes() == [("unknown", "Shutdown")]
    assert len(endpoint.started) == 1


@ERAS
@pytest.mark.parametrize(("grace", "outcome"), [("60", ("succeeded", None)), ("0.2", ("unknown", "Shutdown"))])
def test_a_call_that_was_cancelled_has_the_time_of_those_that_are_waited_for(
    grace: str, outcome: tuple[str, str | None], legacy: bool, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with served(tmp_path, endpoint.url, "--shutdown-grace", grace) as server:
        server.send(opening(legacy), wire.invoke(1, legacy=legacy, function="f:live"))
        held.wait_for()
        server.send(wire.cancel(1, legacy=legacy))
        server.close_stdin()
        if grace == "60":
            held.release()
        assert server.end() == 0
        assert server.outcomes() == [outcome]
    assert len(endpoint.started) == 1


def test_a_client_that_listens_is_told_of_the_end_and_not_waited_for(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    wanted = {"notifications": {"toolsListChanged": True, "promptsListChanged": True}}
    with served(tmp_path, endpoint.url, "--shutdown-grace", "600") as server:
        server.send(wire.request(1, "subscriptions/listen", wanted))
        until(lambda: b"notifications/subscriptions/acknowledged" in server.stdout)
        assert b'"notifications":{"toolsListChanged":true}' in server.stdout, "nothing else ever changes"
        server.close_stdin()
        assert server.end() == 0
        assert server.answers()[1]["result"]["resultType"] == "complete"


# Signals.


@ERAS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_what_is_under_way(
    number: signal.Signals, legacy: bool, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    """Its client is still there, and gets the answer."""
    with served(tmp_path, endpoint.url, "--shutdown-grace", "60") as server:
        server.send(opening(legacy), wire.invoke(1, legacy=legacy, function="f:live", payload=1))
        held.wait_for()
        server.signal(number)
        until_signals_end_it(server)
        server.send(wire.invoke(2, legacy=legacy, function="quick:live"))
        held.release()
        assert server.end() == -number
        assert server.result(1)["payload"] == 1
        assert server.outcomes() == [("succeeded", None)], "what came after the signal was not read"
    assert "Traceback" not in server.stderr


@ERAS
@SIGNALS
def test_what_outlasts_the_grace_of_a_signal_is_unknown_on_record(
    number: signal.Signals, legacy: bool, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with served(tmp_path, endpoint.url, "--shutdown-grace", "0.2") as server:
        calls = [wire.invoke(call, legacy=legacy, function="f:live", payload=call) for call in (1, 2, 3)]
        server.send(opening(legacy), *calls)
        held.wait_for(3)
        server.signal(number)
        assert server.end() == -number
        assert server.outcomes() == [("unknown", "Shutdown")] * 3
        assert [server.result(call)["outcome"] for call in (1, 2, 3)] == ["unknown"] * 3
    assert "Traceback" not in server.stderr
    assert len(endpoint.started) == 3


def test_a_call_that_waits_for_a_slot_is_not_started_by_the_end(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with served(tmp_path, endpoint.url, "--shutdown-grace", "0.2", "--concurrency", "1") as server:
        server.send(*[wire.invoke(number, function="f:live") for number in range(5)])
        held.wait_for()
        server.signal(signal.SIGTERM)
        assert server.end() == -signal.SIGTERM
        assert server.kinds().count("intent") == 1
        assert server.outcomes() == [("unknown", "Shutdown")]
        denied = [server.result(number) for number in range(5) if server.result(number)["outcome"] == "denied"]
        assert [check_of(result, "busy")["reason"] for result in denied] == ["busy: the server is shutting down"] * 4
    assert len(endpoint.started) == 1


@SIGNALS
def test_an_idle_server_ends_at_once(number: signal.Signals, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    with served(tmp_path, endpoint.url, "--shutdown-grace", "960") as server:
        server.send(wire.invoke(1, function="quick:live"))
        server.until_answered(1)
        server.signal(number)
        assert server.end() == -number
    assert "Traceback" not in server.stderr


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signal.SIGTERM, signal.SIGINT),
        (signal.SIGINT, signal.SIGTERM),
        pytest.param(signal.SIGTERM, signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_second_signal_ends_it_at_once(
    first: signal.Signals, second: signal.Signals, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with served(tmp_path, endpoint.url, "--shutdown-grace", "960") as server:
        server.send(wire.invoke(1, function="f:live"))
        held.wait_for()
        server.signal(first)
        until_signals_end_it(server)
        server.signal(second)
        assert server.end() == -second
        assert server.kinds()[0] == "intent"
    assert len(endpoint.started) == 1


def until_signals_end_it(server: Server) -> None:
    """Wait until a first signal has arrived: SIGTERM and SIGINT are caught no longer."""
    caught = 1 << (signal.SIGTERM - 1) | 1 << (signal.SIGINT - 1)
    status = Path(f"/proc/{server.process.pid}/status")

    def found() -> int:
        masks = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(masks["SigCgt"], 16)

    until(lambda: not found() & caught)


def test_a_server_that_is_killed_leaves_an_intent_that_shows_as_unknown(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with served(tmp_path, endpoint.url) as server:
        server.send(wire.invoke(1, function="quick:live"), wire.invoke(2, function="f:live"))
        server.until_answered(1)
        held.wait_for()
        server.signal(signal.SIGKILL)
        assert server.end() == -signal.SIGKILL
        assert sorted(server.kinds()) == ["intent", "intent", "outcome"]
    now = datetime.now(UTC)
    with reading(server.records) as reader:
        calls = list(reader.entries(["intent"]))
        shown = [sorted(call.outcome(now + wait) for call in calls) for wait in (timedelta(), timedelta(minutes=16))]
    assert shown == [["succeeded", "unknown"]] * 2, "nobody is there any more who could learn how it ended"


# HTTP.


@contextmanager
def serving_http(folder: Path, url: str, *options: str) -> Iterator[tuple[Server, HttpServer]]:
    with served(folder, url, *over_http(folder), *options) as server:
        until(lambda: SERVING.search(server.stderr))
        found = SERVING.search(server.stderr)
        assert found is not None
        yield server, HttpServer(found["url"], token_in(folder))


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_over_http_a_signal_ends_it_after_what_is_under_way(
    mode: str, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    results: list[dict[str, Any]] = []

    async def call(client: Client) -> None:
        results.append(structured(await client.call_tool("invoke_function", {"function": "f:live", "payload": 1})))

    with serving_http(tmp_path, endpoint.url, "--shutdown-grace", "60") as (server, http):
        async with Client(http.transport(), mode=mode) as client, anyio.create_task_group() as group:
            await client.list_tools()  # or else the client would ask for them once it has the result
            group.start_soon(call, client)
            await anyio.to_thread.run_sync(held.wait_for)
            server.signal(signal.SIGTERM)
            await anyio.to_thread.run_sync(until_signals_end_it, server)
            await anyio.sleep(1)  # a stream that a signal ends is ended within half a second
            held.release()
        assert [result["payload"] for result in results] == [1]
        assert await anyio.to_thread.run_sync(server.end) == -signal.SIGTERM
        assert server.outcomes() == [("succeeded", None)]


@pytest.mark.anyio
@MODES
async def test_over_http_what_outlasts_the_grace_is_unknown_on_record(
    mode: str, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    results: list[dict[str, Any]] = []

    async def call(client: Client) -> None:
        results.append(structured(await client.call_tool("invoke_function", {"function": "f:live"})))

    with serving_http(tmp_path, endpoint.url, "--shutdown-grace", "0.2") as (server, http):
        async with Client(http.transport(), mode=mode) as client, anyio.create_task_group() as group:
            await client.list_tools()
            group.start_soon(call, client)
            await anyio.to_thread.run_sync(held.wait_for)
            server.signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(server.end) == -signal.SIGTERM
        assert server.outcomes() == [("unknown", "Shutdown")]
    assert [result["error"]["code"] for result in results] == ["Shutdown"], "its client was told what is known"
    assert len(endpoint.started) == 1


@pytest.mark.anyio
async def test_over_http_no_call_begins_once_it_ends_and_load_balancers_are_told(
    held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    modern = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "invoke_function"}
    with serving_http(tmp_path, endpoint.url, "--shutdown-grace", "60") as (server, http):

        async def call(name: str) -> httpx2.Response:
            async with httpx2.AsyncClient(timeout=WAIT) as client:
                content = wire.invoke(1, function=f"{name}:live")
                return await client.post(http.url, headers=http.headers | modern, content=content)

        answers: list[httpx2.Response] = []

        async def first() -> None:
            answers.append(await call("f"))

        async with anyio.create_task_group() as group:
            group.start_soon(first)
            await anyio.to_thread.run_sync(held.wait_for)
            server.signal(signal.SIGTERM)
            async with httpx2.AsyncClient(base_url=http.origin, timeout=WAIT) as client:
                with anyio.fail_after(WAIT):
                    while (await client.get("/ready")).status_code != 503:
                        await anyio.sleep(0.01)
                assert (await client.get("/health")).status_code == 200
            refused = await call("quick")
            held.release()
        assert (refused.status_code, refused.headers["retry-after"], refused.json()["id"]) == (503, "5", 1)
        assert '"outcome":"succeeded"' in answers[0].text
        assert await anyio.to_thread.run_sync(server.end) == -signal.SIGTERM
        assert server.kinds() == ["intent", "outcome"]


@pytest.mark.anyio
@SIGNALS
async def test_over_http_a_second_signal_ends_it_at_once(
    number: signal.Signals, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with serving_http(tmp_path, endpoint.url, "--shutdown-grace", "960") as (server, http):
        async with anyio.create_task_group() as group:
            group.start_soon(_call_whatever_becomes_of_it, http)
            await anyio.to_thread.run_sync(held.wait_for)
            server.signal(number)
            await anyio.to_thread.run_sync(until_signals_end_it, server)
            server.signal(number)
            assert await anyio.to_thread.run_sync(server.end) == -number
        assert server.kinds() == ["intent"]


async def _call_whatever_becomes_of_it(http: HttpServer) -> None:
    with suppress(Exception):
        async with Client(http.transport()) as client:
            await client.call_tool("invoke_function", {"function": "f:live"})
