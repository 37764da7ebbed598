"""`lambda-warden iam-policy`: what the server's AWS credentials need, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from lambda_warden.commands.manifests import load_rules, manifest_option
from lambda_warden.guard.iam_policy import policies

_SIZE_LIMIT: Final = 6144
"""Characters of a managed policy, white space not counted (IAM User Guide, "IAM and AWS STS quotas")."""


@click.command("iam-policy")
@manifest_option
@click.option("--account", help="Print the policy of this account alone.")
def iam_policy(manifests: tuple[Path, ...], account: str | None) -> None:
    """Print the least IAM policy that the manifests need, for each account.

    JSON: an object of policies by account id, or with --account that account's policy.
    """
    documents = policies(load_rules(manifests))
    if account is not None and account not in documents:
        raise click.BadParameter(
            f"no rule is of account {account!r}. Expected one of: {', '.join(documents)}", param_hint="'--account'"
        )
    shown = documents if account is None else {account: documents[account]}
    for name, document in shown.items():
        if (size := _size(document)) > _SIZE_LIMIT:
            note = f"A managed policy holds {_SIZE_LIMIT:,}: attach its statements in several."
            click.echo(f"The policy of account {name} has {size:,} characters without white space. {note}", err=True)
    click.echo(json.dumps(documents if account is None else documents[account], indent=2))


def _size(document: dict[str, Any]) -> int:
    return len(json.dumps(document, separators=(",", ":")))
