"""`lambda-warden records verify`, `ship`, `keygen` and `reconcile`: that the records are as they were written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from lambda_warden.commands.console import (
    Column,
    as_json_option,
    json_line,
    json_lines_option,
    print_json,
    print_line,
    print_table,
    shown_text,
    working,
)
from lambda_warden.commands.options import UserPath, setting_option
from lambda_warden.commands.records import records_option
from lambda_warden.commands.records_file import problems, reading
from lambda_warden.errors import SettingsError
from lambda_warden.proof.anchors import hold_to_anchors, read_anchors
from lambda_warden.proof.beside import hold_to_chains
from lambda_warden.proof.cloudtrail import read_trail
from lambda_warden.proof.reconcile import PROBLEMS, FoundCall, Reconciliation, reconcile, recorded_calls
from lambda_warden.report.words import plural
from lambda_warden.sinks.checkpoint import read_public_key, read_signer, write_new_key
from lambda_warden.sinks.delivery import ship
from lambda_warden.sinks.opening import open_sink
from lambda_warden.store.audit_log import AuditReader

_MEANINGS: Final = {
    "no_record": "called past lambda-warden, or its record was removed",
    "no_event": "on record as having run, and CloudTrail has nothing",
    "another_function": "the record names another function than CloudTrail",
    "ran": "nobody knew, and CloudTrail has it: it ran",
    "no_sign": "nobody knew, and CloudTrail shows no sign that it ran",
    "other_caller": "of another identity",
    "too_recent": "CloudTrail's files don't reach so far",
}


_COLUMNS: Final = (
    Column("TIME", whole=True),
    Column("FOUND", styles=dict.fromkeys(PROBLEMS, "red")),
    Column("FUNCTION"),
    Column("ID", whole=True),
    Column("REQUEST ID", whole=True, extra=True),
    Column("WHO", extra=True),
    Column("MEANS"),
)


def _digest(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise click.BadParameter(f"{value!r} is not the 64 hexadecimal digits that `verify` prints")
    return value.lower()


@click.command("verify")
@click.option(
    "--head",
    "heads",
    type=_digest,
    metavar="HASH",
    multiple=True,
    help="A head printed earlier. It must still be there.",
)
@click.option(
    "--checkpoints",
    "sources",
    metavar="FILE|DIR|URL",
    multiple=True,
    help="Where checkpoints and records were delivered: a file, a folder of them, or a sink's URL.",
)
@click.option("--public-key", type=UserPath(path_type=Path), help="The key of the checkpoints, as `keygen` printed it.")
@as_json_option
@records_option
@click.pass_obj
def verify_records(
    path: Path | str, heads: Sequence[str], sources: Sequence[str], public_key: Path | None, as_json: bool
) -> None:
    """Check that the records are as they were written.

    No record may be altered, removed, reordered or inserted, and no limit, key or approval reset. Without
    --checkpoints, who can write the records can compute new hashes, too: note the heads printed, away from this
    machine, and give them as --head later. There is one for each server that wrote since the last one began. With them,
    it says how far each chain is anchored, and finds what was rewritten, cut off or dropped as a whole.
    """
    if bool(sources) != (public_key is not None):
        raise click.UsageError("--checkpoints and --public-key go together")
    with problems(), reading(path) as reader, working("Reading the records") as tell:
        verification = reader.verify(heads)
        tell(f"Holding {plural(verification.count, 'record')} against what stands beside them")
        found = list(verification.problems) or _reset(reader)
        ranges: tuple[object, ...] = ()
        if public_key is not None:
            anchors, unsigned = read_anchors(_lines(sources), read_public_key(public_key))
            check = hold_to_anchors(reader.events(), anchors)
            ranges, found = check.ranges, [*found, *unsigned, *check.problems]
            if not any(each.checkpoints for each in anchors.values()):
                found.append("no checkpoint of this key is there: nothing is anchored")
    if as_json:
        print_json(
            {
                "ok": not found,
                "records": verification.count,
                "heads": list(verification.heads),
                "anchored": [str(line) for line in ranges],
                "problems": [str(problem) for problem in found],
            }
        )
        raise SystemExit(1 if found else 0)
    for line in ranges:
        print_line(str(line))
    if found:
        raise click.ClickException(
            "\n".join((f"{path}: the records are not as they were written", *map(shown_text, found)))
        )
    print_line(f"{plural(verification.count, 'record')}, no problem found; head {', head '.join(verification.heads)}")


@click.command("ship")
@click.option("--sink", "url", required=True, metavar="URL", help="As for `serve`.")
@setting_option("checkpoint_key_file", show_envvar=True)
@records_option
@click.pass_obj
def ship_records(path: Path | str, url: str, checkpoint_key_file: Path | None) -> None:
    """Bring records to a sink that are not there yet.

    They are those of commands, and of servers that ended before they could deliver them.
    """
    with problems(), reading(path) as reader:
        signer = read_signer(checkpoint_key_file) if checkpoint_key_file else None
        count = ship(open_sink(url).sink, reader, signer)
    click.echo(f"{plural(count, 'record')} brought to {url}")


@click.command()
@click.argument("file", type=UserPath(path_type=Path))
def keygen(file: Path) -> None:
    """Make a key for checkpoints, and print its public key.

    FILE gets the private key, for the server. `verify` takes the public key. Keep the public key where who can change
    the records can't reach it.
    """
    try:
        click.echo(write_new_key(file), nl=False)
    except OSError as error:
        raise click.ClickException(shown_text(f"{file} can't be made: {error.strerror}")) from None


@click.command("reconcile")
@click.option(
    "--cloudtrail",
    "place",
    type=UserPath(path_type=Path, exists=True),
    required=True,
    help="A folder with the files that CloudTrail delivered, or one of them: data events of Lambda.",
)
@click.option("--role", "roles", metavar="ARN", multiple=True, help="A role or user that calls only as lambda-warden.")
@click.option("--all", "every", is_flag=True, help="Every invocation has to be on record, whoever called.")
@click.option("--lag", type=click.FloatRange(min=0), default=15, show_default=True, help="Minutes CloudTrail may take.")
@json_lines_option
@records_option
@click.pass_obj
def reconcile_records(
    path: Path | str, place: Path, roles: Sequence[str], every: bool, lag: float, as_json: bool
) -> None:
    """Hold the calls on record against CloudTrail, both ways.

    Finds what was called past lambda-warden by an identity that it calls with, calls whose records were removed, and
    whether calls ran of which nobody knew. Exit code 1: a call is in one of both and should be in the other.
    """
    with problems(), reading(path) as reader, working("Reading CloudTrail and the records"):
        trail = read_trail(place)
        result = reconcile(recorded_calls(reader.events()), trail, timedelta(minutes=lag), roles, every=every)
    if as_json:
        for each in result.found:
            click.echo(json_line(asdict(each) | {"at": each.at.isoformat()}))
    else:
        print_table(_COLUMNS, [_cells(each) for each in result.found if each.finding != "other_caller"])
    click.echo(_summary(result, len(trail.events), trail.unreadable), err=True)
    if not result.is_whole:
        raise SystemExit(1)


def _cells(found: FoundCall) -> tuple[str | None, ...]:
    at = found.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    cells = (at, found.finding, found.function.split(":", 6)[-1], found.invocation_id, found.request_id, found.who)
    return (*cells, _MEANINGS[found.finding])


def _summary(result: Reconciliation, events: int, unreadable: int) -> str:
    counts = {name: sum(each.finding == name for each in result.found) for name in _MEANINGS}
    parts = [f"{count} {name}{' (!)' if name in PROBLEMS else ''}" for name, count in counts.items() if count]
    odd = [f"{plural(unreadable, 'event')} of CloudTrail could not be read"] if unreadable else []
    matched = f"{plural(result.matched, 'call')} {'matches' if result.matched == 1 else 'match'}"
    return "; ".join((f"{matched}, of {plural(events, 'invocation')} of CloudTrail", *parts, *odd))


def _reset(reader: AuditReader) -> list[str]:
    """What was reset beside the chains. Looked at again where it seems so: servers write meanwhile."""
    found: list[str] = []
    for _ in range(2):
        found = hold_to_chains(reader.events(), reader.state, datetime.now(UTC))
        if not found:
            break
    return found


def _lines(sources: Sequence[str]) -> Iterator[str]:
    with problems():
        for source in sources:
            place = Path(source).expanduser()
            files = [place] if "://" not in source else []
            if place.is_dir():
                files = sorted(each for each in place.rglob("*") if each.is_file())
            for file in files:
                try:
                    yield from file.read_text(encoding="utf-8", errors="replace").splitlines()
                except OSError as error:
                    raise SettingsError(f"{file} can't be read: {error}") from None
            if "://" in source:
                yield from open_sink(source).sink.lines()
