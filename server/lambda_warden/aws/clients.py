"""Clients for each account and region: one that invokes at most once, one that reads, and one that reads logs."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import botocore
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from lambda_warden import __version__
from lambda_warden.aws.advice import may_be_renewed
from lambda_warden.aws.outgoing_request import fix_requests
from lambda_warden.aws.role_sessions import role_session
from lambda_warden.aws.tracked_connections import Pools, track
from lambda_warden.aws_session import new_session
from lambda_warden.errors import SettingsError
from lambda_warden.model.target import Target
from lambda_warden.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sts import STSClient

READ_SECONDS = 10.0
"""How long an answer of what only reads is waited for."""
_READ_ATTEMPTS = 3
_READ_CONNECTIONS = 10
"""At least; as many as calls can be under way, since each may look at its function first."""


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
        self._pools: list[Pools] = []
        self._made: dict[tuple[str, str, bool], LambdaClient] = {}
        self._logs: dict[tuple[str, str], CloudWatchLogsClient] = {}
        self._refuse_log: set[tuple[str, str]] = set()
        profiles = {settings.profile, *(target.profile or settings.profile for target in self._targets.values())}
        try:
            self._sessions = {profile: new_session(profile) for profile in profiles}
            self._user_agent = f"Boto3/{boto3.__version__} Botocore/{botocore.__version__}"
        except BotoCoreError as error:
            raise SettingsError(str(error)) from None
        # One session for each role, whatever the region, so that its credentials are fetched and renewed once.
        self._role_sessions: dict[tuple[str | bool | None, ...], boto3.Session] = {}

    def for_invoking(self, account: str, region: str) -> LambdaClient:
        """The client that invokes: one attempt, over connections that tell a `InvocationHandle` how much has left.

        Args:
            account: an account id of the manifest's targets.
            region: one of that target's regions.

        Raises:
            KeyError: if no target has this account and region.
            botocore.exceptions.BotoCoreError: if no client can be made of the AWS configuration.
        """
        return self._get(account, region, invokes=True)

    def for_reading(self, account: str, region: str) -> LambdaClient:
        """The client for what only reads: it waits for 10 s at the most, and tries again. Raises as `for_invoking`."""
        return self._get(account, region, invokes=False)

    def refuses_log(self, account: str, region: str) -> bool:
        """Whether a call there was refused because it asked for the end of its log."""
        return (account, region) in self._refuse_log

    def remember_no_log(self, account: str, region: str) -> None:
        """Calls there don't ask for the end of their log any more."""
        self._refuse_log.add((account, region))

    def renew(self, account: str, region: str, refused: LambdaClient | None) -> bool:
        """Read the credentials again, from wherever they come, for the place where these ones were not accepted.

        Args:
            account: of the target.
            region: of the target.
            refused: the client that invoked, if one did. If it has been replaced meanwhile, that is enough.

        Returns:
            Whether there is another client now.
        """
        with self._lock:
            if refused is not None and self._made.get((account, region, True)) is not refused:
                return True
            profile = self._targets[account, region].profile or self._settings.profile
            try:
                self._sessions[profile] = new_session(profile)
            except BotoCoreError:
                return False
            same = {
                place
                for place, target in self._targets.items()
                if (target.profile or self._settings.profile) == profile
            }
            self._role_sessions = {key: made for key, made in self._role_sessions.items() if key[0] != profile}
            # Other calls may be under way on the old ones, which are closed when the last of these has ended.
            self._made = {key: made for key, made in self._made.items() if key[:2] not in same}
            self._logs = {key: made for key, made in self._logs.items() if key not in same}
            return True

    def close(self) -> None:
        """Close the connections that wait to be used again."""
        with self._lock:
            for client in (*self._made.values(), *self._logs.values()):
                client.close()
        for pools in self._pools:
            pools.close()

    def _get(self, account: str, region: str, *, invokes: bool) -> LambdaClient:
        key = (account, region, invokes)
        # Without the lock where it is made already: a call must not wait for the client of another target.
        if client := self._made.get(key):
            return client
        with self._lock:
            if key not in self._made:
                self._made[key] = self._build(account, region, invokes=invokes)
            return self._made[key]

    def logs(self, account: str, region: str) -> CloudWatchLogsClient:
        """The client that reads logs; as `for_reading`."""
        key = (account, region)
        with self._lock:
            if key not in self._logs:
                self._logs[key] = self._build_logs(account, region)
            return self._logs[key]

    def sts(self, account: str, region: str) -> STSClient:
        """A client that asks whose the credentials are. It is the caller's to close; raises as `for_invoking`."""
        config = self._config(READ_SECONDS, attempts=_READ_ATTEMPTS, connections=1)
        with self._lock:
            session = self._session(self._targets[account, region], region)
            return session.client("sts", region_name=region, verify=self._verify(), config=config)

    def expiry(self, account: str, region: str) -> datetime | None:
        """When the credentials there have to be renewed, once they were used; None where that is not known."""
        with self._lock:
            credentials: Any = self._session(self._targets[account, region], region).get_credentials()
        # botocore has no public way to tell.
        found = getattr(credentials, "_expiry_time", None)
        return found if isinstance(found, datetime) else None

    def default_region(self) -> str | None:
        """The region that the AWS configuration names for the settings' profile (AWS_DEFAULT_REGION), if any."""
        return self._sessions[self._settings.profile].region_name

    def _note(self, key: tuple[str, str, bool], client: LambdaClient, parsed: Any, **_: object) -> None:
        """After an answer of AWS: where it refuses the credentials, make the next read find new ones."""
        error = parsed.get("Error", {})
        if self._made.get(key) is client and may_be_renewed(str(error.get("Code")), str(error.get("Message"))):
            self.renew(*key[:2], None)

    def _build(self, account: str, region: str, *, invokes: bool) -> LambdaClient:
        target = self._targets[account, region]
        settings = self._settings
        if invokes:
            # One attempt: botocore's retries would start a function again (boto/boto3#1104). Every slot has its
            # connection, and the connections know the deadline of each call.
            config = self._config(settings.read_timeout, attempts=1, connections=settings.concurrency)
        else:
            reads = max(_READ_CONNECTIONS, settings.concurrency)
            config = self._config(READ_SECONDS, attempts=_READ_ATTEMPTS, connections=reads)
        client = self._session(target, region).client(
            "lambda",
            region_name=region,
            endpoint_url=target.endpoint_url or settings.endpoint_url,
            verify=self._verify(),
            config=config,
        )
        if invokes:
            fix_requests(client)
            self._pools.append(track(client))
        else:
            client.meta.events.register("after-call", partial(self._note, (account, region, invokes), client))
        return client

    def _config(self, read_timeout: float, *, attempts: int, connections: int) -> Config:
        settings = self._settings
        return Config(
            connect_timeout=settings.connect_timeout,
            read_timeout=min(read_timeout, settings.read_timeout),
            retries={"total_max_attempts": attempts, "mode": "standard"},
            max_pool_connections=connections,
            # Said once: botocore would put its own together anew, twice for each call.
            user_agent=f"{self._user_agent} lambda-warden/{__version__}",
            signature_version=None if settings.sign_requests else UNSIGNED,
            parameter_validation=False,  # what is sent was checked when it was decided on
        )

    def _build_logs(self, account: str, region: str) -> CloudWatchLogsClient:
        target = self._targets[account, region]
        settings = self._settings
        config = self._config(READ_SECONDS, attempts=_READ_ATTEMPTS, connections=_READ_CONNECTIONS)
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
        named = target.role_session_name, target.source_identity, target.session_tags
        key = (profile, target.role_arn, target.external_id, *named)
        if key not in self._role_sessions:
            parent = self._sessions[profile]
            if parent.region_name is None:
                # STS is asked in a region, too.
                parent = new_session(profile, region)
            self._role_sessions[key] = role_session(parent, target, region)
        return self._role_sessions[key]
