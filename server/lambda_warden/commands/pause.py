"""`lambda-warden pause` and `resume`: a person stops calls, or lets them through again, for all servers of a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from lambda_warden.approvals.secret import read_approver
from lambda_warden.commands.approvals import ask_for_secret
from lambda_warden.commands.console import as_json_option, print_json, print_line
from lambda_warden.commands.options import setting_option
from lambda_warden.commands.records_file import are_missing, problems, reading, user_name, writing
from lambda_warden.doctor.finding import Finding
from lambda_warden.errors import SettingsError
from lambda_warden.report.visible import inline
from lambda_warden.store.audit_log import AuditLog, FailureRun, Pause, RecordError

_REASON_CHARACTERS: Final = 300

_records = setting_option("records", show_envvar=True, help="The file that the servers write to.")


def _check_reason(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    if text is not None and len(text) > _REASON_CHARACTERS:
        raise click.BadParameter(f"expected at most {_REASON_CHARACTERS} characters")
    return text


_reason = click.option("--reason", callback=_check_reason, help="Why, for whoever is denied, and for the records.")


@click.group(invoke_without_command=True)
@_reason
@_records
@click.pass_context
def pause(context: click.Context, reason: str | None, records: Path | str) -> None:
    """Deny all calls until `resume`, or show whether they are.

    It holds for every server that writes to these records. Calls that are under way go on. Who paused, why and since
    when is recorded, and said to whoever is denied.
    """
    context.obj = records
    if context.invoked_subcommand is not None:
        if reason is not None:
            raise click.UsageError("--reason is for pausing")
        return
    with _open(records, "pause") as log:
        before = log.pause(user_name(), reason)
    click.echo(f"Calls were paused already: {pause_line(before)}" if before else "Paused: no call is admitted.")
    click.echo("`lambda-warden resume` lets them through again.")


@pause.command()
@as_json_option
@click.pass_obj
def status(records: Path | str, as_json: bool) -> None:
    """Say whether calls are paused, and which functions fail."""
    with problems(), reading(records) as reader:
        met, runs = reader.stopped_by(), reader.failure_runs()
    paused = met if isinstance(met, Pause) else None
    if as_json:
        print_json({"paused": asdict(paused) if paused else None, "failing": [asdict(run) for run in runs]})
        return
    print_line(*([("Paused", "red"), f": {pause_line(paused)}"] if paused else ["Calls are admitted."]))
    for run in runs:
        print_line(run_line(run))


@click.command()
@click.option("--function", help="Only calls of this one, which was stopped after failures.")
@_reason
@_records
@setting_option("approvals_secret_file", show_envvar=True)
def resume(function: str | None, reason: str | None, records: Path | str, approvals_secret_file: Path) -> None:
    """Let calls through again after `pause`, or after failures.

    With --function, those of a function that its rule's `stop_after_failures` stopped. It is given by its name or ARN,
    with :QUALIFIER for that alone. An approver's secret is asked for on the terminal, where one is set. Exit code 1:
    there was nothing to resume, or the secret was wrong.
    """
    with problems():
        if read_approver(approvals_secret_file) is not None:
            ask_for_secret(approvals_secret_file, "Approver's secret, for calls to be admitted again: ")
    with _open(records, "resume") as log:
        if function is None:
            ended = log.resume(user_name(), reason)
            if ended is None:
                raise click.ClickException("calls are not paused")
            click.echo(f"Calls are admitted again. {pause_line(ended)}")
            return
        meant = [run for run in log.failure_runs() if _means(function, run.function)]
        resumed = [run for run in meant if log.resume_function(run.function, user_name(), reason)]
    if not resumed:
        raise click.ClickException(f"no failures are counted of {inline(function)}")
    for run in resumed:
        click.echo(f"Calls are admitted again: {run_line(run)}")


def pause_line(found: Pause) -> str:
    """A pause, in a line for people."""
    why = f": {inline(found.reason)}" if found.reason else "."
    return f"{inline(found.by)} paused them at {found.since}{why}"


def run_line(run: FailureRun) -> str:
    """A run of failures, in a line for people."""
    times = f"{run.failures:,} times in a row, the last time" if run.failures > 1 else "once,"
    return f"{inline(run.function)} failed {times} at {run.last_at}."


def stop_lines(records: Path | str) -> Iterator[str]:
    """Whether calls are paused, and which functions have failed in a row. Nothing, where no server has written yet."""
    if are_missing(records):
        return
    try:
        with reading(records) as reader:
            met, runs = reader.stopped_by(), reader.failure_runs()
    except (RecordError, SettingsError) as error:
        yield f"whether calls are paused can't be told: {inline(str(error))}"
        return
    if isinstance(met, Pause):
        yield f"no call is admitted: {pause_line(met)}"
    yield from map(run_line, runs)


def stop_findings(records: Path | str) -> list[Finding]:
    """`stop_lines`, as findings."""
    step = "`lambda-warden resume`, once what stopped them is put right"
    return [Finding("warning", "stops", "calls", line, step) for line in stop_lines(records)]


def _means(given: str, function: str) -> bool:
    """Whether a name or ARN, with a qualifier or without, means a function and qualifier."""
    name = function.split(":function:", 1)[-1]
    return given in (function, function.rpartition(":")[0], name, name.rpartition(":")[0])


@contextmanager
def _open(records: Path | str, command: str) -> Iterator[AuditLog]:
    """The records that servers write to. New ones are not made: to pause those would stop nobody."""
    with problems():
        with reading(records):
            pass
        with writing(records, command) as log:
            yield log
