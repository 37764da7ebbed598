"""SQLite as a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_warden.store.audit_log import AuditLog, AuditReader, Field, RecordError
from lambda_warden.store.clock import Clock
from lambda_warden.store.results import ResultError, ResultReader, ResultStore
from lambda_warden.store.sqlite import layout
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
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
        self._path = None if place == ":memory:" else Path(place.removeprefix("//"))

    def audit_log(
        self, *, about: Mapping[str, Field] | None = None, seal: Seal | None = None, clock: Clock | None = None
    ) -> AuditLog:
        """Open it for writing; see `Store.audit_log`."""
        return SqliteAuditLog(self._path, about=about, seal=seal, clock=clock)

    def audit_reader(self) -> AuditReader:
        """Open it for reading; see `Store.audit_reader`."""
        if self._path is None:
            raise RecordError("what is kept in memory can't be read from elsewhere")
        return SqliteAuditReader(layout.connect_to_read(self._path), self._path)

    def result_store(self, *, ttl_seconds: float, max_bytes: int, seal: Seal | None = None) -> ResultStore:
        """Open it for keeping results; see `Store.result_store`."""
        return SqliteResultStore(self._file(), ttl_seconds=ttl_seconds, max_bytes=max_bytes, seal=seal)

    def result_reader(self, *, seal: Seal | None = None) -> ResultReader:
        """Open kept results for reading; see `Store.result_reader`."""
        return SqliteResultReader(self._file(), seal)

    def _file(self) -> Path:
        if self._path is None:
            raise ResultError("results are kept in a file")
        return self._path
