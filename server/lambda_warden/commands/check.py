"""`lambda-warden check`: what manifests allow, for whoever reviews them, and whether AWS has it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import click

from lambda_warden.commands.console import as_json_option, print_json, print_line
from lambda_warden.commands.findings import collect, count_of, print_findings
from lambda_warden.commands.manifests import NoManifest, manifests_argument
from lambda_warden.commands.options import GroupedOptions, setting_option, settings_of
from lambda_warden.commands.pause import stop_findings
from lambda_warden.commands.review import deny_json, remarks, rule_json, rule_lines, serves_a_team
from lambda_warden.doctor.account import look_at_aws
from lambda_warden.doctor.finding import Finding
from lambda_warden.doctor.manifest import look_at_manifests, make_step, named
from lambda_warden.guard.rules import Deny, Rule
from lambda_warden.manifests.load import LoadedManifest
from lambda_warden.report.visible import inline
from lambda_warden.report.words import plural
from lambda_warden.settings import Settings

_EFFECTS: Final = {"read": "green", "write": "yellow", "destructive": "red"}
_OF_AWS: Final = ("profile", "region", "endpoint_url", "ca_bundle", "verify_ssl", "sign_requests")


def _aws_options(command: Any) -> Any:
    for name in reversed(_OF_AWS):
        command = setting_option(name, show_envvar=True)(command)
    return command


@click.command(cls=GroupedOptions)
@manifests_argument
@click.option("--aws", "ask_aws", is_flag=True, help="Hold them against the accounts, too. Nothing is started.")
@as_json_option
@setting_option("records", show_envvar=True, help="Where a pause and failures are looked up, if it is there.")
@setting_option("auth_issuer", show_envvar=True, help="The server's: callers are told apart then.")
@_aws_options
def check(manifests: tuple[Path, ...], ask_aws: bool, as_json: bool, **options: Any) -> None:
    """Check MANIFESTs, read as one, and show what they allow.

    Below each rule stands what a reviewer would stop at. With --aws: for each target whose credentials reach it; which
    functions, aliases and versions are not there, which patterns fit nothing, and which permissions are missing. Exit
    code 1: there is a problem.
    """
    settings = settings_of(options)
    loaded, found = look_at_manifests(manifests)
    if loaded is None and not as_json:
        raise NoManifest(map(_line, found), make_step(manifests))
    reviewed = [] if loaded is None else _reviewed(loaded, settings)
    found += stop_findings(settings.records)
    told = list(found)
    if loaded is not None and ask_aws:
        found += collect(look_at_aws(loaded.rules, settings), "Asking AWS")
    everything = [*found, *chain.from_iterable(reviewed)]
    if as_json:
        print_json(_document(loaded, everything))
    elif loaded is not None:
        for finding in told:
            click.echo(f"{finding.state.title()}: {inline(_line(finding))}", err=True)
        _print(loaded, reviewed)
        print_findings(found[len(told) :])
        _print_verdict(manifests, loaded, everything, in_aws=count_of(found[len(told) :], "problem"))
    raise SystemExit(1 if count_of(found, "problem") else 0)


def _reviewed(loaded: LoadedManifest, settings: Settings) -> list[list[Finding]]:
    """What a reviewer would stop at, of each rule."""
    rules = loaded.rules
    team = serves_a_team(rules, issuer=settings.auth_issuer is not None)
    return [list(remarks(rule, team=team)) for rule in rules.all]


def _document(loaded: LoadedManifest | None, findings: Sequence[Finding]) -> dict[str, Any]:
    """All that `check` knows. The keys stay as they are; more may come.

    Returns:
        ok: whether there is no problem.
        files: what was read, schemas included; manifest_sha256: as the records have it; None if there is a problem.
        targets, principals: the manifest's own, whole.
        rules: see `rule_json`. deny: its entries, each with `source`.
        findings: as `doctor` has them: `check` is manifest, review (what a reviewer would stop at), stops, or, with
            --aws, settings, credentials, clock, region, functions, configuration, invoke, alias, logs. `source` is
            FILE:LINE of the manifest.
    """
    rules = loaded.rules if loaded else None
    return {
        "ok": not count_of(findings, "problem"),
        "files": [str(path) for path in loaded.files] if loaded else [],
        "manifest_sha256": rules.digest if rules else None,
        "targets": [target.model_dump(mode="json") for target in rules.targets] if rules else [],
        "rules": [rule_json(rule) for rule in rules.all] if rules else [],
        "deny": [deny_json(deny) for deny in rules.denies] if rules else [],
        "principals": {name: limits.model_dump() for name, limits in rules.principals.items()} if rules else {},
        "findings": [finding.fields() for finding in findings],
    }


def _print(loaded: LoadedManifest, reviewed: Sequence[Sequence[Finding]]) -> None:
    for rule, found in zip(loaded.rules.all, reviewed, strict=True):
        _print_rule(rule, found)
    for deny in loaded.rules.denies:
        _print_deny(deny)


def _print_rule(rule: Rule, found: Sequence[Finding]) -> None:
    effect = rule.spec.effect
    print_line((rule.spec.arn, "bold"), label=(f"{effect}  ", _EFFECTS[effect]))
    print_line(rule.source, label=("  at        ", "dim"))
    for name, value in rule_lines(rule):
        print_line(value, label=(f"  {name:<10}", "dim"))
    for finding in found:
        print_line((finding.detail, "yellow"), f": {finding.next_step}", label=("  !         ", "yellow"))
    print_line()


def _print_deny(deny: Deny) -> None:
    reason = f": {deny.spec.reason}" if deny.spec.reason else ""
    qualifiers = ", ".join(deny.spec.qualifiers or ["every qualifier"])
    print_line((deny.spec.arn, "bold"), label=("denied  ", "red"))
    print_line(deny.source, label=("  at        ", "dim"))
    print_line(f"{qualifiers}{reason}", label=("  calls     ", "dim"))
    print_line()


def _print_verdict(paths: Sequence[Path], loaded: LoadedManifest, found: Sequence[Finding], *, in_aws: int) -> None:
    warnings, unlocked = count_of(found, "warning"), len(list(loaded.lock_problems()))
    counts = [plural(len(loaded.rules.all), "rule"), *([plural(warnings, "warning")] if warnings else [])]
    verb = "is" if len(paths) == 1 else "are"
    print_line(f"{named(paths)} {verb} valid: {', '.join(counts)}. Everything else is denied.")
    if unlocked:
        print_line((plural(unlocked, "selector"), "red"), " not locked: nothing that it would select may be called.")
    if in_aws:
        print_line((plural(in_aws, "problem"), "red"), " in AWS: calls fail until that is put right.")


def _line(finding: Finding) -> str:
    """A finding that a manifest, or a pause, gives without AWS."""
    place = finding.source or (finding.subject if finding.check == "manifest" else None)
    return f"{place}: {finding.detail}" if place else finding.detail
