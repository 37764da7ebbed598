"""What people see of the demo in a terminal."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

import click
from mcp.client.session import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent

from lambda_warden.report.text import OUTSIDE


def _print(text: str) -> None:
    # Named, since click would write UTF-8 to a stdout of its own where the terminal takes ASCII alone.
    click.echo(text, file=sys.stdout)


class Stage:
    """Prints the demo step by step."""

    def __init__(self) -> None:
        self._width = shutil.get_terminal_size().columns
        self._steps = 0

    def say(self, text: str, *, dim: bool = False) -> None:
        """A line of ours."""
        _print(click.style(text, dim=dim))

    def step(self, title: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """Announce a call."""
        self._steps += 1
        title = f"{self._steps}. {title} "
        _print("\n" + click.style(title, bold=True) + click.style("─" * (self._width - len(title)), fg="cyan"))
        first, *rest = self._wrapped(f"{tool} {json.dumps(dict(arguments))}", "  ")
        _print("  " + click.style(tool, fg="cyan", bold=True) + click.style(first.removeprefix(tool), dim=True))
        for piece in rest:
            _print("  " + click.style(piece, dim=True))

    async def person(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG002
        """Stands in for a person at the client: shows the question, and says yes."""
        self._line("A person is asked:", fg="yellow")
        for line in params.message.split("\n"):
            self._line(line, "  ", fg="yellow")
        self._line("and says yes.", fg="yellow")
        return ElicitResult(action="accept", content={"approve": True})

    def approved(self, approval_id: str, question: str) -> None:
        """Show what an operator does at a terminal of their own."""
        self._line("The operator, who alone knows the approver's secret:", fg="yellow")
        self._line(f"$ lambda-warden approvals approve {approval_id}", "  ", fg="yellow")
        for line in question.split("\n"):
            self._line(line, "  ", fg="yellow")
        self._line("It is approved, and that is on record.", "  ", fg="yellow")

    def result(self, result: CallToolResult) -> None:
        """Show what a model would read."""
        color = "red" if result.is_error else "green"
        for block in result.content:
            if isinstance(block, TextContent):
                first, *rest = block.text.split("\n")
                self._line(first, fg=color)
                for line in rest:
                    if line.startswith(OUTSIDE):
                        self._line(line.removeprefix(OUTSIDE), OUTSIDE, dim=True)
                    else:
                        self._line(line)

    def _line(self, line: str, mark: str = "", **style: Any) -> None:
        """One line, wrapped so that each piece of it is indented, and marked where the line is."""
        indent = "  " + mark
        for piece in self._wrapped(line, indent):
            _print(click.style(indent, fg="cyan") + click.style(piece, **style))

    def _wrapped(self, line: str, indent: str) -> list[str]:
        width = max(20, self._width - len(indent))
        return textwrap.wrap(line, width, replace_whitespace=False, break_on_hyphens=False) or [""]
