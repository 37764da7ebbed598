"""`lambda-warden records show`: one call as a security review asks for it, and all its records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from lambda_warden.commands.console import as_json_option, on_terminal, print_fields, print_json, print_line, shown_text
from lambda_warden.commands.records import OUTCOMES, exported, records_option
from lambda_warden.commands.records_file import problems, reading
from lambda_warden.store.audit_log import AuditEntry, AuditReader, Kind
from lambda_warden.store.hash_chain import AuditEvent

_BEGINS: Final = ("intent", "denial", "replay", "approval_request")
"""What a call is told by, the first that there is."""
_INTENTS: Final[tuple[Kind, ...]] = ("intent",)
_CUT: Final = 1_000
"""Characters of a payload on a terminal. A pipe and --json have all that is kept."""
_WHO: Final = ("principal", "subject", "actor", "client_id", "groups", "client", "trace_id")
_RULING: Final = ("answer", "by", "how", "approver", "note", "approval_id")
_SENT: Final = (
    *("payload_bytes", "payload_hmac", "payload_sha256", "payload", "client_context_hmac", "tenant_id"),
    *("idempotency_key", "durable_execution_name"),
)
_RETURNED: Final = (
    *("status_code", "function_error", "error", "executed_version", "answer_bytes", "answer_hmac", "answer"),
    *("request_id", "attempts", "durable_execution_arn"),
)


@click.command()
@click.argument("invocation_id", metavar="ID")
@as_json_option
@records_option
@click.pass_obj
def show(path: Path | str, invocation_id: str, as_json: bool) -> None:
    """Show one call: who, when, why, and all its records.

    Who made it and through whom, when, by which rule of which manifest, who approved it, what was sent and what came
    back, and what of that is not kept. Below stand its records in their order, with those of the request for approval
    that it went by.
    """
    with problems(), reading(path) as reader:
        own = reader.find_invocation(invocation_id)
        asked = {str(event.fields().get("approval_id")) for event in own} - {invocation_id}
        others = [event for each in asked for event in reader.find_invocation(each)]
        story = _Story.of(reader, invocation_id, own, others) if own else None
    if story is None:
        raise click.ClickException(f"nothing is on record of {shown_text(invocation_id)}: `records list` shows the ids")
    if as_json:
        print_json(story.json())
        return
    for name, value in story.lines():
        style = OUTCOMES.get(story.outcome, "") if name == "outcome" else ""
        print_line((value, style), label=(f"{name:<13}", "dim"))
    print_line()
    for event in story.events:
        print_line((event.at, "dim"), "  ", (event.kind, "bold"))
        print_fields(((f"{name}:", value) for name, value in event.fields().items()), indent=4)


@dataclass(frozen=True, slots=True)
class _Story:
    """One call, from its records.

    Attributes:
        begun: the fields of the record that it is told by.
        ended: those of its outcome, if there is one.
        rulings: what persons said of it, in their order.
        events: all its records, in their order.
    """

    invocation_id: str
    outcome: str
    at: str
    ended_at: str | None
    begun: Mapping[str, Any]
    ended: Mapping[str, Any]
    rulings: Sequence[AuditEvent]
    events: Sequence[AuditEvent]

    @classmethod
    def of(
        cls, reader: AuditReader, invocation_id: str, own: Sequence[AuditEvent], others: Sequence[AuditEvent]
    ) -> _Story:
        first = next((event for kind in _BEGINS for event in own if event.kind == kind), own[0])
        ending = next((event for event in own if event.kind == "outcome"), None)
        events = sorted([*own, *others], key=lambda event: event.position)
        return cls(
            invocation_id=invocation_id,
            outcome=_entry(reader, first, ending).outcome(datetime.now(UTC)),
            at=first.at,
            ended_at=ending.at if ending else None,
            begun=first.fields(),
            ended=ending.fields() if ending else {},
            rulings=_rulings(events),
            events=events,
        )

    def json(self) -> dict[str, Any]:
        """All of it. The keys stay as they are; more may come.

        Returns:
            who, sent, returned: fields of the records, None where a record has none. decided: why it was allowed, by
            rule and manifest, or which check denied it. approvals: what persons said. not_kept: what is not on record,
            in words. records: as `records export` has them.
        """
        begun = self.begun
        decided = {name: begun.get(name) for name in ("rule", "manifest_sha256", "check", "reason")}
        return {
            "invocation_id": self.invocation_id,
            "outcome": self.outcome,
            "tool": begun.get("tool"),
            "function": begun.get("function"),
            "invocation_type": begun.get("invocation_type"),
            "who": {name: begun.get(name) for name in _WHO},
            "when": {"at": self.at, "ended_at": self.ended_at, "duration_ms": self.ended.get("duration_ms")},
            "decided": decided,
            "approvals": [{"at": event.at, **{n: event.fields().get(n) for n in _RULING}} for event in self.rulings],
            "sent": {name: begun.get(name) for name in _SENT},
            "returned": {name: self.ended.get(name) for name in _RETURNED},
            "not_kept": list(self.not_kept()),
            "records": [exported(event) for event in self.events],
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """The same for people, as names and values."""
        begun, ended = self.begun, self.ended
        took = f", which took {ended['duration_ms']:,} ms" if isinstance(ended.get("duration_ms"), int | float) else ""
        yield "call", _joined(self.invocation_id, begun.get("tool"))
        yield "outcome", self.outcome
        yield "function", _joined(begun.get("function"), begun.get("invocation_type"))
        yield (
            "who",
            _joined(
                begun.get("principal") or begun.get("by") or "not on record",
                _named("through the agent ", begun.get("actor")),
                _named("OAuth client ", begun.get("client_id")),
                _named("groups ", begun.get("groups")),
            ),
        )
        yield "client", begun.get("client") or "gave no name"
        yield "when", f"{self.at}{took}"
        manifest = _named("manifest with SHA-256 ", begun.get("manifest_sha256"))
        if begun.get("check"):
            yield (
                "denied by",
                _joined(f"{begun['check']}: {begun.get('reason')}", _named("rule ", begun.get("rule")), manifest),
            )
        elif begun.get("rule"):
            yield "allowed by", _joined(f"rule {begun['rule']}", manifest)
        if begun.get("first"):
            yield "replay of", f"{begun['first']}, whose result was given"
        yield from (("approval", _ruling(event)) for event in self.rulings)
        if not self.rulings and self.outcome != "denied":
            yield "approval", "none is on record"
        yield "sent", _data(begun, "payload")
        if ended:
            yield (
                "returned",
                _joined(
                    self.outcome,
                    ended.get("function_error"),
                    _named("error ", ended.get("error")),
                    _named("version ", ended.get("executed_version")),
                    _data(ended, "answer") if ended.get("answer_bytes") else None,
                    _named("AWS request ", ended.get("request_id")),
                    _named("attempts: ", ended.get("attempts")),
                ),
            )
        yield from (("not kept", text) for text in self.not_kept())

    def not_kept(self) -> Iterator[str]:
        """What a reviewer would ask for, and the records don't have."""
        if self.begun.get("payload_bytes") and not self.begun.get("payload"):
            yield "the payload: its size and digest alone, unless `serve` is given --record-payloads"
        if self.ended.get("answer_bytes") and not self.ended.get("answer"):
            yield f"the answer: `lambda-warden result {self.invocation_id}` has it while results are kept"
        if any(not event.fields().get("by") and event.fields().get("answer") == "approved" for event in self.rulings):
            yield "who approved at the client, which does not say"
        for approval_id in dict.fromkeys(str(event.fields().get("approval_id") or "") for event in self.rulings):
            if approval_id:
                yield f"what the approver was shown: `lambda-warden approvals show {approval_id}` has it for a day"


def _rulings(events: Sequence[AuditEvent]) -> list[AuditEvent]:
    """What was decided, once each: that a call went by it is on record, too, in the same words."""
    found: dict[tuple[str, ...], AuditEvent] = {}
    for event in events:
        if event.kind == "approval":
            found.setdefault(tuple(str(event.fields().get(name)) for name in _RULING), event)
    return list(found.values())


def _entry(reader: AuditReader, first: AuditEvent, ending: AuditEvent | None) -> AuditEntry:
    """With whether its server lives, if it has not ended."""
    if first.kind == "intent" and ending is None:
        entries = reader.entries(_INTENTS)
        if found := next((entry for entry in entries if entry.event.position == first.position), None):
            return found
    return AuditEntry(first, ending)


def _ruling(event: AuditEvent) -> str:
    fields = event.fields()
    by = fields.get("by") or ("a person at the client" if fields.get("answer") in ("approved", "declined") else None)
    who = f"{fields.get('answer')} by {by}" if by else str(fields.get("answer"))
    how = ", ".join(str(fields[name]) for name in ("how", "approver") if fields.get(name))
    return f"{who}{f' ({how})' if how else ''}, at {event.at}{_named(': ', fields.get('note')) or ''}"


def _data(fields: Mapping[str, Any], name: str) -> str:
    """Size, digest and, as far as it is kept, the redacted text of a payload or an answer."""
    size, text = fields.get(f"{name}_bytes"), fields.get(name)
    if isinstance(text, str) and on_terminal() and len(text) > _CUT:
        text = f"{text[:_CUT]}… ({len(text):,} characters; --json has all)"
    counted = f"{size:,} bytes" if isinstance(size, int) else "no size on record"
    return _joined(
        counted,
        _named("HMAC-SHA-256 ", fields.get(f"{name}_hmac")),
        _named("SHA-256 ", fields.get(f"{name}_sha256")),
        _named("redacted: ", text),
    )


def _named(name: str, value: object) -> str | None:
    return None if value is None else f"{name}{value}"


def _joined(*parts: object) -> str:
    return "; ".join(str(part) for part in parts if part is not None)
