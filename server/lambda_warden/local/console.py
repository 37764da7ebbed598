"""What people see in a terminal: a manifest as a table, and the demo's steps."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import click
from mcp.client.session import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent

from lambda_warden.manifests.load import LoadedManifest
from lambda_warden.report.text import OUTSIDE, limit_texts

_EFFECT_COLORS = {"read": "green", "write": "yellow", "destructive": "red"}
_APPROVES = {
    None: "a person approves",
    "client": "a person at the client approves",
    "operator": "a person out of band approves",
}


def print_manifest(loaded: LoadedManifest) -> None:
    """Show what a manifest allows: each rule's function, and below it what may be sent to it."""
    for rule in loaded.rules.all:
        spec = rule.spec
        about = [
            ", ".join(spec.qualifiers),
            ", ".join(spec.invocation_types),
            click.style(spec.effect, fg=_EFFECT_COLORS[spec.effect]),
            _APPROVES[spec.asked.way] if spec.asks else "no approval",
            ", ".join(limit_texts(spec.limits)) or "no limits",
            f"payload ≤ {spec.payload.max_bytes:,} bytes, {'schema' if rule.schema else 'no schema'}",
            f"logs: {spec.logs.read}" if spec.logs else "no logs",
        ]
        tenants = [spec.tenants] if isinstance(spec.tenants, str) else spec.tenants
        named = {"principals": spec.principals, "scopes": spec.scopes, "clients": spec.clients, "tenants": tenants}
        about += [f"{name} {', '.join(values)}" for name, values in named.items() if values]
        if stop := spec.stop_after_failures:
            about.append(f"stops after {stop.count} failures in a row, for {stop.cool_down_seconds:,} s")
        _print_rule(spec.arn, about, rule.source)
    for deny in loaded.rules.denies:
        about = [", ".join(deny.spec.qualifiers or ["every qualifier"]), click.style("denied", fg="red")]
        _print_rule(deny.spec.arn, about, deny.source)
    _print(f"{loaded.files[0]} is valid: {len(loaded.rules.all)} rules. Everything else is denied.")


def _print_rule(arn: str, about: Sequence[str], source: str) -> None:
    _print(click.style(arn, bold=True))
    _print("  " + click.style(" · ", dim=True).join([*about, f"line {source.rsplit(':', 1)[-1]}"]))


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
