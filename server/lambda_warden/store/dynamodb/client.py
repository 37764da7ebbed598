"""The client of a DynamoDB store: bounded in time, and with one attempt a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError

from lambda_warden.aws_session import new_session
from lambda_warden.errors import SettingsError
from lambda_warden.store.aws_url import AwsStoreUrl

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECT_SECONDS: Final = 2.0
READ_SECONDS: Final = 5.0
"""DynamoDB answers within milliseconds; who waits for a store keeps a call from being decided on."""
_CONNECTIONS: Final = 64


def make_client(url: AwsStoreUrl) -> DynamoDBClient:
    """A client that sends each request once: another attempt is the store's to make, who knows what it may repeat.

    Safe to use from any thread.

    Raises:
        SettingsError: if the AWS configuration does not fit: no region, no such profile.
    """
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=_CONNECTIONS,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
    )
    try:
        session = new_session(url.profile, url.region)
        return session.client("dynamodb", endpoint_url=url.endpoint_url, config=config)
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(f"DynamoDB can't be used: {error}") from None
