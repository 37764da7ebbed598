"""`lambda-warden doctor`: what a server with these settings would meet, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from lambda_warden.commands.manifests import manifest_option
from lambda_warden.commands.options import settings_of, settings_options
from lambda_warden.commands.pause import stop_lines
from lambda_warden.doctor.account import look_at_accounts
from lambda_warden.doctor.finding import Finding
from lambda_warden.doctor.machine import look_at_machine
from lambda_warden.errors import ManifestError, SettingsError
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.policy import make_policy
from lambda_warden.report.visible import inline
from lambda_warden.settings import Settings


@click.command()
@manifest_option
@click.option("--json", "as_json", is_flag=True, help="Print an object with `ok` and `findings` instead.")
@settings_options
def doctor(manifests: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Say whether a server could do its work, and what to do if not.

    It takes the options of `serve`. Looked at: the manifests; records, results and approver's secret; for each target
    the credentials, the clock and the region; for each function and qualifier whether it is there and may be invoked
    (by a DryRun, which starts nothing), and whether aliases and logs that rules need can be read. Exit code 1: there
    is a problem.
    """
    findings = list(_look(manifests, settings_of(options)))
    problems = sum(finding.state == "problem" for finding in findings)
    if as_json:
        shown = {"ok": not problems, "findings": [finding.fields() for finding in findings]}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        for line in _lines(findings):
            click.echo(line)
        warnings = sum(finding.state == "warning" for finding in findings)
        click.echo(f"problems: {problems}, warnings: {warnings}")
    raise SystemExit(1 if problems else 0)


def _look(manifests: Sequence[Path], settings: Settings) -> Iterator[Finding]:
    named = ", ".join(map(str, manifests))
    try:
        loaded: LoadedManifest | None = load_manifests(manifests)
    except ManifestError as error:
        loaded = None
        for line in str(error).splitlines():
            problem = inline(line.removeprefix(f"{named}: "))
            yield Finding("problem", "manifest", named, problem, "correct that; `lambda-warden check` reads it again")
    if loaded is not None:
        yield Finding("ok", "manifest", named, f"valid, with {len(loaded.rules.all):,} rules")
        for warning in loaded.warnings():
            shown = inline(warning.removeprefix(f"{named}: "))
            yield Finding("warning", "manifest", named, shown, "correct the manifest, unless that is meant")
    for line in stop_lines(settings.records):
        yield Finding("warning", "stops", "calls", line, "`lambda-warden resume`, once what stopped them is put right")
    yield from look_at_machine(settings, None if loaded is None else loaded.rules)
    if loaded is None:
        return
    try:
        policy = make_policy(settings, loaded.rules)
        yield from look_at_accounts(policy, signed=settings.sign_requests)
        policy.close()
    except SettingsError as error:
        step = "correct the option, the target's profile, or the AWS config file that it names"
        yield Finding("problem", "settings", named, inline(str(error)), step)


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    """The report: a line for each finding, in columns, and one for what to do next."""
    checks = max(len(finding.check) for finding in findings)
    for finding in findings:
        head = f"{finding.state:<7}  {finding.check:<{checks}}  "
        yield f"{head}{finding.subject}: {finding.detail}"
        if finding.next_step is not None:
            yield f"{' ' * len(head)}next: {finding.next_step}"
