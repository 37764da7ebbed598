"""HTTP as bytes: requests as they arrive, answers as Lambda gives them."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, unquote

SYNCHRONOUS_LIMIT: Final = 6_291_456
ASYNCHRONOUS_LIMIT: Final = 1_048_576
ANSWER_LIMIT: Final = 6_291_556
"""Bytes of a payload, of an Event's payload and of an answer ("Lambda quotas" in the developer guide; the answer's is
that of AWS's own error message)."""

CONTEXT_LIMIT: Final = 3_583
LOG_LIMIT: Final = 4096

_FUNCTION = re.compile(
    r"/2015-03-31/functions/(?P<function>[^/]+)/(?:(?P<operation>invocations|configuration)|aliases/(?P<alias>[^/]+))"
    r"|/2021-11-15/functions/(?P<streaming>[^/]+)/response-streaming-invocations"
)
_OPERATIONS = {
    ("POST", "invocations"): "Invoke",
    ("GET", "configuration"): "GetFunctionConfiguration",
    ("GET", "alias"): "GetAlias",
    ("POST", "streaming"): "InvokeWithResponseStream",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for. `operation` is empty for what the endpoint does not know."""

    operation: str
    path: str
    function: str = ""
    qualifier: str | None = None
    alias: str = ""


@dataclass(slots=True)
class Request:
    """A request; `headers` by name in lower case. The body is empty until it is there whole."""

    method: str
    target: Target
    headers: Mapping[bytes, bytes]
    length: int
    body: bytes = b""

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


def parse_head(head: bytes) -> Request:
    """Read a request line and headers.

    Raises:
        ValueError: if they are not those of an HTTP/1.1 request with a body of stated length.
    """
    line, *rest = head.split(b"\r\n")
    method, raw, version = line.split(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError("not HTTP/1")
    headers = {}
    for field in rest:
        name, _, value = field.partition(b":")
        headers[name.lower()] = value.strip()
    if b"transfer-encoding" in headers:
        raise ValueError("a body without Content-Length")
    return Request(method.decode(), _target(method, raw), headers, int(headers.get(b"content-length", b"0")))


@lru_cache(maxsize=4096)
def _target(method: bytes, raw: bytes) -> Target:
    path, _, query = raw.decode("latin-1").partition("?")
    if path.startswith("/_control/"):
        return Target("control", path)
    match = _FUNCTION.fullmatch(path)
    if match is None:
        return Target("", path)
    kind = "alias" if match["alias"] else "streaming" if match["streaming"] else match["operation"]
    function, named = _split(unquote(match["function"] or match["streaming"]))
    qualifier = parse_qs(query).get("Qualifier", [named])[0]
    operation = _OPERATIONS.get((method.decode(), kind), "")
    return Target(operation, path, function, qualifier, unquote(match["alias"] or ""))


def _split(identifier: str) -> tuple[str, str | None]:
    """Name and qualifier of a FunctionName: a name, a partial or a full ARN."""
    parts = identifier.split(":")
    after = parts[parts.index("function") + 1 :] if "function" in parts else parts
    return after[0], after[1] if len(after) > 1 else None


@dataclass(frozen=True, slots=True)
class Filler:
    """A JSON string of a given number of bytes, without holding it."""

    size: int

    def __len__(self) -> int:
        return self.size

    def pieces(self, chunk: int) -> Iterator[bytes]:
        """It, in pieces; those in the middle are one and the same object."""
        if self.size < 2:
            yield b"0"[: self.size]
            return
        middle = b"x" * chunk
        for start in range(0, self.size, chunk):
            end = min(start + chunk, self.size)
            piece = middle[: end - start]
            if start == 0:
                piece = b'"' + piece[1:]
            if end == self.size:
                piece = piece[:-1] + b'"'
            yield piece


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `headers` are lines, each ended, beside Content-Length."""

    status: int
    headers: str = ""
    body: bytes | Filler = b""

    def head(self, length: int | None = None) -> bytes:
        """Status line and headers, with the body's length or another."""
        if self.status != HTTPStatus.NO_CONTENT:
            framing = f"Content-Length: {len(self.body) if length is None else length}\r\n"
        else:
            framing = ""
        return (_STATUS_LINES[self.status] + self.headers + framing + "\r\n").encode("latin-1")

    def head_of_chunks(self) -> bytes:
        """Status line and headers, for a body in chunks."""
        return (_STATUS_LINES[self.status] + self.headers + "Transfer-Encoding: chunked\r\n\r\n").encode("latin-1")

    def pieces(self, chunk: int) -> Iterator[bytes]:
        """The body, in pieces of that many bytes."""
        body = self.body
        if isinstance(body, Filler):
            return body.pieces(chunk)
        return (body[start : start + chunk] for start in range(0, len(body), chunk))

    def beginning(self, size: int) -> bytes:
        """The first bytes of the body."""
        return next(self.pieces(size)) if size and self.body else b""


_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


def chunked(data: bytes) -> bytes:
    """One chunk of a body that is sent in chunks."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def error(status: int, code: str, message: str, request_id: str = "", more: str = "") -> Answer:
    """An error of Lambda's own. `more` are further header lines, each ended."""
    kind = "User" if status < 500 else "Service"
    headers = f"Content-Type: application/json\r\nx-amzn-RequestId: {request_id}\r\nx-amzn-ErrorType: {code}\r\n{more}"
    return Answer(status, headers, json.dumps({"Type": kind, "message": message}).encode())


def told(fault: str, argument: int, request_id: str) -> Answer | None:
    """The answer of a fault that is an answer; None for any other."""
    if fault in _ERRORS:
        return error(*_ERRORS[fault], request_id)
    match fault:
        case "429_retry_after":
            return error(*_ERRORS["429"], request_id, f"Retry-After: {argument}\r\n")
        case "502" | "504":
            html = f"<html><body><h1>{_STATUS_LINES[int(fault)][9:].strip()}</h1></body></html>"
            return Answer(int(fault), "Content-Type: text/html\r\n", html.encode())
        case "malformed_error":
            headers = f"Content-Type: application/json\r\nx-amzn-RequestId: {request_id}\r\n"
            return Answer(500, headers, b'{"Type": "Service", "mess')
        case _:
            return None


_ERRORS: Final = {
    "400": (400, "InvalidParameterValueException", "A parameter is not valid."),
    "403": (403, "AccessDeniedException", "User is not authorized to perform: lambda:InvokeFunction"),
    "404": (404, "ResourceNotFoundException", "Function not found"),
    "409": (409, "ResourceConflictException", "The operation cannot be performed at this time."),
    "413": (413, "RequestTooLargeException", "Request must be smaller than 6291456 bytes"),
    "429": (429, "TooManyRequestsException", "Rate Exceeded."),
    "500_started": (500, "ServiceException", "An error occurred and the request cannot be processed."),
    "500_not_started": (500, "ServiceException", "An error occurred and the request cannot be processed."),
    "503": (503, "ServiceUnavailableException", "Service Unavailable"),
}


def log_tail(request_id: str, version: str, lines: int, duration_ms: float, cold: bool, failed: bool) -> str:
    """The base64 of the last 4 KB of one run's log, as AWS writes it."""
    log = [f"START RequestId: {request_id} Version: {version}"]
    log += (f"line {number} of the function" for number in range(1, lines + 1))
    if failed:
        log.append(f"[ERROR] {ERROR_TYPE}: {ERROR_MESSAGE}\nTraceback (most recent call last):")
    log.append(f"END RequestId: {request_id}")
    figures = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {math.ceil(duration_ms)} ms",
        "Memory Size: 128 MB",
        "Max Memory Used: 64 MB",
    ]
    if cold:
        figures.append("Init Duration: 150.50 ms")
    text = "\n".join([*log, "\t".join(figures) + "\t", ""])
    return base64.b64encode(text.encode()[-LOG_LIMIT:]).decode()


ERROR_TYPE: Final = "ToldToFailError"
ERROR_MESSAGE: Final = "told to fail"
FUNCTION_ERROR: Final = json.dumps({"errorMessage": ERROR_MESSAGE, "errorType": ERROR_TYPE, "stackTrace": []})
"""What a function that fails answers with."""

TOO_LARGE: Final = json.dumps(
    {
        "errorMessage": f"Response payload size exceeded maximum allowed payload size ({ANSWER_LIMIT} bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
)
"""What Lambda answers with in place of an answer above its limit."""
