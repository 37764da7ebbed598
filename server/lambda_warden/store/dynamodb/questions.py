"""Questions to a person, each of which takes one answer. Times are seconds of the store's time."""

from __future__ import annotations

from typing import Final

from lambda_warden.store.audit_log import ApprovalUse, RecordError
from lambda_warden.store.dynamodb import keys
from lambda_warden.store.dynamodb.transaction import Transaction

KEPT_SECONDS: Final = 86_400
"""How long an expired question is still told from one that was never asked."""


def keep(tx: Transaction, now: float, approval_id: str, request_digest: str, timeout_seconds: float) -> None:
    """Keep a question. Raises `RecordError` if it was asked before."""
    key, expires_at = keys.question(approval_id), now + timeout_seconds
    if tx.get(key) is not None:
        raise RecordError("the question was asked before")
    body = {"request_digest": request_digest, "expires_at": expires_at, "used": False}
    tx.put(key, body, expires_at + KEPT_SECONDS)


def use(tx: Transaction, now: float, approval_id: str, request_digest: str) -> ApprovalUse:
    """Use up a question, whatever comes of it."""
    key = keys.question(approval_id)
    found = tx.get(key)
    if found is None or found["expires_at"] + KEPT_SECONDS <= now:
        return "unknown"
    if found["used"]:
        return "used"
    tx.put(key, {**found, "used": True}, found["expires_at"] + KEPT_SECONDS)
    if now >= found["expires_at"]:
        return "expired"
    return "valid" if request_digest == found["request_digest"] else "changed"
