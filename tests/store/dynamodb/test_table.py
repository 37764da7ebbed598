"""The table of a DynamoDB store: made, looked at, protected; and how its endpoint's faults arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from lambda_warden.errors import SettingsError
from lambda_warden.store.aws_url import AwsStoreUrl, read_aws_url
from lambda_warden.store.dynamodb import client as client_module
from lambda_warden.store.dynamodb.client import make_client
from lambda_warden.store.dynamodb.table import TableError, check_table, create_table, missing_of
from support import dynamodb_proxy as faults
from support.dynamodb_proxy import DynamoDbProxy, Fault

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ITEM = {"pk": {"S": "a"}, "sk": {"S": "b"}}


@pytest.fixture
def place(table_url: str) -> AwsStoreUrl:
    return read_aws_url("dynamodb", table_url.partition(":")[2])


@pytest.fixture
def client(place: AwsStoreUrl) -> Iterator[DynamoDBClient]:
    made = make_client(place)
    yield made
    made.close()


def test_making_it_again_changes_nothing(client: DynamoDBClient, place: AwsStoreUrl, proxy: DynamoDbProxy) -> None:
    said = list(create_table(client, place.name))
    assert said[0] == f"table {place.name}: is there"
    assert all(line.endswith((": is there", ": is on", ": not known to this endpoint")) for line in said)
    assert {name for name in proxy.operations() if not name.startswith("Describe")} == set()


def test_a_new_one_has_all_that_belongs_to_it(client: DynamoDBClient, place: AwsStoreUrl) -> None:
    said = list(create_table(client, "warden-new"))
    assert said[:2] == ["table warden-new: being made, billed on demand", "table warden-new: active"]
    table = client.describe_table(TableName="warden-new")["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionProtectionEnabled"]
    if "point-in-time recovery: turned on" in said:
        assert missing_of(client, "warden-new") == []


def test_what_is_missing_is_said_and_turned_on(client: DynamoDBClient, place: AwsStoreUrl) -> None:
    client.update_table(TableName=place.name, DeletionProtectionEnabled=False)
    assert "deletion protection: turned on" in list(create_table(client, place.name))


def test_a_table_that_is_not_there_says_what_makes_it(client: DynamoDBClient) -> None:
    with pytest.raises(TableError, match="`lambda-warden store create` makes it"):
        check_table(client, "nothing-here")


def test_a_table_of_something_else_is_left_alone(client: DynamoDBClient) -> None:
    client.create_table(
        TableName="others",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for use in (check_table, lambda *table: list(create_table(*table))):
        with pytest.raises(TableError, match="holds something else"):
            use(client, "others")


@pytest.mark.parametrize("place", ["", "//", "//table/x", "//t?region=a&region=b", "//t#x", "//t?regoin=x"])
def test_a_url_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(SettingsError, match="dynamodb URL"):
        read_aws_url("dynamodb", place)


def test_a_profile_that_is_not_there_is_a_problem_of_settings() -> None:
    with pytest.raises(SettingsError, match="none-such"):
        make_client(AwsStoreUrl("t", profile="none-such"))


@pytest.mark.parametrize(
    ("fault", "error", "done"),
    [
        (faults.THROTTLED, "ThrottlingException", False),
        (faults.OVER_CAPACITY, "ProvisionedThroughputExceededException", False),
        (faults.CONFLICT, "TransactionConflictException", False),
        (faults.cancelled("TransactionConflict"), "TransactionCanceledException", False),
        (faults.NO_TABLE, "ResourceNotFoundException", False),
        (faults.BROKEN, "InternalServerError", False),
        (faults.BROKEN_AFTER, "InternalServerError", True),
        (faults.LOST_REQUEST, "Connection", False),
        (faults.LOST_ANSWER, "Connection", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_arrives_once_and_nothing_is_repeated(
    client: DynamoDBClient, place: AwsStoreUrl, proxy: DynamoDbProxy, fault: Fault, error: str, done: bool
) -> None:
    """That the client makes one attempt, whatever happens, and that the proxy does what it says."""
    proxy.fail("PutItem", fault)
    with pytest.raises((BotoCoreError, ClientError)) as raised:
        client.put_item(TableName=place.name, Item=ITEM)
    assert error in f"{type(raised.value).__name__} {raised.value}"
    assert proxy.operations() == ["PutItem"]
    found = client.get_item(TableName=place.name, Key=ITEM, ConsistentRead=True)
    assert ("Item" in found) is done


def test_an_answer_that_does_not_come_is_not_waited_for(
    client: DynamoDBClient, place: AwsStoreUrl, proxy: DynamoDbProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "READ_SECONDS", 0.1)
    proxy.fail("PutItem", faults.LATE)
    with pytest.raises(ReadTimeoutError):
        make_client(place).put_item(TableName=place.name, Item=ITEM)
    assert proxy.operations() == ["PutItem"]
    proxy.release()
