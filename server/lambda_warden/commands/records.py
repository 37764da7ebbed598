"""`lambda-warden records`: what was decided and done, for people and for programs."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, get_args

import click

from lambda_warden.commands.console import Column, json_line, json_lines_option, print_table
from lambda_warden.commands.groups import LateGroup
from lambda_warden.commands.options import setting_option
from lambda_warden.commands.records_file import problems, reading
from lambda_warden.jsontools.strict_json import json_bytes, parse_json
from lambda_warden.settings import payload_key_beside
from lambda_warden.store.audit_log import AuditEntry, AuditReader, Kind, RecordError
from lambda_warden.store.hash_chain import AuditEvent
from lambda_warden.store.payload_digests import read_digests

_POLL_SECONDS: Final = 0.5
_OPENINGS: Final = 20
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LISTED: Final = [kind for kind in get_args(Kind) if kind != "outcome"]
_CALLS: Final = ("approval_request", "denial", "intent", "replay")
_CHANGES: Final = ("added", "removed", "changed", "denied", "no_longer_denied")
OUTCOMES: Final = {"succeeded": "green", "denied": "red", "function_error": "red", "unknown": "yellow"}
"""Colours of outcomes."""
_COLUMNS: Final = (
    Column("TIME", whole=True),
    Column("ID", whole=True),
    Column("WHO"),
    Column("TOOL", extra=True),
    Column("FUNCTION"),
    Column("OUTCOME", whole=True, styles=OUTCOMES),
    Column("TOOK", whole=True, extra=True),
    Column("REQUEST ID", whole=True, extra=True),
    Column("WHY"),
)
_WIDTHS: Final = (20, 32, 12, 15, 20, 16, 9, 36, 24)
"""Of the columns where the rows to come are not known."""


def _time(value: str) -> datetime:
    """A time: ISO 8601, UTC unless it says otherwise, or how long ago."""
    try:
        if ago := re.fullmatch(r"(\d+)([smhd])", value, re.ASCII):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        read = datetime.fromisoformat(value)
        return read.replace(tzinfo=read.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        expected = "a time such as 2026-11-05T14:00 or an age such as 15m, 2h or 3d"
        raise click.BadParameter(f"{value!r} is not {expected}") from None


@dataclass(frozen=True, slots=True)
class _Row:
    """What is shown of a call, or of a record that stands for itself."""

    position: int
    at: str
    kind: str
    invocation_id: str
    principal: str | None
    client: str | None
    tool: str | None
    function: str | None
    outcome: str
    duration_ms: float | None
    request_id: str | None
    approval: str | None
    why: str | None

    def cells(self) -> tuple[str | None, ...]:
        at = self.at.replace(".", "+", 1).split("+", 1)[0] + "Z"
        took = f"{self.duration_ms:,} ms" if isinstance(self.duration_ms, (int, float)) else None
        # arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER
        name = str(self.function).split(":", 6)[-1] if self.function else None
        who = f"{self.principal} ({self.client})" if self.client else self.principal
        why = f"a person: {self.approval}; {self.why}" if self.approval and self.why else self.approval or self.why
        return at, self.invocation_id or None, who, self.tool, name, self.outcome, took, self.request_id, why

    def json(self) -> str:
        return json_line({name: getattr(self, name) for name in self.__slots__})


def _instead(context: click.Context, _: click.Parameter, path: Path | str | None) -> None:
    if path is not None:
        context.obj = path


records_option = setting_option(
    "records",
    default=None,
    envvar=None,
    show_default=False,
    expose_value=False,
    callback=_instead,
    help="The file, as before the subcommand.",
)
"""The file may be named behind the subcommand, too."""


_LATE: Final = {
    "keygen": "records_proof:keygen",
    "reconcile": "records_proof:reconcile_records",
    "ship": "records_proof:ship_records",
    "show": "records_show:show",
    "verify": "records_proof:verify_records",
}


@click.group(cls=LateGroup, late=_LATE)
@setting_option("records", show_envvar=True, help="The file to read. A server may be writing to it.")
@click.pass_context
def records(context: click.Context, records: Path | str) -> None:
    """Read the records of decisions and outcomes, and check them."""
    context.obj = records


@records.command("list")
@click.option(
    "--since", type=_time, metavar="TIME", help="Not before: a time (UTC unless it says otherwise) or 15m, 2h, 3d ago."
)
@click.option("--function", help="Only functions whose ARN, with its qualifier, has this in it.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(_LISTED),
    multiple=True,
    metavar="KIND",
    help=f"Instead of calls, records of a kind: {', '.join(_LISTED)}.",
)
@click.option("--outcome", help="Only calls that ended so, such as succeeded, denied, running or unknown.")
@click.option("--invocation", help="Only the call with this invocation id.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@json_lines_option
@records_option
@click.pass_obj
def list_records(
    path: Path | str,
    since: datetime | None,
    function: str | None,
    kinds: Sequence[Kind],
    outcome: str | None,
    invocation: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List calls, the newest last.

    A line has time, id, who, tool, function, outcome, duration, request id, and why. A call that has not ended is
    running, or unknown once it must have ended.
    """
    if _is_unwritten(path):
        click.echo(f"Nothing is recorded yet: {path} is written once a server runs.", err=True)
        return
    with problems(), reading(path) as reader:
        now = datetime.now(UTC)
        wanted = (
            entry
            for entry in reader.entries(kinds or _CALLS, since)
            if invocation in (None, entry.event.invocation_id)
            and (function is None or function in str(entry.event.fields().get("function") or ""))
            and outcome in (None, entry.outcome(now))
        )
        found = [_row(reader, entry, now) for entry in islice(wanted, limit)][::-1]
        total = len(found) + sum(1 for _ in wanted)
        has_any = reader.last() > 0
    if total > len(found):
        click.echo(f"{len(found):,} of {total:,} shown, the newest; --limit {total} shows all.", err=True)
    if not found and not as_json:
        click.echo("No such records." if has_any else "Nothing is recorded yet.", err=True)
    _print_rows(found, as_json=as_json)


@records.command()
@click.option("--lines", type=click.IntRange(min=0), default=0, show_default=True, help="Old records to start with.")
@json_lines_option
@records_option
@click.pass_obj
def follow(path: Path | str, lines: int, as_json: bool) -> None:
    """Print new records as they come, until interrupted.

    A call is printed when it starts, and again when it ends.
    """
    with suppress(KeyboardInterrupt):
        waited = _is_unwritten(path)
        if waited:
            click.echo(f"Nothing is recorded yet: waiting until a server writes to {path}.", err=True)
            _wait_until_written(path)
        with problems(), reading(path) as reader:
            if not as_json:
                print_table(_COLUMNS, [], widths=_WIDTHS)
            seen = 0 if waited else max(reader.last() - lines, 0)
            while True:
                # The list ends the reading before it waits for the terminal, so that it never holds up a server.
                for record in list(reader.events(seen)):
                    seen = record.position
                    row = _new_row(reader, record)
                    if as_json:
                        click.echo(row.json())
                    else:
                        print_table(_COLUMNS, [row.cells()], titles=False, widths=_WIDTHS)
                time.sleep(_POLL_SECONDS)


def _wait_until_written(path: Path | str) -> None:
    while _is_unwritten(path):
        time.sleep(_POLL_SECONDS)
    # A server makes the file before its tables. What is no server's file is told of soon enough.
    for _ in range(_OPENINGS):
        with suppress(RecordError), reading(path):
            return
        time.sleep(_POLL_SECONDS)


def _is_unwritten(path: Path | str) -> bool:
    """Whether no server has written to the records' file yet, which may not be there."""
    return isinstance(path, Path) and (not path.exists() or not path.stat().st_size)


@records.command()
@records_option
@click.pass_obj
def export(path: Path | str) -> None:
    """Print all records as JSON lines, with their hashes."""
    with problems(), reading(path) as reader:
        for event in reader.events():
            click.echo(json_line(exported(event)))


@records.command("find")
@click.option("--payload", type=click.File("rb"), required=True, help="A file with the payload; - for stdin.")
@setting_option("payload_key_file", show_envvar=True)
@json_lines_option
@records_option
@click.pass_obj
def find_payload(path: Path | str, payload: IO[bytes], payload_key_file: Path | None, as_json: bool) -> None:
    """List the calls that had this payload, sent or denied.

    It is looked for as it was sent. JSON is also looked for as it is sent when a model gives it as a value: without
    spaces. Exit code 1: there is none.
    """
    data = payload.read()
    with problems(), reading(path) as reader:
        digests = read_digests(payload_key_file or payload_key_beside(path), make=False)
        wanted = {text for each in _as_sent(data) for text in (digests.of(each), hashlib.sha256(each).hexdigest())}
        now = datetime.now(UTC)
        # Records of earlier versions have digests without a key.
        found = [
            _row(reader, entry, now)
            for entry in reader.entries(_CALLS)
            if {entry.event.fields().get(name) for name in ("payload_hmac", "payload_sha256")} & wanted
        ][::-1]
    _print_rows(found, as_json=as_json)
    if not found:
        raise click.ClickException("no call on record had this payload")


def _as_sent(data: bytes) -> list[bytes]:
    """The bytes that this may have been sent as."""
    texts = [data, data.rstrip(b"\r\n")]
    with suppress(ValueError):
        texts.append(json_bytes(parse_json(data)))
    return texts


def exported(event: AuditEvent) -> dict[str, Any]:
    """An event with all that its hash covers, and its hash."""
    names = ("position", "writer", "seq", "at", "kind", "invocation_id")
    return {name: getattr(event, name) for name in names} | {"body": _body(event), "hash": event.hash}


def _row(reader: AuditReader, entry: AuditEntry, now: datetime) -> _Row:
    event, begun = entry.event, entry.event.fields()
    ended = entry.ending.fields() if entry.ending else {}
    story = reader.find_invocation(event.invocation_id) if event.kind in _CALLS else [event]
    answers = [_answer(found) for found in story if found.kind == "approval"]
    return _Row(
        position=event.position,
        at=event.at,
        kind=event.kind,
        invocation_id=event.invocation_id,
        principal=begun.get("principal") or begun.get("by"),
        client=begun.get("client"),
        tool=begun.get("tool"),
        function=begun.get("function"),
        outcome=entry.outcome(now),
        duration_ms=ended.get("duration_ms"),
        request_id=ended.get("request_id"),
        approval=answers[-1] if answers else None,
        why=ended.get("error") or begun.get("reason") or begun.get("check") or begun.get("rule") or _told(begun),
    )


def _told(body: Mapping[str, Any]) -> str | None:
    """Of a replay, the call whose result was given; of a reload, which rules changed."""
    if first := body.get("first"):
        return f"result of {first}"
    changes = (f"{name.replace('_', ' ')}: {arns}" for name in _CHANGES if (arns := body.get(name)))
    return "; ".join(changes) or None


def _answer(event: AuditEvent) -> str | None:
    """What a person decided, and who that was, where that is known."""
    fields = event.fields()
    return f"{fields.get('answer')} by {fields['by']}" if fields.get("by") else fields.get("answer")


def _new_row(reader: AuditReader, event: AuditEvent) -> _Row:
    """An event on its own: an intent as it begins, an outcome with what its intent says."""
    now = datetime.now(UTC)
    if event.kind != "outcome":
        return _row(reader, AuditEntry(event), now)
    earlier = [found for found in reader.find_invocation(event.invocation_id) if found.position < event.position]
    intent = next((found for found in reversed(earlier) if found.kind == "intent"), event)
    return replace(_row(reader, AuditEntry(intent, event), now), position=event.position, at=event.at)


def _body(record: AuditEvent) -> object:
    """The fields or, where somebody changed them into what can't be read, the text that stands there."""
    fields = record.fields()
    return fields if fields or record.body == "{}" else record.body


def _print_rows(rows: Sequence[_Row], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            click.echo(row.json())
    else:
        print_table(_COLUMNS, [row.cells() for row in rows])
