"""A Lambda endpoint that does as it is told: answers, faults at the socket, and a list of what reached it.

It stands in for AWS where the embedded endpoint does not behave as AWS does. As a program (`python -m
support.scripted_endpoint`) it prints its URL and serves until its standard input closes.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from support.common_answers import ANSWERS, answer_of

_INVOCATION = re.compile(
    r"/(?:2015-03-31|2021-11-15)/functions/(?P<function>[^/]+)/(?:response-streaming-)?invocations"
)
_CONFIGURATION = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/configuration")
_EXECUTION = re.compile(r"/2025-12-01/durable-executions/(?P<arn>[^/]+)")
_FUNCTIONS = re.compile(r"/2015-03-31/functions/?")
_ANSWER = re.compile(r"(?:^|:function:)answer-(?P<name>[a-z0-9-]+)$")
_SLEEP = re.compile(r"(?:^|:function:)sleep-(?P<milliseconds>\d+)$")


@dataclass(frozen=True)
class Received:
    """One request, as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def function(self) -> str | None:
        """What stands for FunctionName in an Invoke request; None for any other request."""
        match = _INVOCATION.fullmatch(self.path)
        return unquote(match["function"]) if match else None

    @property
    def configuration_of(self) -> str | None:
        """What stands for FunctionName in a GetFunctionConfiguration request; None for any other request."""
        match = _CONFIGURATION.fullmatch(self.path)
        return unquote(match["function"]) if match else None

    @property
    def execution(self) -> str | None:
        """What stands for DurableExecutionArn in a GetDurableExecution request; None for any other request."""
        match = _EXECUTION.fullmatch(self.path)
        return unquote(match["arn"]) if match else None

    @property
    def qualifier(self) -> str | None:
        return self.query.get("Qualifier")

    @property
    def invocation_type(self) -> str:
        return self.headers.get("x-amz-invocation-type", "RequestResponse")

    @property
    def client_context(self) -> Any:
        encoded = self.headers.get("x-amz-client-context")
        return json.loads(base64.b64decode(encoded)) if encoded else None


@dataclass(frozen=True)
class Reply:
    """What to answer, or how to fail. `reset` drops the connection unanswered; `cut` ends the body half-way."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Literal["reset", "cut"] | None = None


Behaviour = Callable[[Received], Reply]


def returned(payload: object, *, log: str = "", version: str = "$LATEST", error: str | None = None) -> Reply:
    """A function's answer, as AWS gives it."""
    headers = {"X-Amz-Executed-Version": version}
    if log:
        headers["X-Amz-Log-Result"] = base64.b64encode(log.encode()[-4096:]).decode()
    if error:
        headers["X-Amz-Function-Error"] = error
    return Reply(body=payload if isinstance(payload, bytes) else json.dumps(payload).encode(), headers=headers)


def refused(status: int, code: str, message: str = "no", *, retry_after: int | None = None) -> Reply:
    """An error of AWS's own."""
    body = json.dumps({"Type": "User", "message": message}).encode()
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Reply(status, body, {"x-amzn-ErrorType": code, **headers})


def configured(**fields: object) -> Behaviour:
    """What GetFunctionConfiguration tells."""
    return lambda _: Reply(body=json.dumps(fields).encode())


def one_after_another(*behaviours: Behaviour) -> Behaviour:
    """Each request gets the next one; the last one is for all that follow."""
    left = list(behaviours)
    return lambda received: (left.pop(0) if len(left) > 1 else left[0])(received)


class Held:
    """Holds requests until they are released, and then answers as `echo` does."""

    def __init__(self) -> None:
        self._arrived, self._released = threading.Semaphore(0), threading.Event()

    def __call__(self, received: Received) -> Reply:
        self._arrived.release()
        self._released.wait(30)
        return echo(received)

    def wait_for(self, number: int = 1) -> None:
        """Block until so many more requests have arrived."""
        for _ in range(number):
            assert self._arrived.acquire(timeout=30)

    def release(self) -> None:
        self._released.set()


def echo(received: Received) -> Reply:
    """The default: 204 for DryRun, 202 for Event, or else the payload that was sent. `sleep-N` waits N ms before, and
    `answer-NAME` gives one of the common answers."""
    match received.invocation_type:
        case "DryRun":
            return Reply(204)
        case "Event":
            return Reply(202)
        case _:
            if match := _SLEEP.search(received.function or ""):
                time.sleep(int(match["milliseconds"]) / 1000)
            if match := _ANSWER.search(received.function or ""):
                payload, error, log = answer_of(match["name"])
                return returned(payload, log=log, version="7", error=error)
            return returned(json.loads(received.body or b"null"), version=received.qualifier or "$LATEST")


class ScriptedEndpoint:
    """A running endpoint. Behaviours are set by function name, and so are configurations, which replace what `catalog`
    tells: that is what ListFunctions tells, or a refusal. Executions are set by their ARN."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.behaviours: dict[str, Behaviour] = {}
        self.catalog: list[dict[str, object]] | Reply = refused(403, "AccessDeniedException", "not authorized")
        self.configurations: dict[str, Behaviour] = {}
        self.executions: dict[str, Behaviour] = {}
        self.received: list[Received] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._server = _server(self)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def invocations(self) -> list[Received]:
        """The Invoke requests that arrived, DryRun included."""
        return [received for received in self.received if received.function]

    @property
    def started(self) -> list[Received]:
        """The Invoke requests that would have started a function."""
        return [received for received in self.invocations if received.invocation_type != "DryRun"]

    @property
    def configurations_asked(self) -> list[Received]:
        """The GetFunctionConfiguration requests that arrived."""
        return [received for received in self.received if received.configuration_of]

    @property
    def executions_asked(self) -> list[str]:
        """The executions that GetDurableExecution requests asked for."""
        return [received.execution for received in self.received if received.execution]

    def reset(self) -> None:
        """Forget what was received and told."""
        self.__dict__.update(behaviours={}, configurations={}, executions={}, received=[], connections=0)
        self.catalog = refused(403, "AccessDeniedException", "not authorized")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def count_connection(self) -> None:
        with self._lock:
            self.connections += 1

    def answer(self, received: Received) -> Reply:
        with self._lock:
            self.received.append(received)
        if received.function:
            name = received.function.rsplit(":", 1)[-1]
            return self.behaviours.get(name, echo)(received)
        if match := _CONFIGURATION.fullmatch(received.path):
            name = unquote(match["function"]).rsplit(":", 1)[-1]
            if name in self.configurations:
                return self.configurations[name](received)
        if received.execution:
            if received.execution in self.executions:
                return self.executions[received.execution](received)
            return refused(404, "ResourceNotFoundException", "no such execution")
        return self._answer_catalog(received)

    def _answer_catalog(self, received: Received) -> Reply:
        if isinstance(self.catalog, Reply):
            return self.catalog
        if _FUNCTIONS.fullmatch(received.path):
            return Reply(body=json.dumps({"Functions": self.catalog}).encode())
        if received.path.endswith("/aliases"):
            return Reply(body=json.dumps({"Aliases": [{"Name": "live", "FunctionVersion": "7"}]}).encode())
        if received.path.endswith("/versions"):
            return Reply(body=json.dumps({"Versions": [{"Version": "$LATEST"}, {"Version": "7"}]}).encode())
        return Reply(body=json.dumps({"State": "Active"}).encode())


@contextmanager
def scripted_endpoint(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedEndpoint]:
    """Run an endpoint while the context lasts."""
    endpoint = ScriptedEndpoint(tls)
    try:
        yield endpoint
    finally:
        endpoint.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


def _server(endpoint: ScriptedEndpoint) -> _Server:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def setup(self) -> None:
            endpoint.count_connection()
            super().setup()

        def log_message(self, *args: Any) -> None:
            """Nothing: the tests look at `received`."""

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # who sent it is gone, and nothing starts by half a request
                self.close_connection = True
                return
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(endpoint.answer(Received(self.command, url.path, query, headers, body)))

        do_POST = do_GET  # noqa: N815

        def _send(self, reply: Reply) -> None:
            if reply.fault == "reset":
                self._drop()
                return
            self.send_response(reply.status)
            headers = {"Content-Type": "application/json", "x-amzn-RequestId": _REQUEST_ID, **reply.headers}
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if reply.fault == "cut":
                self.wfile.write(reply.body[: len(reply.body) // 2])
                self.wfile.flush()
                self._drop()
                return
            self.wfile.write(reply.body)

        def _drop(self) -> None:
            # Lingering for no time makes the kernel send a reset instead of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            with suppress(OSError):
                self.connection.close()

    return _Server(("127.0.0.1", 0), Handler)


_REQUEST_ID = "4f2c1d7e-0000-4000-8000-000000000001"

_ARN = "arn:aws:lambda:us-east-1:123456789012:function:"

if __name__ == "__main__":
    with scripted_endpoint() as running:
        running.catalog = [
            {"FunctionName": name, "FunctionArn": _ARN + name, "Description": name}
            for name in ("echo", "sleep-1000", *(f"answer-{each}" for each in ANSWERS))
        ]
        print(running.url, flush=True)
        sys.stdin.read()
