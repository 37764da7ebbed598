"""Whatever is changed of what a checkpoint covers is found, and nothing else is taken for a change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.proof.anchors import hold_to_anchors, read_anchors
from lambda_warden.sinks.checkpoint import Signer
from lambda_warden.sinks.sink import event_entry
from lambda_warden.store.hash_chain import GENESIS, AuditEvent, link

KEY = Ed25519PrivateKey.generate()
chains = st.lists(st.integers(1, 5), min_size=1, max_size=3)


def linked(events: Sequence[AuditEvent]) -> list[AuditEvent]:
    """The events with their positions and hashes made right, as somebody would who rewrites them."""
    heads: dict[str, str] = {}
    made = []
    for position, event in enumerate(events, 1):
        columns = (event.writer, event.seq, event.at, event.kind, event.invocation_id, event.body)
        heads[event.writer] = link(heads.get(event.writer, GENESIS), *columns)
        made.append(replace(event, position=position, hash=heads[event.writer]))
    return made


def store(lengths: Sequence[int]) -> list[AuditEvent]:
    return linked(
        [
            AuditEvent(0, f"w{writer}", seq, "2026-11-28T12:00:00.000+00:00", "denial", f"c{seq}", "{}", "")
            for writer, length in enumerate(lengths)
            for seq in range(1, length + 1)
        ]
    )


@given(chains, st.data())
def test_any_change_of_what_is_anchored_is_found(lengths: list[int], data: st.DataObject) -> None:
    events = store(lengths)
    anchored = data.draw(st.sampled_from(events), "anchored")
    lines = [Signer(KEY).sign(anchored, 1).entry().line]
    lines += (event_entry(event).line for event in data.draw(st.lists(st.sampled_from(events)), "delivered"))
    anchors, problems = read_anchors(lines, KEY.public_key())
    assert problems == []
    more = [*events, *(replace(event, writer="new") for event in events[:1])]
    whole = hold_to_anchors(linked(more), anchors)
    assert whole.problems == ()
    (proven,) = (each for each in whole.ranges if each.writer == anchored.writer)
    assert proven.anchored == anchored.seq
    covered = [event for event in events if event.writer == anchored.writer and event.seq <= anchored.seq]
    victim = data.draw(st.sampled_from(covered), "victim")
    match data.draw(st.sampled_from(["alter", "cut", "drop"]), "change"):
        case "alter":
            changed = [replace(event, body='{"x":1}') if event is victim else event for event in events]
        case "cut":
            changed = [event for event in events if event.writer != victim.writer or event.seq < victim.seq]
        case _:
            changed = [event for event in events if event.writer != victim.writer]
    assert hold_to_anchors(linked(changed), anchors).problems


@given(st.text() | st.from_regex(r'\{"type":"(record|checkpoint)".*'), st.data())
def test_nothing_that_others_write_to_a_sink_proves_anything(text: str, data: st.DataObject) -> None:
    (event,) = store([1])
    fields = json.loads(Signer(KEY).sign(event, 1).entry().line)
    name = data.draw(st.sampled_from(sorted(fields.keys() - {"type", "key_id"})))
    value = data.draw(st.none() | st.integers() | st.text() | st.lists(st.integers()))
    forged = json.dumps(fields | {name: value})
    anchors, problems = read_anchors([text, "[]", "null", forged], KEY.public_key())
    if value != fields[name]:
        assert not any(each.checkpoints for each in anchors.values())
        assert problems
