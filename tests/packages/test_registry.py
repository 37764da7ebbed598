"""What the MCP registry is told. `skillsaw`, which CI runs, holds the file against the registry's published schema."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from lambda_warden import __version__
from lambda_warden.cli import main

ROOT = Path(__file__).parents[2]


def test_the_registry_is_told_what_is_there() -> None:
    said = json.loads((ROOT / "manifests" / "packages" / "server.json").read_text())
    (package,) = said["packages"]
    assert {said["version"], package["version"]} == {__version__}
    # The registry looks for it in what the package index shows: the README.
    assert re.findall(r"mcp-name: (\S+)", (ROOT / "README.md").read_text()) == [said["name"]]
    positional, *named = package["packageArguments"]
    assert isinstance(main, click.Group)
    options = main.commands[positional["value"]].params
    assert {argument["name"] for argument in named} <= {flag for option in options for flag in option.opts}
    assert {variable["name"] for variable in package["environmentVariables"]} <= {option.envvar for option in options}
