"""Lambda clients, one for each account, region and read timeout, made for invoking at most once; and clients that read
logs, which may ask again."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from lambda_warden import __version__
from lambda_warden.model.errors import SettingsError
from lambda_warden.model.manifest import Target
from lambda_warden.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient

_CLIENTS_KEPT = 32
_LOGS_READ_SECONDS = 10.0
_LOGS_ATTEMPTS = 3


class Clients:
    """Hands out Lambda clients. Safe to use from any thread.

    Raises:
        SettingsError: if a profile does not exist or an AWS config file can't be read.
    """

    def __init__(self, settings: Settings, targets: Iterable[Target]) -> None:
        self._settings = settings
        self._targets = {(target.account, region): target for target in targets for region in target.regions}
        # Making clients is not thread-safe in boto3; using them is.
        self._lock = threading.Lock()
        self._build_cached = lru_cache(maxsize=_CLIENTS_KEPT)(self._build)
        self._build_logs_cached = lru_cache(maxsize=_CLIENTS_KEPT)(self._build_logs)
        profiles = {settings.profile, *(target.profile or settings.profile for target in self._targets.values())}
        try:
            self._sessions = {profile: boto3.Session(profile_name=profile) for profile in profiles}
        except BotoCoreError as error:
            raise SettingsError(str(error)) from None
        # One session for each role, whatever the region, so that its credentials are fetched and renewed once.
        self._role_sessions: dict[tuple[str | None, ...], boto3.Session] = {}

    def get(self, account: str, region: str, read_timeout: float | None = None) -> LambdaClient:
        """The client for one account and region.

        Args:
            account: an account id of the manifest's targets.
            region: one of that target's regions.
            read_timeout: seconds to wait for an answer; the settings' by default, and never more than that.

        Raises:
            KeyError: if no target has this account and region.
            botocore.exceptions.BotoCoreError: if no client can be made of the AWS configuration.
        """
        limit = self._settings.read_timeout
        with self._lock:
            return self._build_cached(account, region, min(read_timeout or limit, limit))

    def logs(self, account: str, region: str) -> CloudWatchLogsClient:
        """The client that reads logs of one account and region. It waits some seconds, and repeats what AWS throttles.

        Args:
            account: an account id of the manifest's targets.
            region: one of that target's regions.

        Raises:
            KeyError: if no target has this account and region.
            botocore.exceptions.BotoCoreError: if no client can be made of the AWS configuration.
        """
        with self._lock:
            return self._build_logs_cached(account, region)

    def default_region(self) -> str | None:
        """The region that the AWS configuration names for the settings' profile (AWS_DEFAULT_REGION), if any."""
        return self._sessions[self._settings.profile].region_name

    def _build(self, account: str, region: str, read_timeout: float) -> LambdaClient:
        target = self._targets[account, region]
        settings = self._settings
        config = Config(
            connect_timeout=settings.connect_timeout,
            read_timeout=read_timeout,
            # One attempt: botocore's retries would start a function again (boto/boto3#1104).
            retries={"total_max_attempts": 1, "mode": "standard"},
            # AWS's advice for long synchronous calls, so that no NAT or load balancer drops an idle connection.
            tcp_keepalive=True,
            max_pool_connections=settings.concurrency,
            user_agent_extra=f"lambda-warden/{__version__}",
            signature_version=None if settings.sign_requests else UNSIGNED,
        )
        return self._session(target, region).client(
            "lambda",
            region_name=region,
            endpoint_url=target.endpoint_url or settings.endpoint_url,
            verify=self._verify(),
            config=config,
        )

    def _build_logs(self, account: str, region: str) -> CloudWatchLogsClient:
        target = self._targets[account, region]
        settings = self._settings
        config = Config(
            connect_timeout=settings.connect_timeout,
            read_timeout=min(_LOGS_READ_SECONDS, settings.read_timeout),
            # Reading changes nothing, and AWS takes few of these requests a second ("CloudWatch Logs quotas").
            retries={"total_max_attempts": _LOGS_ATTEMPTS, "mode": "standard"},
            max_pool_connections=settings.concurrency,
            user_agent_extra=f"lambda-warden/{__version__}",
            signature_version=None if settings.sign_requests else UNSIGNED,
        )
        return self._session(target, region).client(
            "logs",
            region_name=region,
            endpoint_url=target.logs_endpoint_url or target.endpoint_url or settings.endpoint_url,
            verify=self._verify(),
            config=config,
        )

    def _verify(self) -> bool | str | None:
        """What certificates are checked against: False for nothing, a file, or None for boto3's choice."""
        if not self._settings.verify_ssl:
            return False
        return None if self._settings.ca_bundle is None else str(self._settings.ca_bundle)

    def _session(self, target: Target, region: str) -> boto3.Session:
        """The session of a target: the profile's, or that of the role that is assumed from it, at the first call."""
        profile = target.profile or self._settings.profile
        if target.role_arn is None:
            return self._sessions[profile]
        key = (profile, target.role_arn, target.external_id, target.role_session_name)
        if key not in self._role_sessions:
            from aws_assume_role_lib import assume_role  # only where roles are used

            external_id: dict[str, Any] = {} if target.external_id is None else {"ExternalId": target.external_id}
            self._role_sessions[key] = assume_role(
                self._sessions[profile],
                target.role_arn,
                RoleSessionName=target.role_session_name or "lambda-warden",
                region_name=region,
                validate=False,  # the manifest's model has done that
                **external_id,
            )
        return self._role_sessions[key]
