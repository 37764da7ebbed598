"""Reading of records, from a file that a server may be writing to."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from lambda_warden.store import chain
from lambda_warden.store.chain import Record, Verification
from lambda_warden.store.records import Kind, RecordError
from lambda_warden.store.sqlite import check_layout

_LEASE_SECONDS: Final = 925.0
"""How long an intent that names no lease is taken to be under way."""
_BUSY_SECONDS: Final = 10.0
_SELECT: Final = "SELECT seq, at, kind, invocation_id, body, hash FROM records"


@dataclass(frozen=True, slots=True)
class Entry:
    """A record and, if it is an intent that has ended, its outcome."""

    record: Record
    ending: Record | None = None

    def outcome(self, now: datetime) -> str:
        """How it ended.

        Returns:
            For an intent, the outcome on record; without one, `running` until the end of its lease and `unknown`
            after. `denied` for a denial, and the kind for other records.
        """
        if self.ending is not None:
            return str(self.ending.fields().get("outcome", "unknown"))
        if self.record.kind == "intent":
            return "running" if now < _lease_end(self.record) else "unknown"
        return "denied" if self.record.kind == "denial" else self.record.kind


class Reader:
    """Reads a file of records and never writes to it. Use it in a `with` statement, in one thread.

    Raises:
        RecordError: by every method, if the file can't be read or holds no records.
    """

    def __init__(self, path: Path) -> None:
        with _problems(path):
            uri = f"{path.absolute().as_uri()}?mode=ro"
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
            self._db.text_factory = _decode
            try:
                if not check_layout(self._db, path):
                    raise RecordError(f"the records' file {path} is empty: no server has written to it yet")
            except (sqlite3.Error, RecordError):
                self._db.close()
                raise
        self._path = path

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def records(self, after: int = 0) -> Iterator[Record]:
        """The records with a seq above `after`, in their order."""
        return self._select("WHERE seq > ? ORDER BY seq", after)

    def last(self) -> int:
        """The seq of the last record, 0 if there is none."""
        return next((record.seq for record in self._select("ORDER BY seq DESC LIMIT 1")), 0)

    def entries(
        self, kinds: Collection[Kind], since: datetime | None = None, invocation_id: str | None = None
    ) -> Iterator[Entry]:
        """The records of some kinds, the newest first, each with its outcome.

        Args:
            kinds: which ones.
            since: only those written at this time or later. With a time zone.
            invocation_id: only those of this call.
        """
        wanted = [f"kind IN ({', '.join('?' * len(kinds))})"]
        values: list[str] = list(kinds)
        if since is not None:
            wanted.append("at >= ?")
            values.append(since.astimezone(UTC).isoformat(timespec="milliseconds"))
        if invocation_id is not None:
            wanted.append("invocation_id = ?")
            values.append(invocation_id)
        for record in self._select(f"WHERE {' AND '.join(wanted)} ORDER BY seq DESC", *values):
            yield Entry(record, self.outcome_of(record) if record.kind == "intent" else None)

    def outcome_of(self, intent: Record) -> Record | None:
        """The outcome of an intent, if it has one."""
        where = "WHERE invocation_id = ? AND kind = 'outcome' AND seq > ? ORDER BY seq LIMIT 1"
        return next(self._select(where, intent.invocation_id, intent.seq), None)

    def intent_of(self, outcome: Record) -> Record | None:
        """The intent that an outcome ends, if it is on record."""
        where = "WHERE invocation_id = ? AND kind = 'intent' AND seq < ? ORDER BY seq DESC LIMIT 1"
        return next(self._select(where, outcome.invocation_id, outcome.seq), None)

    def verify(self, noted: str | None = None) -> Verification:
        """Follow the chain; see `verify`."""
        try:
            # One snapshot: a server may write in the meantime.
            self._db.execute("BEGIN")
            try:
                counted = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'records'").fetchone()
                records = map(_record, self._db.execute(f"{_SELECT} ORDER BY seq"))
                return chain.check(records, counted[0] if counted else 0, noted)
            finally:
                self._db.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            return Verification(0, chain.GENESIS, (f"the file is damaged: {error}",))

    def _select(self, rest: str, *values: str | int) -> Iterator[Record]:
        with _problems(self._path):
            yield from map(_record, self._db.execute(f"{_SELECT} {rest}", values))


def verify(path: Path, noted: str | None = None) -> Verification:
    """Find every record that was altered, removed, reordered or inserted.

    Args:
        path: of the file. A server may be writing to it.
        noted: the head of an earlier verification. Without it, a file whose whole end was rewritten with new hashes
            can't be told from a true one.

    Raises:
        RecordError: if the file can't be opened or holds no records.
    """
    with Reader(path) as reader:
        return reader.verify(noted)


def _record(row: tuple[Any, ...]) -> Record:
    seq, *texts = row
    # What has another type was put there by somebody else. So that it fits no hash, it is not read as text.
    return Record(
        seq if isinstance(seq, int) else 0, *(text if isinstance(text, str) else repr(text) for text in texts)
    )


def _decode(text: bytes) -> str:
    # What is no UTF-8 was put there by somebody else. It must not stop the reading of the rest.
    return text.decode("utf-8", "surrogateescape")


def _lease_end(intent: Record) -> datetime:
    seconds = intent.fields().get("lease_seconds", _LEASE_SECONDS)
    try:
        at = datetime.fromisoformat(intent.at)
        return at.replace(tzinfo=at.tzinfo or UTC) + timedelta(seconds=seconds)
    except (ValueError, TypeError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


@contextmanager
def _problems(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise RecordError(f"the records' file {path} can't be read: {error}") from error
