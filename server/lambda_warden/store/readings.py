"""Reading of the records by a server that writes them, in several threads at once: each time by a new reader."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from datetime import datetime
from typing import TypeVar

from lambda_warden.store.approvals import ApprovalState, PendingApproval
from lambda_warden.store.audit_log import (
    AuditEntry,
    AuditReader,
    CircuitBreaker,
    CircuitOpen,
    FailureRun,
    Kind,
    Pause,
    StateBesideChains,
)
from lambda_warden.store.hash_chain import AuditEvent, Verification

_T = TypeVar("_T")


class Readings:
    """What an audit log reads; see `AuditReader`. Safe to use from any thread.

    Args:
        open_reader: opens a reader of the same records.
    """

    def __init__(self, open_reader: Callable[[], AuditReader]) -> None:
        self._open_reader = open_reader

    def stopped_by(self, breaker: CircuitBreaker | None = None) -> Pause | CircuitOpen | None:
        """What would keep a call from being admitted; see `AuditReader.stopped_by`."""
        return self._read(lambda reader: reader.stopped_by(breaker))

    def failure_runs(self) -> list[FailureRun]:
        """The runs of failures; see `AuditReader.failure_runs`."""
        return self._read(lambda reader: reader.failure_runs())

    def find_approval(self, approval_id: str) -> PendingApproval | None:
        """One request; see `ApprovalReader.find_approval`."""
        return self._read(lambda reader: reader.find_approval(approval_id))

    def approvals(self, states: Collection[ApprovalState] = (), limit: int = 50) -> list[PendingApproval]:
        """The newest requests; see `ApprovalReader.approvals`."""
        return self._read(lambda reader: reader.approvals(states, limit))

    def events(self, after: int = 0) -> Iterator[AuditEvent]:
        """All events; see `AuditReader.events`."""
        return iter(self._read(lambda reader: list(reader.events(after))))

    def chain(self, writer: str, after: int = 0, limit: int = 1000) -> Iterator[AuditEvent]:
        """The events of one writer; see `AuditReader.chain`."""
        return iter(self._read(lambda reader: list(reader.chain(writer, after, limit))))

    def last(self) -> int:
        """The position of the last event; see `AuditReader.last`."""
        return self._read(lambda reader: reader.last())

    def entries(self, kinds: Collection[Kind], since: datetime | None = None) -> Iterator[AuditEntry]:
        """The events of some kinds; see `AuditReader.entries`."""
        return iter(self._read(lambda reader: list(reader.entries(kinds, since))))

    def find_invocation(self, invocation_id: str) -> list[AuditEvent]:
        """All events of one call; see `AuditReader.find_invocation`."""
        return self._read(lambda reader: reader.find_invocation(invocation_id))

    def state(self) -> StateBesideChains:
        """What stands beside the chains; see `AuditReader.state`."""
        return self._read(lambda reader: reader.state())

    def verify(self, noted: Collection[str] = ()) -> Verification:
        """Follow the chains; see `AuditReader.verify`."""
        return self._read(lambda reader: reader.verify(noted))

    def _read(self, read: Callable[[AuditReader], _T]) -> _T:
        with closing(self._open_reader()) as reader:
            return read(reader)
