"""HTTP byte by byte, as no library of clients sends it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import closing
from urllib.parse import urlsplit

from support.servers import HttpServer

WAIT = 60.0
"""Seconds that nothing takes, unless a test fails."""


def connect(server: HttpServer) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname or "", address.port or 0), WAIT)


def post(headers: Mapping[str, str], *lines: str, body: bytes = b"", path: str = "/mcp") -> bytes:
    """A POST with just these headers and further lines of a head."""
    head = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def answer_to(server: HttpServer, request: bytes) -> bytes:
    """All that comes until the server closes the connection; nothing, if it breaks it."""
    with closing(connect(server)) as client:
        client.sendall(request)
        return until_closed(client)


def until_closed(client: socket.socket) -> bytes:
    received = b""
    try:
        while part := client.recv(1 << 16):
            received += part
    except ConnectionError:
        pass
    return received


def status_of(answer: bytes) -> int:
    """The status of an answer; 0 if there is none."""
    return int(answer.split(b" ", 2)[1]) if answer else 0
