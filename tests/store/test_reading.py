"""Reading disturbs no server, and sees whole records only."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lambda_warden.store.audit_log import AuditEntry, RecordError
from lambda_warden.store.hash_chain import AuditEvent
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.audit import reading, verify

AT = datetime(2026, 11, 5, 12, tzinfo=UTC)


def record(kind: str, body: str, at: str = "2026-11-05T12:00:00.000+00:00") -> AuditEvent:
    return AuditEvent(1, "writer", 1, at, kind, "call-1", body, "")


def test_the_chain_holds_at_every_moment_of_a_server_that_writes(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    failures: list[Exception] = []

    def write(records: SqliteAuditLog) -> None:
        try:
            for i in range(300):
                records.admit(f"call-{i}", {}, [], 1)
                records.finish(f"call-{i}", {}, ran=True)
        except Exception as error:  # noqa: BLE001 - a failure in a thread would go unseen
            failures.append(error)

    with closing(SqliteAuditLog(path)) as records:
        writer = threading.Thread(target=write, args=(records,))
        writer.start()
        counts, noted = [0], tuple[str, ...]()
        while writer.is_alive():
            verification = verify(path, *noted)
            assert verification.problems == ()
            counts.append(verification.count)
            noted = verification.heads
        writer.join()
    assert failures == []
    assert counts == sorted(counts)
    assert verify(path, *noted).count == 601


def test_records_are_read_after_a_number(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with closing(SqliteAuditLog(path)) as records:
        for i in range(4):
            records.append("denial", f"call-{i}", {"n": i})
    with reading(path) as reader:
        assert [found.position for found in reader.events(after=3)] == [4, 5]
        assert reader.last() == 5


def test_a_call_is_found_with_all_that_is_on_record_of_it(tmp_path: Path) -> None:
    with closing(SqliteAuditLog(tmp_path / "records.sqlite3")) as records:
        records.append("approval", "call-1", {"answer": "approved"})
        records.admit("call-1", {}, [], 60)
        records.admit("call-2", {}, [], 60)
        records.finish("call-1", {"outcome": "succeeded"}, ran=True)
        assert [event.kind for event in records.find_invocation("call-1")] == ["approval", "intent", "outcome"]
        assert [event.kind for event in records.find_invocation("call-2")] == ["intent"]
        assert records.find_invocation("\ud800") == records.find_invocation("") == []
        now = datetime.now(UTC)
        assert [entry.outcome(now) for entry in records.entries(["intent"])] == ["running", "succeeded"]


def test_a_folder_of_any_name_is_read(tmp_path: Path) -> None:
    path = tmp_path / "50% of #1?mode=rw" / "records.sqlite3"
    with closing(SqliteAuditLog(path)) as records:
        records.append("denial", "call-1", {})
    assert verify(path).count == 2


def test_a_reader_does_not_outlive_its_block(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with closing(SqliteAuditLog(path)), reading(path) as reader:
        assert reader.last() == 1
    with pytest.raises(RecordError):
        reader.last()


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
