"""`lambda-warden iam-policy`: JSON by account or for one, or a file a policy, and what is wrong on stderr."""

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
    path.write_text(yaml.safe_dump({"version": 1, "targets": targets, "functions": functions} | keys))
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
    (policy,) = json.loads(run("--manifest", folder, "--account", ACCOUNT).stdout)
    statements = policy["Statement"]
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


def test_a_role_is_said_to_need_its_trust_policy(tmp_path: Path) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/warden"
    target = {"account": ACCOUNT, "regions": [REGION], "role_arn": role, "source_identity": True}
    result = run("--manifest", write(tmp_path / "a.yaml", ["f"], targets=[target]))
    expected = f"The trust policy of {role} has to allow sts:AssumeRole, sts:SetSourceIdentity for the server.\n"
    assert (result.exit_code, result.stderr) == (0, expected)


def test_what_is_too_large_for_one_policy_is_printed_as_several(tmp_path: Path) -> None:
    result = run("--manifest", write(tmp_path / "m.yaml", [f"function-{number}" for number in range(100)]))
    assert result.exit_code == 0
    split = json.loads(result.stdout)[ACCOUNT]
    assert [policy["Version"] for policy in split] == ["2012-10-17"] * len(split)
    assert result.stderr == f"Account {ACCOUNT} has {len(split)} policies: attach all of them, in their order.\n"
    assert 1 < len(split) <= 10


def test_more_policies_than_a_role_takes_are_said_to_be_so(tmp_path: Path) -> None:
    result = run("--manifest", write(tmp_path / "m.yaml", [f"function-{number}" for number in range(700)]))
    assert result.exit_code == 0
    assert "A role takes 10 managed policies" in result.stderr


def test_each_policy_is_written_to_a_file_of_its_own(folder: Path, tmp_path: Path) -> None:
    write(folder / "c.yaml", [f"function-{number}" for number in range(100)])
    into = tmp_path / "new" / "policies"
    result = run("--manifest", folder, "--output-dir", into)
    printed = json.loads(run("--manifest", folder).stdout)
    expected = {
        f"lambda-warden-{account}-{number}.json": policy
        for account, split in printed.items()
        for number, policy in enumerate(split, 1)
    }
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [str(into / name) for name in expected]
    assert {path.name: json.loads(path.read_text()) for path in into.iterdir()} == expected
    assert len(expected) > 2
    assert run("--manifest", folder, "--output-dir", into).exit_code == 0


def test_a_policy_that_an_earlier_manifest_needed_is_not_left_among_the_new_ones(folder: Path, tmp_path: Path) -> None:
    into = tmp_path / "policies"
    run("--manifest", folder, "--output-dir", into)
    older = into / f"lambda-warden-{ACCOUNT}-2.json"
    older.write_text("{}")
    (into / "notes.txt").write_text("kept")
    before = {path: path.stat().st_mtime_ns for path in into.iterdir()}
    result = run("--manifest", folder, "--output-dir", into)
    assert result.exit_code == 2
    assert older.name in " ".join(result.stderr.split())
    assert {path: path.stat().st_mtime_ns for path in into.iterdir()} == before


def test_a_folder_that_can_not_be_made_is_named(folder: Path) -> None:
    result = run("--manifest", folder, "--output-dir", folder / "a.yaml" / "policies")
    assert result.exit_code == 2
    assert "can't be written: Not a directory" in " ".join(result.stderr.split())


def test_a_manifest_that_can_not_be_used_is_named_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "m.yaml", ["a*", "*a"])
    result = run("--manifest", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{path}:")


def test_a_manifest_has_to_be_given() -> None:
    result = run()
    assert result.exit_code == 2
    assert "give --manifest a manifest" in result.stderr
