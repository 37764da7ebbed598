"""What a sink does, and how a record stands in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Protocol

from lambda_warden.model.sink_entry import SinkEntry
from lambda_warden.store.hash_chain import AuditEvent


class Sink(Protocol):
    """Takes entries in batches. An entry may arrive twice: who reads tells it by writer and seq. For one thread.

    Each method raises `SinkError`, for which it may take seconds.
    """

    def write(self, entries: Sequence[SinkEntry]) -> None:
        """Write entries of one writer, in their order. They would survive a loss of power once it returns."""

    def last_seq(self, writer: str) -> int:
        """The seq of the last record of a writer that is there, 0 if there is none."""

    def lines(self) -> Iterator[str]:
        """All that is there, in any order: JSON, and whatever others wrote."""

    def close(self) -> None:
        """Release it."""


def event_entry(event: AuditEvent) -> SinkEntry:
    """A record, with all that its hash covers."""
    fields = event.fields()
    line = {
        "type": "record",
        "writer": event.writer,
        "seq": event.seq,
        "at": event.at,
        "kind": event.kind,
        "invocation_id": event.invocation_id,
        "body": fields if fields or event.body == "{}" else event.body,
        "hash": event.hash,
    }
    return SinkEntry(event.writer, event.seq, event.at, json.dumps(line, separators=(",", ":")))
