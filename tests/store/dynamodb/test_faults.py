"""Whatever DynamoDB says, or does not say, a call is admitted once and knows it, or is denied and has taken nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Final

import pytest

from lambda_warden.store.audit_log import AuditLog, IdempotencyClaim, Limit, LimitExceeded, Pause, RecordError
from lambda_warden.store.aws_url import AwsStoreUrl
from lambda_warden.store.dynamodb import client as client_module
from lambda_warden.store.dynamodb import requests
from lambda_warden.store.dynamodb.audit_log import NOT_SENT
from lambda_warden.store.dynamodb.client import make_client
from lambda_warden.store.opening import open_store
from support import dynamodb_proxy as faults
from support.dynamodb import REGION
from support.dynamodb_proxy import DynamoDbProxy, Fault, Request, cancelled, refused

ONE: Final = Limit("rule", per_day=1, concurrent=1)
KEY: Final = IdempotencyClaim("local", "order-1", "refund A-1", 3600)
DENIED: Final = refused("AccessDeniedException", "not authorized")


@pytest.fixture
def records(table_url: str, proxy: DynamoDbProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuditLog]:
    monkeypatch.setattr(requests, "ATTEMPTS_SECONDS", 60.0)
    with closing(open_store(table_url).audit_log()) as opened:
        proxy.reset()
        yield opened
        proxy.reset()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has nothing tried for long from then on."""
    return lambda: monkeypatch.setattr(requests, "ATTEMPTS_SECONDS", 0.3)


def admit(records: AuditLog, call: str = "call-1") -> object:
    return records.admit(call, {}, [ONE], 60, KEY)


def kinds(records: AuditLog) -> list[tuple[str, str]]:
    return [(event.kind, event.invocation_id) for event in records.events() if event.kind != "start"]


@pytest.mark.parametrize("operation", ["TransactWriteItems", "BatchGetItem"])
@pytest.mark.parametrize(
    "told",
    [
        [faults.THROTTLED],
        [faults.OVER_CAPACITY, faults.OVER_REQUESTS],
        [faults.BROKEN],
        [faults.UNAVAILABLE],
        [faults.LOST_REQUEST],
        [faults.LOST_ANSWER],
        [faults.BROKEN_AFTER, faults.LOST_ANSWER],
    ],
    ids=lambda told: None,
)
def test_what_passes_is_waited_for(
    operation: str, told: Sequence[Fault], records: AuditLog, proxy: DynamoDbProxy
) -> None:
    proxy.fail(operation, *told)
    assert admit(records) is None
    assert proxy.operations().count(operation) == 1 + len(told)
    assert kinds(records) == [("intent", "call-1")]
    assert isinstance(records.admit("call-2", {}, [ONE], 60), LimitExceeded)


@pytest.mark.parametrize(
    "told",
    [
        [faults.CONFLICT],
        [faults.IN_PROGRESS],
        [cancelled("None", "TransactionConflict")],
        [cancelled("ThrottlingError", "ProvisionedThroughputExceeded")],
        [cancelled("ConditionalCheckFailed", "None")],
        [cancelled("TransactionConflict"), cancelled("ConditionalCheckFailed")],
        # As when what makes two requests the same is forgotten by then.
        [faults.LOST_ANSWER, cancelled("ConditionalCheckFailed")],
        [faults.BROKEN_AFTER, cancelled("TransactionConflict")],
    ],
    ids=lambda told: None,
)
def test_who_is_overtaken_decides_again(told: Sequence[Fault], records: AuditLog, proxy: DynamoDbProxy) -> None:
    proxy.fail("TransactWriteItems", *told)
    assert admit(records) is None
    assert kinds(records) == [("intent", "call-1")]
    assert isinstance(records.admit("call-2", {}, [ONE], 60), LimitExceeded)
    records.finish("call-1", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
    assert records.verify().problems == ()


@pytest.mark.parametrize("operation", ["TransactWriteItems", "BatchGetItem"])
@pytest.mark.parametrize(
    ("told", "said"),
    [
        (faults.NO_TABLE, "there is no table .* in us-east-1: `lambda-warden store create` makes it"),
        (DENIED, "not authorized"),
        (refused("ValidationException", "too many"), "too many"),
        (refused("UnrecognizedClientException", "no such key"), "no such key"),
        (cancelled("ValidationError"), "ValidationError"),
    ],
    ids=["table", "denied", "invalid", "client", "cancelled"],
)
def test_what_does_not_pass_denies_at_once(
    operation: str, told: Fault, said: str, records: AuditLog, proxy: DynamoDbProxy
) -> None:
    if operation == "BatchGetItem" and said == "ValidationError":
        pytest.skip("nothing is cancelled there")
    proxy.fail(operation, told)
    with pytest.raises(RecordError, match=said):
        admit(records)
    assert proxy.operations().count(operation) == 1
    assert kinds(records) == []
    assert admit(records) is None, "nothing was taken"


@pytest.mark.parametrize(
    "always",
    [faults.THROTTLED, faults.CONFLICT, cancelled("TransactionConflict"), faults.LOST_REQUEST, faults.UNAVAILABLE],
    ids=["throttled", "conflict", "cancelled", "lost", "unavailable"],
)
def test_what_does_not_end_denies_in_time_and_nothing_is_taken(
    always: Fault, records: AuditLog, proxy: DynamoDbProxy, impatient: Callable[[], None]
) -> None:
    impatient()
    proxy.chooser = lambda request: always if request.operation == "TransactWriteItems" else None
    with pytest.raises(RecordError):
        admit(records)
    proxy.reset()
    assert admit(records, "call-2") is None
    assert kinds(records) == [("intent", "call-2")]


@pytest.mark.parametrize("answer", [faults.LOST_ANSWER, faults.BROKEN_AFTER], ids=["lost", "broken"])
def test_an_intent_that_nobody_knew_of_is_taken_back(
    answer: Fault, records: AuditLog, proxy: DynamoDbProxy, impatient: Callable[[], None]
) -> None:
    """It was denied, so it is not sent; and what it took is free again."""
    impatient()
    proxy.chooser = lambda request: answer if request.operation == "TransactWriteItems" else None
    with pytest.raises(RecordError):
        admit(records)
    proxy.reset()
    assert kinds(records) == [("intent", "call-1")]
    records.append("denial", "call-1", {})
    (outcome,) = [event.fields() for event in records.events() if event.kind == "outcome"]
    assert (outcome["outcome"], outcome["error"]) == ("denied", NOT_SENT)
    assert admit(records, "call-2") is None, "key, unit and slot are free"
    assert records.verify().problems == ()


def test_an_intent_that_arrives_after_all_is_overtaken(
    records: AuditLog, proxy: DynamoDbProxy, impatient: Callable[[], None]
) -> None:
    """A request that was given up and is carried out later does nothing: the chain has gone on."""
    impatient()
    late: list[Request] = []

    def lose(request: Request) -> Fault | None:
        if request.operation != "TransactWriteItems":
            return None
        late.append(request)
        return faults.LOST_REQUEST

    proxy.chooser = lose
    with pytest.raises(RecordError):
        admit(records)
    proxy.reset()
    records.append("denial", "call-1", {})
    direct = make_client(AwsStoreUrl("any", region=REGION, endpoint_url=proxy.engine))
    with closing(direct), pytest.raises(direct.exceptions.TransactionCanceledException):
        direct.transact_write_items(**late[0].body)
    assert kinds(records) == [("denial", "call-1")]
    assert admit(records, "call-2") is None


def test_an_answer_that_comes_too_late_is_asked_for_again(
    table_url: str, proxy: DynamoDbProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "READ_SECONDS", 2.0)
    with closing(open_store(table_url).audit_log()) as records:
        proxy.fail("TransactWriteItems", faults.LATE)
        assert admit(records) is None
        assert kinds(records) == [("intent", "call-1")]
        proxy.release()


def test_some_that_were_not_read_are_read_again(records: AuditLog, proxy: DynamoDbProxy, table_url: str) -> None:
    name = table_url.removeprefix("dynamodb://").partition("?")[0]
    keys = {"Keys": [{"pk": {"S": "pause"}, "sk": {"S": "pause"}}], "ConsistentRead": True}
    assert records.pause("ann") is None
    proxy.reset()
    proxy.fail("BatchGetItem", Fault(error=(200, {"Responses": {name: []}, "UnprocessedKeys": {name: keys}})))
    assert isinstance(records.stopped_by(), Pause)
    assert proxy.operations() == ["Query", "BatchGetItem", "BatchGetItem"]


def test_a_call_takes_two_reads_and_two_writes(records: AuditLog, proxy: DynamoDbProxy) -> None:
    assert admit(records) is None
    records.finish("call-1", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
    assert proxy.operations() == ["BatchGetItem", "TransactWriteItems"] * 2
    assert all(len(request.body["TransactItems"]) <= 10 for request in proxy.received[1::2])


def test_the_table_is_looked_at_when_it_is_opened(table_url: str, proxy: DynamoDbProxy) -> None:
    for opened in (open_store(table_url).audit_log, open_store(table_url).audit_reader):
        proxy.fail("DescribeTable", faults.NO_TABLE)
        with pytest.raises(RecordError, match="there is no table"):
            opened()
