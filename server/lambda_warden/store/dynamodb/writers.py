"""Writers: the servers that write to a table, each to a chain of its own, and which of them are still there.

A server is taken to live for a while after its last word, which it renews. Who finds it silent for longer takes its
chain from it: the end of the chain is another one then, so that nothing which that server writes fits. If it does live,
it goes on with a new chain. Times are seconds of the store's time.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, get_args

from lambda_warden.store.audit_log import Field, Kind, RecordError
from lambda_warden.store.dynamodb import keys
from lambda_warden.store.dynamodb.keys import Key
from lambda_warden.store.dynamodb.limits import SKEW
from lambda_warden.store.dynamodb.requests import Table
from lambda_warden.store.dynamodb.transaction import Body, Transaction
from lambda_warden.store.hash_chain import GENESIS, body_text, link

LEASE_SECONDS: Final = 30.0
"""How long a server is taken to live after its last word."""
RENEW_SECONDS: Final = 10.0
"""How often it says one, if it writes nothing else."""
_FOLLOWED: Final = 30
"""How many chains one start follows, so that it fits into a transaction; the next one follows the others."""

_KINDS: Final = frozenset(get_args(Kind))


class ChainWriter:
    """A server's chain.

    Args:
        table: where it stands.
        about: what its `start` says of the server.
    """

    def __init__(self, table: Table, about: Mapping[str, Field]) -> None:
        self._table = table
        self._about = about
        self.id = ""

    @property
    def head(self) -> Key:
        """Where the end of its chain stands."""
        return keys.head(self.id)

    def begin(self, tx: Transaction) -> None:
        """Begin a new chain with a `start`, which follows the ends of the other chains that none follows yet."""
        self.id = uuid.uuid4().hex
        roster: dict[str, int] = dict(tx.get(keys.ROSTER) or {})
        tx.fetch([keys.head(other) for other in roster])
        follows, position = [], 0
        for other in list(roster)[:_FOLLOWED]:
            end = tx.peek(keys.head(other))
            if end is not None and end["seq"] > roster[other]:
                follows.append(end["hash"])
                position = max(position, end["position"])
                roster[other] = end["seq"]
            if end is None or end["state"] == "ended":
                del roster[other]
        tx.put(keys.ROSTER, {**roster, self.id: 0})
        tx.put((keys.WRITERS, self.id), {})
        if tx.get(keys.PAUSE) is not None:
            tx.put(keys.stop(self.id), {})
        tx.get(self.head)
        tx.put(self.head, {"seq": 0, "hash": GENESIS, "position": position, "open": [], **self._living()})
        self.append(tx, "start", self.id, body_text({**self._about, "follows": " ".join(follows) or None}))

    def append(self, tx: Transaction, kind: Kind, invocation_id: str, body: str) -> None:
        """Write an event. Raises `RecordError` if there is no such kind."""
        if kind not in _KINDS:
            raise RecordError(f"there are no records of the kind {kind}")
        head = self._end(tx)
        seq, position = head["seq"] + 1, max(round(self._table.now() * 1e6), head["position"] + 1)
        at = time_of_day(self._table)
        head_hash = link(head["hash"], self.id, seq, at, kind, invocation_id, body)
        texts = {"at": at, "kind": kind, "invocation_id": invocation_id, "body": body, "hash": head_hash}
        numbers = {"position": {"N": str(position)}, "seq": {"N": str(seq)}}
        tx.insert(keys.event(self.id, seq), {**numbers, **{name: {"S": text} for name, text in texts.items()}})
        tx.insert(keys.event_of(invocation_id, self.id, seq), {})
        tx.put(self.head, {**head, "seq": seq, "hash": head_hash, "position": position})

    def renew(self, tx: Transaction) -> None:
        """Say that it lives."""
        end = self._end(tx)
        tx.put(self.head, {**end, **self._living()} if end["state"] == "living" and end["alive_until"] else end)

    def note(self, tx: Transaction, invocation_id: str, *, under_way: bool) -> None:
        """Note that a call is under way, or no longer."""
        head = self._end(tx)
        others = [each for each in head["open"] if each != invocation_id]
        tx.put(self.head, {**head, "open": [*others, invocation_id] if under_way else others})

    def end(self, tx: Transaction) -> None:
        """Say that it writes no more. What it leaves under way is found by whoever comes next."""
        head = self._end(tx)
        tx.put(self.head, {**head, "state": "living" if head["open"] else "ended", "alive_until": 0})

    def _living(self) -> dict[str, Any]:
        return {"state": "living", "alive_until": self._table.now() + LEASE_SECONDS}

    def _end(self, tx: Transaction) -> Body:
        head = tx.get(self.head)
        if head is None:
            raise RecordError("the end of this server's records is not in the table any more")
        return head


def is_alive(tx: Transaction, now: float, writer: str) -> bool:
    """Whether a server is there, as far as others can tell."""
    head = tx.peek(keys.head(writer))
    return head is not None and head["state"] == "living" and now < head["alive_until"] + SKEW / 1e6


def dead(tx: Transaction, now: float, own: str) -> list[str]:
    """The servers that ended without a word."""
    others = [writer for writer in tx.peek(keys.ROSTER) or {} if writer != own]
    tx.fetch([keys.head(other) for other in others])
    return [
        other
        for other in others
        if (head := tx.peek(keys.head(other))) is not None and head["state"] != "ended" and not is_alive(tx, now, other)
    ]


def take_over(tx: Transaction, writer: str, calls: int, only: str | None = None) -> list[str]:
    """Take a dead server's chain from it.

    Args:
        tx: writes it.
        writer: the server.
        calls: how many calls may be taken at the most.
        only: the one that is taken; all, if None.

    Returns:
        The calls that it had under way, which are no longer its own. There may be more.
    """
    head: dict[str, Any] = dict(tx.get(keys.head(writer)) or {"open": []})
    taken = [each for each in head["open"] if only in (None, each)][:calls]
    left = [each for each in head["open"] if each not in taken]
    tx.put(keys.head(writer), {**head, "open": left, "state": "taken" if left else "ended", "alive_until": 0})
    return taken


def time_of_day(table: Table) -> str:
    """The time of day, for people: ISO 8601, UTC."""
    return datetime.fromtimestamp(table.clock.time_of_day(), UTC).isoformat(timespec="milliseconds")
