"""Calls through the real clients, to whatever stands at a URL."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from lambda_warden.aws.clients import Clients
from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.aws.invoke import invoke
from lambda_warden.model.outcome import RawOutcome
from lambda_warden.model.request import EncodedRequest
from lambda_warden.model.target import Target
from lambda_warden.settings import Settings
from support.builders import ACCOUNT, REGION, ref, request

LIMIT_SECONDS = 30.0
"""How long a test waits for what happens at once, before it fails."""
LARGE = b'"' + b"x" * 6_000_000 + b'"'
"""A payload that the buffers of no socket hold."""


def clients_at(url: str, *, target: dict[str, Any] | None = None, **settings: Any) -> Clients:
    """Clients of one account, whose endpoint is at `url`. Their requests are unsigned, unless told otherwise."""
    known = Target(account=ACCOUNT, regions=[REGION], endpoint_url=url, **(target or {}))
    return Clients(Settings(**{"records": Path("unused"), "sign_requests": False, **settings}), [known])


class Call(threading.Thread):
    """One call in a thread of its own."""

    def __init__(self, clients: Clients, sent: EncodedRequest | None = None) -> None:
        super().__init__(daemon=True)
        self.handle = InvocationHandle()
        self._invoke = clients, ref(), request() if sent is None else sent, self.handle
        self._outcome: RawOutcome | None = None
        self.start()

    def run(self) -> None:
        self._outcome = invoke(*self._invoke)

    def outcome(self) -> RawOutcome:
        """How it ended. Fails if it does not end."""
        self.join(LIMIT_SECONDS)
        assert self._outcome is not None, "the call did not end"
        return self._outcome
