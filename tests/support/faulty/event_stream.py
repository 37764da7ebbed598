"""Frames of application/vnd.amazon.eventstream, as InvokeWithResponseStream answers with them.

The encoding is that of "Event stream encoding" in the Amazon Transcribe and S3 Select developer guides, one for all
AWS services: total length, length of the headers, CRC-32 of both, headers, payload, CRC-32 of all before.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from functools import lru_cache
from zlib import crc32

_STRING = 7  # the type of a header's value


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message with string headers."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", 16 + len(encoded) + len(payload), len(encoded))
    message = b"".join((prelude, struct.pack("!I", crc32(prelude)), encoded, payload))
    return message + struct.pack("!I", crc32(message))


@lru_cache(maxsize=16)
def payload_chunk(payload: bytes) -> bytes:
    """A PayloadChunk event. Large streams repeat one payload, so the last frames are kept."""
    headers = {":event-type": "PayloadChunk", ":content-type": "application/octet-stream", ":message-type": "event"}
    return frame(headers, payload)


def invoke_complete(error_code: str | None = None, error_details: str | None = None, log: str | None = None) -> bytes:
    """The InvokeComplete event that ends a stream; `log` is the base64 of the log's tail."""
    members = {"ErrorCode": error_code, "ErrorDetails": error_details, "LogResult": log}
    headers = {":event-type": "InvokeComplete", ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps({name: value for name, value in members.items() if value is not None}).encode())


def exception(kind: str, message: str) -> bytes:
    """A message of type `exception`, by which a service ends a stream that it can't go on with."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())


def unmodeled_error(code: str, message: str) -> bytes:
    """A message of type `error`: as above, for what the service's model does not name. Lambda's names nothing."""
    return frame({":error-code": code, ":error-message": message, ":message-type": "error"}, b"")


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _STRING, len(text)) + text
