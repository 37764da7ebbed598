"""A DynamoDB endpoint that fails as it is told: a proxy before an engine, which never fails of itself.

Engines raise no throttling, no conflict of transactions and lose no answer. Here each request is passed on, refused as
AWS refuses it, or lost on its way there or back.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_TYPE = "application/x-amz-json-1.0"
_MODEL = "com.amazonaws.dynamodb.v20120810#"


@dataclass(frozen=True)
class Request:
    """One request, as it arrived: `operation` is such as `TransactWriteItems`."""

    operation: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What happens to a request.

    Attributes:
        processed: whether the engine gets it.
        error: what is answered instead of what the engine said: a status and a body; without one, nothing is, and the
            connection is reset.
        held: whether the answer waits until the proxy's `release`.
        before: is done first.
        passes: whether what the engine said is answered.
    """

    processed: bool = False
    error: tuple[int, dict[str, Any]] | None = None
    held: bool = False
    before: Callable[[], object] | None = None
    passes: bool = False


def refused(code: str, message: str = "scripted", status: int = 400, **more: Any) -> Fault:
    """An error that AWS answers, and nothing was done."""
    return Fault(error=(status, {"__type": _MODEL + code, "message": message, **more}))


def cancelled(*codes: str) -> Fault:
    """A transaction that was cancelled, with a reason an action, such as `None`, `TransactionConflict` or
    `ThrottlingError`."""
    reasons = [{"Code": code} if code == "None" else {"Code": code, "Message": "scripted"} for code in codes]
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(codes)}]"
    return refused("TransactionCanceledException", message, CancellationReasons=reasons)


THROTTLED = refused("ThrottlingException")
OVER_CAPACITY = refused("ProvisionedThroughputExceededException")
OVER_REQUESTS = refused("RequestLimitExceeded")
CONFLICT = refused("TransactionConflictException")
IN_PROGRESS = refused("TransactionInProgressException")
NO_TABLE = refused("ResourceNotFoundException", "Requested resource not found")
BROKEN = refused("InternalServerError", status=500)
BROKEN_AFTER = Fault(processed=True, error=BROKEN.error)
"""It was done all the same."""
UNAVAILABLE = refused("ServiceUnavailable", status=503)
LOST_REQUEST = Fault()
"""The connection breaks, and nothing was done."""
LOST_ANSWER = Fault(processed=True)
"""The connection breaks, and it was done."""


LATE = Fault(processed=True, held=True, passes=True)
"""It is done, and the answer comes once the proxy is told to `release` it."""


def after(before: Callable[[], object]) -> Fault:
    """Something else happens first; then it is done."""
    return Fault(processed=True, before=before, passes=True)


Chooser = Callable[[Request], Fault | None]


class DynamoDbProxy:
    """A running proxy. `chooser`, if set, says what happens to each request that `fail` says nothing of."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.received: list[Request] = []
        self.chooser: Chooser | None = None
        self.released = threading.Event()
        self._faults: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()
        self._server = _server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def through(self, store_url: str) -> str:
        """The URL of the same table by way of this proxy."""
        return store_url.replace(self.engine, self.url)

    def fail(self, operation: str, *faults: Fault) -> None:
        """What happens to the next requests of an operation, one after the other."""
        with self._lock:
            self._faults.setdefault(operation, []).extend(faults)

    def operations(self) -> Sequence[str]:
        """The operations of all requests that arrived, in their order."""
        return [request.operation for request in self.received]

    def reset(self) -> None:
        """Forget what was received and told."""
        self.release()
        self.received, self._faults, self.chooser, self.released = [], {}, None, threading.Event()

    def release(self) -> None:
        """Let the answers go out that were held."""
        self.released.set()

    def next_fault(self, request: Request) -> Fault | None:
        with self._lock:
            self.received.append(request)
            if told := self._faults.get(request.operation):
                return told.pop(0)
        return self.chooser(request) if self.chooser else None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def dynamodb_proxy(engine: str) -> Iterator[DynamoDbProxy]:
    """Run a proxy before an engine while the context lasts."""
    proxy = DynamoDbProxy(engine)
    try:
        yield proxy
    finally:
        proxy.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


def _server(proxy: DynamoDbProxy) -> _Server:
    engine = urlsplit(proxy.engine)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self._upstream = HTTPConnection(engine.hostname or "", engine.port, timeout=30)

        def finish(self) -> None:
            self._upstream.close()
            super().finish()

        def log_message(self, *args: Any) -> None:
            """Nothing: the tests look at `received`."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            fault = proxy.next_fault(Request(operation, json.loads(body or b"{}")))
            if fault is None:
                self._answer(*self._passed_on(body))
                return
            if fault.before:
                fault.before()
            answered = self._passed_on(body) if fault.processed else None
            if fault.held:
                proxy.released.wait(30)
            if fault.passes and answered:
                self._answer(*answered)
            elif fault.error:
                status, said = fault.error
                self._answer(status, {"Content-Type": _TYPE}, json.dumps(said).encode())
            else:
                self._drop()

        def _passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            self._upstream.request("POST", self.path, body, headers)
            answer = self._upstream.getresponse()
            kept = ("content-type", "x-amzn-requestid", "x-amz-crc32")
            return answer.status, {k: v for k, v in answer.getheaders() if k.lower() in kept}, answer.read()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _drop(self) -> None:
            # Lingering for no time makes the kernel send a reset instead of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            with suppress(OSError):
                self.connection.close()

    return _Server(("127.0.0.1", 0), Handler)
