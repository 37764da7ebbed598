"""Several servers of one store, each a process, behind a balancer that gives each request to the next of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Final

from support import wire
from support.servers import over_http, token_in
from support.warden import stdio

VERSION: Final = "2026-07-28"
ANSWER_SECONDS: Final = 60.0
_numbers = count(1)


@dataclass
class Instance:
    """A server over HTTP, which can be killed, and started again."""

    manifest: Path
    home: Path
    options: Sequence[str]
    port: int = 0
    _process: subprocess.Popen[str] | None = None
    _said: list[str] = field(default_factory=list)
    _listener: threading.Thread | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        server = stdio(self.manifest, self.home, *over_http(self.home), *self.options)
        process = self._process = subprocess.Popen(
            [server.command, *server.args],
            env=os.environ | (server.env or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        for line in process.stderr:
            self._said.append(line)
            if found := re.search(r"serving http://[\d.]+:(?P<port>\d+)", line):
                self.port = int(found["port"])
                break
        else:
            raise AssertionError(f"the server ended before it listened: {''.join(self._said)}")
        # What it says later must not fill the pipe.
        self._listener = threading.Thread(target=self._said.extend, args=(process.stderr,), daemon=True)
        self._listener.start()

    def kill(self) -> None:
        """End it as a loss of power would, for it."""
        if self._process:
            self._process.kill()
            self._process.wait(30)
            if self._listener:
                self._listener.join(30)
            if self._process.stderr:
                self._process.stderr.close()


@dataclass(frozen=True)
class Instances:
    """Servers, and the port at which the balancer hands requests round."""

    all: Sequence[Instance]
    port: int
    token: str

    def client(self, instance: Instance | None = None) -> Client:
        """A client of the balancer, or of one instance."""
        return Client(instance.port if instance else self.port, self.token)


@dataclass
class Client:
    """Sends one request at a time, without an SDK between."""

    port: int
    token: str

    def call(self, tool: str, **arguments: Any) -> dict[str, Any] | None:
        """A call's structured result; None if the connection broke, or nobody listens."""
        params = {"name": tool, "arguments": arguments}
        body = wire.request(next(_numbers), "tools/call", params)
        headers = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "authorization": f"Bearer {self.token}",
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/call",
            "mcp-name": tool,
        }
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", "/mcp", body, headers)
            answered = connection.getresponse()
            answer = answered.read()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
        assert answered.status == 200, answer
        # Over a stream the answer is the last event.
        text = answer.decode().rstrip().rpartition("data: ")[2]
        message = json.loads(text) if text else {}
        if "result" not in message:
            return None
        found: dict[str, Any] = message["result"]["structuredContent"]
        return found


@contextmanager
def instances(manifest: Path, home: Path, *options: str, number: int = 3) -> Iterator[Instances]:
    """Run servers and a balancer while the context lasts."""
    with ExitStack() as stack:
        servers = [Instance(manifest, home, options) for _ in range(number)]
        for server in servers:
            stack.callback(server.kill)
            server.start()
        balancer = _Balancer(servers)
        stack.callback(balancer.close)
        yield Instances(servers, balancer.port, token_in(home))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


class _Balancer:
    """As load balancers are: it takes another server only for what it could not hand to one at all."""

    def __init__(self, servers: Sequence[Instance]) -> None:
        turns = count()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def log_message(self, *args: Any) -> None:
                """Nothing."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                turn = next(turns)
                for place in range(len(servers)):
                    connection = HTTPConnection(
                        "127.0.0.1", servers[(turn + place) % len(servers)].port, timeout=ANSWER_SECONDS
                    )
                    with suppress(OSError):
                        connection.connect()
                        self._hand_over(connection, body)
                        return
                self.close_connection = True

            def _hand_over(self, connection: HTTPConnection, body: bytes) -> None:
                kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host",)}
                try:
                    connection.request("POST", self.path, body, kept)
                    answer = connection.getresponse()
                    content = answer.read()
                except (OSError, HTTPException):
                    self.close_connection = True  # it may have been done
                    return
                finally:
                    connection.close()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["content-type"])
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
