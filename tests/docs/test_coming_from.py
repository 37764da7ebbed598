"""What `docs/coming-from.md` says of other tools: complete for `aws lambda invoke`, and each row with its test."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest
from botocore import xform_name
from click.testing import CliRunner

from lambda_warden import __version__
from lambda_warden.cli import main

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "coming-from.md").read_text()
ROWS: Final = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.endswith("| here | test |")
]
INVOKE: Final[Any] = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
OF_ALL_COMMANDS: Final = """
    --debug --endpoint-url --no-verify-ssl --no-paginate --output --query --profile --region --version --color
    --no-sign-request --ca-bundle --cli-read-timeout --cli-connect-timeout --cli-binary-format --no-cli-pager
    --cli-auto-prompt --no-cli-auto-prompt --cli-error-format --v2-debug
"""
"""Options that every command of AWS CLI 1 or 2 has."""


def words_of_first_cells() -> set[str]:
    return {word for row in ROWS for word in re.findall(r"`([^`]+)`", row[0])}


@pytest.mark.parametrize(
    "option",
    [*(f"--{xform_name(name, '-')}" for name in INVOKE.input_shape.members), "outfile", *OF_ALL_COMMANDS.split()],
)
def test_each_option_of_the_command_has_a_row(option: str) -> None:
    assert option in words_of_first_cells()


@pytest.mark.parametrize("name", INVOKE.output_shape.members)
def test_each_part_of_its_answer_has_a_row(name: str) -> None:
    assert name in words_of_first_cells()


def test_each_row_names_a_test_or_says_that_it_is_not_here() -> None:
    assert len(ROWS) > 50
    without = [(there, here) for there, here, test in ROWS if "::" not in test]
    assert [there for there, here in without if not here.startswith("Not here: ")] == []


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE))))
def test_a_test_that_is_named_exists(name: str) -> None:
    path, test = name.split("::")
    tree = ast.parse((ROOT / path).read_text())
    assert test in {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_the_version_is_printed() -> None:
    assert __version__ in CliRunner().invoke(main, ["--version"]).output
