"""The one table that a DynamoDB store has: made by `lambda-warden store create`, looked at by whoever opens it.

Every item has the partition key `pk` and the sort key `sk`, both strings. What is kept for a while has `expires_at`, in
seconds since the epoch, after which DynamoDB removes it, within days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

PARTITION_KEY: Final = "pk"
SORT_KEY: Final = "sk"
EXPIRY: Final = "expires_at"

_KEYS: Final = {PARTITION_KEY: "HASH", SORT_KEY: "RANGE"}
_READY: Final = ("ACTIVE", "UPDATING")
_POLL_SECONDS: Final = 1
_POLLS: Final = 300


class TableError(Exception):
    """The table is not there, is another one's, or can't be reached. The message says what to do."""


def no_table(client: DynamoDBClient, name: str) -> str:
    """What an operator is told where the table is not there: it may be in another region."""
    return f"there is no table {name} in {client.meta.region_name}: `lambda-warden store create` makes it"


def check_table(client: DynamoDBClient, name: str) -> None:
    """Make sure that the table is there, and one of ours.

    Raises:
        TableError: if not, or if that can't be found out.
    """
    table = _described(client, name)
    if table is None:
        raise TableError(no_table(client, name))
    _fits(table, name)
    if table.get("TableStatus") not in _READY:
        raise TableError(f"the table {name} can't be used: it is {table.get('TableStatus')}")


def create_table(client: DynamoDBClient, name: str) -> Iterator[str]:
    """Make the table with all that belongs to it, or what of that is missing.

    Yields:
        What was done or found, a line each, as it happens.

    Raises:
        TableError: if it can't be made, or is another one's.
    """
    table = _described(client, name)
    if table is None:
        yield f"table {name}: being made, billed on demand"
        _request(client.create_table, **_definition(name))
        try:
            client.get_waiter("table_exists").wait(
                TableName=name, WaiterConfig={"Delay": _POLL_SECONDS, "MaxAttempts": _POLLS}
            )
        except WaiterError as error:
            raise TableError(f"the table {name} does not become active: {error}") from error
        yield f"table {name}: active"
    else:
        _fits(table, name)
        yield f"table {name}: is there"
    yield from _protect(client, name)


def missing_of(client: DynamoDBClient, name: str) -> list[str]:
    """What a table that can be used lacks of what `create_table` gives it, in words. Raises `TableError`."""
    check_table(client, name)
    return [part.what for part in _PARTS if not part.is_on(client, name)]


def _protect(client: DynamoDBClient, name: str) -> Iterator[str]:
    """Turn on whatever is not on. What an emulator does not know is said, and is no error."""
    for part in _PARTS:
        try:
            if part.is_on(client, name):
                yield f"{part.what}: is on"
            else:
                part.turn_on(client, name)
                yield f"{part.what}: turned on"
        except _UnknownOperationError:
            yield f"{part.what}: not known to this endpoint"


class _UnknownOperationError(TableError):
    """An emulator does not know a request."""


def _deletion_is_off(client: DynamoDBClient, name: str) -> bool:
    return bool(_request(client.describe_table, TableName=name)["Table"].get("DeletionProtectionEnabled"))


def _turn_deletion_off(client: DynamoDBClient, name: str) -> None:
    _request(client.update_table, TableName=name, DeletionProtectionEnabled=True)


def _ttl_is_on(client: DynamoDBClient, name: str) -> bool:
    found = _request(client.describe_time_to_live, TableName=name)["TimeToLiveDescription"]
    status, attribute = found.get("TimeToLiveStatus"), found.get("AttributeName")
    if status in ("ENABLED", "ENABLING") and attribute != EXPIRY:
        raise TableError(f"the table {name} removes items by {attribute}: expected {EXPIRY}")
    return status in ("ENABLED", "ENABLING")


def _turn_ttl_on(client: DynamoDBClient, name: str) -> None:
    by_expiry = {"Enabled": True, "AttributeName": EXPIRY}
    _request(client.update_time_to_live, TableName=name, TimeToLiveSpecification=by_expiry)


def _recovery_is_on(client: DynamoDBClient, name: str) -> bool:
    found = _request(client.describe_continuous_backups, TableName=name)["ContinuousBackupsDescription"]
    recovery: dict[str, Any] = found.get("PointInTimeRecoveryDescription") or {}
    return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"


def _turn_recovery_on(client: DynamoDBClient, name: str) -> None:
    on = {"PointInTimeRecoveryEnabled": True}
    _request(client.update_continuous_backups, TableName=name, PointInTimeRecoverySpecification=on)


def _definition(name: str) -> dict[str, Any]:
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in _KEYS.items()],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in _KEYS],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
    }


def _described(client: DynamoDBClient, name: str) -> TableDescriptionTypeDef | None:
    try:
        return client.describe_table(TableName=name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        return None
    except (BotoCoreError, ClientError) as error:
        raise TableError(f"the table {name} can't be looked at: {error}") from error


def _fits(table: TableDescriptionTypeDef, name: str) -> None:
    keys = {key["AttributeName"]: key["KeyType"] for key in table.get("KeySchema", [])}
    kinds = {each["AttributeName"]: each["AttributeType"] for each in table.get("AttributeDefinitions", [])}
    if keys != _KEYS or any(kinds.get(key) != "S" for key in _KEYS):
        raise TableError(f"the table {name} holds something else: expected the keys {PARTITION_KEY} and {SORT_KEY}")


def _request(operation: Any, **arguments: Any) -> Any:
    """Send a request of an operator's command. Raises `TableError`."""
    try:
        return operation(**arguments)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        kind = _UnknownOperationError if code == "UnknownOperationException" else TableError
        raise kind(str(error)) from error
    except BotoCoreError as error:
        raise TableError(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Part:
    """What belongs to the table beside its keys, and how it is looked up and turned on."""

    what: str
    is_on: Callable[[DynamoDBClient, str], bool]
    turn_on: Callable[[DynamoDBClient, str], object]


_PARTS: Final = (
    _Part("deletion protection", _deletion_is_off, _turn_deletion_off),
    _Part(f"removal of what has expired (TTL by {EXPIRY})", _ttl_is_on, _turn_ttl_on),
    _Part("point-in-time recovery", _recovery_is_on, _turn_recovery_on),
)
