"""`lambda-warden lock`: what selectors select is looked up whole and written whole, or nothing is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.local.deploy import deploy
from lambda_warden.local.endpoint import embedded_endpoint
from lambda_warden.manifests.load import load_manifests
from lambda_warden.report.words import plural
from support.accounts import Accounts, Function, accounts_endpoint
from support.builders import ACCOUNT, OTHER_ACCOUNT, function_arn
from support.locking import select, write_lock

GET, PUT, PAY = (function_arn(name) for name in ("orders-get", "orders-put", "payroll"))
FUNCTIONS = [
    Function("orders-get", tags={"team": "orders", "stage": "prod"}),
    Function("orders-put", tags={"team": "orders", "stage": "test"}),
    Function("payroll", tags={"team": "people", "stage": "prod"}),
]


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accounts]:
    with accounts_endpoint() as running:
        running.add(ACCOUNT, list(FUNCTIONS))
        running.add(OTHER_ACCOUNT, [Function("orders-get")])
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", running.profiles(tmp_path)["AWS_SHARED_CREDENTIALS_FILE"])
        yield running


def manifest(folder: Path, *selects: Mapping[str, Any], more: tuple[dict[str, Any], ...] = ()) -> Path:
    path = folder / "manifest.yaml"
    targets = [{"account": each, "regions": ["us-east-1"], "profile": f"p{each}"} for each in (ACCOUNT, OTHER_ACCOUNT)]
    functions = [{"select": dict(each), "qualifiers": ["live"]} for each in selects]
    path.write_text(yaml.safe_dump({"version": 1, "targets": targets, "functions": [*functions, *more]}))
    return path


def run(command: str, path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [command, *arguments, str(path)])


def allowed(path: Path) -> list[str]:
    return sorted(rule.spec.arn for rule in load_manifests([path]).rules.all)


def differences(result: Result) -> list[str]:
    return [line.partition(", ")[0] for line in result.stdout.splitlines() if line.startswith(("added", "removed"))]


BOTH = {"accounts": [ACCOUNT, OTHER_ACCOUNT]}
TEAM = {"team": "orders"}


def test_what_changed_is_json_on_request(aws: Accounts, tmp_path: Path) -> None:
    path = manifest(tmp_path, select(prefix="orders-"), more=({"arn": PUT, "qualifiers": ["live"]},))
    checked, locked, again = (run("lock", path, "--json", *more) for more in (["--check"], [], ["--check"]))
    assert (checked.exit_code, locked.exit_code, again.exit_code) == (1, 0, 0)
    assert json.loads(checked.stdout) == json.loads(locked.stdout)
    source = f"{path}:2"
    assert json.loads(locked.stdout) == {
        "up_to_date": False,
        "files": [
            {
                "path": str(tmp_path / "manifest.lock"),
                "functions": 1,
                "left_out": [PUT],
                "differences": [
                    {"change": "not locked as it is now", "arn": None, "source": source},
                    {"change": "added", "arn": GET, "source": source},
                ],
            }
        ],
    }
    assert json.loads(again.stdout)["up_to_date"]
    assert json.loads(run("lock", manifest(tmp_path), "--json").stdout) == {"up_to_date": True, "files": []}


@pytest.mark.parametrize(
    ("keys", "selected"),
    [
        ({"prefix": "orders-"}, [GET, PUT]),
        ({"names": ["orders-get", "payroll"]}, [GET, PAY]),
        ({"tags": TEAM}, [GET, PUT]),
        ({"tags": {**TEAM, "stage": "prod"}}, [GET]),
        ({"prefix": "p", "tags": TEAM}, []),
        ({"names": ["orders-put"], "tags": TEAM}, [PUT]),
        ({**BOTH, "names": ["orders-get"]}, [GET, function_arn("orders-get", account=OTHER_ACCOUNT)]),
        ({"prefix": "orders"}, [GET, PUT]),
    ],
    ids=str,
)
def test_what_a_selector_selects_is_locked_and_may_be_called(
    aws: Accounts, tmp_path: Path, keys: dict[str, Any], selected: list[str]
) -> None:
    path = manifest(tmp_path, select(**keys))
    assert allowed(path) == []
    result = run("lock", path)
    assert result.exit_code == 0, result.output
    assert f"Wrote {tmp_path}/manifest.lock, with {plural(len(selected), 'function')}." in result.stdout
    assert differences(result) == [f"added: {arn}" for arn in selected]
    assert allowed(path) == selected
    assert run("lock", path, "--check").exit_code == 0
    assert run("check", path).exit_code == 0


def test_a_changed_account_shows_and_counts_once_it_is_locked(aws: Accounts, tmp_path: Path) -> None:
    path = manifest(tmp_path, select(prefix="orders-"))
    assert run("lock", path).exit_code == 0
    before = (tmp_path / "manifest.lock").read_bytes()
    aws.accounts[ACCOUNT, "us-east-1"].functions = [FUNCTIONS[0], Function("orders-new")]
    new = function_arn("orders-new")
    checked = run("lock", path, "--check")
    assert (checked.exit_code, differences(checked)) == (1, [f"added: {new}", f"removed: {PUT}"])
    assert f"lambda-warden lock {path} writes them." in checked.stdout
    assert (tmp_path / "manifest.lock").read_bytes() == before
    assert allowed(path) == [GET, PUT]
    assert differences(run("lock", path)) == [f"added: {new}", f"removed: {PUT}"]
    assert allowed(path) == [GET, new]
    inode = (tmp_path / "manifest.lock").stat().st_ino
    again = run("lock", path)
    assert again.stdout == f"{tmp_path}/manifest.lock: up to date.\n"
    assert (tmp_path / "manifest.lock").stat().st_ino == inode


def test_a_changed_selector_voids_its_lock_until_it_is_locked_again(aws: Accounts, tmp_path: Path) -> None:
    path = manifest(tmp_path, select(prefix="orders-"))
    assert run("check", path).exit_code == 1
    assert run("lock", path).exit_code == 0
    manifest(tmp_path, select(prefix="orders-g"))
    checked = run("check", path)
    assert checked.exit_code == 1
    assert "select: is not locked as it is now, so it selects nothing." in checked.stderr
    assert "no selector of the manifest is this one" in checked.stderr
    assert allowed(path) == []
    result = run("lock", path)
    assert (result.exit_code, differences(result)) == (0, [f"removed: {PUT}"])
    assert "not locked as it is now: " in result.stdout
    assert "no selector any more: " in result.stdout
    assert allowed(path) == [GET]


def test_the_lock_is_a_file_that_a_person_can_review(aws: Accounts, tmp_path: Path) -> None:
    path = manifest(tmp_path, select(tags=TEAM), select(names=["payroll"]))
    path.chmod(0o640)
    assert run("lock", path).exit_code == 0
    lock = tmp_path / "manifest.lock"
    text = lock.read_text()
    assert text.startswith("# Written by `lambda-warden lock`")
    first, second = yaml.safe_load(text)["selections"]
    assert (first["select"], first["functions"]) == (select(names=["payroll"]), [PAY])
    assert (second["select"], second["functions"]) == (select(tags=TEAM), [GET, PUT])
    assert lock.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["credentials", "manifest.lock", "manifest.yaml"]


@pytest.mark.parametrize("refused", ["ListFunctions", "ListTags"])
def test_what_can_not_be_read_whole_is_not_locked(aws: Accounts, tmp_path: Path, refused: str) -> None:
    path = manifest(tmp_path, select(tags=TEAM))
    assert run("lock", path).exit_code == 0
    before = (tmp_path / "manifest.lock").read_bytes()
    aws.accounts[ACCOUNT, "us-east-1"].refuses = (refused,)
    for arguments in ([], ["--check"]):
        result = run("lock", path, *arguments)
        assert result.exit_code == 2
        assert "It is not known what is selected, so nothing was written." in result.stderr
        assert f"lambda:{refused} in account {ACCOUNT}, us-east-1" in result.stderr
    assert (tmp_path / "manifest.lock").read_bytes() == before


def test_names_that_are_not_there_are_told(aws: Accounts, tmp_path: Path) -> None:
    result = run("lock", manifest(tmp_path, select(names=["orders-get", "gone"])))
    assert result.exit_code == 0
    assert "no function gone is selected" in result.stderr


def test_a_function_with_a_rule_of_its_own_is_left_out(aws: Accounts, tmp_path: Path) -> None:
    own = {"arn": PUT, "qualifiers": ["live"], "effect": "destructive"}
    path = manifest(tmp_path, select(prefix="orders-"), more=(own,))
    result = run("lock", path)
    assert f"left out: {PUT}, which has a rule of its own" in result.stdout
    assert PUT not in (tmp_path / "manifest.lock").read_text()
    assert {rule.spec.arn: rule.spec.effect for rule in load_manifests([path]).rules.all} == {
        GET: "write",
        PUT: "destructive",
    }


def test_what_could_not_be_loaded_is_not_written(aws: Accounts, tmp_path: Path) -> None:
    path = manifest(tmp_path, select(prefix="orders-"), select(tags=TEAM))
    result = run("lock", path)
    assert result.exit_code == 2
    assert "Nothing was written:" in result.stderr
    assert "is already allowed live by the rule at" in result.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["credentials", "manifest.yaml"]


def test_a_lock_that_can_not_be_used_is_written_anew_and_a_link_stays(aws: Accounts, tmp_path: Path) -> None:
    path = manifest(tmp_path, select(prefix="orders-"))
    (tmp_path / "elsewhere").mkdir()
    there = tmp_path / "elsewhere" / "it.lock"
    there.write_text("<<<<<<< HEAD\n")
    (tmp_path / "manifest.lock").symlink_to(there)
    assert run("check", path).exit_code == 1
    result = run("lock", path)
    assert result.exit_code == 0, result.output
    assert "Input should be a valid dictionary" in result.stderr
    assert (tmp_path / "manifest.lock").is_symlink()
    assert allowed(path) == [GET, PUT]


def test_without_a_selector_there_is_nothing_to_lock(aws: Accounts, tmp_path: Path) -> None:
    path = manifest(tmp_path, more=({"arn": GET, "qualifiers": ["live"]},))
    result = run("lock", path)
    assert (result.exit_code, aws.received) == (0, [])
    assert not (tmp_path / "manifest.lock").exists()


def test_commands_see_each_function_that_is_selected(aws: Accounts, tmp_path: Path) -> None:
    path = manifest(tmp_path, select(prefix="orders-"))
    runner = CliRunner()
    for command in (["explain", GET + ":live"], ["iam-policy"], ["doctor"]):
        result = runner.invoke(main, [*command, "--manifest", str(path)])
        assert "is not locked as it is now, so it selects nothing" in result.output
        assert command == ["iam-policy"] or result.exit_code == 1
    lock = write_lock(path, (select(prefix="orders-"), [GET, PUT]))
    explained = runner.invoke(main, ["explain", GET + ":live", "--manifest", str(path), "--json"])
    assert json.loads(explained.stdout)["locked_at"].startswith(f"{lock}:")
    assert explained.exit_code == 0
    said = runner.invoke(main, ["explain", GET + ":live", "--manifest", str(path)]).stdout
    assert f"Locked at: {lock}:" in said
    policy = runner.invoke(main, ["iam-policy", "--manifest", str(path)]).stdout
    assert {f'"{arn}:live"' in policy for arn in (GET, PUT)} == {True}
    checked = runner.invoke(main, ["check", str(path)]).stdout
    assert f"{GET}\n" in checked
    assert f"locked at {lock}:" in " ".join(checked.split())
    # init proposes what no rule allows, and adds to the manifest while its lock holds.
    args = ["init", "--output", str(path), "--profile", f"p{ACCOUNT}", "--yes", "--no-roles"]
    added = runner.invoke(main, args)
    assert added.exit_code == 0, added.output
    assert [line for line in added.stdout.splitlines() if line.startswith("new: ")] == [f"new: {PAY}"]
    assert "with 2 rules in force" in added.stdout


def test_tags_of_functions_at_the_embedded_endpoint_select_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    (tmp_path / "endpoint").mkdir()
    with embedded_endpoint(tmp_path / "endpoint") as url:
        client = boto3.client("lambda", region_name="us-east-1", endpoint_url=url)
        deploy(client, ACCOUNT)
        lookup = client.get_function(FunctionName="order-lookup")["Configuration"]["FunctionArn"]
        client.tag_resource(Resource=lookup, Tags={"assistant": "yes"})
        path = tmp_path / "manifest.yaml"
        target = {"account": ACCOUNT, "regions": ["us-east-1"], "endpoint_url": url}
        rule = {"select": select(tags={"assistant": "yes"}), "qualifiers": ["live"]}
        path.write_text(yaml.safe_dump({"version": 1, "targets": [target], "functions": [rule]}))
        assert run("lock", path).exit_code == 0
        assert allowed(path) == [function_arn("order-lookup")]
        client.tag_resource(Resource=function_arn("order-refund"), Tags={"assistant": "yes"})
        client.untag_resource(Resource=lookup, TagKeys=["assistant"])
        checked = run("lock", path, "--check")
        assert checked.exit_code == 1
        assert differences(checked) == [
            f"added: {function_arn('order-refund')}",
            f"removed: {function_arn('order-lookup')}",
        ]
