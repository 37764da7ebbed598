"""Chains held against checkpoints and records that stand elsewhere, out of reach of who can change the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lambda_warden.jsontools.lenient import json_object
from lambda_warden.sinks.checkpoint import Checkpoint, key_id, read_checkpoint
from lambda_warden.store.hash_chain import AuditEvent, shortened


@dataclass(slots=True)
class Anchors:
    """What stands elsewhere of one writer's chain.

    Attributes:
        checkpoints: by the seq that they speak of; several may speak of one.
        hashes: of records that were delivered, by their seq.
    """

    checkpoints: dict[int, list[Checkpoint]] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """How far the chain was at least."""
        return max((*self.checkpoints, *self.hashes), default=0)


@dataclass(frozen=True, slots=True)
class ChainRange:
    """How far a chain is proven.

    Attributes:
        writer: whose.
        anchored: up to this seq by a checkpoint, 0 for none.
        signed_at: when the last such checkpoint was made.
        delivered: up to this one by records elsewhere, which are not signed.
        last: its last one.
    """

    writer: str
    anchored: int
    signed_at: str | None
    delivered: int
    last: int

    def __str__(self) -> str:
        parts = [f"1 to {self.anchored} anchored by the checkpoint of {self.signed_at}"] if self.anchored else []
        if self.delivered > self.anchored:
            parts.append(f"{self.anchored + 1} to {self.delivered} in the sink, not signed")
        if self.last > (known := max(self.anchored, self.delivered)):
            parts.append(f"{known + 1} to {self.last} not anchored")
        return f"writer {self.writer}: records {'; '.join(parts)}"


@dataclass(frozen=True, slots=True)
class AnchorCheck:
    """What became of the chains: how far each is proven, and a line for all that is not as it was."""

    ranges: tuple[ChainRange, ...]
    problems: tuple[str, ...]


def read_anchors(lines: Iterable[str], key: Ed25519PublicKey) -> tuple[dict[str, Anchors], list[str]]:
    """What the lines of a sink hold, and a line for each checkpoint that the key did not sign.

    What is neither a checkpoint nor a record is passed over: others may write to the same place.
    """
    found: dict[str, Anchors] = {}
    problems: list[str] = []
    for line in lines:
        fields = json_object(line) or {}
        if fields.get("type") == "checkpoint":
            checkpoint = read_checkpoint(fields)
            if checkpoint is None or not checkpoint.is_signed_by(key):
                whose = "of another key" if checkpoint and checkpoint.key_id != key_id(key) else "that was altered"
                problems.append(f"a checkpoint {whose}: writer {fields.get('writer')!r}, record {fields.get('seq')!r}")
                continue
            same = found.setdefault(checkpoint.writer, Anchors()).checkpoints.setdefault(checkpoint.seq, [])
            if checkpoint not in same:
                same.append(checkpoint)
        elif fields.get("type") == "record":
            match fields:
                case {"writer": str(writer), "seq": int(seq), "hash": str(known)}:
                    # Where two differ, one of them differs from the store, too.
                    anchors = found.setdefault(writer, Anchors())
                    if anchors.hashes.setdefault(seq, known) != known:
                        problems.append(f"writer {writer}: the sink has two records {seq} that differ")
    return found, problems


def hold_to_anchors(events: Iterable[AuditEvent], anchors: Mapping[str, Anchors]) -> AnchorCheck:
    """Find what was cut, rewritten or dropped since the anchors were made.

    Args:
        events: all events of the store.
        anchors: by writer.
    """
    problems: list[str] = []
    lasts: dict[str, int] = {}
    proven: dict[str, Checkpoint] = {}
    delivered: dict[str, int] = {}
    rewritten: set[str] = set()
    count = 0
    none = Anchors()
    for event in events:
        count += 1
        writer, seq = event.writer, event.seq
        lasts[writer] = max(lasts.get(writer, 0), seq)
        known = anchors.get(writer, none)
        differs = known.hashes.get(seq, event.hash) != event.hash
        for checkpoint in known.checkpoints.get(seq, ()):
            if checkpoint.head == event.hash:
                proven[writer] = checkpoint
            else:
                differs = True
        if differs and writer not in rewritten:
            rewritten.add(writer)
            problems.append(
                f"writer {writer}: record {seq} (position {event.position}) or what is before it was rewritten: "
                "elsewhere it has another hash"
            )
        elif seq in known.hashes and not differs:
            delivered[writer] = seq
    problems += _missing(lasts, anchors)
    counts = [each for known in anchors.values() for same in known.checkpoints.values() for each in same]
    if (most := max(counts, key=lambda each: each.count, default=None)) and most.count > count:
        problems.append(f"the store had {most.count} records at least at {most.at}, and has {count}")
    ranges = [
        ChainRange(
            writer,
            proven[writer].seq if writer in proven else 0,
            proven[writer].at if writer in proven else None,
            delivered.get(writer, 0),
            last,
        )
        for writer, last in lasts.items()
    ]
    return AnchorCheck(tuple(ranges), shortened(problems))


def _missing(lasts: Mapping[str, int], anchors: Mapping[str, Anchors]) -> Iterator[str]:
    for writer, known in anchors.items():
        last = lasts.get(writer, 0)
        if not last:
            yield f"writer {writer}: its whole chain is gone: {known.last} records were there"
        elif last < known.last:
            yield f"writer {writer}: records {last + 1} to {known.last} were cut off"
