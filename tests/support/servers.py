"""Servers in processes of their own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from support.warden import stdio

SERVING = re.compile(r"serving (?P<url>http://[\d.]+:\d+)/mcp\n")


@dataclass(frozen=True)
class HttpServer:
    """A server over HTTP, and what its clients have to send.

    `origin` is its URL without a path, and `process` is None where it runs in this one.
    """

    origin: str
    token: str
    process: psutil.Process | None = None

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    @property
    def authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    @property
    def headers(self) -> dict[str, str]:
        """Of a message that is posted, but for those of its revision."""
        accept = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        return accept | self.authorization

    @asynccontextmanager
    async def transport(self) -> AsyncIterator[TransportStreams]:
        """For `mcp.Client`."""
        async with (
            create_mcp_http_client(headers=self.authorization) as client,
            streamable_http_client(self.url, http_client=client) as streams,
        ):
            yield streams


@contextmanager
def serve_http(manifest: Path, home: Path, *arguments: str) -> Iterator[HttpServer]:
    """Run a server over HTTP."""
    server = stdio(manifest, home, *over_http(home), *arguments)
    process = subprocess.Popen(
        [server.command, *server.args],
        env=os.environ | (server.env or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := SERVING.search(line):
                yield HttpServer(found["url"], token_in(home), psutil.Process(process.pid))
                break
        else:
            pytest.fail("the server ended before it listened")
    finally:
        process.terminate()
        process.communicate(timeout=30)


def over_http(home: Path) -> tuple[str, ...]:
    """Options of a server over HTTP, on any port."""
    return "--http", "127.0.0.1:0", "--http-token-file", str(home / "http-token")


def token_in(home: Path) -> str:
    """None is made where an identity provider says who calls."""
    file = home / "http-token"
    return file.read_text().strip() if file.exists() else ""
