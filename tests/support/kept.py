"""What tests of kept results share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lambda_warden.answers.log import read_log
from lambda_warden.answers.payload import read_payload
from lambda_warden.model.caller import Caller
from lambda_warden.model.result import PayloadFormat
from lambda_warden.results.kept import KeptResults
from lambda_warden.store.opening import open_store
from lambda_warden.store.results import NewPart, Owner, PartName, ResultReader, ResultStore
from lambda_warden.store.seal import Seal
from lambda_warden.store.sqlite.results.keeper import SqliteResultStore

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:orders-lookup:live"
OWNER = Owner("local", FUNCTION)
KEY = bytes(range(32))
CALL = "0123456789abcdef0123456789abcdef"
GB = 1024**3

LOCAL_CALLER = Caller()
RECORDS = open_store("sqlite::memory:").audit_log()
"""Where tests of kept results record what is read."""


@contextmanager
def opened(path: Path, seal: Seal | None = None, **options: Any) -> Iterator[SqliteResultStore]:
    with closing(SqliteResultStore(path, **{"ttl_seconds": 3600, "max_bytes": GB, "seal": seal, **options})) as store:
        yield store


def parts(payload: bytes = b"", log: bytes = b"", payload_format: PayloadFormat = "text") -> Mapping[PartName, NewPart]:
    """Parts in which nothing was redacted."""
    return {
        "payload": NewPart(payload, payload_format, len(payload), 0),
        "log": NewPart(log, "text", len(log), 0),
    }


def keep(store: ResultStore, result_id: str, payload: bytes, owner: Owner = OWNER) -> float | None:
    return store.keep(result_id, owner, parts(payload))


def read(store: ResultReader, result_id: str, part: PartName = "payload", principal: str = "local") -> bytes | None:
    """A whole part, or None if it can't be found."""
    with store.reading(result_id, principal) as entry:
        return b"".join(entry.chunks(part)) if entry else None


def keep_returned(
    results: KeptResults,
    call: str,
    returned: bytes,
    tail: bytes = b"",
    redact: str = "",
    caller: Caller = LOCAL_CALLER,
) -> str | None:
    """Keep an answer, redacted as the pipeline does."""
    pointers = [tuple(redact.strip("/").split("/"))] if redact else []
    return results.keep(
        call,
        caller,
        FUNCTION,
        returned=returned,
        payload=read_payload(returned, pointers),
        log=read_log(tail),
        log_bytes=len(tail),
    )


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()
