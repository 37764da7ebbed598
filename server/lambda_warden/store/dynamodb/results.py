"""Results as items of the table, each one whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from lambda_warden.store.aws_errors import may_pass
from lambda_warden.store.dynamodb.table import EXPIRY, PARTITION_KEY, SORT_KEY, TableError, check_table
from lambda_warden.store.objects import ObjectBusyError, ObjectExistsError
from lambda_warden.store.results import ResultError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ITEM_BYTES: Final = 390 * 1024
"""Of the 400 KB that DynamoDB takes; the rest is for the names and keys."""
_SORT_KEY: Final = "result"


class ItemInMemory:
    """An item that was read; see `StoredObject`."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, start: int, length: int) -> bytes:
        """Some of its bytes."""
        return self._data[start : start + length]


class TableObjects:
    """The results' items of a table; see `Objects`."""

    object_bytes = ITEM_BYTES

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def check(self) -> None:
        """Make sure that the table is there."""
        try:
            check_table(self._client, self._table)
        except TableError as error:
            raise ResultError(str(error)) from error

    def put(self, name: str, data: bytes, expires_at: int) -> None:
        """Write an item; see `Objects.put`."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item={**_key(name), EXPIRY: {"N": str(expires_at)}, "data": {"B": data}},
                ConditionExpression=f"attribute_not_exists({PARTITION_KEY})",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            raise ObjectExistsError("there is one of this call") from None
        except (BotoCoreError, ClientError) as error:
            raise (ObjectBusyError if may_pass(error) else ResultError)(str(error)) from error

    def get(self, name: str) -> ItemInMemory | None:
        """Find an item; see `Objects.get`."""
        try:
            found = self._client.get_item(TableName=self._table, Key=_key(name), ConsistentRead=True)
        except (BotoCoreError, ClientError) as error:
            problem = f"the kept results can't be read: {error}"
            raise (ObjectBusyError if may_pass(error) else ResultError)(problem) from error
        return ItemInMemory(bytes(found["Item"]["data"]["B"])) if "Item" in found else None


def _key(name: str) -> dict[str, dict[str, str]]:
    return {PARTITION_KEY: {"S": f"result#{name}"}, SORT_KEY: {"S": _SORT_KEY}}
