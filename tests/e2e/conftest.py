"""The embedded endpoint with the demo's functions, once for all e2e tests, and a server over stdio for each file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from mcp import Client

from lambda_warden.local.demo import DemoEnvironment, demo_environment
from support.warden import Warden, always_yes, stdio


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoEnvironment]:
    with demo_environment() as environment:
        yield environment


@pytest.fixture(scope="module")
async def running(demo: DemoEnvironment, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Warden]:
    home = tmp_path_factory.mktemp("home")
    records = home / "records.sqlite3"
    server = stdio(demo.manifest, home, "--records", str(records))
    async with Client(server, elicitation_callback=always_yes) as client:
        yield Warden(client, records)
