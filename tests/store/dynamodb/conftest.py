"""A table of each engine, and a proxy before it that fails as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support.dynamodb import ENGINES, new_table
from support.dynamodb_proxy import DynamoDbProxy, dynamodb_proxy


@pytest.fixture(scope="session", params=ENGINES)
def engine_url(request: pytest.FixtureRequest, engines: Callable[[str], str]) -> str:
    return engines(request.param)


@pytest.fixture(scope="session")
def _proxy(engine_url: str) -> Iterator[DynamoDbProxy]:
    with dynamodb_proxy(engine_url) as running:
        yield running


@pytest.fixture
def proxy(_proxy: DynamoDbProxy) -> DynamoDbProxy:
    """The proxy, with nothing received and nothing told."""
    _proxy.reset()
    return _proxy


@pytest.fixture
def table_url(proxy: DynamoDbProxy) -> str:
    """The URL of a new table by way of the proxy."""
    url = proxy.through(new_table(proxy.engine))
    proxy.reset()
    return url
