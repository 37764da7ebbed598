"""`lambda-warden doctor`: each thing that can be wrong is told with the next thing to do, and nothing is started."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lambda_warden.approvals.secret import set_secret
from lambda_warden.aws.identity import AwsIdentity
from lambda_warden.cli import main
from lambda_warden.doctor.account import identity_findings
from lambda_warden.model.outcome import Refused
from support.account_endpoint import IDENTITY, Account, account_endpoint
from support.logs_endpoint import LogsEndpoint
from support.scripted_endpoint import Reply, ScriptedEndpoint, configured, echo, refused
from support.warden import ACCOUNT, REGION, Rule, allow, arn, warden, write_manifest

PLACE = f"{ACCOUNT} {REGION}"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with account_endpoint(monkeypatch) as made:
        yield made


def run(folder: Path, url: str, rules: Sequence[Rule], *options: str, **keys: Any) -> Result:
    manifest = write_manifest(folder, url, rules, **keys)
    places = ["--records", str(folder / "records.sqlite3"), "--approvals-secret-file", str(folder / "approver.json")]
    return CliRunner().invoke(main, ["doctor", "--manifest", str(manifest), *places, *options])


def found(result: Result) -> dict[str, list[dict[str, Any]]]:
    """What is not well, by check."""
    shown = json.loads(result.stdout)
    assert shown["ok"] == (result.exit_code == 0) == all(each["state"] != "problem" for each in shown["findings"])
    wrong: dict[str, list[dict[str, Any]]] = {}
    for each in shown["findings"]:
        assert (each["state"] == "ok") == (each["next_step"] is None)
        if each["state"] != "ok":
            wrong.setdefault(each["check"], []).append(each)
    return wrong


def test_where_all_is_well_it_says_so_in_aligned_lines_and_starts_nothing(
    account: Account, logs: LogsEndpoint, tmp_path: Path
) -> None:
    logs.groups["/aws/lambda/f"] = []
    rules = [
        allow("f", "live", "7", logs={}, expect_version=["7"]),
        allow("g", tenants=["blue"]),
        allow("report-*", "live"),
    ]
    result = run(tmp_path, account.url, rules, target={"logs_endpoint_url": logs.url})
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"ok       manifest       {tmp_path / 'manifest.yaml'}: valid, with 3 rules",
        f"ok       records        {tmp_path / 'records.sqlite3'}: is not there yet; the first start makes it",
        f"ok       results        {tmp_path / 'results.sqlite3'}: is not there yet; the first start makes it",
        f"ok       approver       {tmp_path / 'approver.json'}: no secret is set, and no rule asks out of band",
        "ok       client         the last call on record: none yet",
        f"ok       credentials    {PLACE}: {IDENTITY}",
        f"ok       clock          {PLACE}: as AWS's",
        f"ok       region         {PLACE}: AWS answers, and has 3 functions",
        f"ok       configuration  {PLACE}: 4 can be read",
        f"ok       invoke         {PLACE}: 4 may be invoked",
        f"ok       alias          {PLACE}: 1 can be read, and leads where it may",
        f"ok       logs           {PLACE}: 1 can be read",
        "0 problems, 0 warnings",
    ]
    assert account.started == []
    asked = {(each.function, each.qualifier) for each in account.invocations}
    assert asked == {(arn("f"), "live"), (arn("f"), "7"), (arn("g"), "live"), (arn("report-daily"), "live")}
    assert not (tmp_path / "records.sqlite3").exists()


@pytest.mark.parametrize(
    ("rule", "wrong", "check", "detail", "step"),
    [
        (allow("f"), {"f": refused(403, "AccessDeniedException", "not authorized to perform: lambda:InvokeFunction")},
         "invoke", "AccessDeniedException", "iam-policy"),
        (allow("none"), {}, "functions", "there is no function none", "deploy it, or correct the manifest"),
        (allow("f"), {"configuration": refused(404, "ResourceNotFoundException")},
         "functions", "it has no alias live", "aws lambda create-alias --function-name arn:aws:lambda"),
        (allow("f", "8"), {"f": refused(404, "ResourceNotFoundException")}, "functions", "it has no version 8",
         "publish it"),
        (allow("nothing-*"), {}, "functions", "no function fits this pattern", "correct the pattern"),
        (allow("f"), {"configuration": refused(403, "AccessDeniedException")},
         "configuration", "AccessDeniedException", "iam-policy"),
        (allow("f"), {"f": Reply(200, b"{}")}, "invoke", "this endpoint answered 200", "endpoint_url"),
        (allow("f", tenants=["*"]), {"f": refused(400, "InvalidParameterValueException")},
         "invoke", "without a tenant's id", "with a tenant_id"),
        (allow("f", expect_version=["6"]), {}, "alias", "leads to version 7", "have it lead there"),
        (allow("f", expect_version=["7"]), {"alias": refused(403, "AccessDeniedException")},
         "alias", "GetAlias: AccessDeniedException", "iam-policy"),
        (allow("f", effect="destructive"), {}, "approver", "where the client can't ask", "approvals init"),
        (allow("f", approval={"by": "operator"}), {}, "approver", "for each call of 1", "approvals init"),
        (allow("f", logs={}), {}, "logs", "there is no log group /aws/lambda/f yet", "if it never ran"),
        (allow("f", logs={}), {"logs": "AccessDeniedException"}, "logs", "AccessDeniedException", "iam-policy"),
        (allow("f", logs={"log_group": "/mine"}), {"configured": True}, "logs", "it logs to /theirs", "log_group: /th"),
        (allow("f", "latest"), {}, "manifest", "alias of that name", "unless that is meant"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_once_with_what_to_do(
    rule: Rule,
    wrong: dict[str, Any],
    check: str,
    detail: str,
    step: str,
    account: Account,
    logs: LogsEndpoint,
    tmp_path: Path,
) -> None:
    if isinstance(answer := wrong.get("f"), Reply):
        account.behaviours["f"] = lambda _: answer
    if isinstance(configuration := wrong.get("configuration"), Reply):
        account.configurations["f"] = lambda _: configuration
    elif "none" in rule["arn"]:
        account.configurations["none"] = lambda _: refused(404, "ResourceNotFoundException")
    elif "configured" in wrong:
        account.configurations["f"] = configured(LoggingConfig={"LogGroup": "/theirs"})
    account.aliases = wrong.get("alias", account.aliases)
    logs.refusal = wrong.get("logs")
    result = run(tmp_path, account.url, [rule], "--json", target={"logs_endpoint_url": logs.url})
    ((only, (told,)),) = found(result).items()
    assert only == check
    assert detail in told["detail"]
    assert step in told["next_step"]
    assert account.started == []


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("ExpiredToken", "have expired, and have to be renewed"),
        ("InvalidClientTokenId", "does not accept the credentials"),
        ("AccessDenied", "trust policy"),
    ],
)
def test_without_credentials_nothing_else_is_asked(code: str, step: str, account: Account, tmp_path: Path) -> None:
    account.sts_refusal = code
    wrong = found(run(tmp_path, account.url, [allow("f")], "--json"))
    (told,) = wrong.pop("credentials")
    assert (told["state"], told["detail"]) == ("problem", f"{code}: no")
    assert step in told["next_step"]
    assert list(wrong) == ["functions"]
    assert account.received == []


def test_credentials_of_another_account_and_a_region_that_does_not_answer_are_problems(
    account: Account, tmp_path: Path
) -> None:
    account.account = "210987654321"
    (told,) = found(run(tmp_path, account.url, [allow("f")], "--json"))["credentials"]
    assert "of another account" in told["detail"]
    account.account = ACCOUNT
    (told,) = found(run(tmp_path, "http://127.0.0.1:9", [allow("f")], "--json"))["region"]
    assert (told["state"], "EndpointConnectionError" in told["detail"]) == ("problem", True)
    account.catalog = refused(403, "AccessDeniedException")
    wrong = found(run(tmp_path, account.url, [allow("f"), allow("report-*")], "--json"))
    assert [each["state"] for each in wrong["region"]] == ["warning"]
    assert "which functions fit can't be told" in wrong["functions"][0]["detail"]


def test_each_account_and_region_is_looked_at_and_what_names_without_region_mean(
    account: Account, tmp_path: Path
) -> None:
    places = ["us-east-1", "eu-west-1"]
    rules = [allow("f"), {**allow("f"), "arn": arn("f", "eu-west-1")}]
    for options, meant in ([], "are refused: there are several regions"), (["--region", "eu-west-1"], "mean eu-west-1"):
        told = run(tmp_path, account.url, rules, *options, regions=places).stdout.splitlines()
        assert any(line.startswith(f"ok       region         names without a region: {meant}") for line in told), told
        assert len([line for line in told if "1 may be invoked" in line]) == 2


@pytest.mark.parametrize(
    ("seconds", "state", "detail"),
    [(0.4, "ok", "as AWS's"), (-40, "warning", "40 s behind AWS's"), (400, "problem", "400 s ahead of AWS's")],
)
def test_the_clock_is_held_against_aws(seconds: float, state: str, detail: str) -> None:
    refusal = Refused("SignatureDoesNotMatch", "Signature expired", 403)
    told = list(
        identity_findings(AwsIdentity(clock_seconds=seconds, refusal=refusal), (ACCOUNT, REGION), datetime.now(UTC))
    )
    assert [(each.check, each.state) for each in told] == [("credentials", "problem"), ("clock", state)]
    assert told[1].detail == detail


def test_credentials_of_a_role_are_told_with_their_end(account: Account, tmp_path: Path) -> None:
    role = {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/ops"}
    result = run(tmp_path, account.url, [allow("f")], target=role)
    assert result.exit_code == 0, result.output
    (told,) = [line for line in result.stdout.splitlines() if line.startswith("ok       credentials ")]
    assert told.startswith(f"ok       credentials    {PLACE}: {IDENTITY}, until 20")


@pytest.mark.parametrize(("minutes", "state"), [(5, "warning"), (50, "ok")])
def test_credentials_are_told_with_their_end(minutes: int, state: str) -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    identity = AwsIdentity(IDENTITY, ACCOUNT, now + timedelta(minutes=minutes))
    (told,) = identity_findings(identity, (ACCOUNT, REGION), now)
    assert (told.state, told.detail) == (state, f"{IDENTITY}, until 2026-01-01T12:{minutes:02}Z")


def test_a_manifest_that_can_not_be_read_is_told_line_by_line_with_what_can_be_looked_at(tmp_path: Path) -> None:
    result = run(tmp_path, "http://127.0.0.1:9", [allow("f", colour="red"), allow("g", size=1)], "--json")
    assert result.exit_code == 1
    problems = found(result)["manifest"]
    assert len(problems) == 2
    assert [each for each in problems if each["detail"].startswith(f"{each['subject']}: ")] == []
    assert {each["check"] for each in json.loads(result.stdout)["findings"]} >= {"records", "results", "approver"}


@pytest.mark.parametrize(
    ("options", "check", "detail"),
    [
        (["--records", "/dev/null/records"], "records", "is not writable"),
        (["--records", "redis://localhost/0"], "records", "no kind of store"),
        (["--profile", "nobody"], "settings", "nobody"),
        (["--region", "eu-west-1"], "settings", "in no target"),
    ],
)
def test_settings_that_do_not_fit_are_problems(
    options: list[str], check: str, detail: str, account: Account, tmp_path: Path
) -> None:
    wrong = found(run(tmp_path, account.url, [allow("f")], "--json", *options))
    assert detail in wrong[check][0]["detail"]


@pytest.mark.anyio
async def test_records_that_are_there_are_opened_and_tell_who_called_last(
    tmp_path: Path, endpoint: ScriptedEndpoint
) -> None:
    endpoint.behaviours["f"] = echo
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"
    set_secret(tmp_path / "approver.json", "correct horse battery")
    paused = CliRunner().invoke(main, ["pause", "--records", str(tmp_path / "records.sqlite3"), "--reason", "audit"])
    assert paused.exit_code == 0
    result = run(tmp_path, endpoint.url, [allow("f")], "--no-sign-request")
    assert result.exit_code == 0
    told = result.stdout.splitlines()
    for words in (
        "records        " + str(tmp_path / "records.sqlite3") + ": can be opened and written",
        "results        " + str(tmp_path / "results.sqlite3") + ": can be opened and written",
        "the approver's secret is set",
        "client         the last call on record: mcp",
        "requests are not signed",
        "paused them at",
        "next: `lambda-warden resume`",
    ):
        assert any(words in line for line in told), (words, told)
