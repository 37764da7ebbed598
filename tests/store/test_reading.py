"""Reading disturbs no server, and sees whole records only."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lambda_warden.store.audit_log import AuditEntry, RecordError
from lambda_warden.store.hash_chain import AuditEvent
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.audit import verify

AT = datetime(2026, 11, 5, 12, tzinfo=UTC)


def record(kind: str, body: str, at: str = "2026-11-05T12:00:00.000+00:00") -> AuditEvent:
    return AuditEvent(1, "writer", 1, at, kind, "call-1", body, "")


def test_a_folder_of_any_name_is_read(tmp_path: Path) -> None:
    path = tmp_path / "50% of #1?mode=rw" / "records.sqlite3"
    with closing(SqliteAuditLog(path)) as records:
        records.append("denial", "call-1", {})
    assert verify(path).count == 2


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    path.touch()
    with pytest.raises(RecordError, match="is empty: no server has written to it yet"):
        verify(path)


@pytest.mark.parametrize(
    ("entry", "outcome"),
    [
        (AuditEntry(record("intent", '{"lease_seconds":60}')), "running"),
        (AuditEntry(record("intent", '{"lease_seconds":9.9}')), "unknown"),
        (AuditEntry(record("intent", "{}")), "running"),
        (AuditEntry(record("intent", '{"lease_seconds":"x"}')), "unknown"),
        (AuditEntry(record("intent", '{"lease_seconds":1e300}')), "unknown"),
        (AuditEntry(record("intent", "{}", at="never")), "unknown"),
        (AuditEntry(record("intent", "{}", at="2026-11-05T12:00:00")), "running"),
        (AuditEntry(record("intent", "{}"), record("outcome", '{"outcome":"refused"}')), "refused"),
        (AuditEntry(record("intent", "{}"), record("outcome", "[]")), "unknown"),
        (AuditEntry(record("denial", "{}")), "denied"),
        (AuditEntry(record("reload", "{}")), "reload"),
    ],
)
def test_the_outcome_of_a_record(entry: AuditEntry, outcome: str) -> None:
    assert entry.outcome(AT + timedelta(seconds=10)) == outcome


def test_a_body_nested_too_deeply_to_be_read_is_empty() -> None:
    assert record("intent", "[" * 100_000).fields() == {}
