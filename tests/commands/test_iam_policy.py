"""`lambda-warden iam-policy`: one JSON document, by account or for one, and what is wrong on stderr."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from lambda_warden.commands.iam_policy import iam_policy
from lambda_warden.guard.iam_policy import policies
from lambda_warden.manifests.load import load_manifests
from support.builders import ACCOUNT, OTHER_ACCOUNT, REGION, function_arn


def write(path: Path, names: Sequence[str], account: str = ACCOUNT, **keys: Any) -> Path:
    functions = [{"arn": function_arn(name, account=account), "qualifiers": ["live"]} for name in names]
    targets = [{"account": account, "regions": [REGION]}]
    path.write_text(yaml.safe_dump({"version": 1, "targets": targets, "functions": functions, **keys}))
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(iam_policy, list(map(str, arguments)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    folder.mkdir()
    write(folder / "a.yaml", ["f", "report-*"])
    write(folder / "b.yaml", ["g"], OTHER_ACCOUNT, deny=[{"arn": "arn:*:lambda:*:*:function:*-payroll"}])
    return folder


def test_the_policies_of_all_accounts_are_printed_by_account(folder: Path) -> None:
    result = run("--manifest", folder)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == policies(load_manifests([folder]).rules)
    assert list(json.loads(result.stdout)) == [ACCOUNT, OTHER_ACCOUNT]


def test_what_may_be_invoked_may_have_its_configuration_read_and_nothing_else_may(folder: Path) -> None:
    statements = json.loads(run("--manifest", folder, "--account", ACCOUNT).stdout)["Statement"]
    allowed = [each for each in statements if each["Effect"] == "Allow"]
    (both,) = [each for each in allowed if "lambda:GetFunctionConfiguration" in each["Action"]]
    assert both["Action"] == ["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"]
    assert both["Resource"] == [f"{function_arn('f')}:live", f"{function_arn('report-*')}:live"]


def test_several_files_are_read_as_one(folder: Path) -> None:
    result = run("--manifest", folder / "a.yaml", "--manifest", folder / "b.yaml")
    assert result.stdout == run("--manifest", folder).stdout


def test_the_policy_of_one_account_is_printed_alone(folder: Path) -> None:
    result = run("--manifest", folder, "--account", OTHER_ACCOUNT)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(run("--manifest", folder).stdout)[OTHER_ACCOUNT]


def test_an_account_without_rules_is_refused_with_those_that_have_some(folder: Path) -> None:
    result = run("--manifest", folder, "--account", "000000000000")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"'--account': no rule is of account '000000000000'. Expected one of: {ACCOUNT}, {OTHER_ACCOUNT}" in (
        " ".join(result.stderr.split())
    )


def test_a_policy_that_is_too_large_for_a_managed_one_is_printed_and_said_to_be_so(tmp_path: Path) -> None:
    result = run("--manifest", write(tmp_path / "m.yaml", [f"function-{number}" for number in range(100)]))
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)[ACCOUNT]["Statement"][0]["Resource"]) == 100
    assert result.stderr.startswith(f"The policy of account {ACCOUNT} has ")
    assert "A managed policy holds 6,144" in result.stderr


def test_a_manifest_that_can_not_be_used_is_named_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "m.yaml", ["a*", "*a"])
    result = run("--manifest", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{path}:")


def test_a_manifest_has_to_be_given() -> None:
    result = run()
    assert result.exit_code == 2
    assert "Missing option '--manifest'" in result.stderr
