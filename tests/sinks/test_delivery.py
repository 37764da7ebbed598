"""Records come to a sink in their order, all of them, whatever becomes of the sink or of the server."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from lambda_warden.errors import SinkError
from lambda_warden.model.sink_entry import SinkEntry
from lambda_warden.sinks import delivery as module
from lambda_warden.sinks.audit_log import with_sinks
from lambda_warden.sinks.checkpoint import Signer, read_public_key, read_signer, write_new_key
from lambda_warden.sinks.delivery import SinkDelivery
from lambda_warden.sinks.file import FileSink
from lambda_warden.sinks.opening import OpenSink, open_sink
from lambda_warden.store.audit_log import AuditLog, Limit, RecordError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.clock import Clock

LONG = 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteAuditLog]:
    with closing(SqliteAuditLog(path)) as opened:
        yield opened


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    (tmp_path / "public.pem").write_text(write_new_key(tmp_path / "key.pem"))
    return tmp_path / "key.pem"


def delivering(store: AuditLog, url: str, signer: Signer | None = None, every: int = LONG) -> AuditLog:
    return with_sinks(store, [SinkDelivery(open_sink(url), store, signer, every, LONG)])


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_required_sink_that_is_away_lets_nothing_happen_and_takes_all_when_it_is_back(
    store: SqliteAuditLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "mounted" / "records.jsonl"
    log = delivering(store, f"file://{file}?required=true")
    limit = Limit("rule:f", per_day=1)
    for number in range(3):
        with pytest.raises(RecordError, match=f"the required sink file://{file} does not have the record"):
            log.admit(f"call-{number}", {"tool": "invoke_function"}, [limit], 60)
    with pytest.raises(RecordError):
        log.append("read", "id", {})
    assert log.state().units == {}
    file.parent.mkdir()
    assert log.admit("call-3", {}, [limit], 60) is None
    assert [line["seq"] for line in lines(file)] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert [line["body"].get("outcome") for line in lines(file) if line["kind"] == "outcome"] == ["refused"] * 3
    assert store.state().units == {"rule:f": 1}
    log.close()
    assert "records wait for the sink" in caplog.text
    assert "has all records again" in caplog.text


def test_an_optional_sink_that_is_away_holds_nothing_up_and_nothing_is_lost(
    store: SqliteAuditLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "mounted" / "records.jsonl"
    log = delivering(store, f"file://{file}")
    for number in range(700):
        log.append("denial", f"call-{number}", {"reason": "x" * 2000})
    until(lambda: "records wait for the sink" in caplog.text)
    file.parent.mkdir()
    log.close()
    assert [line["seq"] for line in lines(file)] == list(range(1, 702))
    assert caplog.text.count("records wait for the sink") == 1


def test_what_could_not_be_delivered_at_the_end_is_said(
    store: SqliteAuditLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivering(store, f"file://{tmp_path}/missing/records.jsonl").close()
    assert "`lambda-warden records ship` brings them" in caplog.text


class Slow:
    """A sink that answers when it is told to."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def write(self, entries: Sequence[SinkEntry]) -> None:
        self.released.wait(30)

    def last_seq(self, writer: str) -> int:
        return 0

    def lines(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        pass


def test_a_sink_that_does_not_answer_is_waited_for_only_so_long(
    store: SqliteAuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONFIRM_SECONDS", 0.05)
    slow = Slow()
    delivery = SinkDelivery(OpenSink("slow:", slow, required=True), store, None, LONG, LONG)
    with pytest.raises(SinkError, match="no answer within"):
        delivery.confirm()
    slow.released.set()
    monkeypatch.setattr(module, "CONFIRM_SECONDS", 30)
    delivery.confirm()
    delivery.close()


def test_a_defect_of_a_sink_is_a_failure_and_ends_nothing(
    store: SqliteAuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(FileSink, "write", lambda *_: 1 / 0)
        log = delivering(store, f"file://{tmp_path}/records.jsonl?required=true")
        with pytest.raises(RecordError, match="ZeroDivisionError"):
            log.append("read", "id", {})
    log.append("read", "id", {})
    log.close()


def test_many_threads_wait_for_few_writes(store: SqliteAuditLog, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    log = delivering(store, f"file://{file}?required=true")
    missing: list[str] = []

    def work(name: str) -> None:
        for number in range(10):
            log.admit(f"{name}-{number}", {}, [], 60)
            if f'"{name}-{number}"' not in file.read_text():
                missing.append(name)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert missing == []
    assert [line["seq"] for line in lines(file)] == list(range(1, 82))


def test_checkpoints_come_after_so_many_records_and_at_the_end(
    store: SqliteAuditLog, tmp_path: Path, key_file: Path
) -> None:
    file = tmp_path / "records.jsonl"
    log = delivering(store, f"file://{file}?required=true", read_signer(key_file), every=4)
    for number in range(9):
        log.append("denial", f"call-{number}", {})
    log.close()
    signed = [line for line in lines(file) if line["type"] == "checkpoint"]
    assert [(line["seq"], line["count"]) for line in signed] in ([(4, 4), (8, 8), (10, 10)], [(5, 5), (9, 9), (10, 10)])
    heads = {line["seq"]: line["hash"] for line in lines(file) if line["type"] == "record"}
    assert [line["head"] for line in signed] == [heads[line["seq"]] for line in signed]
    read_public_key(tmp_path / "public.pem")


def test_what_another_writer_left_is_brought_and_signed_by_the_next_server(
    path: Path, tmp_path: Path, key_file: Path
) -> None:
    file = tmp_path / "records.jsonl"
    with closing(SqliteAuditLog(path, clock=Clock(time.time() - 3600))) as left:  # an hour ago, without a sink
        left.append("denial", "left", {})
    with closing(SqliteAuditLog(path)) as just_now:  # may still deliver it itself
        just_now.append("denial", "new", {})
    with closing(SqliteAuditLog(path)) as store:
        log = delivering(store, f"file://{file}", read_signer(key_file))
        until(lambda: any(line["type"] == "checkpoint" and line["writer"] == left.writer for line in lines(file)))
        log.close()
    found = {(line["type"], line["writer"], line["seq"]) for line in lines(file)}
    assert {kind for kind, writer, _ in found if writer == just_now.writer} == set()
    assert found == {
        *(("record", left.writer, 1), ("record", left.writer, 2), ("checkpoint", left.writer, 2)),
        *(("record", store.writer, 1), ("checkpoint", store.writer, 1)),
    }


def test_nothing_of_a_sink_is_logged_below_warning(
    store: SqliteAuditLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "lambda_warden"):
        delivering(store, f"file://{tmp_path}/records.jsonl?required=true").close()
    assert caplog.text == ""


def test_what_others_left_holds_up_nobody_where_it_can_not_be_looked_at(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> int:
        raise SinkError("may not be read")

    monkeypatch.setattr(FileSink, "last_seq", refuse)
    with closing(SqliteAuditLog(path, clock=Clock(time.time() - 3600))):
        pass
    with closing(SqliteAuditLog(path)) as store:
        log = delivering(store, f"file://{tmp_path}/records.jsonl?required=true")
        log.append("read", "id", {})
        log.append("read", "id", {})
        log.close()
    assert caplog.text.count("records of other writers wait for the sink") == 1


class TakenForDead:
    """A log that goes on with another chain, as a store does where others took its server for dead."""

    def __init__(self, now: AuditLog) -> None:
        self.now = now

    def __getattr__(self, name: str) -> Any:
        return getattr(self.now, name)


def test_a_server_that_begins_a_new_chain_delivers_both(
    store: SqliteAuditLog, path: Path, tmp_path: Path, key_file: Path
) -> None:
    file = tmp_path / "records.jsonl"
    of_server = TakenForDead(store)
    log = delivering(cast("AuditLog", of_server), f"file://{file}?required=true", read_signer(key_file))
    log.append("read", "one", {})
    store.append("read", "two", {})
    with closing(SqliteAuditLog(path)) as then:
        of_server.now = then
        log.append("read", "three", {})
        log.close()
    found = [(line["type"], line["writer"], line["seq"]) for line in lines(file)]
    expected = [(store.writer, 1), (store.writer, 2), (store.writer, 3), (then.writer, 1), (then.writer, 2)]
    assert [each[1:] for each in found if each[0] == "record"] == expected
    assert [each[1:] for each in found if each[0] == "checkpoint"] == [expected[2], expected[4]]
