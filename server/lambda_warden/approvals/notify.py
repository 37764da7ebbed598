"""Telling people that a request for approval waits for them."""

from __future__ import annotations

from typing import Protocol

from lambda_warden.store.approvals import PendingApproval


class Notifier(Protocol):
    """A way to tell people of new requests. It decides nothing."""

    def notify(self, pending: PendingApproval) -> None:
        """Tell of a new request, once. It returns at once, whatever comes of that."""
