"""No line and no body from a client ends a server, or goes unanswered where an answer is due."""

from __future__ import annotations

import json
import os
import queue
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp_types import methods as sdk_methods

from support import wire
from support.scripted_endpoint import Held, ScriptedEndpoint
from support.servers import serve_http
from support.warden import allow, stdio, write_manifest

WAIT = 30.0
"""Seconds that nothing takes, unless a test fails."""
ERAS = pytest.mark.parametrize("legacy", [False, True], ids=["2026-07-28", "handshake"])
BAD_IDS: list[object] = [[], {}, [1], [[]], {"a": 1}, None, True, False, 1.5, 1e300]
ODD_IDS: list[object] = ["", "id", "7", "\x00", "😀", -1, 0, 2**63, 10**300, "x" * 5000]
VALUES: list[object] = [None, True, 0, -1.5, 10**400, "", "x", "\x00", [], [[]], {}, {"a": {}}, {"": None}]
KEYS = ["name", "arguments", "uri", "cursor", "requestId", "progressToken", "progress", "level", "ref", "argument"]
KEYS += ["capabilities", "clientInfo", "protocolVersion", "_meta", "inputResponses", "requestState", "notifications"]
METHODS = sorted({*sdk_methods.SPEC_CLIENT_METHODS, "notifications/x", "x", "", "\x00", "rpc.discover"})


DEEP = [b"[" * depth + b"]" * depth for depth in (190, 200, 500, 5_000, 100_000)]
REQUEST = b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":%b}'
CALL = b'{"name":"dry_run","arguments":{"function":"f:live","payload":%b}}'
CANCEL = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}'
PROGRESS = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}'
ODD_NUMBERS: list[str] = ["7", " 7", "07", "+7", "0_7", "\u0667"]
"""Ids that Python, and so the SDK, reads as the number 7."""
UNANSWERED = [
    b"",
    b" \t",
    b"\r",
    *((text % json.dumps(id_)).encode() for text in (CANCEL, PROGRESS) for id_ in BAD_IDS),
]
BAD_PARAMS = [b"[1]", b"NaN", b'{"a":1e999}', b'{"a":"\xff"}', b'{"a":1,"a":1}', *(CALL % data for data in DEEP)]
NO_REQUESTS = [b"[]", b"{}", b"null", b"\x00", b"\xff\xfe", b'"', b"{" * 9, b"x" * 99_999, b"\xef\xbb\xbf", *DEEP]
LINES: list[tuple[bytes, list[object]]] = [
    *[(line, list[object]()) for line in UNANSWERED],
    *[(REQUEST % params, list[object]([5])) for params in BAD_PARAMS],
    *[(line, list[object]([None])) for line in NO_REQUESTS],
    (REQUEST % (b'{"a":"' + b"x" * 40_000_000 + b'"}'), [5]),
    (b"[" + REQUEST % b"{}" + b"]", [None]),
    (b"\xef\xbb\xbf" + REQUEST % b"{}" + b"\r", [5]),
    (REQUEST % b"{}" + b"\n" + REQUEST % b"{}", [5, 5]),
    (rb'{"jsonrpc":"2.0","id":"\ud800","method":"x"}', [None]),
]
"""Lines, and the ids of what they are answered with."""


class StdioServer:
    """A server, and what it answers."""

    def __init__(self, folder: Path, url: str) -> None:
        command = stdio(write_manifest(folder, url, [allow("f")]), folder, "--records", str(folder / "r.sqlite3"))
        self.process = subprocess.Popen(
            [command.command, *command.args],
            env=os.environ | (command.env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def next(self) -> dict[str, Any]:
        """The next answer."""
        while True:
            line = self._lines.get(timeout=WAIT)
            assert line, "the server has ended"
            message: dict[str, Any] = json.loads(line)
            if "method" not in message:
                return message

    def close(self) -> None:
        self.process.kill()
        self.process.wait(WAIT)
        self._reader.join(WAIT)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def answers(self, line: bytes, due: int, sentinel: bytes) -> list[dict[str, Any]]:
        """What a line is answered with, once what was sent after it has been answered, too."""
        self.send(line + b"\n" + sentinel)
        last = json.loads(sentinel)["id"]
        found: list[dict[str, Any]] = []
        while len(found) < due + 1 or last not in [message["id"] for message in found]:
            found.append(self.next())
        return [message for message in found if message["id"] != last]


@contextmanager
def serving(folder: Path, url: str, *, legacy: bool) -> Iterator[StdioServer]:
    server = StdioServer(folder, url)
    try:
        server.send(wire.handshake() if legacy else wire.request(0, "tools/list", {}))
        assert server.next()["id"] == 0
        yield server
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(WAIT) == 0
    finally:
        server.close()


def _sentinels(legacy: bool) -> Iterator[bytes]:
    for number in range(1_000_000, 2_000_000):
        yield wire.request(number, "tools/list", {}, legacy=legacy)


def _params(rng: random.Random, legacy: bool) -> Any:
    if rng.random() < 0.2:
        return rng.choice(VALUES)
    params = {key: rng.choice(VALUES) for key in rng.sample(KEYS, rng.randint(0, 5))}
    if not legacy and rng.random() < 0.7:
        params["_meta"] = {**wire._META, **{key: rng.choice(VALUES) for key in rng.sample(list(wire._META), 1)}}
        if rng.random() < 0.6:
            params["_meta"] = wire._META
    if rng.random() < 0.3:
        params["name"] = rng.choice(["dry_run", "read_result", "list_functions", "no such tool"])
        params["arguments"] = {"function": rng.choice(VALUES), "payload": rng.choice(VALUES), "cursor": "no cursor"}
    return params


def _message(rng: random.Random, number: int, legacy: bool) -> tuple[dict[str, Any], list[object]]:
    """Something like a message, and the ids that its answers have to have."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": rng.choice(METHODS), "params": _params(rng, legacy)}
    kind = rng.choice(["request", "request", "notification", "response", "bad id", "bad method", "bad version"])
    if kind == "notification":
        return message, []
    if kind == "response":
        return {"jsonrpc": "2.0", "id": rng.choice(BAD_IDS + ODD_IDS), "result": rng.choice(VALUES)}, []
    if kind == "bad id":
        return message | {"id": rng.choice(BAD_IDS)}, [None]
    if kind == "bad method":
        message["method"] = rng.choice([None, 1, [], {}])
    if kind == "bad version":
        message["jsonrpc"] = rng.choice([None, 2.0, "1.0", []])
    return message | {"id": number}, [number]


@ERAS
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_whatever_is_sent_over_stdio_is_answered_where_that_is_due(
    legacy: bool, seed: int, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    rng, sentinels = random.Random(seed), _sentinels(legacy)  # noqa: S311
    with serving(tmp_path, endpoint.url, legacy=legacy) as server:
        for number in range(1, 301):
            message, expected = _message(rng, number, legacy)
            answers = server.answers(json.dumps(message).encode(), len(expected), next(sentinels))
            assert [answer["id"] for answer in answers] == expected, message
    assert endpoint.started == []


@ERAS
def test_lines_that_are_no_messages_end_nothing(legacy: bool, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    sentinels = _sentinels(legacy)
    with serving(tmp_path, endpoint.url, legacy=legacy) as server:
        for line, expected in LINES:
            answers = server.answers(line, len(expected), next(sentinels))
            assert [answer["id"] for answer in answers] == expected, line[:200]


@ERAS
def test_only_exactly_its_id_cancels_a_request(
    legacy: bool, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with serving(tmp_path, endpoint.url, legacy=legacy) as server:
        calls = [wire.invoke(7, legacy=legacy, function="f:live", payload=1)]
        calls.append(calls[0].replace(b": 7,", b': "008",').replace(b'"payload": 1', b'"payload": 2'))
        server.send(b"".join(calls))
        held.wait_for(2)
        for other in (*ODD_NUMBERS, 8, "8"):
            server.send((CANCEL % json.dumps(other)).encode() + b"\n")
        listed = server.answers(b"", 0, wire.request(9, "tools/list", {}, legacy=legacy))
        assert listed == [], "nothing was answered before the functions returned"
        held.release()
        answers = [server.next(), server.next()]
        assert {answer["id"] for answer in answers} == {7, "008"}
        assert all(answer["result"]["structuredContent"]["outcome"] == "succeeded" for answer in answers)


@ERAS
def test_an_answer_that_crossed_its_cancel_has_reached_nobody(
    legacy: bool, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    def invoke(number: int) -> dict[str, Any]:
        server.send(wire.invoke(number, legacy=legacy, function="f:live", payload=1))
        result: dict[str, Any] = server.next()["result"]["structuredContent"]
        return result

    with serving(tmp_path, endpoint.url, legacy=legacy) as server:
        taken, first = invoke(1), invoke(2)
        assert first["invocation_id"] != taken["invocation_id"], "an answer that was not cancelled has reached it"
        for number in (2, 3):
            server.send(wire.cancel(number, legacy=legacy))
            again = invoke(number + 1)
            assert (again["invocation_id"], again["replayed"]) == (first["invocation_id"], True)
    assert len(endpoint.started) == 2


def test_over_http_too(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, endpoint.url, [allow("f")])
    with (
        serve_http(manifest, tmp_path, "--records", str(tmp_path / "r.sqlite3")) as server,
        httpx2.Client(timeout=WAIT) as client,
    ):
        opened = client.post(server.url, headers=server.headers, content=wire.handshake().splitlines()[0])
        session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
        modern = {"mcp-protocol-version": "2026-07-28"}
        for legacy, own in ((True, session), (False, modern)):
            rng = random.Random(1)  # noqa: S311
            for number in range(1, 101):
                message, expected = _message(rng, number, legacy)
                method = message.get("method")
                headers = {"mcp-method": method} if isinstance(method, str) and method.isprintable() else {}
                answer = client.post(
                    server.url, headers=server.headers | own | headers, content=json.dumps(message).encode()
                )
                assert answer.status_code < 500, (message, answer.text)
                if expected:
                    assert _body(answer)["id"] in (*expected, None), message
            for body in (b"", b"\x00", b"[" * 100_000, b"[]", b'"\xff"', b"x" * 40_000_000):
                assert client.post(server.url, headers=server.headers | own, content=body).status_code in (400, 413)
            listing = wire.request(7, "tools/list", {}, legacy=legacy)
            listed = client.post(
                server.url, headers=server.headers | own | {"mcp-method": "tools/list"}, content=listing
            )
            assert len(_body(listed)["result"]["tools"]) > 3


def test_over_http_an_id_that_is_under_way_is_refused(held: Held, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """In one session its answers would share a stream."""
    manifest = write_manifest(tmp_path, endpoint.url, [allow("f")])
    call = wire.invoke(7, legacy=True, function="f:live", payload=1)
    with (
        serve_http(manifest, tmp_path, "--records", str(tmp_path / "r.sqlite3")) as server,
        httpx2.Client(timeout=WAIT) as client,
        ThreadPoolExecutor() as pool,
    ):
        opened = client.post(server.url, headers=server.headers, content=wire.handshake().splitlines()[0])
        headers = server.headers | {
            "mcp-session-id": opened.headers["mcp-session-id"],
            "mcp-protocol-version": "2025-11-25",
        }
        first = pool.submit(client.post, server.url, headers=headers, content=call)
        held.wait_for()
        for other in ODD_NUMBERS:
            cancelling = client.post(server.url, headers=headers, content=CANCEL % json.dumps(other))
            assert (cancelling.status_code, cancelling.content) == (202, b"")
        for same in (call, *(call.replace(b": 7,", b": %b," % json.dumps(other).encode()) for other in ODD_NUMBERS)):
            second = client.post(server.url, headers=headers, content=same)
            assert (second.status_code, _body(second)["error"]["code"]) == (400, -32600)
        held.release()
        assert _body(first.result())["result"]["structuredContent"]["payload"] == 1
        end = time.monotonic() + WAIT
        # The server forgets an id a moment after its answer has left.
        while "error" in (again := _body(client.post(server.url, headers=headers, content=call))):
            assert time.monotonic() < end
        assert again["result"]["structuredContent"]["payload"] == 1
    assert len(endpoint.started) == 2


def _body(answer: httpx2.Response) -> dict[str, Any]:
    text = answer.text
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    body: dict[str, Any] = json.loads(lines[-1] if lines else text)
    return body
