"""Where the tables of a store stand, a file or memory, and how that is opened: as what it is, or not at all."""

from __future__ import annotations

import sqlite3
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lambda_warden.store.sqlite.place import Place

BUSY_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Memory:
    """A database in this process's memory, for tests. It is gone once nobody has it open; who reads holds up writers.

    Attributes:
        name: who opens the same one shares it.
    """

    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __str__(self) -> str:
        return ":memory:"


@dataclass(frozen=True, slots=True)
class Tables:
    """What stands in a database, by which another program's or version's is told from it.

    Attributes:
        what: is kept there; the option that names the file is called so, too.
        table: one of them.
        columns: of that.
        error: which is raised where a database can't be opened, or holds something else.
        version: kept as SQLite's user_version.
    """

    what: str
    table: str
    columns: tuple[str, ...]
    error: type[Exception]
    version: int = 0

    def open(self, where: Path | Memory) -> sqlite3.Connection:
        """Open it for writing, and make it, readable by its owner alone, if it isn't there."""
        try:
            if isinstance(where, Path):
                where.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                where.touch(mode=0o600)
                where.chmod(0o600)
            db = self._connect(where, "rwc")
            try:
                self._check(db, where)
                _write_ahead(db)
            except (sqlite3.Error, self.error):
                db.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise self.cannot(where, f"be used: {error}") from error
        return db

    def open_to_read(self, where: Path | Memory) -> sqlite3.Connection:
        """Open it for reading alone. Servers may be writing to it."""
        try:
            db = self._connect(where, "ro")
            try:
                if not self._check(db, where):
                    raise self.error(f"the {self.what}' file {where} is empty: no server has written to it yet")
            except (sqlite3.Error, self.error):
                db.close()
                raise
        except sqlite3.Error as error:
            raise self.cannot(where, f"be read: {error}") from error
        return db

    def place(self, where: Path | Memory) -> Place | None:
        """Where an open file stands; nowhere, if it is in memory."""
        try:
            return Place(where) if isinstance(where, Path) else None
        except OSError as error:
            raise self.cannot(where, f"be used: {error}") from error

    def cannot(self, where: Path | Memory, problem: str) -> Exception:
        """The error that says what can't be done with it, and why."""
        return self.error(f"the {self.what}' file {where} can't {problem}")

    def _connect(self, where: Path | Memory, mode: str) -> sqlite3.Connection:
        of = where.absolute().as_uri() + "?" if isinstance(where, Path) else f"file:/{where.name}?vfs=memdb&"
        return sqlite3.connect(
            f"{of}mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
        )

    def _check(self, db: sqlite3.Connection, where: Path | Memory) -> bool:
        """Whether the tables are there; if not, it is empty. Anything else is refused."""
        # One snapshot: another process may be making the tables.
        db.execute("BEGIN")
        try:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            columns = tuple(name for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (self.table,)))
            version = db.execute("PRAGMA user_version").fetchone()[0]
        finally:
            db.execute("ROLLBACK")
        if not tables or (columns, version) == (self.columns, self.version):
            return bool(tables)
        # Long ago, records stood in a table of that name.
        ours = not tables.isdisjoint((self.table, self.what))
        found = f"has {self.what} of another version of lambda-warden" if ours else "is another program's database"
        raise self.error(
            f"the {self.what}' file {where} {found}: move it away, or name another file with --{self.what}"
        )


def roll_back(db: sqlite3.Connection) -> None:
    """Undo what a transaction did, if there is one."""
    with suppress(sqlite3.Error):
        if db.in_transaction:
            db.execute("ROLLBACK")


def _write_ahead(db: sqlite3.Connection) -> None:
    """Turn on the write-ahead log, which lasts. SQLite does not wait for the lock that this takes."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
