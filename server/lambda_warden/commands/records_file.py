"""The records that servers write to, as a person's commands open them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from lambda_warden import __version__
from lambda_warden.approvals.secret import SecretError
from lambda_warden.errors import SettingsError, SinkError
from lambda_warden.report.visible import inline
from lambda_warden.store.audit_log import AuditLog, AuditReader, RecordError
from lambda_warden.store.opening import open_store

if sys.platform != "win32":
    import pwd


@contextmanager
def problems() -> Iterator[None]:
    """What a person can act on ends the command, in a line."""
    try:
        yield
    except (RecordError, SettingsError, SecretError, SinkError) as error:
        raise click.ClickException(inline(str(error))) from None


def are_missing(records: Path | str) -> bool:
    """Whether no server has made the records yet, as far as a path tells."""
    return isinstance(records, Path) and not records.exists()


@contextmanager
def reading(records: Path | str) -> Iterator[AuditReader]:
    """The records, open for reading. Raises `RecordError` or `SettingsError` if they can't be."""
    if are_missing(records):
        raise RecordError(f"nothing is recorded yet: {records} is written once `lambda-warden serve` runs")
    with closing(open_store(records).audit_reader()) as reader:
        yield reader


@contextmanager
def writing(records: Path | str, command: str) -> Iterator[AuditLog]:
    """The records, open for what a command writes. Raises `RecordError` or `SettingsError` if they can't be."""
    about = {"version": __version__, "command": command}
    with closing(open_store(records).audit_log(about=about)) as log:
        yield log


def user_name() -> str:
    """Who runs this, as the system knows them: variables such as USER can say anything."""
    if sys.platform == "win32":
        return os.getlogin()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
