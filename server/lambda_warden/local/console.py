"""What people see of the demo in a terminal."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

import click
from mcp.types import CallToolResult, TextContent

from lambda_warden.report.text import OUTSIDE


def _print(text: str) -> None:
    # Named, since click would write UTF-8 to a stdout of its own where the terminal takes ASCII alone.
    click.echo(text, file=sys.stdout)


PROMPT = "Enter for the next step …"


def _wait_for_enter() -> None:
    """Wait for a person at a terminal; without one, for nobody."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    _print(f"\n{PROMPT}")
    # The event loop answers Ctrl-C by cancelling its task, which does not end a read: end it first.
    before, interrupted = signal.signal(signal.SIGINT, signal.default_int_handler), False
    try:
        sys.stdin.readline()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        signal.raise_signal(signal.SIGINT)


class Stage:
    """Prints the demo step by step.

    Args:
        wait: whether to wait for a key between the steps. Without a terminal, nothing is waited for.
    """

    def __init__(self, *, wait: bool = False) -> None:
        self._width = shutil.get_terminal_size().columns
        self._steps = 0
        self._wait = wait

    def say(self, text: str) -> None:
        """A remark between the steps."""
        for piece in self._wrapped(text, ""):
            _print(click.style(piece, dim=True))

    def step(self, title: str, about: str) -> None:
        """Begin a step: what it is, and what to look at."""
        if self._wait and self._steps:
            _wait_for_enter()
        self._steps += 1
        title = f"{self._steps}. {title} "
        _print("\n" + click.style(title, bold=True) + click.style("─" * (self._width - len(title)), fg="cyan"))
        self._line(about)

    def remark(self, text: str) -> None:
        """A remark within a step."""
        _print("")
        self._line(text)

    def call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Announce a call of a tool."""
        _print("")
        first, *rest = self._wrapped(f"{tool} {json.dumps(dict(arguments))}", "  ")
        _print("  " + click.style(tool, fg="cyan", bold=True) + click.style(first.removeprefix(tool), dim=True))
        for piece in rest:
            _print("  " + click.style(piece, dim=True))

    def command(self, command: str, output: str, *, failed: bool = False) -> None:
        """Show a command that a person runs, and what it printed."""
        _print("")
        self._line(f"$ {command}", fg="cyan", bold=True)
        for line in output.splitlines():
            self._line(line, fg="red" if failed else "green")

    def approved(self, approval_id: str, question: str) -> None:
        """Show what an operator does at a terminal of their own."""
        _print("")
        self._line("The operator, who alone knows the approver's secret, at another terminal:", fg="yellow")
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
