"""Requests of every kind over HTTP, served and refused, to see what a server keeps of them: nothing."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from typing import Final
from urllib.parse import urlsplit

from support import wire
from support.servers import HttpServer

CLIENTS: Final = 4
ROUND: Final = 10
"""Requests of one round of one client."""
_MODERN: Final = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "invoke_function"}
_LISTING: Final = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}


class _Client:
    """One client, with a connection that it keeps."""

    def __init__(self, server: HttpServer, number: int) -> None:
        self._server = server
        self._kept = self._connection()
        self._numbers = itertools.count(number * 10**9)

    def close(self) -> None:
        self._kept.close()

    def round(self) -> None:
        """Calls and lists of both revisions, a session from its begin to its end, and what is refused."""
        headers, number = self._server.headers, next(self._numbers)
        self._post(200, wire.invoke(1, function="f:live", payload=number), headers | _MODERN, b'"succeeded"')
        self._post(200, wire.request(1, "tools/list", {}), headers | _LISTING, b"invoke_function", kept=False)
        self._post(200, wire.invoke(1, function="g:live"), headers | _MODERN, b'"denied"')
        opened = self._post(200, wire.handshake().splitlines()[0], headers, b"protocolVersion", kept=False)
        session = headers | {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
        self._post(200, wire.invoke(1, legacy=True, function="f:live", payload=-number), session, b"succeeded")
        self._post(200, wire.request(2, "tools/list", {}, legacy=True), session, b"invoke_function")
        self._post(200, b"", session, method="DELETE")
        self._post(404, wire.request(3, "tools/list", {}, legacy=True), session)
        self._post(401, wire.invoke(1, function="f:live"), _MODERN, kept=False)
        self._post(400, b"[" * 1000, headers | _MODERN)

    def _connection(self) -> HTTPConnection:
        return HTTPConnection(urlsplit(self._server.url).netloc, timeout=60)

    def _post(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str],
        proof: bytes = b"",
        *,
        kept: bool = True,
        method: str = "POST",
    ) -> HTTPResponse:
        if kept:
            return _checked(self._kept, status, method, body, headers, proof)
        with closing(self._connection()) as connection:
            return _checked(connection, status, method, body, headers | {"connection": "close"}, proof)


def _checked(
    connection: HTTPConnection, status: int, method: str, body: bytes, headers: dict[str, str], proof: bytes
) -> HTTPResponse:
    connection.request(method, "/mcp", body, headers)
    answer = connection.getresponse()
    said = answer.read()
    assert answer.status == status, said[:1000]
    assert proof in said, said[:1000]
    return answer


def load(server: HttpServer, requests: int) -> int:
    """Make so many requests, or a few more: how many.

    The server has to allow calls of the function `f` with the qualifier `live`, which only reads, and none of `g`.
    """
    rounds = -(-requests // (ROUND * CLIENTS))

    def run(number: int) -> None:
        with closing(_Client(server, number)) as client:
            for _ in range(rounds):
                client.round()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(run, range(CLIENTS)))
    return rounds * ROUND * CLIENTS
