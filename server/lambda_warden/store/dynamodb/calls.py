"""Calls that were admitted: how far each is, who has its idempotency key, and whether its answer reached anybody.

One item says which calls a request has that another call for it may meet. Whatever makes a call stand against others
writes that item, so that who looks for a same call and finds none, and writes it too, is overtaken by nobody. Times are
seconds of the store's time.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from lambda_warden.store.audit_log import HitState, IdempotencyClaim, IdempotencyHit, RecordError, Takes
from lambda_warden.store.dynamodb import keys
from lambda_warden.store.dynamodb.keys import Key
from lambda_warden.store.dynamodb.transaction import ITEM_BYTES, Body, Transaction
from lambda_warden.store.same_call import KeptCall, Waits, hit_of, sealed, stands_against

if TYPE_CHECKING:
    from lambda_warden.store.seal import Seal

_RESULT_BYTES: Final = ITEM_BYTES * 3 // 4 - 8_192
"""What a kept answer may take, compressed and sealed, so that its call fits into an item."""
_TOO_LARGE: Final = "too large"
"""Stands for the key of an answer that was not kept, so that it is unreadable and nothing starts again."""
_GRACE_SECONDS: Final = 86_400.0
"""How much longer than it matters a call stays in the table."""


@dataclass(frozen=True, slots=True)
class StoredCall(KeptCall):
    """A call, with what only the store needs.

    Attributes:
        principal: whose it is, if it stands against others.
        writer: the server that carries it out; empty, once that is gone.
        circuit: the function that its failure counts for, if it was admitted under a breaker.
        expires_at: until when it is known at the least.
        limits: the keys of the limits that it counts in.
        slots: the keys of those where it may hold a slot.
    """

    principal: str | None
    writer: str
    circuit: str | None
    expires_at: float
    limits: Sequence[str]
    slots: Sequence[str]

    def is_over(self, now: float) -> bool:
        """Whether its time is over. A function may run for longer than its key is kept."""
        return self.expires_at <= now and (self.outcome is not None or self.under_way_until <= now)

    @property
    def last(self) -> float:
        """When nobody asks for it any more."""
        return max(self.expires_at, self.under_way_until) + self.adopt_seconds + _GRACE_SECONDS


def wanted(claim: IdempotencyClaim | None) -> list[Key]:
    """The items that tell whether there is a same call."""
    if claim is None:
        return []
    same = keys.same(claim.principal, claim.request_digest)
    return [same] if claim.key is None else [same, keys.claimed(claim.principal, claim.key)]


def add(
    tx: Transaction,
    now: float,
    writer: str,
    invocation_id: str,
    lease: float,
    claim: IdempotencyClaim | None,
    circuit: str | None = None,
    taken: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> None:
    """Note a call that is admitted; `find` found no other that stands against it.

    Args:
        tx: writes it.
        now: the time.
        writer: the server that carries it out.
        invocation_id: of the call.
        lease: seconds that it can be under way at the most.
        claim: what makes another one the same, if anything does.
        circuit: what a failure of it counts for, if it counts.
        taken: the limits that it counts in, and those where it holds a slot.

    Raises:
        RecordError: if it was admitted before.
    """
    if tx.get(keys.call(invocation_id)) is not None:
        raise RecordError("the call was admitted before")
    if claim is not None and claim.after_unknown is not None:
        named = load(tx, claim.after_unknown, now)
        if named and (named.principal, named.request_digest) == (claim.principal, claim.request_digest):
            _save(tx, now, replace(named, settled=1))
    call = StoredCall(
        invocation_id,
        request_digest=claim.request_digest if claim else None,
        key=claim.key if claim else None,
        began_at=now,
        under_way_until=now + lease,
        adopt_seconds=claim.adopt_seconds if claim else 0,
        waiter=writer,
        asked_again=0,
        delivered=0,
        adopt_until=None,
        settled=0,
        outcome=None,
        result=None,
        key_id=None,
        principal=claim.principal if claim else None,
        writer=writer,
        circuit=circuit,
        expires_at=now + (claim.kept_seconds if claim else lease),
        limits=taken[0],
        slots=taken[1],
    )
    _save(tx, now, call)
    _give_key(tx, call)


def find(
    tx: Transaction, now: float, claim: IdempotencyClaim, writer: str, waits: Waits, takes: Takes, seal: Seal | None
) -> IdempotencyHit | None:
    """The earlier call that stands against a new one; whoever asks has its answer, or waits for it, from now on."""
    tx.fetch(wanted(claim))
    ids = _ids(tx, claim.principal, claim.request_digest)
    if claim.key is not None and (owner := tx.get(keys.claimed(claim.principal, claim.key))) is not None:
        ids = [owner["invocation_id"], *ids]
    tx.fetch([keys.call(invocation_id) for invocation_id in ids])
    found = [call for invocation_id in dict.fromkeys(ids) if (call := load(tx, invocation_id, now)) is not None]
    found.sort(key=lambda call: (claim.key is not None and call.key != claim.key, -call.began_at))
    for call in found:
        state = stands_against(call, claim, now, waits)
        if state is not None:
            _take(tx, now, call, state, writer, takes, key=claim.key)
            return _hit(call, state, seal, adopted=claim.key is None or call.key != claim.key)
    return None


def fetch(
    tx: Transaction, now: float, invocation_id: str, principal: str, writer: str, takes: Takes, seal: Seal | None
) -> IdempotencyHit | None:
    """One call, for who waits for its end; None where nothing of it is kept."""
    call = _of(tx, now, invocation_id, principal)
    if call is None:
        return None
    state: HitState = "left" if call.is_under_way(now) else "lost" if call.outcome is None else "ended"
    _take(tx, now, call, state, writer, takes)
    return _hit(call, "in_progress" if state == "left" else state, seal, adopted=False)


def keeps(tx: Transaction, now: float, invocation_id: str, principal: str) -> bool:
    """Whether `fetch` would give a call."""
    return _of(tx, now, invocation_id, principal) is not None


def end(
    tx: Transaction,
    now: float,
    invocation_id: str,
    outcome: str | None,
    result: Callable[[], str] | None,
    seal: Seal | None,
    *,
    ran: bool,
    delivered: bool,
    freed: bool = False,
) -> str | None:
    """Keep what came of a call, as far as a later one may want it.

    Args:
        tx: writes it.
        now: the time.
        invocation_id: of the call.
        outcome: in one word.
        result: gives what is kept, if it has to be: for its key, for who did not get it, or for who has to find out
            what an unknown call did before the same one may follow.
        seal: encrypts it.
        ran: False only if it certainly did not run. Then it stands against no other call.
        delivered: whether its caller gets the answer.
        freed: whether it has given back what it took of the limits.

    Returns:
        What its end counts for; None if it does not count, or has come before.
    """
    call = load(tx, invocation_id)
    if call is None:
        return None
    circuit = call.circuit if call.outcome is None and call.writer else None
    delivered = delivered and not call.asked_again
    if not ran:
        call = _without_claim(tx, now, call)
    if delivered and (not ran or (call.key is None and outcome != "unknown")):
        _list(tx, now, call, listed=False)
        tx.delete(keys.call(invocation_id))
        return circuit
    kept, key_id = None, seal.key_id if seal else None
    if result is not None and (call.key is not None or not delivered or outcome == "unknown"):
        kept = _packed(result(), invocation_id, seal)
        if len(kept) > _RESULT_BYTES:
            kept, key_id = b"", _TOO_LARGE
    ended = replace(
        _late(call, now), outcome=outcome or "unknown", result=kept, key_id=key_id, delivered=int(delivered)
    )
    _save(tx, now, replace(ended, limits=(), slots=()) if freed else ended)
    return circuit


def leave(tx: Transaction, now: float, invocation_id: str) -> None:
    """Nobody waits for its answer any more; and if it was about to be given, it was not."""
    if (call := load(tx, invocation_id)) is not None:
        _save(tx, now, replace(call, waiter=None, delivered=0, adopt_until=now + call.adopt_seconds))


def bring_back(
    tx: Transaction,
    now: float,
    writer: str,
    invocation_id: str,
    claim: IdempotencyClaim,
    outcome: str,
    result: str,
    seal: Seal | None,
    *,
    ran: bool,
) -> None:
    """Keep an answer that did not reach its caller although it was ready: who calls again gets it, if it ran."""
    if load(tx, invocation_id) is None:
        # The key of one that did not run may be another's by now.
        add(tx, now, writer, invocation_id, 0, claim if ran else replace(claim, key=None))
    end(tx, now, invocation_id, outcome, lambda: result, seal, ran=ran, delivered=False)
    leave(tx, now, invocation_id)


def lose(tx: Transaction, now: float, call: StoredCall) -> str | None:
    """The server that made a call has ended without a word of how the call did. Returns what `end` does."""
    circuit = call.circuit if call.outcome is None and call.writer else None
    _save(tx, now, replace(_late(call, now), under_way_until=0, waiter=None, writer=""))
    return circuit


def load(tx: Transaction, invocation_id: str, now: float | None = None) -> StoredCall | None:
    """A call; none, if its time is over by `now`."""
    body = tx.peek(keys.call(invocation_id))
    if body is None:
        return None
    try:
        kept = None if body["result"] is None else base64.b64decode(body["result"])
        call = StoredCall(invocation_id, **{**body, "result": kept})
    except (TypeError, ValueError) as error:
        raise RecordError("a call is not as it was written") from error
    return None if now is not None and call.is_over(now) else call


def _of(tx: Transaction, now: float, invocation_id: str, principal: str) -> StoredCall | None:
    call = load(tx, invocation_id, now)
    is_told = call is not None and call.principal == principal and (call.outcome is None or call.result is not None)
    return call if is_told else None


def _take(
    tx: Transaction, now: float, call: StoredCall, state: HitState, writer: str, takes: Takes, key: str | None = None
) -> None:
    """Note what becomes of a call by somebody's asking for it."""
    changed = call
    is_given = state in ("left", "ended", "lost")
    if is_given and not takes(call.invocation_id):
        return
    match state:
        case "left":
            changed = replace(call, waiter=writer, asked_again=1)
        case "ended" | "lost":
            changed = replace(call, delivered=1)
        case "in_progress":
            changed = replace(call, asked_again=1)
    if is_given and key is not None and call.key is None:
        changed = replace(changed, key=key)
        _give_key(tx, changed)
    if changed != call:
        _save(tx, now, changed)


def _late(call: StoredCall, now: float) -> StoredCall:
    """A call whose end comes now. If its time is over, it is known for a while from now on."""
    is_late = call.expires_at <= now < call.under_way_until
    until = now + call.adopt_seconds
    return replace(call, adopt_until=until, expires_at=until if is_late else call.expires_at)


def _without_claim(tx: Transaction, now: float, call: StoredCall) -> StoredCall:
    """A call that stands against no other any more."""
    _list(tx, now, call, listed=False)
    if call.key is not None and call.principal is not None:
        key = keys.claimed(call.principal, call.key)
        if (owner := tx.get(key)) is not None and owner["invocation_id"] == call.invocation_id:
            tx.delete(key)
    return replace(call, key=None, request_digest=None)


def _give_key(tx: Transaction, call: StoredCall) -> None:
    if call.key is not None and call.principal is not None:
        key = keys.claimed(call.principal, call.key)
        tx.get(key)
        tx.put(key, {"invocation_id": call.invocation_id}, call.last)


def _save(tx: Transaction, now: float, call: StoredCall) -> None:
    body: dict[str, Any] = {
        each.name: getattr(call, each.name) for each in fields(call) if each.name != "invocation_id"
    }
    kept = None if call.result is None else base64.b64encode(call.result).decode()
    tx.put(keys.call(call.invocation_id), {**body, "result": kept}, call.last)
    _list(tx, now, call, listed=call.outcome in (None, "unknown") or not call.delivered)


def _list(tx: Transaction, now: float, call: StoredCall, *, listed: bool) -> None:
    """Say whether a call is one that another call for the same may meet without its key."""
    if call.principal is None or call.request_digest is None:
        return
    key = keys.same(call.principal, call.request_digest)
    body: Body = tx.get(key) or {"ids": [], "until": 0}
    known = body["ids"]
    tx.fetch([keys.call(each) for each in known])
    ids = [each for each in known if each != call.invocation_id and load(tx, each, now) is not None]
    until = max(body["until"], call.last)
    tx.put(key, {"ids": [*ids, call.invocation_id] if listed else ids, "until": until}, until)


def _ids(tx: Transaction, principal: str, request_digest: str) -> list[str]:
    found = tx.get(keys.same(principal, request_digest))
    return [] if found is None else list(found["ids"])


def _packed(result: str, invocation_id: str, seal: Seal | None) -> bytes:
    """An answer as it is kept."""
    return sealed(base64.b85encode(zlib.compress(result.encode(), 1)).decode(), invocation_id, seal)


def _hit(call: StoredCall, state: HitState, seal: Seal | None, *, adopted: bool) -> IdempotencyHit:
    hit = hit_of(call, state, seal, adopted=adopted)
    if hit.result is None:
        return hit
    try:
        return replace(hit, result=zlib.decompress(base64.b85decode(hit.result)).decode())
    except (ValueError, zlib.error):
        return replace(hit, state="unreadable", result=None)
