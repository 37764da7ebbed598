"""A transaction on the table: what it reads is what holds when it is written, or nothing of it is written.

Every item but an event has a version, another one with each write: what was read is written only if it still has the
version that was read. Nobody waits for a lock, and who was overtaken begins anew.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.dynamodb.keys import Key
from lambda_warden.store.dynamodb.requests import Item, Table
from lambda_warden.store.dynamodb.table import EXPIRY, PARTITION_KEY, SORT_KEY

Body = Mapping[str, Any]
"""What an item says. It is not changed in place: what is put is another one."""

ITEM_BYTES: Final = 390_000
"""What an item may take of DynamoDB's 400 KB, so that one that is too large is refused before it is sent."""


@dataclass(frozen=True, slots=True)
class _Read:
    version: str
    body: Body


@dataclass(frozen=True, slots=True)
class _Put:
    """A change of an item: what it says then, and whatever other attributes it has."""

    body: Body | None
    attributes: Item


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a transaction had come."""

    checked: frozenset[Key]
    changes: Mapping[Key, _Put | None]
    intents: tuple[str, ...]


class Transaction:
    """One transaction. Not for several threads.

    Attributes:
        id: the version that all it writes gets; unlike any other.
        intents: the calls that it admits.
    """

    def __init__(self, table: Table) -> None:
        self.id = uuid.uuid4().hex
        self.intents: tuple[str, ...] = ()
        self._table = table
        self._rows: dict[Key, _Read | None] = {}
        self._checked: set[Key] = set()
        self._changes: dict[Key, _Put | None] = {}

    def fetch(self, keys: Collection[Key]) -> None:
        """Read items that are looked at soon, all at once. Raises `RecordError`."""
        if missing := {key for key in keys if key not in self._rows}:
            found = self._table.read(missing)
            self._rows |= {key: _row(found[key]) if key in found else None for key in missing}

    def get(self, key: Key) -> Body | None:
        """What an item says, if it is there. If it does not say so any more, the transaction is not written."""
        self._checked.add(key)
        return self.peek(key)

    def peek(self, key: Key) -> Body | None:
        """What an item says, which may have changed by the time that the transaction is written."""
        if key in self._changes:
            change = self._changes[key]
            return None if change is None else change.body
        self.fetch([key])
        row = self._rows[key]
        return None if row is None else row.body

    def version(self, key: Key) -> str | None:
        """The version of an item as it was read; that is, the `id` of what wrote it."""
        row = self._rows[key]
        return None if row is None else row.version

    def put(self, key: Key, body: Body, expires_at: float | None = None) -> None:
        """Write an item.

        Args:
            key: its place. If it was not read, it must not be there.
            body: what it says, as JSON can.
            expires_at: when it is of no use any more, in seconds since the epoch; None if it stays.

        Raises:
            ValueError, TypeError: if it is too large, or can't be written as JSON.
        """
        text = json.dumps(body, separators=(",", ":"), allow_nan=False)
        attributes: dict[str, Any] = {"v": {"S": self.id}, "body": {"S": text}}
        if expires_at is not None:
            attributes[EXPIRY] = {"N": str(int(expires_at) + 1)}
        self._change(key, _Put(body, attributes))

    def insert(self, key: Key, attributes: Item) -> None:
        """Write an item that is not there yet and never changes, with attributes as DynamoDB writes them."""
        self._change(key, _Put(None, attributes))

    def delete(self, key: Key) -> None:
        """Remove an item that was read."""
        self._changes[key] = None

    def mark(self) -> Mark:
        """How far it is, for `roll_back`."""
        return Mark(frozenset(self._checked), dict(self._changes), self.intents)

    def roll_back(self, mark: Mark) -> None:
        """Undo what came after a mark."""
        self._checked, self._changes, self.intents = set(mark.checked), dict(mark.changes), mark.intents

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._changes)

    def __len__(self) -> int:
        """How many items it takes; DynamoDB writes 100 at once."""
        return len(self._checked | self._changes.keys())

    def commit(self) -> bool:
        """Write it. False: nothing was written, as with `Table.write`, which says what is raised."""
        return self._table.write(list(self._statements()))

    def _change(self, key: Key, change: _Put) -> None:
        size = sum(len(text.encode()) for text in key)  # an id that is no text fails here
        size += sum(
            len(name) + len(text.encode()) for name, value in change.attributes.items() for text in value.values()
        )
        if size > ITEM_BYTES:
            raise ValueError(f"{size:,} bytes are more than an item of DynamoDB holds")
        self._changes[key] = change

    def _statements(self) -> Iterator[dict[str, Any]]:
        for key, change in self._changes.items():
            if change is None:
                if self._rows.get(key) is not None:
                    yield {"Delete": {"Key": _place(key), **self._condition(key)}}
                else:
                    yield {"ConditionCheck": {"Key": _place(key), **self._condition(key)}}
            else:
                yield {"Put": {"Item": {**_place(key), **change.attributes}, **self._condition(key)}}
        for key in self._checked - self._changes.keys():
            yield {"ConditionCheck": {"Key": _place(key), **self._condition(key)}}

    def _condition(self, key: Key) -> dict[str, Any]:
        row = self._rows.get(key)
        if row is None:
            return {"ConditionExpression": f"attribute_not_exists({PARTITION_KEY})"}
        return {"ConditionExpression": "v = :v", "ExpressionAttributeValues": {":v": {"S": row.version}}}


def body_of(item: Item) -> Body:
    """What an item says. Raises `RecordError` if it says nothing."""
    return _row(item).body


def _row(item: Item) -> _Read:
    try:
        return _Read(item["v"]["S"], json.loads(item["body"]["S"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"an item of the table is not as it was written: {item.get(PARTITION_KEY)}") from error


def _place(key: Key) -> Item:
    return {PARTITION_KEY: {"S": key[0]}, SORT_KEY: {"S": key[1]}}
