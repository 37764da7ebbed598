"""A Lambda endpoint that meets each attempt of a call with a fault drawn by its seed, and knows what really ran.

A call is known by the member `call` of its payload, and faults are drawn by it, so that the order in which parallel
calls arrive changes nothing. Reading of configurations and aliases meets no fault. It runs in threads of this process.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, Final, NamedTuple

from support import event_stream

ERRORS: Final = {
    "400": "InvalidParameterValueException",
    "403": "AccessDeniedException",
    "404": "ResourceNotFoundException",
    "409": "ResourceConflictException",
    "413": "RequestTooLargeException",
    "429": "TooManyRequestsException",
    "429_retry_after": "TooManyRequestsException",
    "500_started": "ServiceException",
    "500_not_started": "ServiceException",
    "502": "",  # of a gateway, in HTML: it ran, and its answer is lost
    "503": "ServiceUnavailableException",
    "504": "",
}
INVOKE_FAULTS: Final = (
    *("ok", "slow", "answer_late", "drip", "hang", "function_error", "stale", "stale_race"),
    *("reset_before_reading", "close_before_reading", "reset_after_headers", "reset_after_body", "close_after_body"),
    *("reset_mid_answer", "truncated_body", "wrong_length", "short_length", "malformed_error", "garbage"),
    *("headers_only", "headers_hang", *ERRORS),
)
STREAM_FAULTS: Final = (
    *INVOKE_FAULTS,
    *("stream_error", "stream_exception", "stream_unmodeled", "stream_cut", "stream_cut_frame"),
    *("stream_no_complete", "stream_bad_crc", "stream_hang", "stream_drip"),
)
NOT_STARTED: Final = {
    *("reset_before_reading", "close_before_reading", "reset_after_headers"),
    *ERRORS.keys() - {"500_started", "502", "504"},
}
"""Faults with which the function does not start."""

_FUNCTION_ERROR: Final = json.dumps({"errorMessage": "told to fail", "errorType": "ToldToFailError"})
_FORGED: Final = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"forged":true}'
_LAST_CHUNK: Final = b"0\r\n\r\n"
_SEEN_SECONDS: Final = 0.02
"""Between a part of an answer and a reset, so that the client gets to read the part."""


@dataclass(slots=True)
class Entry:
    """What is known of one call: its attempts, how many of them started the function, and the last one's fault."""

    attempts: int = 0
    started: int = 0
    fault: str = ""


class Answer(NamedTuple):
    """What is sent, with a pause in seconds before each piece, and how the connection goes on."""

    pieces: list[bytes]
    ending: str = "keep"
    pause: float = 0.0


def draw(seed: int, call: str, attempt: int, weights: Mapping[str, float]) -> str:
    """The fault of one attempt (from 1) of a call: the same for the same arguments, whatever else goes on."""
    names = sorted(weights)
    return random.Random(f"{seed}:{call}:{attempt}").choices(names, [weights[name] for name in names])[0]  # noqa: S311


class FaultyEndpoint:
    """A running endpoint.

    Attributes:
        url: of the listener that serves Lambda.
        urls: of listeners each of whose connections meets a fault: `reset_before_reading`, `close_before_reading`, and
            `accept_hang`, where nothing is ever read.
        ledger: what is known of each call.
        open: how many connections of the first listener are open.
        invoke_weights: what Invoke draws from: `ok` in about 4 of 10 calls, and everything else that befalls it.
        stream_weights: the same for InvokeWithResponseStream.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.ledger: dict[str, Entry] = {}
        self.open = 0
        self.invoke_weights: Mapping[str, float] = {name: 20.0 if name == "ok" else 1.0 for name in INVOKE_FAULTS}
        self.stream_weights: Mapping[str, float] = {name: 20.0 if name == "ok" else 1.0 for name in STREAM_FAULTS}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._listeners: list[socket.socket] = []
        self.url = self._listen("")
        self.urls = {
            fault: self._listen(fault) for fault in ("reset_before_reading", "close_before_reading", "accept_hang")
        }

    def close(self) -> None:
        """Listen no more, and let go of what is held open."""
        self._closed.set()
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts
            listener.close()

    def _listen(self, fault: str) -> str:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, fault), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def _accept(self, listener: socket.socket, fault: str) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._meet, args=(connection, fault), daemon=True).start()

    def _meet(self, connection: socket.socket, fault: str) -> None:
        with connection:
            match fault:
                case "":
                    self._serve(connection)
                case "accept_hang":
                    self._closed.wait()
                case _:
                    end(connection, "RST" if fault.startswith("reset") else "FIN")

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.open += 1
        try:
            with connection.makefile("rb") as reader, suppress(OSError):
                ending = "keep"
                while ending == "keep" and (request := read_request(reader)):
                    answer = self._answer(*request)
                    for piece in answer.pieces:
                        time.sleep(answer.pause)
                        connection.sendall(piece)
                    ending = answer.ending
                end(connection, ending)
        finally:
            with self._lock:
                self.open -= 1

    def _answer(self, line: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if line.startswith("GET"):
            about = {"Timeout": 3, "Version": "1", "Name": "live", "FunctionVersion": "1"}
            return Answer([whole(200, json.dumps(about).encode())])
        streaming = "response-streaming-invocations" in line
        call = json.loads(body)["call"]
        with self._lock:
            entry = self.ledger.setdefault(call, Entry())
            entry.attempts += 1
            weights = self.stream_weights if streaming else self.invoke_weights
            fault = entry.fault = draw(self.seed, call, entry.attempts, weights)
            entry.started += fault not in NOT_STARTED
        if fault in ERRORS:
            return Answer([refusal(fault)])
        if streaming:
            return answer_of_stream(fault, body)
        if headers.get("x-amz-invocation-type") == "Event":
            return answer_of_invoke(fault, 202, b"")
        return answer_of_invoke(fault, 200, body)


@contextmanager
def faulty_endpoint(seed: int) -> Iterator[FaultyEndpoint]:
    """An endpoint that runs while the context lasts."""
    endpoint = FaultyEndpoint(seed)
    try:
        yield endpoint
    finally:
        endpoint.close()


def read_request(reader: BinaryIO) -> tuple[str, dict[str, str], bytes] | None:
    """The next request: its first line, its headers by name in lower case, and its body. None at the end."""
    line, headers = reader.readline().decode(), {}
    while field := reader.readline().decode().strip():
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return (line, headers, body) if line else None


def head(status: int, length: int | None, more: str = "") -> bytes:
    """Status line and headers, for a body of this length, or in chunks."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    kind = event_stream.CONTENT_TYPE if length is None else "application/json"
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {kind}\r\n{framing}\r\n{more}\r\n".encode()


def whole(status: int, body: bytes, more: str = "") -> bytes:
    """An answer with a body."""
    return head(status, len(body), more) + body


def refusal(fault: str) -> bytes:
    """What Lambda, or a gateway before it, answers in place of the function."""
    status, code = int(fault[:3]), ERRORS[fault]
    if not code:
        return whole(status, b"<html><body>no answer</body></html>")
    more = "Retry-After: 1\r\n" if fault == "429_retry_after" else ""
    body = json.dumps({"Type": "User" if status < 500 else "Service", "message": "told to fail"}).encode()
    return whole(status, body, f"x-amzn-ErrorType: {code}\r\n{more}")


def answer_of_invoke(fault: str, status: int, body: bytes) -> Answer:
    """The answer, with what befalls it."""
    version = "X-Amz-Executed-Version: 1\r\n"
    answer, first = whole(status, body, version), head(status, len(body), version)
    half = answer[: len(first) + len(body) // 2 if body else len(first) // 2]
    match fault:
        case "drip":
            return Answer([answer[start : start + 20] for start in range(0, len(answer), 20)], pause=0.005)
        case "function_error" if status == 200:  # the function of an Event has not run yet
            return Answer([whole(200, _FUNCTION_ERROR.encode(), f"{version}X-Amz-Function-Error: Unhandled\r\n")])
        case "reset_mid_answer" | "truncated_body":
            return Answer([half], "RST" if fault.startswith("reset") else "FIN")
        case "wrong_length":
            return Answer([answer + _FORGED])
        case "short_length":
            return Answer([head(status, len(body) // 2, version) + body])
        case _:
            return _answer_of_either(fault, [answer], first)


def answer_of_stream(fault: str, body: bytes) -> Answer:
    """The answer in four chunks. What befalls it, mostly befalls it in its middle."""
    first, size = head(200, None, "X-Amz-Executed-Version: 1\r\n"), max(1, -(-len(body) // 4))
    chunks = [chunked(event_stream.chunk(body[start : start + size])) for start in range(0, len(body), size)]
    failed = chunked(event_stream.complete(code="Unhandled", details=_FUNCTION_ERROR)) + _LAST_CHUNK
    complete = event_stream.complete()
    frame = event_stream.chunk(b"the rest of this frame does not come")
    half, half_frame = [first, *chunks[:2]], chunked(frame)[: len(frame) // 2]
    match fault:
        case "function_error":
            return Answer([first, failed])
        case "stream_drip":
            return Answer([first, *chunks, chunked(complete) + _LAST_CHUNK], pause=0.02)
        case "stream_error":
            return Answer([*half, failed])
        case "stream_exception":
            return Answer([*half, chunked(event_stream.exception("ServiceException", "told to fail")) + _LAST_CHUNK])
        case "stream_unmodeled":
            return Answer([*half, chunked(event_stream.error("ServiceException", "told to fail")) + _LAST_CHUNK])
        case "stream_bad_crc":
            return Answer([*half, chunked(frame[:-1] + bytes([frame[-1] ^ 1])) + _LAST_CHUNK])
        case "short_length":
            return Answer([*half, chunked(frame[:-20]) + _LAST_CHUNK])
        case "stream_no_complete":
            return Answer([*half, _LAST_CHUNK])
        case "stream_cut":
            return Answer(half, "RST")
        case "stream_cut_frame" | "reset_mid_answer":
            return Answer([*half, half_frame], "RST")
        case "truncated_body":
            return Answer([*half, half_frame], "FIN")
        case "stream_hang":
            return Answer(half, "hang")
        case "wrong_length":
            return Answer([first, *chunks, chunked(complete + b"more") + _LAST_CHUNK])
        case _:
            return _answer_of_either(fault, [first, *chunks, chunked(complete) + _LAST_CHUNK], first)


def _answer_of_either(fault: str, pieces: list[bytes], first: bytes) -> Answer:
    match fault:
        case "slow" | "drip":
            return Answer(pieces, pause=0.2 / len(pieces))
        case "answer_late":
            return Answer(pieces, pause=1.0 / len(pieces))
        case "stale" | "stale_race":
            return Answer(pieces, fault)
        case "hang":
            return Answer([], "hang")
        case "reset_before_reading" | "reset_after_headers" | "reset_after_body":
            return Answer([], "RST")
        case "close_before_reading" | "close_after_body":
            return Answer([], "FIN")
        case "malformed_error":
            return Answer([whole(500, b'{"Type": "Service", "mess')])
        case "garbage":
            return Answer([b"\x00\x01\xfe\xffno HTTP at all\r\n\r\n\x00"], "FIN")
        case "headers_only" | "headers_hang":
            return Answer([first], "FIN" if fault == "headers_only" else "hang")
        case _:
            return Answer(pieces)


def chunked(data: bytes) -> bytes:
    """One chunk of a body that is sent in chunks."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def end(connection: socket.socket, ending: str) -> None:
    """End a connection that is closed right afterwards."""
    match ending:
        case "stale_race":  # reset when it brings the next request
            connection.recv(1)
        case "stale":
            time.sleep(0.005)
        case "RST":
            time.sleep(_SEEN_SECONDS)
    if ending in ("RST", "stale_race"):  # lingering for no time makes the kernel send a reset
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    with suppress(OSError):
        if ending in ("FIN", "stale"):
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(1)  # closing with bytes unread would be a reset
        while ending != "keep" and connection.recv(65_536):
            pass
