"""Asking a person out of band: a request in the store, which those decide on whom the rule names, or, if it names
nobody, whoever knows the approver's secret.

The model calls again, with the same arguments, until it is decided on: see `invocation/approving.py`.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from lambda_warden.approvals.notify import Notifier, request_page
from lambda_warden.approvals.secret import ApproverId, SecretError, read_approver
from lambda_warden.model.approval import ApprovalDecision
from lambda_warden.store.approvals import ApprovalAsk, PendingApproval
from lambda_warden.store.audit_log import AuditLog

logger = logging.getLogger(__name__)


class OperatorApprover:
    """Asks out of band. Its methods block.

    Args:
        records: where requests are kept.
        secret_file: by which decisions are known to be an approver's. It is read until it is there, and then no more:
            what is put in its place later counts only once the server is started again.
        expires_seconds: how long a request can be decided on and used, where its rule does not say.
        notifier: tells people of new requests, if anything does.
        page_url: where people decide in a browser with the secret, if they do.
        team: by which decisions are known to be taken by people whom a rule names: a server said so, who saw their
            access tokens. None if there are none.
        team_url: where these people decide.
    """

    def __init__(
        self,
        records: AuditLog,
        secret_file: Path,
        expires_seconds: float,
        notifier: Notifier | None = None,
        page_url: str | None = None,
        team: ApproverId | None = None,
        team_url: str | None = None,
    ) -> None:
        self.expires_seconds = expires_seconds
        self._records = records
        self._secret_file = secret_file
        self._notifier = notifier
        self._page_url = page_url
        self._team = team
        self._team_url = team_url
        self._lock = threading.Lock()
        self._approver: ApproverId | None = None

    def unable(self, *, names_approvers: bool = False) -> ApprovalDecision | None:
        """Why nobody can be asked under a rule, or None."""
        if names_approvers:
            return "no_approvals_key" if self._team is None else None
        return "not_set_up" if self._known_approver() is None else None

    def ask(self, ask: ApprovalAsk) -> PendingApproval | None:
        """Make a request, or find the open one for the same; see `ApprovalStore.request_approval`.

        Raises:
            RecordError: if it can't be kept.
        """
        found = self._records.request_approval(ask)
        if found is not None and found.ask.approval_id == ask.approval_id and self._notifier is not None:
            try:
                self._notifier.notify(found, self.page(found))
            except Exception as error:  # noqa: BLE001 - whether anybody is told must not decide how a call ends
                logger.error("nobody was told of request %s: %s", ask.approval_id, error)
        return found

    def page(self, pending: PendingApproval) -> str | None:
        """The URL where a request is decided on in a browser, if there is a page."""
        url = self._team_url if pending.ask.approvers else self._page_url
        return None if url is None else request_page(url, pending.ask.approval_id)

    def find(self, pending: PendingApproval) -> PendingApproval:
        """A request as it is now. Raises `RecordError` if that can't be told."""
        return self._records.find_approval(pending.ask.approval_id) or pending

    def is_decided(self, pending: PendingApproval) -> bool:
        """Whether what stands as decided was decided by who may decide it."""
        approver = self._team if pending.ask.approvers else self._known_approver()
        return approver is not None and approver.signed(pending)

    def _known_approver(self) -> ApproverId | None:
        with self._lock:
            if self._approver is None:
                try:
                    self._approver = read_approver(self._secret_file)
                except SecretError as error:
                    logger.error("%s", error)
            return self._approver
