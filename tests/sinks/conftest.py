"""CloudWatch Logs and S3 on this machine, for sinks."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from lambda_warden.aws.sink_client import sink_client
from lambda_warden.local.endpoint import embedded_endpoint

BUCKET, GROUP = "warden-records", "/warden/records"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The options of a URL that leads there; a bucket with Object Lock and a log group are made."""
    if importlib.util.find_spec("ministack") is None:
        pytest.skip("the embedded endpoint is not installed")
    with embedded_endpoint(tmp_path_factory.mktemp("cloud"), "logs,s3") as url:
        sink_client("s3", "us-east-1", None, url).create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        sink_client("logs", "us-east-1", None, url).create_log_group(logGroupName=GROUP)
        yield f"region=us-east-1&endpoint_url={url}"
