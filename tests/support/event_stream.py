"""AWS event streams as bytes: what InvokeWithResponseStream answers with.

The framing is that of "Event stream encoding" (Amazon Transcribe and Smithy specifications): lengths and a checksum,
headers, payload, another checksum.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from functools import lru_cache
from zlib import crc32

_STRING = 7
CONTENT_TYPE = "application/vnd.amazon.eventstream"


def message(headers: Mapping[str, str], payload: bytes = b"") -> bytes:
    """One message with headers that are strings."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", 12 + len(encoded) + len(payload) + 4, len(encoded))
    head = prelude + struct.pack("!I", crc32(prelude)) + encoded + payload
    return head + struct.pack("!I", crc32(head))


def event(kind: str, payload: bytes, content_type: str = "application/octet-stream") -> bytes:
    """An event of a named kind."""
    return message({":message-type": "event", ":event-type": kind, ":content-type": content_type}, payload)


@lru_cache(maxsize=16)
def chunk(payload: bytes) -> bytes:
    """A piece of the function's answer. Large streams repeat one payload, so the last messages are kept."""
    return event("PayloadChunk", payload)


def complete(*, code: str | None = None, details: str | None = None, log: str | None = None) -> bytes:
    """The end of an answer: `code` and `details` where the function failed, and `log` in base64."""
    members = {"ErrorCode": code, "ErrorDetails": details, "LogResult": log}
    body = {name: value for name, value in members.items() if value is not None}
    return event("InvokeComplete", json.dumps(body).encode(), "application/json")


def exception(kind: str, text: str) -> bytes:
    """An exception of the service's, in the middle of a stream."""
    headers = {":message-type": "exception", ":exception-type": kind, ":content-type": "application/json"}
    return message(headers, json.dumps({"message": text}).encode())


def error(code: str, text: str) -> bytes:
    """An error that the service's model does not name, in the middle of a stream."""
    return message({":message-type": "error", ":error-code": code, ":error-message": text})


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()  # lengths are in bytes
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _STRING, len(text)) + text
