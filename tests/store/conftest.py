"""A file of records, and the clock that it goes by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.clock import Clock


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
