"""`lambda-warden explain`: which rule, on which line, decides what of a request, without sending anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.commands.explain import explain
from lambda_warden.model.result import DryRunResult
from support.builders import OTHER_REGION, function_arn

MANIFEST = """\
version: 1
targets: [{account: "123456789012", regions: [us-east-1]}]
functions:
  - arn: arn:aws:lambda:us-east-1:123456789012:function:orders-refund
    qualifiers: [live, "7"]
    payload: {schema: {type: object, required: [orderId]}, max_bytes: 100}
  - arn: arn:aws:lambda:us-east-1:123456789012:function:report-*
    qualifiers: [live]
  - arn: arn:aws:lambda:us-east-1:123456789012:function:wipe
    qualifiers: [live, "7"]
    effect: destructive
    expect_version: ["7"]
    limits: {per_day: 1}
    principals: [ops]
deny:
  - arn: arn:*:lambda:*:*:function:*-payroll
    reason: frozen for the audit
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.yaml"
    path.write_text(MANIFEST)
    return path


def run(manifest: Path, *arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(explain, ["--manifest", str(manifest), *map(str, arguments)], env=env)


def as_json(manifest: Path, *arguments: str) -> dict[str, Any]:
    answer = json.loads(run(manifest, "--json", *arguments).stdout)
    assert isinstance(answer, dict)
    return answer


def marks(result: Result) -> dict[str, str]:
    """The mark of every check."""
    return {line[2:].split(":")[0]: line[0] for line in result.stdout.splitlines() if line[1:2] == " "}


# Allowed


def test_a_call_that_would_be_allowed_is_shown_with_its_rule_its_line_and_every_check(manifest: Path) -> None:
    result = run(manifest, "orders-refund", "--qualifier", "live", "--payload", '{"orderId": "A-1"}')
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"{function_arn('orders-refund')}:live would be allowed. Nothing was sent.",
        f"Rule: {function_arn('orders-refund')} ({manifest}:4)",
        f"✓ resolve: means {function_arn('orders-refund')}:live",
        f"✓ manifest_rule: allowed by the rule for {function_arn('orders-refund')}",
        "✓ qualifier: live is allowed",
        "✓ principal: local may call it",
        "✓ invocation_type: RequestResponse is allowed",
        "✓ tenant: no tenant is named",
        "✓ payload_size: 17 of at most 100 bytes",
        "✓ payload_schema: the payload fits its schema",
    ]


def test_a_call_under_a_pattern_is_shown_with_the_pattern(manifest: Path) -> None:
    result = run(manifest, "report-daily:live")
    assert result.exit_code == 0
    assert f"Rule: {function_arn('report-*')} ({manifest}:7)" in result.stdout


def test_the_payload_may_stand_in_a_file(manifest: Path) -> None:
    file = manifest.with_name("payload.json")
    file.write_text('{"orderId": "\u00e4"}', encoding="utf-8")
    assert run(manifest, "orders-refund:7", "--payload-file", file).exit_code == 0
    file.write_text("[]")
    assert run(manifest, "orders-refund:7", "--payload-file", file).exit_code == 1


def test_what_only_a_call_can_answer_is_left_open(manifest: Path) -> None:
    result = run(manifest, "wipe:live", "--principal", "ops")
    assert result.exit_code == 0
    assert {name for name, mark in marks(result).items() if mark == "-"} == {"alias", "approval", "limits"}
    assert "has to lead to version 7 alone" in result.stdout
    by_version = run(manifest, "wipe:7", "--principal", "ops")
    assert {name for name, mark in marks(by_version).items() if mark == "-"} == {"approval", "limits"}
    probe = run(manifest, "wipe:live", "--principal", "ops", "--invocation-type", "DryRun")
    assert {name for name, mark in marks(probe).items() if mark == "-"} == {"alias"}


def test_a_caller_is_named_as_an_access_token_would(manifest: Path) -> None:
    manifest.write_text(
        MANIFEST.replace("principals: [ops]", "principals: [group:sre]\n    scopes: [run]\n    clients: [ide]")
    )
    ann = ["wipe:7", "--principal", "user:ann", "--group", "dev", "--group", "sre", "--scope", "run", "--client", "ide"]
    assert run(manifest, *ann).exit_code == 0
    for other in (ann[:-4], ann[:-2], [*ann, "--actor", "bot"], [*ann[:3], *ann[7:]]):
        assert marks(run(manifest, *other))["principal"] == "✗"


def test_the_limits_of_a_principal_are_left_open_too(manifest: Path) -> None:
    manifest.write_text(MANIFEST + "principals: {ci: {limits: {per_minute: 1}}}\n")
    assert marks(run(manifest, "report-a:live", "--principal", "ci"))["limits"] == "-"
    assert "limits" not in marks(run(manifest, "report-a:live"))


# Denied


def denied_by(result: Result) -> str:
    assert result.exit_code == 1
    assert " would be denied. Nothing was sent.\n" in result.stdout
    return next(name for name, mark in marks(result).items() if mark == "✗")


def test_a_function_that_no_rule_names_is_denied_by_no_rule(manifest: Path) -> None:
    result = run(manifest, "orders-lookup:live")
    assert denied_by(result) == "manifest_rule"
    assert "Rule: none" in result.stdout
    assert marks(result)["payload_schema"] == "-"


def test_a_qualifier_that_no_rule_allows_is_shown_with_the_rule_of_the_function(manifest: Path) -> None:
    result = run(manifest, "orders-refund:beta")
    assert denied_by(result) == "qualifier"
    assert f"Rule: {function_arn('orders-refund')} ({manifest}:4)" in result.stdout
    assert marks(result)["payload_schema"] == "-"


def test_a_deny_entry_is_shown_with_its_line_and_its_reason(manifest: Path) -> None:
    result = run(manifest, "report-payroll:live")
    assert denied_by(result) == "manifest_rule"
    assert f"Rule: arn:*:lambda:*:*:function:*-payroll ({manifest}:16)" in result.stdout
    assert "frozen for the audit" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "check"),
    [
        (["orders-refund"], "qualifier"),
        (["orders-refund:live", "--invocation-type", "Event"], "invocation_type"),
        (["orders-refund:live"], "payload_schema"),
        (["orders-refund:live", "--payload", '{"id": 1}'], "payload_schema"),
        (["orders-refund:live", "--payload", json.dumps({"orderId": "x" * 100})], "payload_size"),
        (["wipe:live"], "principal"),
        (["report-a:live", "--tenant-id", "blue"], "tenant"),
        (["report-a:live", "--tenant-id", "a\n"], "arguments"),
        (["orders-refund:live", "--qualifier", "7"], "resolve"),
        (["arn:aws:s3:::bucket"], "resolve"),
        (["orders-refund:live", "--payload", '"{}"'], "payload_schema"),
        (["report-daily:live", "--payload", '"{}"'], "arguments"),
        ([""], "arguments"),
    ],
)
def test_a_call_is_denied_by_the_check_that_would_deny_it(manifest: Path, arguments: list[str], check: str) -> None:
    assert denied_by(run(manifest, *arguments)) == check


def test_a_reason_stays_on_its_line_and_shows_what_it_holds(manifest: Path) -> None:
    result = run(manifest, "orders-refund:live", "--payload", json.dumps({"a\n✓ b\x1b[2J": 1}))
    assert denied_by(result) == "payload_schema"
    assert "\x1b" not in result.stdout
    assert len(result.stdout.splitlines()) == 10


# As JSON


@pytest.mark.parametrize("function", ["report-daily:live", "report-payroll:live", "orders-lookup", "x y"])
def test_the_json_is_what_dry_run_answers_with_the_line_of_the_rule(manifest: Path, function: str) -> None:
    answer = as_json(manifest, function)
    source, defaults, locked = (answer.pop(key) for key in ("rule_source", "defaults", "locked_at"))
    assert (defaults, locked) == ({}, None)
    result = DryRunResult.model_validate(answer)
    assert result.would_invoke is (function == "report-daily:live")
    assert (source is None) is (result.rule is None)


def test_the_json_of_an_allowed_call_names_all_of_it(manifest: Path) -> None:
    answer = as_json(manifest, "orders-refund:7", "--payload", '{"orderId": 1}')
    assert answer["would_invoke"] is True
    assert (answer["function"], answer["qualifier"]) == (function_arn("orders-refund"), "7")
    assert (answer["rule"], answer["rule_source"]) == (function_arn("orders-refund"), f"{manifest}:4")
    assert (answer["payload_bytes"], answer["invocation_type"]) == (13, "RequestResponse")


def test_what_comes_from_defaults_is_said_with_its_line(manifest: Path) -> None:
    manifest.write_text("defaults: {limits: {per_day: 5}}\n" + manifest.read_text())
    source = f"{manifest}:1"
    assert as_json(manifest, "orders-refund:7", "--payload", '{"orderId": 1}')["defaults"] == {"limits": source}
    assert f"Defaults: limits ({source})" in run(manifest, "orders-refund:7").stdout
    checked = CliRunner().invoke(main, ["check", str(manifest)])
    assert f"defaults  limits ({source})" in checked.stdout


# Regions


def test_a_region_chooses_among_several(manifest: Path) -> None:
    manifest.write_text(MANIFEST.replace("[us-east-1]", f"[us-east-1, {OTHER_REGION}]"))
    assert denied_by(run(manifest, "report-a:live")) == "resolve"
    assert run(manifest, "report-a:live", "--region", "us-east-1").exit_code == 0
    assert denied_by(run(manifest, "report-a:live", "--region", OTHER_REGION)) == "manifest_rule"
    for variable in ("LAMBDA_WARDEN_REGION", "AWS_DEFAULT_REGION"):
        assert run(manifest, "report-a:live", env={variable: "us-east-1"}).exit_code == 0


# Questions without an answer


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Missing argument 'FUNCTION'"),
        (["f", "--payload", "{"], "'--payload': is not JSON"),
        (["f", "--payload", '{"a": 1, "a": 2}'], "an object has a key twice"),
        (["f", "--payload", "\udcff"], "'--payload': is not JSON"),
        (["f", "--payload", "1", "--payload-file", "x"], "either --payload or --payload-file"),
        (["f", "--payload-file", "none.json"], "none.json: No such file"),
        (["f", "--invocation-type", "event"], "'--invocation-type'"),
        (["f", "--principal", "a b"], "'--principal'"),
    ],
)
def test_a_question_that_can_not_be_read_is_no_denial(manifest: Path, arguments: list[str], problem: str) -> None:
    result = run(manifest, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr


def test_a_manifest_that_can_not_be_used_is_no_denial(manifest: Path) -> None:
    manifest.write_text(MANIFEST.replace("version: 1", "version: 2"))
    result = run(manifest, "report-a:live")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{manifest}:1: ")
