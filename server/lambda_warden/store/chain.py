"""The chain of hashes that makes a change of the past show: each record's hash covers the one before it.

    hash = SHA-256 of the JSON array [hash before, seq, at, kind, invocation_id, body]

written without spaces, with sorted keys, in ASCII. The record before the first has the hash `GENESIS`. The chain has no
key: who can rewrite the file can also compute new hashes, and only a hash noted elsewhere tells that this was done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_warden.store.records import Field

GENESIS: Final = "0" * 64

_SHOWN_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands in the file.

    Attributes:
        seq: 1 for the first, without gaps.
        at: UTC, ISO 8601 with milliseconds.
        kind: see `Kind`.
        invocation_id: of the call that it speaks of.
        body: its fields, as JSON text.
        hash: 64 hexadecimal digits.
    """

    seq: int
    at: str
    kind: str
    invocation_id: str
    body: str
    hash: str

    def fields(self) -> dict[str, Any]:
        """The body, read. Empty if it can't be, which `lambda-warden records verify` explains."""
        try:
            read = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return read if isinstance(read, dict) else {}


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of the records.

    Attributes:
        count: how many there are.
        head: the hash of the last one, or `GENESIS`. Noted elsewhere, it proves later that nothing before it changed.
        problems: a line for each; empty if nothing was altered, removed, reordered or inserted.
    """

    count: int
    head: str
    problems: tuple[str, ...] = ()


def body_text(body: Mapping[str, Field]) -> str:
    """A body as it is kept and hashed. Fields that are None are left out.

    Raises:
        ValueError, TypeError: if a field can't be written as JSON.
    """
    kept = {key: value for key, value in body.items() if value is not None}
    return json.dumps(kept, separators=(",", ":"), sort_keys=True, allow_nan=False)


def link(previous: str, seq: int, at: str, kind: str, invocation_id: str, body: str) -> str:
    """The hash of a record that follows the one with the hash `previous`."""
    start = json.dumps([previous, seq, at, kind, invocation_id], separators=(",", ":"))[:-1]
    return hashlib.sha256(f"{start},{body}]".encode("utf-8", "surrogateescape")).hexdigest()


def check(records: Iterable[Record], written: int, noted: str | None = None) -> Verification:
    """Follow the chain.

    Args:
        records: all of them, by seq.
        written: how many were ever written, as the file counts them.
        noted: the hash of any earlier head, in lower case.
    """
    problems: list[str] = []
    count, last, head = 0, 0, GENESIS
    follows, noted_is_there = True, noted in (None, GENESIS)
    for record in records:
        count += 1
        if record.seq <= last:
            problems.append(f"record {record.seq} was inserted: it stands where no record can be")
            continue
        if record.seq > last + 1:
            problems.append(_missing(last + 1, record.seq - 1))
            follows = False
        expected = link(head, record.seq, record.at, record.kind, record.invocation_id, record.body)
        # After a gap the hash before is not known, and what follows is held against the hash that stands there.
        if follows and record.hash != expected:
            problems.append(f"record {record.seq} does not fit its hash: it was altered, or the one before it")
        follows, last, head = True, record.seq, record.hash
        noted_is_there = noted_is_there or record.hash == noted
    if last < written:
        problems.append(f"{_missing(last + 1, written)}: the end of the file was cut off")
    elif last > written:
        problems.append(f"record {last} was inserted: the file has counted {written}")
    if not noted_is_there:
        problems.append(f"no record has the hash {noted}: what was before it was rewritten, or the end was cut off")
    if len(problems) > _SHOWN_PROBLEMS:
        problems[_SHOWN_PROBLEMS:] = [f"and {len(problems) - _SHOWN_PROBLEMS} more problems"]
    return Verification(count, head, tuple(problems))


def _missing(first: int, last: int) -> str:
    return f"record {first} is missing" if first == last else f"records {first} to {last} are missing"
