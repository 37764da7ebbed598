"""Telling people that a request for approval waits for them."""

from __future__ import annotations

from typing import Protocol

from lambda_warden.store.approvals import PendingApproval


def request_page(page_url: str, approval_id: str) -> str:
    """The URL where one request is decided on: of `approvals serve`, or whatever stands before it.

    >>> request_page("https://warden.example.com/approvals/", "5f0c")
    'https://warden.example.com/approvals/requests/5f0c'
    """
    return f"{page_url.rstrip('/')}/requests/{approval_id}"


class Notifier(Protocol):
    """A way to tell people of new requests. It decides nothing."""

    def notify(self, pending: PendingApproval, url: str | None = None) -> None:
        """Tell of a new request, once, and where it is decided on in a browser. It returns at once."""
