"""`lambda-warden iam-policy`: what the server's AWS credentials need, and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from lambda_warden.commands.manifests import load_rules, manifest_option
from lambda_warden.guard.iam_policy import policies

_POLICIES_OF_A_ROLE: Final = 10
"""Managed policies of one role; a quota that can be raised to 20 ("IAM and AWS STS quotas", IAM User Guide)."""


@click.command("iam-policy")
@manifest_option
@click.option("--account", help="Print the policies of this account alone.")
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each policy to a file of its own, lambda-warden-ACCOUNT-NUMBER.json, instead of printing them.",
)
def iam_policy(manifests: tuple[Path, ...], account: str | None, output_dir: Path | None) -> None:
    """Print the least IAM policies that the manifests need.

    JSON: an object of lists of policies by account id, or with --account that account's list. Each is small enough for
    a managed policy. Attach all of an account's policies to the server's role there, in their order: what is denied
    stands in the first ones, and a deny in one of them wins over all.
    """
    rules = load_rules(manifests)
    documents = policies(rules)
    if account is not None and account not in documents:
        raise click.BadParameter(
            f"no rule is of account {account!r}. Expected one of: {', '.join(documents)}", param_hint="'--account'"
        )
    shown = documents if account is None else {account: documents[account]}
    if output_dir is None:
        click.echo(json.dumps(shown if account is None else shown[account], indent=2))
    else:
        _write(output_dir, shown)
    for name, split in shown.items():
        if len(split) > 1:
            click.echo(f"Account {name} has {len(split)} policies: attach all of them, in their order.", err=True)
        if len(split) > _POLICIES_OF_A_ROLE:
            note = f"A role takes {_POLICIES_OF_A_ROLE} managed policies, or 20 if AWS raises that quota for you."
            click.echo(f"{note} Patterns such as `report-*` in the manifest make fewer.", err=True)
    for target in rules.targets:
        if target.role_arn is not None and target.account in shown:
            optional = {"sts:SetSourceIdentity": target.source_identity, "sts:TagSession": target.session_tags}
            actions = ", ".join(["sts:AssumeRole", *(action for action, wanted in optional.items() if wanted)])
            click.echo(f"The trust policy of {target.role_arn} has to allow {actions} for the server.", err=True)


def _write(folder: Path, documents: Mapping[str, list[dict[str, Any]]]) -> None:
    files = {
        folder / f"lambda-warden-{account}-{number}.json": document
        for account, split in documents.items()
        for number, document in enumerate(split, 1)
    }
    # A policy of an earlier run, of a manifest that allowed more, would be attached with the others.
    older = {path for account in documents for path in folder.glob(f"lambda-warden-{account}-*.json")} - files.keys()
    if older:
        named = ", ".join(path.name for path in sorted(older))
        raise click.BadParameter(
            f"{folder} has policies that the manifest no longer makes: {named}. Remove them, or name another folder",
            param_hint="'--output-dir'",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, document in files.items():
            path.write_text(json.dumps(document, indent=2) + "\n")
            click.echo(path)
    except OSError as error:
        raise click.BadParameter(f"{folder} can't be written: {error.strerror}", param_hint="'--output-dir'") from None
