"""Records in a SQLite file: an append-only chain, and beside it limits and approvals, all committed to disk.

Every write is one transaction that holds the file's write lock from its start: threads and processes take their turns,
so what was read of the chain and the limits is still true when the new rows are written.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, get_args

from lambda_warden.store import approvals, chain, idempotency, limits
from lambda_warden.store.place import MovedError, Place, refuse_cut
from lambda_warden.store.records import Answer, Bucket, Busy, Field, First, Kind, RecordError, Reservation

logger = logging.getLogger(__name__)

COLUMNS: Final = ("seq", "at", "kind", "invocation_id", "body", "hash")

LAYOUT: Final = 2
"""The version of these tables, kept as SQLite's user_version."""

_BUSY_SECONDS = 10.0

_KINDS = ", ".join(f"'{kind}'" for kind in get_args(Kind))
_REFUSE = "BEGIN SELECT RAISE(ABORT, 'records are append-only'); END"
_NOT_NEXT = "NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM records)"
_SCHEMA = (
    f"""CREATE TABLE IF NOT EXISTS records (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ({_KINDS})),
        invocation_id TEXT NOT NULL,
        body TEXT NOT NULL,
        hash TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX IF NOT EXISTS records_by_invocation ON records (invocation_id)",
    f"CREATE TRIGGER IF NOT EXISTS records_only_append BEFORE INSERT ON records WHEN {_NOT_NEXT} {_REFUSE}",
    f"CREATE TRIGGER IF NOT EXISTS records_no_update BEFORE UPDATE ON records {_REFUSE}",
    f"CREATE TRIGGER IF NOT EXISTS records_no_delete BEFORE DELETE ON records {_REFUSE}",
    *limits.SCHEMA,
    *approvals.SCHEMA,
    *idempotency.SCHEMA,
    f"PRAGMA user_version = {LAYOUT}",
)
_LAST = "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1"
_END = """SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'records'), 0), coalesce(max(seq), 0), hash
    FROM records"""


class SqliteRecords:
    """The default store; see `Records`. Several processes may share one file.

    Args:
        path: of the file. It is made, readable by its owner alone, if it isn't there.
        clock: seconds since the epoch.

    Raises:
        RecordError: if the file can't be opened or is not a store of records.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._path = path
        self._place: Place | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            refuse_cut(path)
            path.touch(mode=0o600)
            path.chmod(0o600)
            self._db = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise RecordError(f"the records' file {path} can't be used: {error}") from error
        try:
            with self._transaction() as db:
                for statement in _SCHEMA:
                    db.execute(statement)
                now = clock()
                limits.prune(db, _microseconds(now))
                approvals.prune(db, now)
                idempotency.prune(db, now)
            self._place = Place(path)
            with self._transaction():
                self._look_afresh()  # nobody has put another file there since it was opened
        except (RecordError, OSError) as error:
            self._db.close()
            raise RecordError(f"the records' file {path} can't be used: {error}") from error

    def append(self, kind: Kind, invocation_id: str, body: Mapping[str, Field]) -> None:
        """Write one record; see `Records.append`."""
        text = _text(body)
        with self._transaction() as db:
            _append(db, self._clock(), kind, invocation_id, text)

    def admit(
        self,
        invocation_id: str,
        body: Mapping[str, Field],
        buckets: Sequence[Bucket],
        lease_seconds: float,
        reservation: Reservation | None = None,
    ) -> Busy | First | None:
        """Take a unit of every limit and the key, and write the intent; see `Records.admit`."""
        text = _text({**body, "lease_seconds": lease_seconds})
        with self._transaction() as db:
            # The clock is read under the lock, so that times are in the order of the records.
            now = self._clock()
            if reservation is not None and (first := idempotency.find(db, now, reservation)):
                return first
            busy = limits.take(db, _microseconds(now), invocation_id, buckets, _microseconds(lease_seconds))
            if busy is None:
                if reservation is not None:
                    idempotency.keep(db, now, invocation_id, reservation, lease_seconds)
                _append(db, now, "intent", invocation_id, text)
            return busy

    def find_first(self, reservation: Reservation) -> First | None:
        """The call that has a key; see `Records.find_first`."""
        with self._transaction() as db:
            return idempotency.find(db, self._clock(), reservation)

    def finish(
        self,
        invocation_id: str,
        body: Mapping[str, Field],
        *,
        ran: bool,
        ended: bool = True,
        result: str | None = None,
    ) -> None:
        """Write the outcome, free the slots and keep the result; see `Records.finish`."""
        text = _text(body)
        with self._transaction(durable=False) as db:
            if ended:
                limits.release(db, invocation_id, ran=ran)
            idempotency.end(db, invocation_id, result, ran=ran)
            _append(db, self._clock(), "outcome", invocation_id, text)

    def ask(self, approval_id: str, binding: str, expires_at: float) -> None:
        """Keep a question to a person; see `Records.ask`."""
        with self._transaction() as db:
            approvals.keep(db, self._clock(), approval_id, binding, expires_at)

    def answer(self, approval_id: str, binding: str) -> Answer:
        """Use up a question; see `Records.answer`."""
        with self._transaction() as db:
            return approvals.use(db, self._clock(), approval_id, binding)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """All of it is written in the end, or none; if it is durable, it has reached the disk."""
        try:
            with self._lock:
                # FULL syncs the log at each commit. NORMAL leaves that to the next durable one, or to the system.
                self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    self._check_place()
                    yield self._db
                    self._db.execute("COMMIT")
                    self._check_place()
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
        except (sqlite3.Error, ValueError, TypeError, OverflowError, OSError) as error:
            raise RecordError(f"a record could not be written: {error}") from error

    def _check_place(self) -> None:
        """Make sure that what is written stands where the next server will look for it."""
        if self._place is None:
            return
        try:
            if self._place.check():
                self._look_afresh()
                self._place.seen()
        except MovedError as error:
            if error.rescuable:
                # What was committed last is in the open log alone. In the open file it is found, wherever that is now.
                with suppress(sqlite3.Error):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            raise RecordError(
                f"the records' file {self._path} is not what it was: {error}. Nothing is sent until it is put back, or "
                "the server is started again"
            ) from error

    def _look_afresh(self) -> None:
        """Hold what this connection knows against what somebody who opens the path now will find."""
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as other:
                found = other.execute(_LAST).fetchone()
        except sqlite3.Error as error:
            raise MovedError(f"it can't be read any more ({error})") from error
        if found != self._db.execute(_LAST).fetchone():
            raise MovedError("it was overwritten")


def _append(db: sqlite3.Connection, now: float, kind: Kind, invocation_id: str, body: str) -> None:
    written, last, head = db.execute(_END).fetchone()
    if written != last:
        # To go on would hide in time that something was cut off.
        raise RecordError(
            f"the records' file has counted {written} records, but its last is number {last}: it was tampered with. "
            "Move it away, keep it, and start with a new one"
        )
    seq, previous = last + 1, head or chain.GENESIS
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    row = (seq, at, kind, invocation_id, body, chain.link(previous, seq, at, kind, invocation_id, body))
    db.execute("INSERT INTO records (seq, at, kind, invocation_id, body, hash) VALUES (?, ?, ?, ?, ?, ?)", row)


def _text(body: Mapping[str, Field]) -> str:
    try:
        return chain.body_text(body)
    except (ValueError, TypeError) as error:
        raise RecordError(f"a record could not be written: {error}") from error


def _microseconds(seconds: float) -> int:
    return round(seconds * limits.SECOND)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
    try:
        check_layout(db, path)
        write_ahead(db)
    except (sqlite3.Error, RecordError):
        db.close()
        raise
    return db


def check_layout(db: sqlite3.Connection, path: Path) -> bool:
    """Refuse a file that holds something else.

    Returns:
        Whether there are records' tables; if not, the file is empty.

    Raises:
        RecordError: if it has tables, and not those of this version's records.
        sqlite3.Error: if it is no database.
    """
    # One snapshot: another process may be making the tables.
    db.execute("BEGIN")
    try:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return False
        about = db.execute("SELECT * FROM records LIMIT 0").description if "records" in tables else ()
        layout = db.execute("PRAGMA user_version").fetchone()[0]
    finally:
        db.execute("ROLLBACK")
    if tuple(column[0] for column in about) == COLUMNS and layout == LAYOUT:
        return True
    what = "has records of another version of lambda-warden" if about else "is another program's database"
    raise RecordError(f"the records' file {path} {what}: move it away, or name another file with --records")


def write_ahead(db: sqlite3.Connection) -> None:
    """Turn on the write-ahead log, which lasts. SQLite does not wait for the lock that this takes."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
