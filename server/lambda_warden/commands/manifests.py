"""The manifests that a command reads: the option, and what becomes of manifests that can't be used."""

from __future__ import annotations

import os
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


def warn_of_manifests_in(folder: Path, manifests: Sequence[Path]) -> None:
    """Hosts start servers in the folder that their agent works on; some in the root, which says nothing."""
    if folder == Path(folder.anchor):
        return
    for path in manifests:
        # A link can be replaced where it lies, and what it leads to where that is.
        if any(where.is_relative_to(folder) for where in (Path(os.path.abspath(path)), path.resolve())):  # noqa: PTH100
            click.echo(
                f"Warning: the manifest {path} lies in the working folder {folder}: an agent that may edit files there "
                "could allow itself anything. Move it elsewhere, such as ~/.config/lambda-warden/.",
                err=True,
            )
