"""Transactions of one server, one after the other, each for all who write at the same moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from itertools import islice
from typing import Any, Final, Generic, TypeVar, cast

from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.dynamodb import keys
from lambda_warden.store.dynamodb.keys import Key
from lambda_warden.store.dynamodb.requests import Patience, Table
from lambda_warden.store.dynamodb.transaction import Transaction
from lambda_warden.store.dynamodb.writers import ChainWriter
from lambda_warden.store.group_commit import GroupCommit, Work

_T = TypeVar("_T")

_GROUP: Final = 12
"""How many pieces of work are read for at once: a call reads up to eight items."""
_ITEMS: Final = 60
"""How many items a transaction may have for more work to be added: DynamoDB writes 100 at once."""

_OVERTAKEN_SECONDS: Final = 0.1
"""How long who was overtaken waits at the most: those who overtook it go on meanwhile."""


class _Task(Generic[_T]):
    """A piece of work that may be done several times, until a transaction that has it is written."""

    def __init__(self, do: Callable[[Transaction], _T], keys: Collection[Key]) -> None:
        self.do = do
        self.keys = keys
        self.tx: Transaction | None = None

    def __call__(self) -> _T:
        if self.tx is None:
            raise RecordError("there is no transaction")
        return self.do(self.tx)


class Committer:
    """Has work done in transactions that also hold the end of this server's chain. Safe to use from any thread.

    Args:
        table: what is written to.
        writer: the server.
        take_back: ends a call that was admitted without anybody knowing, so that it was not sent.

    Attributes:
        before: what comes before the next work of anybody, and is removed once it was written.
        ends: whether this server is about to write no more.
        closed: whether it writes no more.
    """

    def __init__(self, table: Table, writer: ChainWriter, take_back: Callable[[Transaction, str], None]) -> None:
        self._table = table
        self._writer = writer
        self._take_back = take_back
        self._group = GroupCommit(self._commit)
        # The transactions that may have been written, or still may, since the last one that was for certain; and the
        # calls that they admit.
        self._tried: dict[str, tuple[str, ...]] = {}
        self.before: deque[Callable[[Transaction], None]] = deque()
        self.ends = self.closed = False

    def begin(self) -> None:
        """Begin a chain of this server. Raises `RecordError` if that can't be written."""
        patience = Patience()
        while True:
            tx = Transaction(self._table)
            self._writer.begin(tx)
            if tx.commit():
                return
            if not patience.wait():
                raise self._too_many()

    def run(self, do: Callable[[Transaction], _T], keys: Collection[Key] = ()) -> _T:
        """Have something done, and written.

        Args:
            do: does it; perhaps several times, until it was written.
            keys: of items that it looks at, which are read together with what others look at.

        Raises:
            RecordError: if it could not be done, or written; or if nobody knows whether it was.
        """
        try:
            for key in keys:
                "".join(key).encode()  # what is no text fails alone, not the group
            return self._group.run(_Task(do, keys))
        except (ValueError, TypeError, KeyError, OverflowError, OSError) as error:
            raise RecordError(f"a record could not be written: {error}") from error
        except RecordError as error:
            # The others of the group raise it too, each in its thread.
            raise RecordError(str(error)) from error

    def _commit(self, following: Callable[[bool], Work | None]) -> None:
        group: list[Work] = []
        while len(group) < _GROUP and (work := following(True)):
            group.append(work)
        left = group
        try:
            while left:
                left = left[self._commit_some(left) :]
        except BaseException as error:  # noqa: BLE001 - whatever it is, each of them has to know
            for work in left:
                work.error = work.error or error
        for work in group:
            work.done = True

    def _commit_some(self, works: list[Work]) -> int:
        """Do pieces of work in one transaction, and give how many they are."""
        patience, last, count, noted = Patience(_OVERTAKEN_SECONDS), "", 0, 0
        many = len(works)
        while True:
            if self.closed:
                raise RecordError("the records are closed")
            tx = self._begun(works[:many])
            written = tx.version(self._writer.head) or ""
            if written and written == last:
                self._written(noted)  # and the answer that said so was lost
                return count
            for invocation_id in self._tried.get(written, ()):
                self._take_back(tx, invocation_id)
            count, noted = 0, len(self.before)
            self._come_before(tx, noted)
            for work in works[:many]:
                if count and len(tx) > _ITEMS:
                    break
                self._do(work, tx)
                count += 1
            if not tx.changes:
                return count
            self._writer.renew(tx)
            last = tx.id
            self._tried[tx.id] = tx.intents
            if tx.commit():
                self._written(noted)
                return count
            if not patience.wait():
                raise self._too_many()
            # What is quick to read and write is overtaken less often.
            many = max(1, count // 2)

    def _begun(self, works: list[Work]) -> Transaction:
        """A new transaction, with what it needs read, at the end of a chain that is this server's."""
        wanted = {key for work in works for key in cast("_Task[Any]", work.do).keys}
        while True:
            tx = Transaction(self._table)
            tx.fetch({self._writer.head, keys.stop(self._writer.id), *wanted})
            head = tx.peek(self._writer.head)
            if head is None or head["state"] == "living":
                break
            if self.ends:
                raise RecordError("the records are closed")
            # Others took this server for dead, and have told what became of its calls as far as they could.
            self._tried.clear()
            self.begin()
        return tx

    def _come_before(self, tx: Transaction, noted: int) -> None:
        for do in list(islice(self.before, noted)):
            try:
                do(tx)
            except RecordError:
                raise
            except Exception:
                self.before.remove(do)  # it would fail each time
                raise

    def _written(self, noted: int) -> None:
        self._tried.clear()
        for _ in range(noted):
            self.before.popleft()

    def _too_many(self) -> RecordError:
        return RecordError(f"the table {self._table.name} is written to by too many at once")

    @staticmethod
    def _do(work: Work, tx: Transaction) -> None:
        """Do a piece of work. If it fails, nothing is left of it, and the others go on."""
        mark = tx.mark()
        work.error = None
        job = cast("_Task[Any]", work.do)
        job.tx = tx
        try:
            work.value = job()
        except BaseException as error:  # noqa: BLE001 - its caller raises it
            work.error = error
            tx.roll_back(mark)
