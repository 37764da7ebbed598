"""One line for a sink: a record, or a checkpoint of a chain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lambda_warden.jsontools.lenient import json_object


@dataclass(frozen=True, slots=True)
class SinkEntry:
    """What is delivered.

    Attributes:
        writer: whose chain it speaks of.
        seq: of the record, or of the last one that a checkpoint covers.
        at: when it was written: ISO 8601, UTC.
        line: the whole as one line of JSON in ASCII, without a line end.
        is_checkpoint: whether it is a checkpoint and no record.
    """

    writer: str
    seq: int
    at: str
    line: str
    is_checkpoint: bool = False


def last_record(lines: Iterable[str], writer: str) -> int:
    """The seq of the last record of a writer among the lines of a sink, 0 if there is none."""
    # Cheap first: most lines are of others.
    read = (json_object(line) or {} for line in lines if writer in line)
    ours = (each.get("seq") for each in read if each.get("type") == "record" and each.get("writer") == writer)
    return max((seq for seq in ours if isinstance(seq, int)), default=0)
