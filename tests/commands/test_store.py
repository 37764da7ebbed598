"""`lambda-warden store`: a table is made and looked at, and what IAM has to permit is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.store.aws_url import read_aws_url
from lambda_warden.store.s3.objects import make_client
from support.dynamodb import new_bucket

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/warden"


@pytest.fixture
def ministack(engines: Callable[[str], str]) -> str:
    return engines("ministack")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["store", *arguments])


def test_a_table_is_made_once_and_looked_at(ministack: str) -> None:
    url = f"dynamodb://warden-made?region=us-east-1&endpoint_url={ministack}"
    missing = run("check", url)
    assert missing.exit_code == 1
    assert "`lambda-warden store create` makes it" in missing.stderr
    made = run("create", url)
    assert made.exit_code == 0, made.output
    assert made.stdout.splitlines() == [
        "table warden-made: being made, billed on demand",
        "table warden-made: active",
        "deletion protection: is on",
        "removal of what has expired (TTL by expires_at): turned on",
        "point-in-time recovery: turned on",
    ]
    again = run("create", url)
    assert "turned on" not in again.stdout
    assert "table warden-made: is there" in again.stdout
    assert run("check", url).stdout == "ok\n"
    assert json.loads(run("check", url, "--json").stdout) == {"ok": True, "missing": []}


def test_a_bucket_is_looked_at(ministack: str) -> None:
    bucket = new_bucket(ministack)
    without = run("check", bucket)
    assert (without.exit_code, without.stderr) == (1, "missing: a lifecycle rule that removes what has expired\n")
    place = read_aws_url("s3", bucket.partition(":")[2])
    for prefix, code in (("other/", 1), ("some/", 0), ("", 0)):
        make_client(place).put_bucket_lifecycle_configuration(
            Bucket=place.name,
            LifecycleConfiguration={
                "Rules": [{"Status": "Enabled", "Filter": {"Prefix": prefix}, "Expiration": {"Days": 2}}]
            },
        )
        assert run("check", bucket).exit_code == code, prefix
    other = run("check", bucket.replace("warden-", "other-"))
    assert other.exit_code == 1
    assert "NoSuchBucket" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["create", "records.sqlite3"], "expected the URL of a store in AWS"),
        (["create", "s3://bucket"], "a bucket is yours to make"),
        (["check", "dynamodb://"], "dynamodb URL: expected"),
        (["check", "dynamodb://t?endpoint_url=http://127.0.0.1:1&region=x"], "can't be looked at"),
    ],
)
def test_what_can_not_be_done_is_said_in_a_line(arguments: list[str], error: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 1
    assert error in done.stderr
    assert "Traceback" not in done.stderr


def statements(*arguments: str) -> list[dict[str, Any]]:
    done = run("iam-policy", *arguments)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)["Statement"]
    return found


def test_the_policies_name_the_table_alone_and_what_each_use_needs() -> None:
    url = "dynamodb://warden?region=eu-west-1"
    for use, has, has_not in (
        (
            "serve",
            {"BatchGetItem", "ConditionCheckItem", "PutItem", "Query"},
            {"CreateTable", "DeleteTable", "UpdateItem", "Scan"},
        ),
        ("read", {"BatchGetItem", "Query", "Scan"}, {"PutItem", "UpdateItem", "DeleteItem", "CreateTable"}),
        ("create", {"CreateTable", "UpdateTimeToLive", "UpdateContinuousBackups"}, {"DeleteTable", "PutItem"}),
    ):
        (statement,) = statements(url, "--account", "123456789012", "--for", use)
        actions = {action.removeprefix("dynamodb:") for action in statement["Action"]}
        assert statement["Resource"] == ARN
        assert actions >= has
        assert not actions & (has_not | {"*"})
    (china,) = statements("dynamodb://warden?region=cn-north-1")
    assert china["Resource"] == "arn:aws-cn:dynamodb:cn-north-1:*:table/warden"


def test_the_policy_of_a_bucket_stays_below_its_prefix() -> None:
    objects, listing = statements("s3://bucket/some/prefix")
    assert objects["Resource"] == "arn:aws:s3:::bucket/some/prefix/*"
    assert objects["Action"] == ["s3:GetObject", "s3:PutObject"]
    (checking,) = statements("s3://bucket", "--for", "create")
    assert checking["Action"] == ["s3:GetLifecycleConfiguration", "s3:ListBucket"]
    assert listing == {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::bucket"}
