"""A receiver of webhooks on this machine, which fails as it is told to."""

from __future__ import annotations

import base64
import http.server
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

KEY = b"k" * 32
WEBHOOK_SECRET = "whsec_" + base64.b64encode(KEY).decode()

Behaviour = int | str


@dataclass
class Receiver:
    """What it answers, in turn (the last one for good), and what it got: path, headers, body."""

    behaviours: list[Behaviour]
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, receiver: Receiver, *args: Any) -> None:
        self.receiver = receiver
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        receiver = self.receiver
        receiver.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        behaviour = receiver.behaviours.pop(0) if len(receiver.behaviours) > 1 else receiver.behaviours[0]
        self.close_connection = True
        if behaviour == "hangs":
            receiver.released.wait()
        elif behaviour == "drips":
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not receiver.released.wait(0.01):
                    self.wfile.write(b"x")
            except OSError:
                return
        elif isinstance(behaviour, int):
            self.send_response(behaviour)
            self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: Any) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that goes is nothing to tell of."""


@contextmanager
def receiving(*behaviours: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver(list(behaviours))
    with _Server(("127.0.0.1", 0), partial(_Handler, receiver)) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.released.set()
            server.shutdown()
            thread.join()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in a thread; the test's own timeout ends it."""
    while not condition():
        time.sleep(0.01)
