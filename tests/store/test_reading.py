"""Reading disturbs no server, and sees whole records only."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lambda_warden.store.chain import Record
from lambda_warden.store.reading import Entry, Reader, verify
from lambda_warden.store.records import RecordError
from lambda_warden.store.sqlite import SqliteRecords

AT = datetime(2026, 11, 5, 12, tzinfo=UTC)


def record(kind: str, body: str, at: str = "2026-11-05T12:00:00.000+00:00") -> Record:
    return Record(1, at, kind, "call-1", body, "")


def test_the_chain_holds_at_every_moment_of_a_server_that_writes(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    failures: list[Exception] = []

    def write(records: SqliteRecords) -> None:
        try:
            for i in range(300):
                records.admit(f"call-{i}", {}, [], 1)
                records.finish(f"call-{i}", {}, ran=True)
        except Exception as error:  # noqa: BLE001 - a failure in a thread would go unseen
            failures.append(error)

    with closing(SqliteRecords(path)) as records:
        writer = threading.Thread(target=write, args=(records,))
        writer.start()
        counts, noted = [0], None
        while writer.is_alive():
            verification = verify(path, noted)
            assert verification.problems == ()
            counts.append(verification.count)
            noted = verification.head
        writer.join()
    assert failures == []
    assert counts == sorted(counts)
    assert verify(path, noted).count == 600


def test_records_are_read_after_a_number(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with closing(SqliteRecords(path)) as records:
        for i in range(4):
            records.append("denial", f"call-{i}", {"n": i})
    with Reader(path) as reader:
        assert [found.seq for found in reader.records(after=2)] == [3, 4]
        assert reader.last() == 4


def test_an_intent_and_its_outcome_are_found_by_each_other(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with closing(SqliteRecords(path)) as records:
        records.append("intent", "call-1", {})
        records.append("intent", "call-2", {})
        records.finish("call-1", {"outcome": "succeeded"}, ran=True)
        records.finish("call-1", {"outcome": "unknown"}, ran=True)
    with Reader(path) as reader:
        first, second, ended, again = reader.records()
        assert reader.outcome_of(first) == ended  # the one that came first
        assert reader.outcome_of(second) is None
        assert reader.intent_of(ended) == reader.intent_of(again) == first


def test_a_folder_of_any_name_is_read(tmp_path: Path) -> None:
    path = tmp_path / "50% of #1?mode=rw" / "records.sqlite3"
    with closing(SqliteRecords(path)) as records:
        records.append("denial", "call-1", {})
    assert verify(path).count == 1


def test_a_reader_does_not_outlive_its_block(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    with closing(SqliteRecords(path)), Reader(path) as reader:
        assert reader.last() == 0
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
        (Entry(record("intent", '{"lease_seconds":60}')), "running"),
        (Entry(record("intent", '{"lease_seconds":9.9}')), "unknown"),
        (Entry(record("intent", "{}")), "running"),
        (Entry(record("intent", '{"lease_seconds":"x"}')), "unknown"),
        (Entry(record("intent", '{"lease_seconds":1e300}')), "unknown"),
        (Entry(record("intent", "{}", at="never")), "unknown"),
        (Entry(record("intent", "{}", at="2026-11-05T12:00:00")), "running"),
        (Entry(record("intent", "{}"), record("outcome", '{"outcome":"refused"}')), "refused"),
        (Entry(record("intent", "{}"), record("outcome", "[]")), "unknown"),
        (Entry(record("denial", "{}")), "denied"),
        (Entry(record("reload", "{}")), "reload"),
    ],
)
def test_the_outcome_of_a_record(entry: Entry, outcome: str) -> None:
    assert entry.outcome(AT + timedelta(seconds=10)) == outcome


def test_a_body_nested_too_deeply_to_be_read_is_empty() -> None:
    assert record("intent", "[" * 100_000).fields() == {}
