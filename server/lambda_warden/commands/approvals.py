"""`lambda-warden approvals`: deciding on calls out of band, with the approver's secret, in a terminal."""

from __future__ import annotations

import getpass
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click

from lambda_warden.approvals.request import reason_lines
from lambda_warden.approvals.secret import (
    NOT_SET,
    SECRET_CHARACTERS,
    ApproverKey,
    SecretError,
    read_approver,
    set_secret,
    unlock,
)
from lambda_warden.commands.approvals_remote import RemoteApprovals
from lambda_warden.commands.console import Column, as_json_option, json_line, json_lines_option, print_table
from lambda_warden.commands.groups import OptionsAnywhere
from lambda_warden.commands.options import UserPath, setting_option
from lambda_warden.commands.records_file import problems, reading, user_name, writing
from lambda_warden.report.visible import inline, visible
from lambda_warden.store.approvals import ApprovalReader, ApprovalState, ApprovalVerdict, PendingApproval

COMMAND: Final = "approvals"
"""What records say of who opened them to decide."""
_POLL_SECONDS: Final = 0.5
_TRIES: Final = 3
_REMOTE: Final = ("list", "show", "approve", "deny")
_WAITING: Final[tuple[ApprovalState, ...]] = ("pending",)


@dataclass(frozen=True, slots=True)
class ApprovalFiles:
    """Where requests are kept, and the file that tells the approver's secret; or the server that is asked instead."""

    records: Path | str
    secret: Path
    remote: RemoteApprovals | None = None


_COLUMNS: Final = (
    Column("ID", whole=True),
    Column("STATE", whole=True),
    Column("UNTIL", whole=True),
    Column("WHO"),
    Column("FUNCTION"),
)
_note = click.option("--note", help="Why: the model reads it, and it is on record.")
_approval_id = click.argument("approval_id", metavar="ID")


@click.group(cls=OptionsAnywhere, late={"serve": "approvals_serve:serve_approvals"})
@setting_option("records", show_envvar=True, help="The records of the servers that ask.")
@setting_option("approvals_secret_file", show_envvar=True)
@click.option("--url", help="Decide at this server over HTTP, as one whom a rule names: https://warden.example.com.")
@click.option("--token-file", type=UserPath(path_type=Path), help="With --url: a file with your own access token.")
@click.pass_context
def approvals(
    context: click.Context, records: Path | str, approvals_secret_file: Path, url: str | None, token_file: Path | None
) -> None:
    """Decide on calls that wait for a person.

    Each decision asks for the approver's secret on the terminal, so that no program makes it. Where a rule names who
    may decide, list, show, approve and deny go to a server instead, with your access token.
    """
    if (url is None) != (token_file is None):
        raise click.UsageError("--url and --token-file belong together")
    remote = RemoteApprovals(url, token_file) if url is not None and token_file is not None else None
    if remote is not None and context.invoked_subcommand not in _REMOTE:
        raise click.UsageError(f"--url: expected one of {', '.join(_REMOTE)}")
    context.obj = ApprovalFiles(records, approvals_secret_file, remote)


@approvals.command()
@click.pass_obj
def init(files: ApprovalFiles) -> None:
    """Set the approver's secret, or another one. Servers that run know an old one until they are started again."""
    with problems():
        if read_approver(files.secret) is not None:
            ask_for_secret(files.secret, "The secret so far: ")
        length = f"{SECRET_CHARACTERS} characters or more"
        secret = _ask(f"New approver's secret, {length}, which nobody else on this machine knows: ")
        if _ask("Once more: ") != secret:
            raise SecretError("these are two different secrets: run it again")
        set_secret(files.secret, secret)
    click.echo(f"Calls can be approved out of band now: {files.secret} tells who has the secret from who has not.")


@approvals.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that don't wait for a decision any more.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@json_lines_option
@click.pass_obj
def list_approvals(files: ApprovalFiles, everything: bool, limit: int, as_json: bool) -> None:
    """List requests, the newest last.

    Each has its id, state, until when it can be used, who asks, and the function.
    """
    with _reading(files) as reader:
        found = reader.approvals(() if everything else _WAITING, limit)
    if not found:
        click.echo("No requests are on record." if everything else "No requests wait for a decision.", err=True)
    if as_json:
        for pending in reversed(found):
            click.echo(_json(pending))
    else:
        print_table(_COLUMNS, [_cells(pending) for pending in reversed(found)])


@approvals.command()
@_approval_id
@as_json_option
@click.pass_obj
def show(files: ApprovalFiles, approval_id: str, as_json: bool) -> None:
    """Show a whole request, and what was decided."""
    with _reading(files) as reader:
        pending = _find(reader, approval_id)
    click.echo(_json(pending) if as_json else _told(pending))


@approvals.command()
@_approval_id
@_note
@click.pass_obj
def approve(files: ApprovalFiles, approval_id: str, note: str | None) -> None:
    """Show a request, and approve it with the approver's secret.

    One call of exactly this goes through then.
    """
    _decide(files, approval_id, "approved", note)


@approvals.command()
@_approval_id
@_note
@click.pass_obj
def deny(files: ApprovalFiles, approval_id: str, note: str | None) -> None:
    """Show a request, and deny it with the approver's secret."""
    _decide(files, approval_id, "denied", note)


@approvals.command()
@click.pass_obj
def follow(files: ApprovalFiles) -> None:
    """Show requests as they come, until interrupted.

    On a terminal you decide on each.
    """
    seen: set[str] = set()
    try:
        while True:
            with _reading(files) as reader:
                waiting = [each for each in reader.approvals(_WAITING) if each.ask.approval_id not in seen]
            for pending in reversed(waiting):
                seen.add(pending.ask.approval_id)
                click.echo(_told(pending) + "\n")
                if pending.ask.approvers or not sys.stdin.isatty():
                    continue
                choice = click.prompt("[a]pprove, [d]eny or [s]kip", type=click.Choice(["a", "d", "s"]), default="s")
                if choice == "s":
                    continue
                note = click.prompt("Note (may be empty)", default="", show_default=False) or None
                try:
                    _make(files, pending, "approved" if choice == "a" else "denied", note)
                except click.ClickException as error:
                    error.show()
            time.sleep(_POLL_SECONDS)
    except (KeyboardInterrupt, click.Abort):
        return


def _decide(files: ApprovalFiles, approval_id: str, verdict: ApprovalVerdict, note: str | None) -> None:
    with _reading(files) as reader:
        pending = _find(reader, approval_id)
    click.echo(_told(pending) + "\n")
    if files.remote is not None:
        now = files.remote.decide(pending, verdict, note)
        click.echo(f"That is on record; it is {now.state} ({now.approvals} of {now.ask.count} approvals).")
        return
    if pending.ask.approvers:
        who = inline(" or ".join(pending.ask.approvers))
        raise click.ClickException(f"its rule names who may decide, by their own access token: {who}")
    if pending.state != "pending":
        raise click.ClickException(f"it does not wait for a decision any more: it is {pending.state}")
    _make(files, pending, verdict, note)


def _make(files: ApprovalFiles, pending: PendingApproval, verdict: ApprovalVerdict, note: str | None) -> None:
    """Decide on a request that was shown."""
    with problems():
        key = ask_for_secret(files.secret, f"Approver's secret, for it to be {verdict}: ")
        with writing(files.records, COMMAND) as store:
            counts = key.decide(store, pending, verdict, by=user_name(), how="terminal", note=note)
    if not counts:
        raise click.ClickException("too late: it has expired, or somebody else has decided; `show` tells")
    click.echo(f"It is {verdict}, and that is on record.")


def ask_for_secret(path: Path, prompt: str) -> ApproverKey:
    """Ask for the approver's secret on the terminal, a few times if it is wrong.

    Raises:
        SecretError: if none is set, there is no terminal, or it was wrong each time.
    """
    if read_approver(path) is None:
        raise SecretError(NOT_SET)
    for left in range(_TRIES - 1, -1, -1):
        typed = _ask(prompt)
        try:
            return unlock(path, typed)
        except SecretError as error:
            if not left:
                raise
            click.echo(str(error), err=True)
    raise AssertionError("the last try returns or raises")


def _ask(prompt: str) -> str:
    """What is typed on the terminal that this process belongs to, whatever its stdin is. It is not shown.

    Raises:
        SecretError: if there is no terminal.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError):
            raise SecretError(
                "the approver's secret is asked for on a terminal, and there is none here: run it in one"
            ) from None


def _find(reader: ApprovalReader, approval_id: str) -> PendingApproval:
    pending = reader.find_approval(approval_id)
    if pending is None:
        raise click.ClickException(f"there is no request {inline(approval_id)}: `approvals list` shows the ids")
    return pending


def _told(pending: PendingApproval) -> str:
    """A request, whole. Whoever can write to the file can have put anything there, but for what shows as escapes."""
    ask = pending.ask
    lines = [
        inline(f"Request {ask.approval_id}, {pending.state}, until {pending.until}"),
        f"From: {inline(ask.principal)}{f' ({inline(ask.client)})' if ask.client else ''}, rule {inline(ask.rule)}",
        *([] if ask.reason is None else reason_lines(ask.reason)),
        "",
        *map(visible, ask.question.split("\n")),
    ]
    if ask.approvers:
        lines += ["", f"{pending.approvals} of {ask.count} approvals by {inline(' or '.join(ask.approvers))}"]
    for ruling in pending.rulings:
        note = f": {ruling.note}" if ruling.note else ""
        lines += ["", inline(f"{ruling.verdict.capitalize()} by {ruling.by} ({ruling.how}){note}")]
    return "\n".join(lines)


def _cells(pending: PendingApproval) -> tuple[str, ...]:
    ask = pending.ask
    return ask.approval_id, pending.state, pending.until, ask.principal, ask.function.split(":", 6)[-1]


def _json(pending: PendingApproval) -> str:
    return json_line(asdict(pending) | {"until": pending.until})


@contextmanager
def _reading(files: ApprovalFiles) -> Iterator[ApprovalReader]:
    if files.remote is not None:
        yield files.remote
        return
    with problems(), reading(files.records) as reader:
        yield reader
