"""The ways to ask a person, seen from the call that has to be approved."""

from __future__ import annotations

from typing import Protocol

from lambda_warden.approvals.request import ApprovalRequest
from lambda_warden.model.approval import ApprovalDecision


class ApprovalPending(Exception):  # noqa: N818 - no error: the call is answered with the question
    """Raised by an approver whose question has to go out as the result of the call."""


class Approver(Protocol):
    """How a person is asked. The model has no part in it."""

    @property
    def unable(self) -> ApprovalDecision | None:
        """Why nobody can be asked, or None."""

    async def ask(self, request: ApprovalRequest) -> ApprovalDecision:
        """Get a person's decision on exactly this request.

        Raises:
            RecordError: if the request can't be kept.
            ApprovalPending: if the question goes out instead of a result.
        """

    async def open_page(self, approval_id: str, message: str, url: str, *, is_new: bool) -> bool | None:
        """Bring a person to the page where a request is decided on, if the client can.

        Args:
            approval_id: of the request.
            message: what they are told of it first.
            url: of the page. It is no secret.
            is_new: whether nobody was brought there yet.

        Returns:
            Whether they went there; None if nobody was asked to, or it is not known.

        Raises:
            ApprovalPending: if that goes out instead of a result.
        """
