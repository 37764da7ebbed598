"""The chains of hashes that make a change of the past show: each event's hash covers the one before it.

Every server that writes is a writer with a chain of its own, so that several need no common head:

    hash = SHA-256 of the JSON array [hash before, writer, seq, at, kind, invocation_id, body]

written without spaces, with sorted keys, in ASCII. The event before a writer's first has the hash `GENESIS`. A chain
begins with a `start`, whose `follows` has the last hashes of the other chains that no start before it has: so the
chains hold each other, and the hashes that no start follows yet, the heads, cover everything. The chains have no key:
who can rewrite the store can also compute new hashes, and only a head noted elsewhere tells that this was done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_warden.jsontools.lenient import json_object

GENESIS: Final = "0" * 64

_SHOWN_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event as it is kept.

    Attributes:
        position: its place among all events of the store, from 1 on.
        writer: the id of the server that wrote it.
        seq: its place in the writer's chain, from 1 on, without gaps.
        at: UTC, ISO 8601 with milliseconds.
        kind: see `Kind`.
        invocation_id: of the call that it speaks of.
        body: its fields, as JSON text.
        hash: 64 hexadecimal digits.
    """

    position: int
    writer: str
    seq: int
    at: str
    kind: str
    invocation_id: str
    body: str
    hash: str

    def fields(self) -> dict[str, Any]:
        """The body, read. Empty if it can't be, which `lambda-warden records verify` explains."""
        return json_object(self.body) or {}


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of the events.

    Attributes:
        count: how many there are.
        heads: the last hashes of the chains that no later start follows, in order. Noted elsewhere, they prove later
            that nothing before them changed.
        problems: a line for each; empty if nothing was altered, removed, reordered or inserted.
    """

    count: int
    heads: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def body_text(body: Mapping[str, object]) -> str:
    """A body as it is kept and hashed. Fields that are None are left out.

    Raises:
        ValueError, TypeError: if a field can't be written as JSON.
    """
    kept = {key: value for key, value in body.items() if value is not None}
    return json.dumps(kept, separators=(",", ":"), sort_keys=True, allow_nan=False)


def link(previous: str, writer: str, seq: int, at: str, kind: str, invocation_id: str, body: str) -> str:
    """The hash of an event that follows the one with the hash `previous`."""
    start = json.dumps([previous, writer, seq, at, kind, invocation_id], separators=(",", ":"))[:-1]
    return hashlib.sha256(f"{start},{body}]".encode("utf-8", "surrogateescape")).hexdigest()


def follow(events: Iterable[AuditEvent], noted: Collection[str] = ()) -> Verification:
    """Follow all chains.

    Args:
        events: all of them, by position.
        noted: hashes of earlier heads, in lower case.
    """
    problems: list[str] = []
    ends: dict[str, tuple[int, str]] = {}
    heads: dict[str, None] = {}
    found: set[str] = {GENESIS}
    position = count = 0
    for event in events:
        count += 1
        if event.position <= position:
            problems.append(f"record {event.position} was inserted: it stands where no record can be")
            continue
        if event.position > position + 1:
            problems.append(missing(position + 1, event.position - 1))
        position = event.position
        seq, head = ends.get(event.writer, (0, GENESIS))
        if event.seq == seq + 1:
            expected = link(head, event.writer, event.seq, event.at, event.kind, event.invocation_id, event.body)
            if event.hash != expected:
                problems.append(f"record {event.position} does not fit its hash: it was altered, or the one before it")
        elif event.seq > seq + 1:
            # The hash before is not known, and what follows is held against the hash that stands there.
            lost = event.seq - seq - 1
            problems.append(
                f"before record {event.position}, {lost} of its writer's {'is' if lost == 1 else 'are'} missing"
            )
        else:
            problems.append(f"record {event.position} was inserted: its writer was further by then")
        if event.seq == 1 and event.kind != "start":
            problems.append(f"record {event.position} begins a chain, and is no start")
        if event.kind == "start":
            for followed in str(event.fields().get("follows") or "").split():
                if followed not in heads:
                    problems.append(
                        f"record {event.position} follows {followed}, which is missing: what was there was removed or "
                        "rewritten"
                    )
                heads.pop(followed, None)
        heads.pop(head, None)
        heads[event.hash] = None
        if event.hash in noted:
            found.add(event.hash)
        ends[event.writer] = event.seq, event.hash
    problems += [
        f"no record has the hash {head}: what was before it was rewritten, or the end was cut off"
        for head in noted
        if head not in found
    ]
    return Verification(count, tuple(heads) or (GENESIS,), shortened(problems))


def shortened(problems: list[str]) -> tuple[str, ...]:
    """Problems, but not thousands."""
    if len(problems) > _SHOWN_PROBLEMS:
        problems = [*problems[:_SHOWN_PROBLEMS], f"and {len(problems) - _SHOWN_PROBLEMS} more problems"]
    return tuple(problems)


def missing(first: int, last: int) -> str:
    """That records are missing."""
    return f"record {first} is missing" if first == last else f"records {first} to {last} are missing"
