"""`lambda-warden store`: a store in AWS that several servers share is made, looked at, and permitted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import click

from lambda_warden.commands.console import as_json_option, print_json
from lambda_warden.commands.records_file import problems
from lambda_warden.errors import SettingsError
from lambda_warden.store.aws_iam import Use, bucket_policy, table_policy
from lambda_warden.store.aws_url import AwsStoreUrl, read_aws_url
from lambda_warden.store.results import ResultError

_SCHEMES: Final = ("dynamodb", "s3")

_url = click.argument("url", metavar="URL")


@click.group()
def store() -> None:
    """Make or check a store in AWS that several servers share.

    Its URL is dynamodb://TABLE, or for results s3://BUCKET/PREFIX, and may end in ?region=…, &profile=… and
    &endpoint_url=….
    """


@store.command()
@_url
def create(url: str) -> None:
    """Make the DynamoDB table that URL names.

    What is there already stays as it is, and what is missing is added. The table is billed on demand, protected against
    deletion, can be restored to any second of the last 35 days, and loses by itself what has expired.
    """
    with problems():
        scheme, place = _read(url)
        if scheme == "s3":
            raise SettingsError("a bucket is yours to make, with a lifecycle rule that removes what has expired")
        for line in _create(place):
            click.echo(line)


@store.command()
@_url
@as_json_option
def check(url: str, as_json: bool) -> None:
    """Say whether a store can be used, and what is missing.

    A table should have all that `create` gives it. Exit code 1: it can't be used, or something is missing.
    """
    with problems():
        scheme, place = _read(url)
        missing = _missing(scheme, place)
    if as_json:
        print_json({"ok": not missing, "missing": missing})
    else:
        for what in missing:
            click.echo(f"missing: {what}", err=True)
        if missing and scheme == "dynamodb":
            click.echo(f"Next: lambda-warden store create '{url}'", err=True)
        if not missing:
            click.echo("ok")
    if missing:
        raise SystemExit(1)


@store.command("iam-policy")
@_url
@click.option("--account", help="The table's account; any, if not given.")
@click.option(
    "--for",
    "use",
    type=click.Choice(["serve", "read", "create"]),
    default="serve",
    show_default=True,
    help="What it is for: serving (and approving, pausing), reading alone, or `store create` and `check`.",
)
def iam_policy(url: str, account: str | None, use: Use) -> None:
    """Print the least IAM policy that a store needs.

    It comes beside those that `lambda-warden iam-policy` prints.
    """
    with problems():
        scheme, place = _read(url)
        policy = table_policy(place, account or "*", use) if scheme == "dynamodb" else bucket_policy(place, use)
    click.echo(json.dumps(policy, indent=2))


def _read(url: str) -> tuple[str, AwsStoreUrl]:
    scheme, _, place = url.partition(":")
    if scheme not in _SCHEMES:
        raise SettingsError(f"expected the URL of a store in AWS: {' or '.join(f'{each}://…' for each in _SCHEMES)}")
    return scheme, read_aws_url(scheme, place)


def _create(place: AwsStoreUrl) -> Iterator[str]:
    from lambda_warden.store.dynamodb.client import make_client
    from lambda_warden.store.dynamodb.table import TableError, create_table

    try:
        yield from create_table(make_client(place), place.name)
    except TableError as error:
        raise SettingsError(str(error)) from error


def _missing(scheme: str, place: AwsStoreUrl) -> list[str]:
    from lambda_warden.store.dynamodb.client import make_client
    from lambda_warden.store.dynamodb.table import TableError, missing_of
    from lambda_warden.store.s3.objects import BucketObjects

    try:
        if scheme == "dynamodb":
            return missing_of(make_client(place), place.name)
        bucket = BucketObjects(place)
        bucket.check()
        return [] if bucket.removes_expired() else ["a lifecycle rule that removes what has expired"]
    except (TableError, ResultError) as error:
        raise SettingsError(str(error)) from error
