"""`lambda-warden init`: what it finds in accounts, what a person chooses, and that their edits stay as they are."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.manifests.load import load_manifests
from support.accounts import Accounts, Function, accounts_endpoint
from support.builders import ACCOUNT, OTHER_ACCOUNT, function_arn
from support.terminal import in_terminal

READS = {"Statement": [{"Effect": "Allow", "Action": ["dynamodb:GetItem", "logs:PutLogEvents"], "Resource": "*"}]}


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accounts]:
    with accounts_endpoint() as running:
        running.add(ACCOUNT, [Function("orders-get"), Function("orders-refund", aliases=("beta", "live"))])
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", running.profiles(tmp_path)["AWS_SHARED_CREDENTIALS_FILE"])
        yield running


def run(output: Path, *arguments: str, account: str = ACCOUNT) -> Result:
    profile = [] if "--profile" in arguments or "--template" in arguments else ["--profile", f"p{account}"]
    return CliRunner().invoke(main, ["init", "--output", str(output), *profile, *arguments])


def allow(text: str, name: str) -> str:
    """As a person takes the comments off one rule."""
    lines, inside = [], False
    for line in text.splitlines(keepends=True):
        inside = (name in line and "- arn:" in line) or (inside and line.startswith("  #   "))
        lines.append(line.replace("# ", "", 1) if inside else line)
    return "".join(lines)


def test_400_functions_in_6_accounts_are_written_and_nothing_is_allowed(aws: Accounts, tmp_path: Path) -> None:
    ids = [f"{number:012}" for number in range(111, 117)]
    for index, account in enumerate(ids):
        aws.add(account, [Function(f"f{index}-{n}") for n in range(67 if index < 4 else 66)])
    aws.profiles(tmp_path)
    aws.throttle = 3
    profiles = [part for account in ids for part in ("--profile", f"p{account}")]
    output = tmp_path / "m" / "manifest.yaml"
    result = run(output, "--yes", "--no-roles", *profiles)
    assert result.exit_code == 0, result.output
    assert "Wrote" in result.stdout
    assert "400 commented out" in result.stdout
    loaded = load_manifests([output])
    assert (len(loaded.rules.all), len(loaded.rules.targets)) == (0, 6)
    assert output.read_text().count("- arn:") == 400
    assert "allows nothing yet" in CliRunner().invoke(main, ["check", str(output)]).stderr
    everything = tmp_path / "all.yaml"
    everything.write_text(output.read_text().replace("  # -", "  -").replace("  #   ", "    "))
    assert len(load_manifests([everything]).rules.all) == 400
    again = run(output, "--yes", "--no-roles", *profiles)
    assert again.stdout == f"{output}: nothing to add.\n"


def test_edits_of_a_person_stay_byte_for_byte_while_the_account_changes(aws: Accounts, tmp_path: Path) -> None:
    output = tmp_path / "manifest.yaml"
    assert run(output, "--yes").exit_code == 0
    edited = allow(output.read_text(), "orders-get").replace(
        "effect: write  # a guess; read", "effect:   read # I know."
    )
    edited = (
        allow(edited, "orders-refund") + "\n# of mine\ndeny:\n- arn: 'arn:aws:lambda:*:*:function:*-payroll'   # no\n"
    )
    edited = edited.replace("\n", "\r\n")
    output.write_bytes(edited.encode())
    output.chmod(0o640)
    assert len(load_manifests([output]).rules.all) == 2

    here = aws.accounts[ACCOUNT, "us-east-1"]
    here.functions = [Function("orders-refund", aliases=("prod",)), Function("orders-new", aliases=())]
    aws.add(OTHER_ACCOUNT, [Function("elsewhere")])
    aws.profiles(tmp_path)
    result = run(output, "--yes", "--profile", f"p{ACCOUNT}", "--profile", f"p{OTHER_ACCOUNT}")
    assert result.exit_code == 0, result.output
    told = result.stdout.splitlines()
    assert [line.split(" of ")[0].split(", which")[0] for line in told[:5]] == [
        f"new: {function_arn('orders-new')}",
        f"new: {function_arn('elsewhere', account=OTHER_ACCOUNT)}",
        f"gone: {function_arn('orders-get')}",
        "alias not allowed: prod",
        "alias gone: live",
    ]
    merged = output.read_bytes().decode()
    left = iter(merged.splitlines(keepends=True))
    assert all(line in left for line in edited.splitlines(keepends=True))  # all of it, in its order
    assert "\n" not in merged.replace("\r\n", "")
    assert output.stat().st_mode & 0o777 == 0o640
    assert "orders-new has no alias" in merged
    assert "aws lambda create-alias --function-name orders-new --region us-east-1 --profile" in merged
    assert len(load_manifests([output]).rules.all) == 2
    assert merged.endswith(edited[edited.index("\r\n# of mine") :])
    assert run(output, "--yes").stdout.splitlines()[-1] == f"{output}: nothing to add."
    assert output.read_bytes().decode() == merged


def test_a_person_chooses_at_a_terminal_and_nothing_else_is_allowed(
    aws: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "manifest.yaml"
    arguments = ["init", "--output", str(output), "--profile", f"p{ACCOUNT}"]
    ended = in_terminal(tmp_path, arguments, " ", asks=b"type to filter)")
    assert ended.code == 0, ended.shown
    (rule,) = load_manifests([output]).rules.all
    assert (rule.spec.arn, rule.spec.qualifiers, rule.spec.effect) == (function_arn("orders-get"), ["live"], "write")
    assert f"# not chosen: {function_arn('orders-refund')}" in output.read_text()
    again = in_terminal(tmp_path, arguments, "", asks=b"type to filter)")
    assert "nothing to add" in again.shown
    assert "new:" not in again.shown


def test_what_is_refused_is_said_and_the_rest_is_written(aws: Accounts, tmp_path: Path) -> None:
    aws.accounts[ACCOUNT, "us-east-1"].refuses = ("ListAliases",)
    aws.add(OTHER_ACCOUNT, [Function("hidden")]).refuses = ("ListFunctions",)
    aws.profiles(tmp_path)
    output = tmp_path / "manifest.yaml"
    result = run(output, "--yes", "--profile", f"p{ACCOUNT}", "--profile", f"p{OTHER_ACCOUNT}", "--profile", "nobody")
    assert result.exit_code == 0, result.output
    assert (
        f"Warning: lambda:ListAliases in account {ACCOUNT}, us-east-1: AccessDeniedException (2 times)" in result.stderr
    )
    assert (
        f"Warning: lambda:ListFunctions in account {OTHER_ACCOUNT}, us-east-1: AccessDeniedException" in result.stderr
    )
    assert "Warning: profile nobody: sts:GetCallerIdentity: ProfileNotFound" in result.stderr
    assert "its aliases could not be read" in output.read_text()
    nothing = run(tmp_path / "none.yaml", "--yes", account=OTHER_ACCOUNT)
    assert (nothing.exit_code, (tmp_path / "none.yaml").exists()) == (1, False)
    assert run(tmp_path / "none.yaml", "--profile", "nobody").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--region", "moon-1"], "unknown region 'moon-1'"),
        (["--tag", "team"], "'team' is not KEY=VALUE"),
        (["--role-arn", "warden"], "'warden' is not the ARN of a role"),
        (["--account", "12"], "--account takes 12 digits"),
        (["--profile", "a", "--profile", "b", "--account", ACCOUNT], "take one --profile"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: list[str], says: str, tmp_path: Path) -> None:
    result = run(tmp_path / "m.yaml", *arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())


def test_where_there_is_no_function_the_account_and_the_region_are_named(aws: Accounts, tmp_path: Path) -> None:
    result = run(tmp_path / "made.yaml", "--yes", "--prefix", "billing-")
    assert result.exit_code == 1
    assert f"no function was found in {ACCOUNT} us-east-1, so nothing was written" in result.stderr
    assert not (tmp_path / "made.yaml").exists()


def test_an_account_that_is_named_is_not_asked_of_sts(aws: Accounts, tmp_path: Path) -> None:
    assert run(tmp_path / "m.yaml", "--yes", "--account", ACCOUNT, "--no-roles").exit_code == 0
    assert {received.method for received in aws.received} == {"GET"}  # STS is asked with POST


def test_prefix_tags_roles_and_an_assumed_role(aws: Accounts, tmp_path: Path) -> None:
    team = {"team": "orders"}
    here = aws.add(
        OTHER_ACCOUNT,
        [
            Function("orders-a", tags=team, role="reader"),
            Function("orders-b"),
            Function("else", tags=team),
            Function("orders-c", tags=team, role="writer"),
            Function("orders-d", tags=team, role=""),
        ],
    )
    here.policies = {"reader": READS}
    here.managed = {"reader": READS, "writer": {"Statement": {"Effect": "Allow", "Action": "s3:PutObject"}}}
    role = f"arn:aws:iam::{OTHER_ACCOUNT}:role/warden"
    output = tmp_path / "manifest.yaml"
    result = run(output, "--yes", "--prefix", "orders-", "--tag", "team=orders", "--role-arn", role)
    assert result.exit_code == 0, result.output
    text = output.read_text()
    assert re.findall(r"function:(.*)", text) == ["orders-a", "orders-c", "orders-d"]
    assert "a guess: its role may s3:PutObject" in text
    assert "a guess; read, if it changes nothing: its role may only read" in text
    (target,) = load_manifests([output]).rules.targets
    assert (target.account, target.role_arn, target.profile) == (OTHER_ACCOUNT, role, f"p{ACCOUNT}")


def test_samples_become_schemas_which_a_person_may_change(aws: Accounts, tmp_path: Path) -> None:
    samples = tmp_path / "samples"
    (samples / "orders-get").mkdir(parents=True)
    for number in (1, 2):
        (samples / "orders-get" / f"{number}.json").write_text(json.dumps({"id": f"A-{number}", "n": number}))
    (samples / "orders-refund.schema.json").write_text('{"type": "nonsense"}')
    output = tmp_path / "out" / "manifest.yaml"
    ended = in_terminal(
        tmp_path,
        ["init", "--output", str(output), "--profile", f"p{ACCOUNT}", "--samples", str(samples)],
        " ",
        asks=b"type to filter)",
    )
    assert ended.code == 0, ended.shown
    (rule,) = load_manifests([output]).rules.all
    assert rule.schema is not None
    assert rule.schema.problem({"id": "A-3", "n": 3}) is None
    assert rule.schema.problem({"id": "A-3", "n": 3, "more": 1}) is not None
    schema = output.parent / "schemas" / "orders-get.json"
    schema.write_text("{}")
    output.unlink()
    refused = run(output, "--yes", "--samples", str(samples))
    assert "Warning: no schema for orders-refund" in refused.stderr
    assert schema.read_text() == "{}"


def test_who_selects_nothing_is_told_how_and_nothing_is_written(aws: Accounts, tmp_path: Path) -> None:
    output = tmp_path / "manifest.yaml"
    arguments = ["init", "--no-roles", "--output", str(output), "--profile", f"p{ACCOUNT}"]
    ended = in_terminal(tmp_path, arguments, "", asks=b"type to filter)")
    assert (ended.code, output.exists()) == (1, False)
    assert "the space bar selects" in ended.shown


def test_schemas_of_the_registry_are_those_that_functions_tags_name(aws: Accounts, tmp_path: Path) -> None:
    order = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}}}
    draft_4 = json.dumps({"$schema": "http://json-schema.org/draft-04/schema#", **order})
    names = {"orders-a": "orders/A", "orders-b": "orders/B@1", "orders-c": "orders/none", "orders-d": "orders/Tuple"}
    arns = {name: f"arn:aws:schemas:us-east-1:{ACCOUNT}:schema/{of}" for name, of in names.items()}
    tagged = [Function(name, tags={"schema": arn}) for name, arn in {**arns, "orders-e": "orders/A"}.items()]
    here = aws.add(ACCOUNT, [*tagged, Function("orders-f")])
    here.schemas = {
        "orders/A": ("JSONSchemaDraft4", draft_4),
        "orders/B@1": ("OpenApi3", draft_4),
        "orders/Tuple": ("JSONSchemaDraft4", '{"items": [{"type": "string"}]}'),
    }
    output = tmp_path / "manifest.yaml"
    done = run(output, "--yes", "--no-roles", "--schema-tag", "schema")
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "schemas").iterdir()) == ["orders-a.json", "orders-b.json"]
    for name in ("orders-a", "orders-b"):
        output.write_text(allow(output.read_text(), name))
    for rule in load_manifests([output]).rules.all:
        assert rule.schema is not None
        assert [rule.schema.problem({"n": n}) is None for n in (1, 0)] == [True, False]
    assert "NotFoundException" in done.stderr
    assert "no schema for orders-d: " in done.stderr
    assert "no schema for orders-e: its tag schema is no ARN of a schema" in done.stderr


def test_a_text_that_the_additions_would_become_part_of_is_left_alone(aws: Accounts, tmp_path: Path) -> None:
    output = tmp_path / "manifest.yaml"
    target = f'targets: [{{account: "{ACCOUNT}", regions: [us-east-1]}}]'
    rule = f"- arn: {function_arn('orders-get')}\n  qualifiers: [live]\n  description: |\n    x"
    text = f"version: 1\n{target}\nfunctions:\n{rule}"
    output.write_text(text)
    result = run(output, "--yes")
    assert (result.exit_code, output.read_text()) == (1, text)
    assert "what functions says would change. This would be added:" in result.stderr


def test_a_dry_run_and_a_manifest_that_can_not_be_used_write_nothing(aws: Accounts, tmp_path: Path) -> None:
    output = tmp_path / "manifest.yaml"
    dry = run(output, "--yes", "--dry-run")
    assert dry.exit_code == 0
    assert "- arn: " in dry.stdout
    assert not output.exists()
    output.write_text("functions: [")
    assert run(output, "--yes").exit_code == 2
    braces = f'{{version: 1, targets: [{{account: "{ACCOUNT}", regions: [us-east-1]}}], functions: []}}'
    output.write_text(braces)
    refused = run(output, "--yes")
    assert refused.exit_code == 1
    assert "is left as it is: the manifest is written in braces" in refused.stderr
    assert output.read_text() == braces
    assert [path.name for path in tmp_path.iterdir() if "init" in path.name] == []


def test_a_template_gives_the_functions_that_have_names(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        """
Globals: {Function: {AutoPublishAlias: live}}
Resources:
  Orders: {Type: AWS::Serverless::Function, Properties: {FunctionName: orders, Description: Orders.}}
  Plain: {Type: AWS::Lambda::Function, Properties: {FunctionName: plain}}
  Alias: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref Plain, Name: prod}}
  Unnamed: {Type: AWS::Lambda::Function, Properties: {}}
  Computed: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub "${AWS::StackName}-f"}}
"""
    )
    output = tmp_path / "manifest.yaml"
    arguments = ["--template", str(template), "--account", ACCOUNT, "--region", "us-east-1", "--yes"]
    result = run(output, *arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:2] == [
        "skipped: 'Unnamed': has no FunctionName, so CloudFormation makes one up when it is deployed",
        "skipped: 'Computed': its FunctionName is computed when it is deployed",
    ]
    text = output.read_text()
    assert [line.strip() for line in text.splitlines() if "qualifiers:" in line and "arn" not in line] == [
        '#   qualifiers: ["live"]',
        '#   qualifiers: ["prod"]',
    ]
    assert run(output, "--template", str(template), "--yes").exit_code == 2


def test_the_readmes_four_lines_lead_to_a_manifest_that_can_be_used(
    aws: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    credentials = tmp_path / "credentials"
    credentials.write_text(credentials.read_text().replace(f"[p{ACCOUNT}]", "[ops]"))
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    block = readme.partition("```console\n")[2].partition("```")[0]
    init, *others, install = [shlex.split(line.removeprefix("$ lambda-warden ")) for line in block.splitlines()]
    ended = in_terminal(tmp_path, init, " ", asks=b"type to filter)")
    assert ended.code == 0, ended.shown
    for command in others:
        result = CliRunner().invoke(main, [os.path.expanduser(each) for each in command])  # noqa: PTH111 - as a shell
        assert result.exit_code == 0, result.output
        assert function_arn("orders-get") in result.stdout
    assert isinstance(main, click.Group)
    found = main.get_command(click.Context(main), install[0])
    assert found is not None
    parsed = found.make_context(install[0], install[1:])  # running it would start a host's command
    assert parsed.params["manifests"] == (tmp_path / ".config" / "lambda-warden" / "manifest.yaml",)
