"""Engines that stand in for DynamoDB and S3: ministack, and AWS's own DynamoDB Local where Java and npm brought it.

They run in processes of their own, on 127.0.0.1 alone or, as DynamoDB Local can't, on all addresses while a test runs.
"""

from __future__ import annotations

import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import pytest

from lambda_warden.local.endpoint import embedded_endpoint
from lambda_warden.store.aws_url import AwsStoreUrl, read_aws_url
from lambda_warden.store.dynamodb import client as client_module
from lambda_warden.store.dynamodb.client import make_client
from lambda_warden.store.dynamodb.table import create_table
from lambda_warden.store.s3.objects import make_client as make_s3_client
from support.npm import CLIENTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_JAR: Final = CLIENTS / "node_modules" / "amplify-dynamodb-simulator" / "emulator"
REGION: Final = "us-east-1"
ENGINES: Final = ("ministack", "dynamodb-local")


@contextmanager
def engine(kind: str, folder: Path) -> Iterator[str]:
    """Run an engine of `ENGINES` while the context lasts, and give its URL. Skips where it is not installed."""
    if kind == "ministack":
        with embedded_endpoint(folder, "dynamodb,s3") as url:
            yield url
        return
    java = which("java")
    if java is None or not _JAR.is_dir():
        pytest.skip("no Java, or npm install --prefix tests/clients was not run")
    with _free_port() as port:
        pass
    options = [f"-Djava.library.path={_JAR}/DynamoDBLocal_lib", f"-Djava.io.tmpdir={folder}"]
    command = [java, *options, "-jar", f"{_JAR}/DynamoDBLocal.jar", "-inMemory", "-port", str(port)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(30)


def new_table(endpoint: str) -> str:
    """Make an empty table at an endpoint, and give its URL."""
    url = f"dynamodb://warden-{uuid.uuid4().hex}?region={REGION}&endpoint_url={endpoint}"
    place = read_aws_url("dynamodb", url.partition(":")[2])
    for _ in create_table(_tables(endpoint), place.name):
        pass
    return url


def new_bucket(endpoint: str) -> str:
    """Make an empty bucket at an endpoint, and give the URL of a store below a prefix of it."""
    url = f"s3://warden-{uuid.uuid4().hex}/some/results?region={REGION}&endpoint_url={endpoint}"
    place = read_aws_url("s3", url.partition(":")[2])
    _buckets(endpoint).create_bucket(Bucket=place.name)
    return url


# To make a client takes longer than to make a table.
@cache
def _tables(endpoint: str) -> DynamoDBClient:
    with patch.object(client_module, "READ_SECONDS", 60):  # an engine's first answer may take a while
        return make_client(AwsStoreUrl("", region=REGION, endpoint_url=endpoint))


@cache
def _buckets(endpoint: str) -> S3Client:
    return make_s3_client(AwsStoreUrl("", region=REGION, endpoint_url=endpoint))


@contextmanager
def _free_port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail("DynamoDB Local did not start")
