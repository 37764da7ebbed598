"""Requests for approval out of band. Times are seconds of the store's time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Final

from lambda_warden.store import approvals
from lambda_warden.store.approvals import (
    KEPT_SECONDS,
    OPEN_LIMIT,
    ApprovalAsk,
    ApprovalGone,
    ApprovalRuling,
    ApprovalState,
    PendingApproval,
)
from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.dynamodb import keys
from lambda_warden.store.dynamodb.keys import Key
from lambda_warden.store.dynamodb.requests import Table
from lambda_warden.store.dynamodb.table import SORT_KEY
from lambda_warden.store.dynamodb.transaction import Body, Transaction

_AT_ONCE: Final = 50
_OPEN: Final = ("pending", "approved", "denied")


def open_for(tx: Transaction, now: float, ask: ApprovalAsk) -> list[PendingApproval]:
    """The open requests of the same principal for the same request, whatever it would have run."""
    ids = (tx.get(keys.asked(ask.principal, ask.request_digest)) or {"ids": []})["ids"]
    tx.fetch([keys.approval(approval_id) for approval_id in ids])
    found = (_read(tx.get(keys.approval(approval_id)), now) for approval_id in ids)
    return [each for each in found if each is not None and each.state in _OPEN and now < each.expires_at]


def has_room(tx: Transaction, now: float, principal: str) -> bool:
    """Whether a principal may have one more request that nobody has decided on."""
    return len(_pending(tx, now, principal)) < OPEN_LIMIT


def add(tx: Transaction, now: float, ask: ApprovalAsk) -> PendingApproval:
    """Keep a new request. Raises `RecordError` if there is one with its id."""
    key, expires_at = keys.approval(ask.approval_id), now + ask.expires_seconds
    if tx.get(key) is not None:
        raise RecordError("there is a request for approval with this id")
    _put(tx, {"ask": asdict(ask), "state": "pending", "asked_at": now, "expires_at": expires_at})
    tx.put(keys.listed_approval(now, ask.approval_id), {}, expires_at + KEPT_SECONDS)
    waiting = {**_pending(tx, now, ask.principal), ask.approval_id: expires_at}
    tx.put(keys.pending(ask.principal), waiting, max(waiting.values()))
    still = [each.ask.approval_id for each in open_for(tx, now, ask)]
    last = max(expires_at, *waiting.values())
    tx.put(keys.asked(ask.principal, ask.request_digest), {"ids": [*still, ask.approval_id]}, last + KEPT_SECONDS)
    return PendingApproval(ask, "pending", now, expires_at, expires_at - now)


def void(tx: Transaction, now: float, approval_id: str) -> None:
    """Take a request back."""
    if (found := tx.get(keys.approval(approval_id))) is not None:
        _put(tx, {**found, "state": "void"})
        _no_longer_pending(tx, now, found)


def decide(tx: Transaction, now: float, approval_id: str, ruling: ApprovalRuling) -> bool:
    """Keep a decision, if it counts."""
    found = tx.get(keys.approval(approval_id))
    pending = _read(found, now)
    ruled = None if pending is None else pending.ruled(ruling)
    if found is None or ruled is None:
        return False
    rulings = [asdict(each) for each in ruled.rulings]
    _put(tx, {**found, "state": ruled.state, "rulings": rulings, "decided_at": now})
    if ruled.state != "pending":
        _no_longer_pending(tx, now, found)
    return True


def gone(tx: Transaction, now: float, approved: PendingApproval) -> ApprovalGone | None:
    """Why what was approved is good no longer; None if it is, and just as it was found."""
    return approvals.gone(_read(tx.get(keys.approval(approved.ask.approval_id)), now), approved)


def use(tx: Transaction, approval_id: str) -> None:
    """Use up what was approved: `gone` found in the same transaction that it is good."""
    if (found := tx.get(keys.approval(approval_id))) is not None:
        _put(tx, {**found, "state": "used"})


def find(tx: Transaction, now: float, approval_id: str) -> PendingApproval | None:
    """One request."""
    return _read(tx.peek(keys.approval(approval_id)), now)


def newest(table: Table, now: float, states: Collection[ApprovalState], limit: int) -> list[PendingApproval]:
    """The newest requests in some states, the newest first; in any, if none is given."""
    return list(islice((found for found in _all(table, now) if found.state in states or not states), limit))


def _all(table: Table, now: float) -> Iterator[PendingApproval]:
    listed = table.query(keys.APPROVALS, newest_first=True)
    while ids := [item[SORT_KEY]["S"].partition("#")[2] for item in islice(listed, _AT_ONCE)]:
        tx = Transaction(table)
        tx.fetch([keys.approval(approval_id) for approval_id in ids])
        found = (find(tx, now, approval_id) for approval_id in ids)
        yield from (each for each in found if each is not None)


def _pending(tx: Transaction, now: float, principal: str) -> dict[str, float]:
    found = tx.get(keys.pending(principal)) or {}
    return {approval_id: expires_at for approval_id, expires_at in found.items() if now < expires_at}


def _no_longer_pending(tx: Transaction, now: float, request: Body) -> None:
    principal, approval_id = request["ask"]["principal"], request["ask"]["approval_id"]
    left = {each: at for each, at in _pending(tx, now, principal).items() if each != approval_id}
    tx.put(keys.pending(principal), left, max(left.values(), default=now))


def _put(tx: Transaction, request: Body) -> None:
    tx.put(_key(request), request, request["expires_at"] + KEPT_SECONDS)


def _key(request: Body) -> Key:
    return keys.approval(request["ask"]["approval_id"])


def _read(body: Body | None, now: float) -> PendingApproval | None:
    if body is None or body["expires_at"] + KEPT_SECONDS <= now:
        return None
    state, expires_at = body["state"], body["expires_at"]
    if state in ("pending", "approved") and now >= expires_at:
        state = "expired"
    try:
        ask = ApprovalAsk(**body["ask"])
        ruled = tuple(ApprovalRuling(**each) for each in body.get("rulings", ()))
    except TypeError as error:
        raise RecordError("a request for approval is not as it was written") from error
    return PendingApproval(ask, state, body["asked_at"], expires_at, expires_at - now, ruled, body.get("decided_at"))
