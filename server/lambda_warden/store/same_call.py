"""Calls as a store keeps them, and when one stands against another; for every kind of store. Pure.

A store keeps a call until its answer has reached its caller and, after that, as long as a later one has to know of it:
for its key, or because it may have run without anybody knowing how it ended. Times are seconds of the store's time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lambda_warden.store.audit_log import HitState, IdempotencyClaim, IdempotencyHit
from lambda_warden.store.results import ResultError

if TYPE_CHECKING:
    from lambda_warden.store.seal import Seal

_PURPOSE: Final = "lambda-warden idempotency 1"

SILENT_SECONDS: Final = 3.0
"""A call that only reads and comes this long after the same one began is taken for that one, sent again: some clients
give up without a word, the first of them after 5 s."""


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A call that was admitted.

    Attributes:
        invocation_id: of it.
        request_digest: of what it asks for; None if it stands against nothing.
        key: the idempotency key that it has, if any.
        began_at: when it was admitted.
        under_way_until: when, without an outcome, it can be under way no longer, so that nobody knows how it ended.
        adopt_seconds: how long an answer that reached nobody is given to the next same call.
        waiter: the writer whose client waits for the answer.
        asked_again: the same call came meanwhile, so that nobody knows which of the two clients still listens.
        delivered: whether its answer has reached a caller.
        adopt_until: when an answer that reached nobody is no longer given to the next same call.
        settled: a later call has named this one, whose outcome is unknown.
        outcome: in one word, once there is one.
        result: its answer, sealed where there is a seal; None if it was not kept.
        key_id: of the key that the result is sealed with, if it is.
    """

    invocation_id: str
    request_digest: str | None
    key: str | None
    began_at: float
    under_way_until: float
    adopt_seconds: float
    waiter: str | None
    asked_again: int
    delivered: int
    adopt_until: float | None
    settled: int
    outcome: str | None
    result: bytes | None
    key_id: str | None

    def is_under_way(self, now: float) -> bool:
        """Whether its end may still come."""
        return self.outcome is None and now < self.under_way_until

    def is_adoptable(self, now: float) -> bool:
        """Whether it has ended, and nobody was told."""
        until = self.adopt_until if self.adopt_until is not None else self.under_way_until + self.adopt_seconds
        return not self.delivered and now < until


Waits = Callable[[str], bool]
"""Whether a writer is still there, so that its client may wait for an answer."""


def stands_against(call: KeptCall, claim: IdempotencyClaim, now: float, waits: Waits) -> HitState | None:
    """What a call means for the same one that comes now; None if both may run. Pure."""
    has_key = claim.key is not None and call.key == claim.key
    if has_key and call.request_digest != claim.request_digest:
        return "another_request"
    other_key = not has_key and call.key is not None and claim.key is not None
    if call.is_under_way(now):
        if other_key:
            return None
        if call.waiter is None or not waits(call.waiter):
            return "left"
        if claim.repeatable and not has_key:
            return "left" if now - call.began_at >= SILENT_SECONDS else None
        return "in_progress"
    if has_key:
        return "lost" if call.outcome is None else "ended"
    if call.outcome is not None and call.result is not None and not other_key and call.is_adoptable(now):
        return "ended"
    if call.outcome not in (None, "unknown"):
        return None
    if claim.repeatable:
        return "lost" if call.outcome is None and not other_key and call.is_adoptable(now) else None
    return None if call.settled or call.invocation_id == claim.after_unknown else "may_have_run"


def hit_of(call: KeptCall, state: HitState, seal: Seal | None, *, adopted: bool) -> IdempotencyHit:
    """What is told of a call to who meets it."""
    if state != "ended":
        until = call.under_way_until if state in ("left", "in_progress") else None
        return IdempotencyHit(call.invocation_id, state, adopted=adopted, until=until)
    result = None if call.result is None else _unsealed(call.result, call.key_id, call.invocation_id, seal)
    return IdempotencyHit(
        call.invocation_id, "unreadable" if result is None else "ended", result, call.outcome, adopted=adopted
    )


def sealed(result: str, invocation_id: str, seal: Seal | None) -> bytes:
    """A result as it is kept."""
    data = result.encode()
    return seal.close(data, _place(invocation_id)) if seal is not None else data


def _unsealed(kept: bytes, key_id: str | None, invocation_id: str, seal: Seal | None) -> str | None:
    """A result, or None if it can't be read: it was sealed with another key, with none, or is not as it was written."""
    if key_id != (seal.key_id if seal else None):
        return None
    try:
        return (seal.open(kept, _place(invocation_id)) if seal else kept).decode()
    except (ResultError, UnicodeDecodeError):
        return None


def _place(invocation_id: str) -> bytes:
    """Where a sealed result belongs."""
    return json.dumps([_PURPOSE, invocation_id]).encode()
