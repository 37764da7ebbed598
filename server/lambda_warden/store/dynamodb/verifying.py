"""Verification of chains that stand side by side, without one order of all events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from lambda_warden.store.hash_chain import GENESIS, AuditEvent, Verification, link, shortened


@dataclass(frozen=True, slots=True)
class Chain:
    """One server's chain.

    Attributes:
        writer: the server.
        count: how many events it had, as its end said before they were read.
        events: what is there of them, in the order of their places.
        end: gives how many it has by now, as its end says, and the hash of the last one.
    """

    writer: str
    count: int
    events: Iterable[AuditEvent]
    end: Callable[[], tuple[int, str]]


def follow_chains(chains: Iterable[Chain], without_end: Iterable[str], noted: Collection[str]) -> Verification:
    """Follow all chains.

    Args:
        chains: all of them.
        without_end: servers of which nothing says where their chains end.
        noted: hashes of earlier heads, in lower case.
    """
    problems = [f"the end of the records of {writer} is missing" for writer in without_end]
    wanted: dict[str, str] = {}
    hashes: set[str] = {GENESIS}
    ends: list[str] = []
    count = 0
    for chain in chains:
        head = ""
        for event in _followed(chain, problems):
            count, head = count + 1, event.hash
            hashes.add(event.hash)
            if event.kind == "start":
                wanted |= dict.fromkeys(str(event.fields().get("follows") or "").split(), event.writer)
        ends.append(head)
    problems += [
        f"the start of {writer} follows {followed}, which is missing: what was there was removed or rewritten"
        for followed, writer in wanted.items()
        if followed not in hashes
    ]
    problems += [
        f"no record has the hash {head}: what was before it was rewritten, or the end was cut off"
        for head in noted
        if head not in hashes
    ]
    heads = tuple(sorted(head for head in ends if head and head not in wanted))
    return Verification(count, heads or (GENESIS,), shortened(problems))


def _followed(chain: Chain, problems: list[str]) -> Iterator[AuditEvent]:
    seq, head, of = 0, GENESIS, f"of {chain.writer}"
    for event in chain.events:
        if event.seq <= seq:
            problems.append(f"a record {of} was inserted behind {seq}")
            continue
        if event.seq > seq + 1:
            lost = f"record {seq + 1}" if event.seq == seq + 2 else f"records {seq + 1} to {event.seq - 1}"
            problems.append(f"{lost} {of} {'is' if event.seq == seq + 2 else 'are'} missing")
        elif event.hash != link(head, chain.writer, event.seq, event.at, event.kind, event.invocation_id, event.body):
            problems.append(f"record {event.seq} {of} does not fit its hash: it was altered, or the one before it")
        if (event.seq == 1) is not (event.kind == "start"):
            problems.append(f"record {event.seq} {of} is {'no start' if event.seq == 1 else 'a second start'}")
        seq, head = event.seq, event.hash
        yield event
    now, last = chain.end()
    if seq < chain.count:
        problems.append(f"the records {of} end with {seq}, and not with {chain.count}: the end was cut off")
    elif seq > now or (seq == now and head != last):
        problems.append(f"the records {of} end with {seq}, and not as they did, with {now}: the end was rewritten")
