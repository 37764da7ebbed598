"""`lambda-warden doctor`: what a server with these settings would meet, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from lambda_warden.commands.console import as_json_option, print_json, print_line
from lambda_warden.commands.findings import collect, count_of, print_findings
from lambda_warden.commands.manifests import manifest_option
from lambda_warden.commands.options import GroupedOptions, settings_of, settings_options
from lambda_warden.commands.pause import stop_findings
from lambda_warden.doctor.account import look_at_aws
from lambda_warden.doctor.finding import Finding
from lambda_warden.doctor.machine import look_at_machine
from lambda_warden.doctor.manifest import look_at_manifests, named
from lambda_warden.report.words import plural
from lambda_warden.settings import Settings


@click.command(cls=GroupedOptions)
@manifest_option
@as_json_option
@settings_options
def doctor(manifests: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Say whether a server could do its work, and what to do if not.

    It takes the options of `serve`. Looked at: the manifests; records, results and approver's secret; for each target
    the credentials, the clock and the region; for each function and qualifier whether it is there and may be invoked
    (by a DryRun, which starts nothing), and whether aliases and logs that rules need can be read. Exit code 1: there
    is a problem.
    """
    findings = collect(_look(manifests, settings_of(options)), "Looking")
    problems, warnings = (count_of(findings, state) for state in ("problem", "warning"))
    if as_json:
        print_json({"ok": not problems, "findings": [finding.fields() for finding in findings]})
    else:
        print_findings(findings)
        print_line(f"{plural(problems, 'problem')}, {plural(warnings, 'warning')}")
    raise SystemExit(1 if problems else 0)


def _look(manifests: Sequence[Path], settings: Settings) -> Iterator[Finding]:
    loaded, found = look_at_manifests(manifests)
    if loaded is not None:
        yield Finding("ok", "manifest", named(manifests), f"valid, with {plural(len(loaded.rules.all), 'rule')}")
    yield from found
    yield from stop_findings(settings.records)
    yield from look_at_machine(settings, None if loaded is None else loaded.rules)
    if loaded is not None:
        yield from look_at_aws(loaded.rules, settings)
