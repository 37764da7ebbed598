"""A server over HTTP gives nobody more than its share: of time, connections, memory and sessions."""

from __future__ import annotations

import resource
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from anyio.to_thread import run_sync
from mcp.server import _streamable_http_modern
from mcp.server.auth.provider import AccessToken
from sse_starlette.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send

from lambda_warden.settings import Settings
from lambda_warden.transport import http, http_connections, http_messages
from lambda_warden.transport.http_connections import BoundedConnection
from support import wire
from support.http_inside import TOKEN, running, serving_inside
from support.raw_http import WAIT, answer_to, connect, post, status_of, until_closed
from support.scripted_endpoint import Held, ScriptedEndpoint
from support.servers import HttpServer, serve_http
from support.warden import allow, write_manifest

pytestmark = pytest.mark.anyio

OPENING = wire.handshake().splitlines()[0]
LISTING = wire.request(7, "tools/list", {}, legacy=True)
CALL = wire.invoke(1, function="f:live", payload=1)
MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "invoke_function"}
SHORT = 0.2
"""Seconds that a server of these tests waits for a slow client."""


@pytest.fixture
async def server(endpoint: ScriptedEndpoint, tmp_path: Path) -> AsyncIterator[HttpServer]:
    async with serving_inside(tmp_path, endpoint.url, allow("f")) as inside:
        yield inside


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("head_seconds", "body_seconds", "write_seconds"):
        monkeypatch.setattr(BoundedConnection, name, SHORT)


async def send(server: HttpServer, content: bytes, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=WAIT) as client:
        return await client.post(server.url, headers=server.headers | headers, content=content)


def of(session: str) -> dict[str, str]:
    return {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}


# Slow clients.


def _drip(server: HttpServer, first: bytes, drop: bytes) -> bytes:
    """Send a byte now and then until the server ends it: what it said."""
    with closing(connect(server)) as client:
        client.sendall(first)
        client.settimeout(SHORT / 10)
        received = b""
        while True:
            try:
                part = client.recv(1 << 16)
            except TimeoutError:
                try:
                    client.sendall(drop)
                except ConnectionError:
                    return received
                continue
            except ConnectionError:
                return received
            if not part:
                return received
            received += part


def _head(server: HttpServer, token: str) -> bytes:
    """Of a call, with a body of a million bytes."""
    headers = {"host": server.origin.removeprefix("http://"), **server.headers, **MODERN}
    return post(headers | {"authorization": f"Bearer {token}"}, "content-length: 1000000")


@pytest.mark.parametrize(
    ("first", "drop", "answered"),
    [
        (lambda server: b"", b"", b""),
        (lambda server: b"P", b"", b""),
        (lambda server: b"POST /mcp HTTP/1.1\r\n", b"x", b""),
        (lambda server: b"POST /mcp HTTP/1.1\r\n", b"x-a: 1\r\n", b""),
        (lambda server: b"GET /health HTTP/1.1\r\nhost: a\r\n\r\nG", b"E", b"HTTP/1.1 200"),
        (lambda server: _head(server, TOKEN), b"", b""),
        (lambda server: _head(server, TOKEN), b" ", b""),
        (lambda server: _head(server, "another"), b" ", b"HTTP/1.1 401"),
    ],
    ids=["silent", "stuck", "a slow line", "slow headers", "slow after another", "no body", "a slow body", "refused"],
)
async def test_a_client_that_takes_too_long_is_cut_off(
    first: Callable[[HttpServer], bytes], drop: bytes, answered: bytes, impatient: None, server: HttpServer
) -> None:
    with anyio.fail_after(WAIT):
        said = await run_sync(_drip, server, first(server), drop, abandon_on_cancel=True)
    assert said.partition(b"\r\n")[0].startswith(answered)
    assert bool(said) == bool(answered)
    assert (await send(server, OPENING)).status_code == 200


async def test_a_client_that_takes_no_answer_is_cut_off(impatient: None) -> None:
    ended = anyio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await _now(receive)) is None:
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        ended.set()

    config = uvicorn.Config(endless, http=BoundedConnection, lifespan="off", log_config=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with running(uvicorn.Server(config), listener):
            with socket.create_connection(listener.getsockname()) as client:
                client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                with anyio.fail_after(WAIT):
                    await ended.wait()


async def _now(receive: Receive) -> Any:
    with anyio.move_on_after(0.001):
        return await receive()


async def test_an_idle_connection_is_kept(impatient: None, server: HttpServer) -> None:
    """Load balancers send the next request by it, long after."""
    with closing(connect(server)) as client:
        for _ in range(2):
            await run_sync(client.sendall, b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
            assert (await run_sync(client.recv, 1000)).startswith(b"HTTP/1.1 200")
            await anyio.sleep(2 * SHORT)


async def test_more_connections_than_there_may_be_are_refused(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "connection_limit", lambda: 3)
    monkeypatch.setattr(http_connections, "_TOLD", 1)
    monkeypatch.setattr(BoundedConnection, "head_seconds", 10 * WAIT)
    health = b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    async with serving_inside(tmp_path, endpoint.url, allow("f")) as server:

        def status() -> int:
            return status_of(answer_to(server, health))

        first, second, told = [await run_sync(connect, server) for _ in range(3)]
        assert await run_sync(status) == 503
        unheard = await run_sync(connect, server), await run_sync(connect, server)
        assert await run_sync(until_closed, unheard[1]) == b""
        for client in (first, second, told, *unheard):
            client.close()
        with anyio.fail_after(WAIT):
            while await run_sync(status) != 200:
                pass


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "room"), [(256, 256, 256, 128), (1024, 1 << 20, 4096, 2048), (9_999, 9_999, None, 2048)]
)
def test_half_of_the_files_that_may_be_open_are_for_connections(
    soft: int, hard: int, raised: int | None, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.append(new))
    assert http_connections.connection_limit() == room
    assert limits == ([] if raised is None else [(raised, hard)])


# Messages.


async def test_large_messages_have_room_together_or_wait(
    held: Held, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_messages, "HELD_BYTES", 250_000)

    async def call(number: int) -> httpx2.Response:
        return await send(server, wire.invoke(1, function="f:live", payload=[number, "x" * 100_000]), **MODERN)

    async with anyio.create_task_group() as group:
        group.start_soon(call, 1)
        group.start_soon(call, 2)
        await run_sync(held.wait_for, 2)
        refused = await call(3)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert "later" in refused.json()["error"]["message"]
        assert (await send(server, OPENING)).status_code == 200
        held.release()
    assert (await call(3)).status_code == 200


# Sessions.


class Two:
    """Knows two tokens, of two clients."""

    async def verify_token(self, token: str) -> AccessToken | None:
        known = {TOKEN: "ann", "u" * 43: "ben"}
        return AccessToken(token="", client_id=known[token], scopes=[]) if token in known else None


async def test_a_session_is_that_of_who_opened_it_and_has_no_id_of_a_clients_choice(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with serving_inside(tmp_path, endpoint.url, allow("f"), verifier=Two()) as server:
        session = (await send(server, OPENING)).headers["mcp-session-id"]
        theirs = of(session)
        stolen = await send(server, LISTING, authorization="Bearer " + "u" * 43, **theirs)
        unknown = await send(server, LISTING, authorization="Bearer " + "v" * 43, **theirs)
        fixed = [await send(server, message, **of("f" * 32)) for message in (OPENING, LISTING)]
        async with httpx2.AsyncClient() as client:
            other = server.headers | theirs | {"authorization": "Bearer " + "u" * 43}
            ended = [await client.request(method, server.url, headers=other) for method in ("DELETE", "GET")]
        assert [each.status_code for each in (stolen, unknown, *fixed, *ended)] == [404, 401, 404, 404, 404, 404]
        assert session not in stolen.text
        assert (await send(server, LISTING, **theirs)).status_code == 200


@pytest.mark.parametrize("count", [3, pytest.param(1_000, marks=pytest.mark.slow)])
async def test_one_session_more_than_there_may_be_is_refused(
    count: int, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    assert Settings().session_limit == 1_000
    async with (
        serving_inside(tmp_path, endpoint.url, allow("f"), session_limit=count) as server,
        httpx2.AsyncClient(timeout=WAIT) as client,
    ):
        opened = [await client.post(server.url, headers=server.headers, content=OPENING) for _ in range(count)]
        assert {answer.status_code for answer in opened} == {200}
        refused = await send(server, OPENING)
        assert (refused.status_code, refused.json()["error"]["message"]) == (503, "Too many open sessions")
        stateless = await send(server, CALL, **MODERN)
        assert stateless.status_code == 200, "2026-07-28 has no sessions"
        own = server.headers | {"mcp-session-id": opened[0].headers["mcp-session-id"]}
        assert (await client.delete(server.url, headers=own)).status_code == 200
        assert (await send(server, OPENING)).status_code == 200


async def test_a_session_that_nobody_uses_ends(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    assert Settings().session_idle == 1_800
    async with serving_inside(tmp_path, endpoint.url, allow("f"), session_limit=1, session_idle=SHORT) as server:
        session = (await send(server, OPENING)).headers["mcp-session-id"]
        with anyio.fail_after(WAIT):
            while (await send(server, OPENING)).status_code == 503:
                await anyio.sleep(0.01)
        gone = await send(server, LISTING, **of(session))
        assert gone.status_code == 404


async def test_a_session_that_is_used_goes_on(held: Held, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with serving_inside(tmp_path, endpoint.url, allow("f"), session_idle=SHORT) as server:
        session = (await send(server, OPENING)).headers["mcp-session-id"]
        answers: list[str] = []

        async def call() -> None:
            legacy = wire.invoke(1, legacy=True, function="f:live")
            answer = await send(server, legacy, **of(session))
            answers.append(answer.text)

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await run_sync(held.wait_for)
            await anyio.sleep(3 * SHORT)
            held.release()
        assert '"outcome":"succeeded"' in answers[0]


# Load balancers.


@pytest.mark.parametrize("legacy", [False, True])
async def test_comments_keep_a_stream_alive_while_a_call_takes_its_time(
    legacy: bool, held: Held, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (_streamable_http_modern._SSE_PING_INTERVAL, EventSourceResponse.DEFAULT_PING_INTERVAL) == (15, 15)
    monkeypatch.setattr(_streamable_http_modern, "_SSE_PING_INTERVAL", 0.05)
    monkeypatch.setattr(EventSourceResponse, "DEFAULT_PING_INTERVAL", 0.05)
    own = of((await send(server, OPENING)).headers["mcp-session-id"]) if legacy else MODERN
    call = wire.invoke(1, legacy=legacy, function="f:live")
    comments, data = 0, ""
    async with (
        httpx2.AsyncClient(timeout=WAIT) as client,
        client.stream("POST", server.url, headers=server.headers | own, content=call) as answer,
    ):
        async for line in answer.aiter_lines():
            comments += line.startswith(": ping")
            data += line if line.startswith("data: ") else ""
            if comments == 3:
                held.release()
    assert comments >= 3
    assert '"outcome":"succeeded"' in data


async def test_it_is_ready_while_calls_would_be_decided_on_and_recorded(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write_manifest(tmp_path, endpoint.url, [allow("f")])
    records = tmp_path / "records.sqlite3"
    with serve_http(manifest, tmp_path, "--records", str(records)) as server:
        async with httpx2.AsyncClient(base_url=server.origin, timeout=WAIT) as client:

            async def until_ready_is(status: int) -> None:
                with anyio.fail_after(WAIT):
                    while (answer := await client.get("/ready")).status_code != status:
                        await anyio.sleep(0.05)
                assert answer.text in ("ready\n", "not ready\n")

            await until_ready_is(200)
            records.rename(tmp_path / "away")
            await until_ready_is(503)
            health = await client.get("/health")
            assert (health.status_code, health.text) == (200, "ok\n")
            (tmp_path / "away").rename(records)
            await until_ready_is(200)


def test_no_answer_waits_for_its_headers_to_be_acknowledged() -> None:
    with (
        closing(http.listen(Settings(http="127.0.0.1:0"))) as listener,
        socket.create_connection(listener.getsockname()[:2]),
        closing(listener.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
