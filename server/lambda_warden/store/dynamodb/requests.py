"""Requests to the table: what may be sent again is, for a while; how each one ended is certain, or said not to be."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.clock import Clock
from lambda_warden.store.dynamodb.keys import Key
from lambda_warden.store.dynamodb.service_clock import ServiceClock
from lambda_warden.store.dynamodb.table import PARTITION_KEY, SORT_KEY, no_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = Mapping[str, Any]
"""An item, as DynamoDB writes it: `{"pk": {"S": "…"}, …}`."""

ATTEMPTS_SECONDS = 10.0
"""No further attempt is begun after this time."""
_READ_AT_ONCE: Final = 100
"""What one BatchGetItem takes."""
_PASSING: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Errors after which the same request is sensible again, and which say that it did nothing yet."""
_STALE: Final = frozenset(
    {"ConditionalCheckFailed", "ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"}
)
"""Why a transaction did nothing, and is worth another look at what it was made of."""


class Patience:
    """How long something is tried: not for ever, and not by all at the same moment.

    Args:
        longest: seconds between two attempts, at the most.
    """

    def __init__(self, longest: float = 1.0) -> None:
        self._deadline = time.monotonic() + ATTEMPTS_SECONDS
        self._longest, self._cap = 0.02, longest

    def wait(self) -> bool:
        """Wait for the next attempt, a little longer each time. False: there is no more time for one."""
        pause = random.uniform(0, self._longest)  # noqa: S311 - no secret
        self._longest = min(2 * self._longest, self._cap)
        if time.monotonic() + pause > self._deadline:
            return False
        time.sleep(pause)
        return True


class Table:
    """A table, by its requests. Safe to use from any thread.

    Args:
        client: of `make_client`, which sends each request once.
        name: the table's.
        clock: what time it is; the service's, if not given. It must be the same for all who share the table.
    """

    def __init__(self, client: DynamoDBClient, name: str, clock: Clock | None = None) -> None:
        self._client = client
        self.name = name
        self._service = ServiceClock()
        self.clock: Clock = clock or self._service

    def now(self) -> float:
        """The store's time, in seconds since the epoch. Raises `RecordError` if it can't be told."""
        now = self.clock.elapsed()
        if not 0 <= now < 1e11:
            raise RecordError(f"the clock tells no time: {now}")
        return now

    def read(self, keys: Collection[Key]) -> dict[Key, Item]:
        """The items that there are of some, each as it is now. Raises `RecordError`."""
        found: dict[Key, Item] = {}
        wanted = [_key(key) for key in keys]
        patience = Patience()
        while wanted:
            part, wanted = wanted[:_READ_AT_ONCE], wanted[_READ_AT_ONCE:]
            asked = {self.name: {"Keys": part, "ConsistentRead": True}}
            answer = self._send(self._client.batch_get_item, RequestItems=asked)
            for item in answer["Responses"].get(self.name, []):
                found[item[PARTITION_KEY]["S"], item[SORT_KEY]["S"]] = item
            if left := answer.get("UnprocessedKeys", {}).get(self.name):
                wanted += left["Keys"]
                if not patience.wait():
                    raise RecordError(f"the table {self.name} can't be read: it is throttled")
        return found

    def query(self, pk: str, after: str = "", *, prefix: str = "", newest_first: bool = False) -> Iterator[Item]:
        """The items of one partition, in the order of their sort keys.

        Args:
            pk: the partition.
            after: only those whose sort key is above it.
            prefix: only those whose sort key begins with it; not together with `after`.
            newest_first: in the opposite order.
        """
        condition = "begins_with(sk, :sk)" if prefix else "sk > :sk"
        # An empty sort key is no value; none is as low as a space.
        values = {":pk": {"S": pk}, ":sk": {"S": prefix or after or " "}}
        yield from self._pages(
            self._client.query,
            ConsistentRead=True,
            KeyConditionExpression=f"pk = :pk AND {condition}",
            ExpressionAttributeValues=values,
            ScanIndexForward=not newest_first,
        )

    def scan(self, pk_prefix: str, sk: str) -> Iterator[Item]:
        """All items of a kind, in no order. It reads the whole table."""
        yield from self._pages(
            self._client.scan,
            ConsistentRead=True,
            FilterExpression="begins_with(pk, :pk) AND sk = :sk",
            ExpressionAttributeValues={":pk": {"S": pk_prefix}, ":sk": {"S": sk}},
        )

    def write(self, statements: Sequence[Mapping[str, Any]]) -> bool:
        """Write all or nothing.

        Returns:
            False if nothing was written, since something is not as the conditions say, or somebody else is writing it.

        Raises:
            RecordError: if it was not written for another reason, or no answer came in time: then it may have been, or
                still be.
        """
        try:
            self._send(
                self._client.transact_write_items,
                TransactItems=[_at_table(self.name, statement) for statement in statements],
                # By which an attempt after a lost answer is known to be the same.
                ClientRequestToken=uuid.uuid4().hex,
            )
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            why = {reason.get("Code", "None") for reason in reasons} - {"None"}
            if why and why <= _STALE:
                return False
            raise self._cannot(error) from error
        return True

    def _pages(self, operation: Callable[..., Any], **asked: Any) -> Iterator[Item]:
        while True:
            page = self._send(operation, TableName=self.name, **asked)
            yield from page["Items"]
            if not (last := page.get("LastEvaluatedKey")):
                return
            asked["ExclusiveStartKey"] = last

    def _send(self, operation: Callable[..., Any], **asked: Any) -> Any:
        """Send a request, and again as long as that is sensible.

        Raises:
            TransactionCanceledException: of the client, as it comes.
            RecordError: if it was not carried out, or no answer came in time: then it may have been, or still be.
        """
        in_doubt, patience = False, Patience()
        while True:
            sent = self._service.machine()
            try:
                answer = operation(**asked)
            except self._client.exceptions.TransactionCanceledException:
                raise
            except (ClientError, BotoCoreError) as error:
                passes, may_have_done = _meaning(error)
                in_doubt = in_doubt or may_have_done
                if not (passes or in_doubt) or not patience.wait():
                    raise self._cannot(error) from error
            else:
                date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
                self._service.saw(date, sent, self._service.machine())
                return answer

    def _cannot(self, error: Exception) -> RecordError:
        if isinstance(error, ClientError) and error.response["Error"].get("Code") == "ResourceNotFoundException":
            return RecordError(no_table(self._client, self.name))
        return RecordError(f"the table {self.name} can't be used: {error}")


def _meaning(error: ClientError | BotoCoreError) -> tuple[bool, bool]:
    """Whether what failed may go through later, and whether it may have been carried out."""
    if isinstance(error, ClientError):
        is_theirs = error.response["ResponseMetadata"].get("HTTPStatusCode", 500) >= 500
        return is_theirs or error.response["Error"].get("Code") in _PASSING, is_theirs
    if isinstance(error, ConnectTimeoutError | EndpointConnectionError):
        return True, False
    is_lost = isinstance(error, HTTPClientError)
    return is_lost, is_lost


def _key(key: Key) -> dict[str, Any]:
    return {PARTITION_KEY: {"S": key[0]}, SORT_KEY: {"S": key[1]}}


def _at_table(name: str, statement: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: {"TableName": name, **parts} for kind, parts in statement.items()}
