"""`lambda-warden result`: what a call returned or logged, into a file or a pipe, as the AWS CLI's output file."""

from __future__ import annotations

import base64
import codecs
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import click

from lambda_warden.commands.console import as_json_option, print_json
from lambda_warden.commands.options import setting_option, settings_of
from lambda_warden.errors import ArgumentError, SettingsError
from lambda_warden.report.visible import inline, visible
from lambda_warden.results.kept import UNKNOWN, query_value, seal_from
from lambda_warden.store.opening import open_store
from lambda_warden.store.results import KeptResult, PartName, ResultError

_DAMAGED: Final = "the kept result is damaged: what was written is not what was kept"


@click.command()
@click.argument("invocation_id", metavar="ID")
@click.option("--part", type=click.Choice(["payload", "log"]), default="payload", show_default=True, help="Which part.")
@click.option("--query", help="Print what a JMESPath expression finds in the payload, as JSON, and not the whole.")
@setting_option("records", show_envvar=True, help="The records of the server that made the call.")
@setting_option(
    "results", show_envvar=True, help="The file, or the URL of the store, to read. A server may be writing to it."
)
@setting_option("principal", show_envvar=True, help="Who made the call.")
@setting_option("results_key_file", show_envvar=True, help="Holds the key, where results are encrypted.")
@as_json_option
@click.option("--force", is_flag=True, help="Write the bytes as they are to a terminal, too.")
def result(
    invocation_id: str,
    part: PartName,
    query: str | None,
    records: Path | str,
    results: Path | str | None,
    principal: str,
    results_key_file: Path | None,
    as_json: bool,
    force: bool,
) -> None:
    """Write what a call returned, or logged, to standard output.

    It is what the function gave, byte for byte, unless something in it was redacted, which standard error says then.
    A terminal shows it with its invisible characters escaped, and no binary.
    """
    if query is not None and part != "payload":
        raise click.UsageError("--query searches the payload alone")
    store = settings_of({"records": records, "results": results}).results_store
    with _reading(store, results_key_file, invocation_id, principal) as entry:
        if part not in entry.about.parts:
            raise ResultError(f"this call left no {part}")
        if query is not None:
            print_json(query_value(entry, query))
        elif as_json:
            print_json(_document(entry, part))
        else:
            _write(entry, part, force)
        if redacted := entry.about.parts[part].redacted:
            click.echo(f"Redacted: {redacted:,} {'place' if redacted == 1 else 'places'}.", err=True)


def _document(entry: KeptResult, name: PartName) -> dict[str, Any]:
    """What is known of a part, and all of it: as JSON, text or Base64, as `format` says."""
    part, data = entry.about.parts[name], b"".join(entry.chunks(name))
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise ResultError(_DAMAGED)
    content = base64.b64encode(data).decode() if part.format == "base64" else data.decode(errors="replace")
    return {
        "invocation_id": entry.id,
        "function": entry.about.function,
        "part": name,
        **part.model_dump(),
        "content": json.loads(content) if part.format == "json" else content,
    }


def _write(entry: KeptResult, name: PartName, force: bool) -> None:
    part = entry.about.parts[name]
    if sys.stdout.isatty() and not force:
        if part.format == "base64":
            raise ResultError("this is binary, and could upset the terminal: write it to a file (> FILE), or --force")
        for text in codecs.iterdecode(entry.chunks(name), "utf-8", errors="replace"):
            click.echo(visible(text), nl=False)
        click.echo()
        return
    digest = hashlib.sha256()
    for chunk in entry.chunks(name):
        digest.update(chunk)
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
    if digest.hexdigest() != part.sha256:
        raise ResultError(_DAMAGED)


@contextmanager
def _reading(path: Path | str, key_file: Path | None, invocation_id: str, principal: str) -> Iterator[KeptResult]:
    try:
        with (
            closing(open_store(path).result_reader(seal=seal_from(key_file))) as reader,
            reader.reading(invocation_id, principal) as entry,
        ):
            if entry is None:
                raise ResultError(f"{UNKNOWN}, of {principal}: `lambda-warden records show ID` says whose it is")
            yield entry
    except (ArgumentError, ResultError, SettingsError) as error:
        raise click.ClickException(inline(str(error))) from None
