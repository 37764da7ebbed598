"""SQLite as a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_warden.store.audit_log import AuditLog, AuditReader, Field
from lambda_warden.store.clock import Clock
from lambda_warden.store.results import ResultReader, ResultStore
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from lambda_warden.store.sqlite.database import Memory
from lambda_warden.store.sqlite.reading import SqliteAuditReader
from lambda_warden.store.sqlite.results.keeper import SqliteResultStore
from lambda_warden.store.sqlite.results.reading import SqliteResultReader

if TYPE_CHECKING:
    from lambda_warden.store.seal import Seal


class SqliteStore:
    """A file, or memory; see `Store`.

    Args:
        place: what stands after `sqlite:`, or a path: `:memory:`, or `///` before a path.
    """

    def __init__(self, place: str) -> None:
        file = None if place == ":memory:" else Path(place.removeprefix("//"))
        self._records, self._results = file or Memory(), file or Memory()

    def audit_log(
        self, *, about: Mapping[str, Field] | None = None, seal: Seal | None = None, clock: Clock | None = None
    ) -> AuditLog:
        """Open it for writing; see `Store.audit_log`."""
        return SqliteAuditLog(self._records, about=about, seal=seal, clock=clock)

    def audit_reader(self, *, clock: Clock | None = None) -> AuditReader:
        """Open it for reading; see `Store.audit_reader`."""
        return SqliteAuditReader(self._records, clock)

    def result_store(
        self, *, ttl_seconds: float, max_bytes: int, seal: Seal | None = None, clock: Clock | None = None
    ) -> ResultStore:
        """Open it for keeping results; see `Store.result_store`."""
        return SqliteResultStore(self._results, ttl_seconds=ttl_seconds, max_bytes=max_bytes, seal=seal, clock=clock)

    def result_reader(self, *, seal: Seal | None = None, clock: Clock | None = None) -> ResultReader:
        """Open kept results for reading; see `Store.result_reader`."""
        return SqliteResultReader(self._results, seal, clock)
