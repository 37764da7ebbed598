"""Credentials of a target's role: each caller has a role session of its own, so that CloudTrail names who called."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from datetime import datetime
from typing import Any, Final, cast

import boto3
import botocore.session
from aws_assume_role_lib import assume_role
from botocore.credentials import Credentials, ReadOnlyCredentials

from lambda_warden.model.caller import CURRENT, Caller
from lambda_warden.model.target import Target

SESSIONS: Final = 256
"""Callers whose credentials are kept for one role. One more takes the place of who has not called for longest."""
_SESSION_NAME: Final = re.compile(r"[^A-Za-z0-9_+=.@-]", re.ASCII)
"""What a session name may not have (STS API reference, AssumeRole), and the comma, which stands before a hash."""
_TAG_VALUE: Final = re.compile(r"[^A-Za-z0-9_.:/=+@-]", re.ASCII)
"""As that, of a tag's value; the space stands before a hash, since no name has one."""
_HASH: Final = 16


class RoleCredentials(Credentials):
    """The credentials that a request is signed with: those of the caller in whose context that happens.

    Args:
        parent: whose credentials assume the role.
        target: has the role.
        region: where STS is asked.
    """

    def __init__(self, parent: boto3.Session, target: Target, region: str) -> None:
        super().__init__("", "", method="assume-role")
        self._parent, self._target, self._region = parent, target, region
        self._lock = threading.Lock()
        self._sessions: OrderedDict[tuple[str, ...], Credentials] = OrderedDict()

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """As botocore asks for them, to sign one request.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: if the role can't be assumed.
        """
        return self._of(CURRENT.get()).get_frozen_credentials()

    @property
    def _expiry_time(self) -> datetime | None:
        """As botocore's own have it, of the caller in whose context that is asked."""
        return getattr(self._of(CURRENT.get()), "_expiry_time", None)

    def load_credentials(self) -> Credentials:
        """As botocore asks its `credential_provider`, once a client."""
        return self

    def _of(self, caller: Caller) -> Credentials:
        asked = session_arguments(self._target, caller)
        key = tuple(map(str, asked.values()))
        with self._lock:
            if key not in self._sessions:
                # Nothing is asked here: STS is, when they are used first, and again before they expire.
                made = assume_role(self._parent, str(self._target.role_arn), region_name=self._region, **asked)
                self._sessions[key] = cast("Credentials", made.get_credentials())
            self._sessions.move_to_end(key)
            if len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
            return self._sessions[key]


def role_session(parent: boto3.Session, target: Target, region: str) -> boto3.Session:
    """A session whose clients sign each request for its caller; the arguments as of `RoleCredentials`."""
    made = botocore.session.Session()
    made.register_component("data_loader", parent._session.get_component("data_loader"))
    made.register_component("credential_provider", RoleCredentials(parent, target, region))
    return boto3.Session(botocore_session=made, region_name=region)


def session_arguments(target: Target, caller: Caller) -> dict[str, Any]:
    """What AssumeRole is asked for, besides the role."""
    usual = session_name(caller.principal) if caller.is_authenticated else "lambda-warden"
    asked: dict[str, Any] = {"RoleSessionName": target.role_session_name or usual, "validate": False}
    if target.external_id is not None:
        asked["ExternalId"] = target.external_id
    if target.source_identity:
        asked["SourceIdentity"] = session_name(caller.principal)
    if target.session_tags:
        tags = {"principal": caller.principal, "actor": caller.actor, "client": caller.client_id}
        asked["Tags"] = [
            {"Key": f"lambda-warden:{key}", "Value": _unique(value, _TAG_VALUE, " ", 256)}
            for key, value in tags.items()
            if value is not None
        ]
    return asked


def session_name(principal: str) -> str:
    """The name that AWS records for a principal. Two principals never share one: what had to be changed or cut has a
    hash at its end.

    >>> session_name("user:ann@example.com"), session_name("user:auth0|1")
    ('user=ann@example.com', 'user=auth0-1,048ad76e029319c5')
    """
    return _unique(principal.replace(":", "=", 1), _SESSION_NAME, ",", 64)


def _unique(text: str, forbidden: re.Pattern[str], before_hash: str, limit: int) -> str:
    if 2 <= len(text) <= limit and not forbidden.search(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH]
    return f"{forbidden.sub('-', text)[: limit - _HASH - 1]}{before_hash}{digest}"
