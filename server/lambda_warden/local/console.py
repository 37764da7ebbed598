"""What people see in a terminal: a manifest as a table, and the demo's steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp.client.session import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule as Line
from rich.text import Text

from lambda_warden.manifests.load import LoadedManifest
from lambda_warden.report.text import OUTSIDE

_EFFECT_STYLES = {"read": "green", "write": "yellow", "destructive": "red"}


def print_manifest(loaded: LoadedManifest) -> None:
    """Show what a manifest allows: each rule's function, and below it what may be sent to it."""
    console = Console(highlight=False, soft_wrap=True)
    for rule in loaded.rules.all:
        spec = rule.spec
        about = [
            Text(", ".join(spec.qualifiers)),
            Text(", ".join(spec.invocation_types)),
            Text(spec.effect, style=_EFFECT_STYLES[spec.effect]),
            Text(f"payload ≤ {spec.payload.max_bytes:,} bytes{', schema' if rule.schema else ''}"),
            Text(f"line {rule.source.rsplit(':', 1)[-1]}"),
        ]
        console.print(Text(spec.arn, style="bold"))
        console.print(Text("  ") + Text(" · ", style="dim").join(about))
    for deny in loaded.rules.denies:
        about = [Text(", ".join(deny.spec.qualifiers or ["every qualifier"])), Text("denied", style="red")]
        console.print(Text(deny.spec.arn, style="bold"))
        console.print(
            Text("  ") + Text(" · ", style="dim").join([*about, Text(f"line {deny.source.rsplit(':', 1)[-1]}")])
        )
    console.print(f"{loaded.files[0]} is valid: {len(loaded.rules.all)} rules. Everything else is denied.")


class Stage:
    """Prints the demo step by step."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._steps = 0

    def say(self, text: str, style: str = "") -> None:
        """A line of ours."""
        self._console.print(Text(text, style=style))

    def step(self, title: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """Announce a call."""
        self._steps += 1
        self._console.print()
        self._console.print(Line(Text(f"{self._steps}. {title}", style="bold"), align="left", style="cyan"))
        call = Text.assemble((tool, "bold cyan"), " ", (json.dumps(dict(arguments)), "dim"))
        self._console.print(Padding(call, (0, 0, 0, 2)))

    async def person(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG002
        """Stands in for a person at the client: shows the question, and says yes."""
        self._line("A person is asked:", style="yellow")
        for line in params.message.split("\n"):
            self._line(line, "  ", "yellow")
        self._line("and says yes.", style="yellow")
        return ElicitResult(action="accept", content={"approve": True})

    def result(self, result: CallToolResult) -> None:
        """Show what a model would read."""
        style = "red" if result.is_error else "green"
        for block in result.content:
            if isinstance(block, TextContent):
                first, *rest = block.text.split("\n")
                self._line(first, style=style)
                for line in rest:
                    if line.startswith(OUTSIDE):
                        self._line(line.removeprefix(OUTSIDE), OUTSIDE, "dim")
                    else:
                        self._line(line)

    def _line(self, line: str, mark: str = "", style: str = "") -> None:
        """One line, wrapped so that each piece of it is indented, and marked where the line is."""
        indent = Text("  " + mark, style="cyan")
        for piece in Text(line, style=style).wrap(self._console, self._console.width - len(indent), overflow="fold"):
            self._console.print(indent + piece)
