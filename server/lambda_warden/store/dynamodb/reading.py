"""Reading of a table's records, which servers may be writing to."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from typing import Any, Final, TypeVar

from lambda_warden.store.approvals import ApprovalState, PendingApproval
from lambda_warden.store.audit_log import (
    AuditEntry,
    CircuitBreaker,
    CircuitOpen,
    FailureRun,
    Kind,
    Pause,
    RecordError,
    StateBesideChains,
)
from lambda_warden.store.dynamodb import approval_requests, keys, limits, stops, writers
from lambda_warden.store.dynamodb.requests import Item, Table
from lambda_warden.store.dynamodb.table import PARTITION_KEY, SORT_KEY
from lambda_warden.store.dynamodb.transaction import Transaction, body_of
from lambda_warden.store.dynamodb.verifying import Chain, follow_chains
from lambda_warden.store.hash_chain import AuditEvent, Verification

_T = TypeVar("_T")

_STEP_SECONDS: Final = 3_600.0
"""How far what people are told of the time may be from the store's own."""
_NO_EVENT: Final = "a"
"""Above the sort key of every event, which is made of digits."""


class DynamoDbAuditReader:
    """Reads records and never writes to them; see `AuditReader`. Not for several threads at once.

    The position of an event is when it was written, in microseconds since the epoch, by the clock of its server: so
    those of different servers stand about in their order. `events` gives no event twice to who asks with the position
    of the last one, and leaves none out, though that one may have a lower position.

    Args:
        table: they stand in.

    Raises:
        RecordError: if it can't be read, or no server has written to it.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._closed = False
        self._seen: dict[str, int] = {}
        self._last_seen = 0
        if not self._writers():
            raise RecordError(f"the table {table.name} is empty: no server has written to it yet")

    def events(self, after: int = 0) -> Iterator[AuditEvent]:
        """All events above a position; see `AuditReader.events`."""
        if after != self._last_seen or not after:
            self._seen = {}
        start = 0 if self._seen else after
        position = after
        for event in heapq.merge(*(self._new(writer, start) for writer in self._writers()), key=_place):
            # Servers that write in the same microsecond, or whose clocks differ.
            position = max(event.position, position + 1)
            self._seen[event.writer], self._last_seen = event.seq, position
            yield replace(event, position=position)

    def chain(self, writer: str, after: int = 0, limit: int = 1000) -> Iterator[AuditEvent]:
        """The events of one writer; see `AuditReader.chain`."""
        found = self._chain(writer, after)
        return (event for event, _ in zip(found, range(limit), strict=False))

    def last(self) -> int:
        """The position of the last event; see `AuditReader.last`."""
        heads = self._heads()
        self._seen = {writer: head["seq"] for writer, head in heads.items()}
        self._last_seen = max((head["position"] for head in heads.values()), default=0)
        return self._last_seen

    def entries(self, kinds: Collection[Kind], since: datetime | None = None) -> Iterator[AuditEntry]:
        """The events of some kinds; see `AuditReader.entries`."""
        earliest = "" if since is None else since.astimezone(UTC).isoformat(timespec="milliseconds")
        now = self._table.now()
        living = Transaction(self._table)
        found = heapq.merge(*map(self._newest, self._writers()), key=_place, reverse=True)
        endings: dict[str, AuditEvent] = {}
        for event in found:
            if since is not None and event.position < (since.timestamp() - _STEP_SECONDS) * 1e6:
                return
            if event.at < earliest:
                continue
            if event.kind == "outcome":
                endings.setdefault(event.invocation_id, event)
            if event.kind not in kinds:
                continue
            if event.kind != "intent":
                yield AuditEntry(event)
                continue
            ending = endings.pop(event.invocation_id, None)
            lost = ending is None and not writers.is_alive(living, now, event.writer)
            yield AuditEntry(event, ending, server_lost=lost)

    def find_invocation(self, invocation_id: str) -> list[AuditEvent]:
        """All events of one call; see `AuditReader.find_invocation`."""
        try:
            invocation_id.encode()
        except UnicodeEncodeError:  # a lone surrogate, which no id has
            return []
        self._check_open()
        named = self._table.query(keys.event_of(invocation_id, "", 0)[0], prefix=keys.EVENT)
        places = [item[SORT_KEY]["S"].removeprefix(keys.EVENT).rpartition("#") for item in named]
        found = self._table.read([keys.event(writer, int(seq)) for writer, _, seq in places])
        return sorted(map(_event, found.values()), key=_place)

    def stopped_by(self, breaker: CircuitBreaker | None = None) -> Pause | CircuitOpen | None:
        """What would keep a call from being admitted; see `AuditReader.stopped_by`."""
        tx = self._looking()
        tx.fetch([keys.PAUSE, *([keys.run(breaker.function)] if breaker else [])])
        return stops.stopped_by(tx, self._table.now(), breaker)

    def failure_runs(self) -> list[FailureRun]:
        """The runs of failures; see `AuditReader.failure_runs`."""
        self._check_open()
        found = self._table.query(keys.RUNS)
        return [stops.failure_run(item[SORT_KEY]["S"], body_of(item)) for item in found]

    def find_approval(self, approval_id: str) -> PendingApproval | None:
        """One request for approval; see `ApprovalReader.find_approval`."""
        return approval_requests.find(self._looking(), self._table.now(), approval_id)

    def approvals(self, states: Collection[ApprovalState] = (), limit: int = 50) -> list[PendingApproval]:
        """The newest requests for approval; see `ApprovalReader.approvals`."""
        self._check_open()
        return approval_requests.newest(self._table, self._table.now(), states, limit)

    def state(self) -> StateBesideChains:
        """What stands beside the chains; see `AuditReader.state`."""
        now = self._table.now()
        counted = map(body_of, self._table.scan(keys.LIMIT, keys.limit("")[1]))
        asked = approval_requests.newest(self._table, now, (), 10**9)
        return StateBesideChains(
            units={body["key"]: limits.Units.of(body, round(now * limits.SECOND)).today for body in counted},
            calls=frozenset(item[PARTITION_KEY]["S"].partition("#")[2] for item in self._table.scan(*keys.call(""))),
            approvals={found.ask.approval_id: found.state for found in asked},
            paused=stops.paused(self._looking()) is not None,
        )

    def verify(self, noted: Collection[str] = ()) -> Verification:
        """Follow the chains; see `AuditReader.verify`."""
        heads = self._heads()
        missing = [writer for writer in self._writers() if writer not in heads]
        chains = [
            Chain(writer, head["seq"], self._chain(writer, 0), partial(self._end, writer))
            for writer, head in heads.items()
        ]
        return follow_chains(chains, missing, noted)

    def close(self) -> None:
        """Read no more."""
        self._closed = True

    def _writers(self) -> list[str]:
        self._check_open()
        return [item[SORT_KEY]["S"] for item in self._table.query(keys.WRITERS)]

    def _heads(self) -> dict[str, Any]:
        """The ends of all chains."""
        tx, known = self._looking(), self._writers()
        tx.fetch([keys.head(writer) for writer in known])
        return {writer: head for writer in known if (head := tx.peek(keys.head(writer))) is not None}

    def _looking(self) -> Transaction:
        """A transaction that is never written."""
        self._check_open()
        return Transaction(self._table)

    def _end(self, writer: str) -> tuple[int, str]:
        head = self._looking().peek(keys.head(writer)) or {"seq": 0, "hash": ""}
        return head["seq"], head["hash"]

    def _chain(self, writer: str, after: int) -> Iterator[AuditEvent]:
        self._check_open()
        found = self._table.query(*keys.event(writer, after))
        return map(_event, takewhile(lambda item: item[SORT_KEY]["S"] < _NO_EVENT, found))

    def _newest(self, writer: str) -> Iterator[AuditEvent]:
        found = self._table.query(keys.event(writer, 0)[0], newest_first=True)
        return (_event(item) for item in found if item[SORT_KEY]["S"] < _NO_EVENT)

    def _new(self, writer: str, start: int) -> Iterator[AuditEvent]:
        """The events of a writer that were not given yet, above a position if none was."""
        if writer in self._seen or not start:
            return self._chain(writer, self._seen.get(writer, 0))
        above = []
        for event in self._newest(writer):
            if event.position <= start:
                break
            above.append(event)
        return iter(above[::-1])

    def _check_open(self) -> None:
        if self._closed:
            raise RecordError("the records are closed")


def _place(event: AuditEvent) -> tuple[int, str, int]:
    return event.position, event.writer, event.seq


def _event(item: Item) -> AuditEvent:
    # What is no event was put there by somebody else. So that it fits no hash, it is not read as it is.
    writer = item[PARTITION_KEY]["S"].partition("#")[2]
    texts = (_text(item, name) for name in ("at", "kind", "invocation_id", "body", "hash"))
    return AuditEvent(_number(item, "position"), writer, _number(item, "seq"), *texts)


def _number(item: Item, name: str) -> int:
    try:
        return int(item[name]["N"])
    except (KeyError, ValueError):
        return 0


def _text(item: Item, name: str) -> str:
    value = item.get(name, {})
    return value["S"] if "S" in value else repr(value)
