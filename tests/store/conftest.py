"""A file of records, and the clock that it goes by; engines of stores in AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

import pytest

from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.clock import Clock
from support.dynamodb import engine


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite3"


@pytest.fixture
def records(path: Path, clock: Clock) -> Iterator[SqliteAuditLog]:
    with closing(SqliteAuditLog(path, clock=clock)) as opened:
        yield opened


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Gives the URL of an engine of `support.dynamodb.ENGINES`, which runs from then on until the tests end."""
    with ExitStack() as running:
        yield cache(lambda kind: running.enter_context(engine(kind, tmp_path_factory.mktemp(kind))))
