"""Kept results in a table whose endpoint fails: what passes is tried again, and what was kept is kept once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from lambda_warden.store import objects
from lambda_warden.store.opening import open_store
from lambda_warden.store.results import ResultError, ResultStore
from support import dynamodb_proxy as faults
from support.dynamodb_proxy import DynamoDbProxy, Fault
from support.kept import GB, keep, read


@pytest.fixture
def store(table_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ResultStore]:
    monkeypatch.setattr(objects, "_FIRST_PAUSE_SECONDS", 0)
    with closing(open_store(table_url).result_store(ttl_seconds=3600, max_bytes=GB)) as opened:
        yield opened


@pytest.mark.parametrize(
    "fault",
    [faults.THROTTLED, faults.OVER_CAPACITY, faults.OVER_REQUESTS, faults.BROKEN, faults.BROKEN_AFTER,
     faults.UNAVAILABLE, faults.LOST_REQUEST, faults.LOST_ANSWER],
    ids=["throttled", "capacity", "requests", "500", "500 after", "503", "lost request", "lost answer"],
)  # fmt: skip
def test_what_passes_is_tried_again(
    fault: Fault, store: ResultStore, proxy: DynamoDbProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.fail("PutItem", fault, fault)
    keep(store, "call-1", b"x")
    assert store.flush()
    proxy.fail("GetItem", fault)
    assert read(store, "call-1") == b"x"
    assert proxy.operations()[1:] == ["PutItem"] * 3 + ["GetItem"] * 2
    assert caplog.text == ""


def test_what_does_not_pass_is_said_once(
    store: ResultStore, proxy: DynamoDbProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.fail("PutItem", faults.refused("AccessDeniedException"))
    keep(store, "call-1", b"x")
    assert store.flush()
    assert caplog.text.count("AccessDeniedException") == 1
    proxy.fail("GetItem", faults.NO_TABLE)
    with pytest.raises(ResultError, match="ResourceNotFoundException"):
        read(store, "call-1")


def test_without_a_table_it_says_what_makes_one(table_url: str, proxy: DynamoDbProxy) -> None:
    proxy.fail("DescribeTable", faults.NO_TABLE)
    with pytest.raises(ResultError, match="`lambda-warden store create` makes it"):
        open_store(table_url).result_reader()
