"""The manifests that a command reads: the option, and what becomes of manifests that can't be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import click

from lambda_warden.errors import ManifestError
from lambda_warden.guard.rules import Rules
from lambda_warden.manifests.load import load_manifests

manifest_option = click.option(
    "--manifest",
    "manifests",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    envvar="LAMBDA_WARDEN_MANIFEST",
    help="The allowlist: a file, or a folder of them. May be given several times.",
)


class ManifestProblems(click.ClickException):
    """Every problem of the manifests, one line each, on stderr. Exit code 2, so that it is no answer."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the lines as they are."""
        click.echo(self.message, err=True, file=file)


def load_rules(paths: Sequence[Path]) -> Rules:
    """The rules of manifests, read as one.

    Raises:
        ManifestProblems: if they can't be used.
    """
    try:
        return load_manifests(paths).rules
    except ManifestError as error:
        raise ManifestProblems(str(error)) from None
