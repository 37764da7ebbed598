"""The texts that `docs/troubleshooting.md` explains are those that the server says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import botocore.exceptions
import mcp.server
import pytest

import lambda_warden

PAGE: Final = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()
QUOTED: Final = [text for head in re.findall(r"^### (.+)$", PAGE, re.M) for text in re.findall(r"`([^`]+)`", head)]
OF_HOSTS: Final = {"spawn lambda-warden ENOENT"}
"""Said by Node.js, where a host can't start the server."""


def strings_of(*files: Path) -> Iterator[str]:
    """The texts in Python files; of an f-string, the parts between what is filled in."""
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


SAID: Final = "\0".join(
    strings_of(
        *(file for package in (lambda_warden, mcp.server) for file in Path(package.__path__[0]).rglob("*.py")),
        Path(botocore.exceptions.__file__),
    )
)


@pytest.mark.parametrize("text", sorted(set(QUOTED) - OF_HOSTS))
def test_a_text_that_is_explained_is_said(text: str) -> None:
    parts = [part.strip() for part in text.split("…") if part.strip(" .")]
    assert [part for part in parts if part not in SAID] == []


def test_every_heading_quotes_a_text_and_none_twice() -> None:
    assert len(QUOTED) == len(set(QUOTED)) >= 25
    assert all("`" in head for head in re.findall(r"^### (.+)$", PAGE, re.M))
