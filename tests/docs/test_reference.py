"""What of the documents follows from the code, and that their links lead somewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest

from lambda_warden.cli import main
from lambda_warden.model.result import Outcome
from support.reference import PARTS, written_anew
from support.snippets import PAGES, ROOT


def test_the_tables_are_made_of_the_code() -> None:
    """After a change of settings, manifest, tools or causes: `UPDATE_SNAPSHOTS=1 pytest tests/docs`."""
    for page in PAGES:
        text = page.read_text()
        anew = written_anew(text)
        if os.environ.get("UPDATE_SNAPSHOTS") and anew != text:
            page.write_text(anew)
        assert page.read_text() == anew
    text = "".join(page.read_text() for page in PAGES)
    assert [name for name in PARTS if text.count(f"<!-- of the code: {name} -->") != 1] == []


def test_each_command_is_in_the_table_of_commands() -> None:
    table = (ROOT / "docs" / "commands.md").read_text()
    first_cells = "\n".join(line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `"))
    named = {word for quoted in re.findall(r"`([^`]+)`", first_cells) for word in quoted.split()}
    assert [names for names in _leaves(main) if not named.issuperset(names)] == []


def _leaves(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            each = command.get_command(context, name)
            assert each is not None
            yield from _leaves(each, (*names, name))
    else:
        yield names


def test_each_outcome_is_in_the_table_of_outcomes() -> None:
    table = (ROOT / "docs" / "tools.md").read_text()
    assert [word for word in get_args(Outcome) if f"\n| `{word}` |" not in table] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_into_the_project_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file.read_text()), target


def _anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}
