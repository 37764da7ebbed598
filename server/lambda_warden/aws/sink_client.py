"""Clients for the sinks that AWS keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambda_warden.aws_session import new_session
from lambda_warden.errors import SinkError

_CONNECT_SECONDS: Final = 3
_READ_SECONDS: Final = 5
"""A required sink holds up each call, so that it is waited for only so long."""


def sink_client(service: str, region: str | None, profile: str | None, endpoint_url: str | None) -> Any:
    """A client for `logs` or `s3`, which tries twice. Raises `SinkError` if the AWS configuration gives none."""
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": 2, "mode": "standard"},
        s3={"addressing_style": "path"} if endpoint_url else None,
    )
    with problems():
        session: Any = new_session(profile, region)
        return session.client(service, endpoint_url=endpoint_url, config=config)


@contextmanager
def problems() -> Iterator[None]:
    """What AWS refuses, or what can't be reached, is a `SinkError`."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SinkError(str(error)) from error
