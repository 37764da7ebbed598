"""A server that does to a connection whatever a test says, byte by byte: what no HTTP library can be made to do."""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

Script = Callable[[socket.socket], None]
"""What happens to one connection. It is closed when the script returns."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_HEAD = re.compile(rb"\r\n\r\n")


class _Thread(threading.local):
    server: RawServer


_thread = _Thread()


class RawServer:
    """A running server. Each connection runs the script of its number, or else the last one."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._scripts = scripts
        self._tls = tls
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._connected = threading.Event()
        self._listener = socket.socket()
        # Small, and taken over by each connection: so a large request can't lie in it unread.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def wait_for_connection(self) -> None:
        """Until the first connection is there."""
        assert self._connected.wait(30), "nobody connected"

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left, self._open = self._open, []
        for connection in left:
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self._thread.join()

    def adopt(self, connection: socket.socket) -> None:
        """Break this connection when the test is over."""
        with self._lock:
            self._open.append(connection)

    def _accept(self) -> None:
        threads: list[threading.Thread] = []
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                script = self._scripts[min(self.connections, len(self._scripts) - 1)]
                self.connections += 1
                self._connected.set()
                threads.append(threading.Thread(target=self._run, args=(connection, script), daemon=True))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _run(self, connection: socket.socket, script: Script) -> None:
        with suppress(OSError):  # what the other side does to it is the test's business
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self.adopt(connection)
            _thread.server = self
            script(connection)
        connection.close()


@contextmanager
def raw_server(*scripts: Script, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Run a server while the context lasts."""
    server = RawServer(*scripts, tls=tls)
    try:
        yield server
    finally:
        server.close()


def read_request(connection: socket.socket) -> bytes:
    """One request, head and body; empty if the other side has closed."""
    data = b""
    while not (head := _HEAD.search(data)):
        if not (more := connection.recv(65536)):
            return b""
        data += more
    length = _LENGTH.search(data, 0, head.start())
    rest = head.end() + (int(length[1]) if length else 0) - len(data)
    parts = [data]
    while rest > 0 and (more := connection.recv(65536)):
        parts.append(more)
        rest -= len(more)
    return b"".join(parts)


def answer(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """An answer as bytes, with its Content-Length unless another is given."""
    lines = {"Content-Length": str(len(body)), "x-amzn-RequestId": "r-1", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body


def answering(*replies: bytes) -> Script:
    """Answers one request after the other, the last one for good, on one connection."""

    def script(connection: socket.socket) -> None:
        number = 0
        while read_request(connection):
            connection.sendall(replies[min(number, len(replies) - 1)])
            number += 1

    return script


def shake_hands(connection: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Speak TLS from here on, in a script."""
    inside = context.wrap_socket(connection, server_side=True)
    _thread.server.adopt(inside)
    return inside


def hold(connection: socket.socket) -> None:
    """Neither read nor write until the other side closes, or the test is over."""
    poll = select.poll()
    poll.register(connection, getattr(select, "POLLRDHUP", 0))
    poll.poll(60_000)


def reset(connection: socket.socket) -> None:
    """Close with a reset: lingering for no time makes the kernel send one instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
