"""Groups of commands that are loaded when they are run or listed, so that a server's start waits for none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from itertools import islice
from typing import Any

import click
from click.exceptions import NoSuchCommand


class LateGroup(click.Group):
    """A group, some of whose commands are loaded late.

    Args:
        late: their names, each with MODULE:ATTRIBUTE of this folder.
    """

    def __init__(self, *args: Any, late: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._late = late or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return sorted({*super().list_commands(ctx), *self._late})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them."""
        if cmd_name not in self._late:
            return super().get_command(ctx, cmd_name)
        module, attribute = self._late[cmd_name].split(":")
        command: click.Command = getattr(import_module(f"{__package__}.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant.

        Raises:
            NoSuchCommand: with the nearest names, those of late commands among them.
        """
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            raise NoSuchCommand(error.command_name, possibilities=self.list_commands(ctx), ctx=ctx) from None


class OptionsAnywhere(LateGroup):
    """A group whose own options may stand behind a subcommand, too, as people write them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments with the group's options before the others."""
        own = {name for param in self.params if isinstance(param, click.Option) for name in param.opts}
        first: list[str] = []
        others: list[str] = []
        left = iter(args)
        for argument in left:
            if argument.partition("=")[0] in own:
                first += [argument] if "=" in argument else [argument, *islice(left, 1)]
            else:
                others.append(argument)
        return super().parse_args(ctx, first + others)
