"""`lambda-warden completion`: what completes commands and options in a shell."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_SHELLS: Final[dict[str, type[ShellComplete]]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice([*_SHELLS]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what completes commands and options in a shell.

    For this session: source <(lambda-warden completion bash). In fish: lambda-warden completion fish | source.
    """
    root = context.find_root().command
    click.echo(_SHELLS[shell](root, {}, "lambda-warden", "_LAMBDA_WARDEN_COMPLETE").source())
