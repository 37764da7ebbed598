"""`lambda-warden check`: what a reviewer reads of a manifest, what it makes them stop at, and what AWS says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from support.account_endpoint import IDENTITY, Account, account_endpoint
from support.scripted_endpoint import refused
from support.warden import Rule, allow, arn, write_manifest

SAFE = {"limits": {"per_minute": 1}}
BOUND = {**SAFE, "payload": {"schema": {"type": "object"}}, "expect_version": ["7"]}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with account_endpoint(monkeypatch) as made:
        yield made


def run(folder: Path, rules: Sequence[Rule], *options: str, url: str = "http://127.0.0.1:9", **keys: Any) -> Result:
    manifest = write_manifest(folder, url, rules, **keys)
    return CliRunner().invoke(main, ["check", str(manifest), "--records", str(folder / "r.sqlite3"), *options])


def document(result: Result) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(result.stdout)
    assert shown["ok"] is (result.exit_code == 0)
    return shown


def test_each_rule_is_shown_as_a_reviewer_asks(tmp_path: Path) -> None:
    asked = {"approvers": ["group:sre"], "not_requester": True, "expires": "60s"}
    bounds: dict[str, Any] = {
        "limits": {"per_minute": 10, "per_day": 2000},
        "logs": {},
        "payload": {"schema": {"type": "object"}},
    }
    rules = [
        allow(
            *("f", "live", "7", "$LATEST"),
            **bounds,
            effect="destructive",
            approval=asked,
            tenants=["blue"],
            principals=["group:ops"],
            stop_after_failures={"count": 5},
            expose={"tool": "run_f", "qualifier": "live"},
        ),
        allow("g", effect="read", result={"redact": ["/card"]}, principals=["group:ops"]),
    ]
    manifest = tmp_path / "manifest.yaml"
    result = run(tmp_path, rules, deny=[{"arn": "arn:aws:lambda:*:*:function:*-pay", "reason": "payroll"}])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"destructive  {arn('f')}"
    assert lines[2:12] == [
        "  calls     live, 7, $LATEST; RequestResponse",
        "  runs      live, whatever it leads to; version 7; $LATEST, which each deployment changes",
        "  approval  1 of group:sre, not who asks, within 60 s",
        "  callers   principals group:ops; tenants blue",
        "  limits    10 a minute, 2,000 a day",
        "  payload   fits its schema, at most 6,291,456 bytes",
        "  result    at most 16,384 bytes",
        "  logs      read: own",
        "  stops     after 5 failures in a row, for 900 s",
        "  tool      run_f runs live",
    ]
    assert lines[lines.index(f"read  {arn('g')}") :] == [
        f"read  {arn('g')}",
        lines[lines.index(f"read  {arn('g')}") + 1],
        "  calls     live; RequestResponse",
        "  runs      live, whatever it leads to",
        "  approval  none",
        "  callers   principals group:ops",
        "  limits    none",
        "  payload   any JSON, at most 6,291,456 bytes",
        "  result    at most 16,384 bytes, without /card",
        "  logs      nobody's",
        "",
        "denied  arn:aws:lambda:*:*:function:*-pay",
        f"  at        {manifest}:2",
        "  calls     every qualifier: payroll",
        "",
        f"{manifest} is valid: 2 rules, 2 warnings. Everything else is denied.",
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (allow("f", effect="read"), []),
        (allow("f", **SAFE), []),
        (allow("f", effect="destructive", **BOUND), []),
        (allow("f"), ["write, and no limits"]),
        (allow("f", effect="destructive", approval="never", **BOUND), ["destructive, and no person approves"]),
        (allow("f", effect="destructive", **BOUND | {"payload": {}}), ["destructive, and any JSON may be sent"]),
        (
            allow("f", effect="destructive", **BOUND | {"expect_version": None}),
            ["what live runs is up to whoever may move it"],
        ),
        (
            allow("f", effect="destructive", approval={"approvers": ["group:sre"]}, principals=["user:ann"], **BOUND),
            ["who asks may be who approves"],
        ),
        (allow("f", "$LATEST", effect="read"), ["$LATEST runs code that nobody published"]),
        (allow("f-*", effect="read"), ["allows each function whose name fits, also one made later"]),
        (allow("f", effect="read", logs={"read": "any"}), ["logs of anybody's invocations can be read"]),
        (allow("f", effect="read", tenants=["*"]), ["calls may name any tenant"]),
        (allow("f", effect="read", tenants="caller"), ["everybody may call"]),
    ],
)
def test_what_a_reviewer_would_stop_at_is_told_with_what_to_write(
    rule: Rule, expected: list[str], tmp_path: Path
) -> None:
    shown = document(run(tmp_path, [rule], "--json"))
    assert [each["detail"] for each in shown["findings"]] == expected
    for each in shown["findings"]:
        assert (each["state"], each["check"], each["source"]) == ("warning", "review", shown["rules"][0]["source"])
        assert each["next_step"]


@pytest.mark.parametrize(
    ("options", "keys", "told"),
    [
        ([], {}, False),
        (["--auth-issuer", "https://id.example.com"], {}, True),
        ([], {"principals": {"user:ann": {"limits": {"per_day": 9}}}}, True),
        ([], {"principals": {"ops": {"limits": {"per_day": 9}}}}, False),
    ],
)
def test_that_everybody_may_call_is_told_where_callers_are_told_apart(
    options: list[str], keys: dict[str, Any], told: bool, tmp_path: Path
) -> None:
    shown = document(run(tmp_path, [allow("f", effect="read")], "--json", *options, **keys))
    assert [each["detail"] for each in shown["findings"]] == ["everybody may call"] * told


def test_the_document_has_what_the_manifest_says_and_what_it_leaves_out(tmp_path: Path) -> None:
    rules = [allow("f", effect="destructive"), allow("g", approval="never")]
    shown = document(run(tmp_path, rules, "--json", principals={"ops": {"limits": {"per_day": 9}}}))
    assert list(shown) == [
        *("ok", "files", "manifest_sha256", "targets", "rules", "deny", "principals", "findings"),
    ]
    assert [rule["approval"] and rule["approval"]["count"] for rule in shown["rules"]] == [1, None]
    assert shown["rules"][0]["payload"] == {"schema": None, "max_bytes": 6291456}
    assert shown["principals"] == {"ops": {"per_minute": None, "per_day": 9, "concurrent": None}}


def test_a_manifest_that_can_not_be_used_is_a_document_with_the_lines_of_its_problems(tmp_path: Path) -> None:
    result = run(tmp_path, [allow("f", colour="red")], "--json")
    shown = document(result)
    assert (result.exit_code, shown["rules"], shown["manifest_sha256"]) == (1, [], None)
    (problem,) = shown["findings"]
    assert problem["source"].startswith(f"{tmp_path / 'manifest.yaml'}:")
    assert "unknown key 'colour'" in problem["detail"]


def test_with_aws_all_that_is_there_is_well(account: Account, tmp_path: Path) -> None:
    result = run(
        tmp_path, [allow("f", "live", "7", effect="read"), allow("report-*", effect="read")], "--aws", url=account.url
    )
    assert result.exit_code == 0, result.output
    assert f"123456789012 us-east-1: {IDENTITY}" in result.stdout
    assert "3 may be invoked" in result.stdout
    assert account.started == []


@pytest.mark.parametrize(
    ("rule", "code", "check", "detail", "step"),
    [
        (allow("none"), 1, "functions", "there is no function none", "deploy it"),
        (allow("f", "8"), 1, "functions", "it has no version 8", "publish it"),
        (allow("f", "old"), 1, "functions", "it has no alias old", "aws lambda create-alias"),
        (allow("nothing-*"), 0, "functions", "no function fits this pattern", "correct the pattern"),
        (allow("g"), 1, "invoke", "AccessDeniedException", "lambda-warden iam-policy"),
    ],
)
def test_with_aws_each_problem_has_the_manifests_line_and_what_to_do(
    rule: Rule, code: int, check: str, detail: str, step: str, account: Account, tmp_path: Path
) -> None:
    gone = refused(404, "ResourceNotFoundException")
    account.configurations |= {"none": lambda _: gone}
    account.behaviours |= {
        "f": lambda _: gone,
        "g": lambda _: refused(403, "AccessDeniedException", "not authorized to perform: lambda:InvokeFunction"),
    }
    result = run(tmp_path, [{**rule, **SAFE}], "--aws", "--json", url=account.url)
    assert result.exit_code == code, result.output
    shown = document(result)
    (found,) = [each for each in shown["findings"] if each["state"] != "ok" and each["check"] != "review"]
    assert (found["check"], found["source"]) == (check, shown["rules"][0]["source"])
    assert detail in found["detail"]
    assert step in found["next_step"]
    people = run(tmp_path, [{**rule, **SAFE}], "--aws", url=account.url)
    assert f"at: {found['source']}" in people.stdout
    assert f"next: {found['next_step']}" in people.stdout


def test_with_aws_whose_credentials_do_not_reach_a_target_is_a_problem_of_the_rule_that_needs_it(
    account: Account, tmp_path: Path
) -> None:
    account.account = "210987654321"
    shown = document(run(tmp_path, [allow("f", **SAFE)], "--aws", "--json", url=account.url))
    (found,) = [each for each in shown["findings"] if each["state"] == "problem"]
    assert (found["check"], found["source"]) == ("credentials", shown["rules"][0]["source"])
    assert "of another account" in found["detail"]
