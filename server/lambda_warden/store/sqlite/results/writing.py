"""Writing of kept results, by one thread: room is made by removing the oldest, and whatever has expired."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lambda_warden.store.kept_result import chunk_place, close_about, describe, key_id_of
from lambda_warden.store.results import CHUNK_BYTES, About, NewPart, Owner, PartName, ResultError
from lambda_warden.store.seal import Seal
from lambda_warden.store.sqlite.database import Memory
from lambda_warden.store.sqlite.place import MovedError
from lambda_warden.store.sqlite.results.layout import RESULTS, connect_to_write

logger = logging.getLogger(__name__)

OVERHEAD_BYTES: Final = 1024
"""What a result counts beside its contents, so that many small ones are bounded, too."""
_PRUNED_AT_ONCE: Final = 32
_PRUNE: Final = """DELETE FROM results
    WHERE seq IN (SELECT seq FROM results WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)"""


class ResultsFile:
    """The results, as their writer uses them. Several processes may share a file. Not for several threads.

    Args:
        where: they stand.
        max_bytes: what all results may take together, each its contents and `OVERHEAD_BYTES`.
        seal: encrypts what is written, if given.

    Raises:
        ResultError: by every method, if the file can't be used; then nothing of the transaction is written.
    """

    def __init__(self, where: Path | Memory, max_bytes: int, seal: Seal | None = None) -> None:
        self._max_bytes = max_bytes
        self._seal = seal
        self._where = where
        self._db = connect_to_write(where)
        self._place = RESULTS.place(where)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written within is there in the end, or nothing of it. It may stand within another one."""
        if self._db.in_transaction:
            begin, commit, undo = "SAVEPOINT one", "RELEASE one", "ROLLBACK TO one"
        else:
            self._stay()
            begin, commit, undo = "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"
        try:
            self._db.execute(begin)
            try:
                yield
                self._db.execute(commit)
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute(undo)
                raise
        except sqlite3.Error as error:
            raise ResultError(f"a result could not be kept: {error}") from error

    def _stay(self) -> None:
        """Go on with a new file where this one was moved or deleted: who reads results looks at the path."""
        try:
            if self._place is not None:
                self._place.check()
        except MovedError as error:
            problem = f"the results' file {self._where} is not what it was: {error}"
            if not error.whole:
                raise ResultError(f"{problem}. Nothing is kept until the server is started again") from error
            logger.error("%s. Results are kept in a new one", problem)
            moved, self._db = self._db, connect_to_write(self._where)
            self._place = RESULTS.place(self._where)
            moved.close()

    def add(
        self, result_id: str, owner: Owner, parts: Mapping[PartName, NewPart], expires_at: float, now: float
    ) -> None:
        """Write a result. What has expired makes room for it, and then the oldest.

        Args:
            result_id: that no other result has.
            owner: who may read it, and what it is of.
            parts: of it.
            expires_at: until when it can be read, in seconds since the epoch.
            now: likewise.
        """
        about = About(
            function=owner.function, created_at=now, parts={name: describe(part) for name, part in parts.items()}
        )
        stored = close_about(about, result_id, owner.principal, expires_at, self._seal)
        size = OVERHEAD_BYTES + sum(len(part.data) for part in parts.values())
        insert = "INSERT INTO results (id, principal, expires_at, bytes, key_id, about) VALUES (?, ?, ?, ?, ?, ?)"
        row = (result_id, owner.principal, expires_at, size, key_id_of(self._seal), stored)
        seq = self._db.execute(insert, row).lastrowid
        assert seq is not None  # noqa: S101 - an INSERT has one
        self._make_room(seq, now)
        for name, part in parts.items():
            for index, start in enumerate(range(0, len(part.data), CHUNK_BYTES)):
                chunk = part.data[start : start + CHUNK_BYTES]
                if self._seal:
                    chunk = self._seal.close(chunk, chunk_place(result_id, name, index))
                self._db.execute("INSERT INTO chunks VALUES (?, ?, ?, ?)", (seq, name, index, chunk))

    def prune(self, now: float) -> bool:
        """Remove some of what has expired.

        Returns:
            Whether there may be more. The file is left to other writers in between.
        """
        return self._db.execute(_PRUNE, (now, _PRUNED_AT_ONCE)).rowcount == _PRUNED_AT_ONCE

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _make_room(self, seq: int, now: float) -> None:
        """Remove others, the expired ones and then the oldest, until the result `seq` has room."""
        if self._over() <= 0:
            return
        while self.prune(now):
            pass
        over, oldest = self._over(), []
        for other, size in self._db.execute("SELECT seq, bytes FROM results WHERE seq != ? ORDER BY seq", (seq,)):
            if over <= 0:
                break
            oldest.append((other,))
            over -= size
        if over > 0:
            raise ResultError("a result was not kept: it is larger than all of them may be together")
        self._db.executemany("DELETE FROM results WHERE seq = ?", oldest)

    def _over(self) -> int:
        total: int = self._db.execute("SELECT bytes FROM total").fetchone()[0]
        return total - self._max_bytes
