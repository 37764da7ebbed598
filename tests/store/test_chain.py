"""Whatever is changed of what was recorded, the chain shows it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.store.audit_log import Field
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.audit import verify
from support.tampering import relink, tampering

TEXTS = ("writer", "at", "kind", "invocation_id", "body", "hash")

fields = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
bodies = st.lists(st.dictionaries(st.text(max_size=5), fields, max_size=3), min_size=1, max_size=6)
counts = st.integers(1, 6)


def written(folder: Path, contents: list[dict[str, Field]]) -> Path:
    path = folder / "records.sqlite3"
    with closing(SqliteAuditLog(path)) as records:
        for i, body in enumerate(contents):
            records.append("denial" if i % 2 else "intent", f"call-{i}", body)
    return path


def some(folder: Path, count: int) -> Path:
    return written(folder, [{"tool": "invoke_function", "n": i} for i in range(count)])


@given(bodies, st.data())
def test_any_byte_that_changed_is_found(
    tmp_path_factory: pytest.TempPathFactory, contents: list[dict[str, Field]], data: st.DataObject
) -> None:
    path = written(tmp_path_factory.mktemp("chain"), contents)
    seq = data.draw(st.integers(1, len(contents) + 1), "seq")
    column = data.draw(st.sampled_from(TEXTS), "column")
    with tampering(path) as db:
        row = db.execute(f"SELECT CAST({column} AS BLOB) FROM events WHERE position = ?", (seq,)).fetchone()  # noqa: S608
        text = bytearray(row[0])
        text[data.draw(st.integers(0, len(text) - 1), "byte")] ^= data.draw(st.integers(1, 255), "bits")
        db.execute(f"UPDATE events SET {column} = CAST(? AS TEXT) WHERE position = ?", (bytes(text), seq))  # noqa: S608
    problems = verify(path).problems
    assert problems
    # What has another writer stands in no chain.
    assert column == "writer" or any(f"record {seq} does not fit its hash" in problem for problem in problems)


@given(counts, st.data())
def test_a_number_that_changed_is_found(
    tmp_path_factory: pytest.TempPathFactory, count: int, data: st.DataObject
) -> None:
    path = some(tmp_path_factory.mktemp("chain"), count)
    seq = data.draw(st.integers(1, count), "seq")
    other = data.draw(st.integers(-(2**63), 2**63 - 1).filter(lambda n: not 1 <= n <= count), "other")
    with tampering(path) as db:
        db.execute("UPDATE events SET position = ? WHERE position = ?", (other, seq))
    assert verify(path).problems


@given(counts, st.data())
def test_records_that_are_missing_are_found_at_any_place(
    tmp_path_factory: pytest.TempPathFactory, count: int, data: st.DataObject
) -> None:
    path = some(tmp_path_factory.mktemp("chain"), count)
    gone = data.draw(st.sets(st.integers(1, count), min_size=1), "gone")
    with tampering(path) as db:
        db.executemany("DELETE FROM events WHERE position = ?", [(seq,) for seq in gone])
    verification = verify(path)
    assert verification.count == count + 1 - len(gone)
    assert any("missing" in problem for problem in verification.problems)


@given(counts, st.data())
def test_records_that_were_removed_and_the_rest_renumbered_are_found(
    tmp_path_factory: pytest.TempPathFactory, count: int, data: st.DataObject
) -> None:
    path = some(tmp_path_factory.mktemp("chain"), count)
    gone = data.draw(st.integers(1, count), "gone")
    with tampering(path) as db:
        db.execute("DELETE FROM events WHERE position = ?", (gone,))
        for seq in range(gone + 1, count + 1):
            db.execute("UPDATE events SET position = ? WHERE position = ?", (seq - 1, seq))
        if data.draw(st.booleans(), "new hashes"):
            relink(db)
    assert verify(path).problems


@given(st.integers(2, 6), st.data())
def test_records_that_changed_places_are_found(
    tmp_path_factory: pytest.TempPathFactory, count: int, data: st.DataObject
) -> None:
    path = some(tmp_path_factory.mktemp("chain"), count)
    one, other = data.draw(st.lists(st.integers(1, count), min_size=2, max_size=2, unique=True), "places")
    with tampering(path) as db:
        for before, after in ((one, 0), (other, one), (0, other)):
            db.execute("UPDATE events SET position = ? WHERE position = ?", (after, before))
    assert verify(path).problems


@given(counts, st.data())
def test_a_record_that_was_inserted_is_found(
    tmp_path_factory: pytest.TempPathFactory, count: int, data: st.DataObject
) -> None:
    path = some(tmp_path_factory.mktemp("chain"), count)
    place = data.draw(st.integers(0, count + 2), "place")
    with tampering(path) as db:
        for seq in range(count + 1, max(place, 1) - 1, -1):
            db.execute("UPDATE events SET position = ? WHERE position = ?", (seq + 1, seq))
        copy = "SELECT ?, writer, seq + 1000, at, kind, invocation_id, body, hash FROM events WHERE position = ?"
        db.execute(f"INSERT INTO events {copy}", (place, count + 2 if place <= count + 1 else count + 1))
    assert verify(path).problems


def rewritten(db: sqlite3.Connection) -> None:
    db.execute("UPDATE events SET body = '{}' WHERE position = 2")
    relink(db)


def cut_off(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM events WHERE position > 2")
    db.execute("UPDATE sqlite_sequence SET seq = 2 WHERE name = 'events'")


@pytest.mark.parametrize("change", [rewritten, cut_off])
def test_history_rewritten_with_new_hashes_is_found_by_a_head_noted_before(
    tmp_path: Path, change: Callable[[sqlite3.Connection], None]
) -> None:
    path = some(tmp_path, 4)
    (noted,) = verify(path).heads
    with tampering(path) as db:
        change(db)
    assert verify(path).problems == ()
    (problem,) = verify(path, noted).problems
    assert f"no record has the hash {noted}" in problem


def test_an_end_that_was_cut_off_is_found(tmp_path: Path) -> None:
    path = some(tmp_path, 4)
    with tampering(path) as db:
        db.execute("DELETE FROM events WHERE position > 2")
    assert verify(path).problems == ("records 3 to 5 are missing: the end of the file was cut off",)


@pytest.mark.parametrize(
    "change", ["UPDATE sqlite_sequence SET seq = 3 WHERE name = 'events'", "DELETE FROM sqlite_sequence"]
)
def test_a_count_of_the_file_that_was_lowered_is_found(tmp_path: Path, change: str) -> None:
    path = some(tmp_path, 4)
    with tampering(path) as db:
        db.execute(change)
    (problem,) = verify(path).problems
    assert problem.startswith("record 5 was inserted")


def test_a_record_before_the_first_is_found_also_with_new_hashes(tmp_path: Path) -> None:
    path = some(tmp_path, 2)
    with tampering(path) as db:
        db.execute(
            "INSERT INTO events SELECT 0, writer, seq + 1000, at, kind, invocation_id, body, hash FROM events"
            " WHERE position = 1"
        )
        relink(db)
    assert "record 0 was inserted: it stands where no record can be" in verify(path).problems


def test_a_text_that_became_another_type_is_found(tmp_path: Path) -> None:
    path = some(tmp_path, 2)
    with tampering(path) as db:
        db.execute(
            "CREATE TABLE copy (position INTEGER PRIMARY KEY AUTOINCREMENT,"
            " writer, seq, at, kind, invocation_id, body, hash)"
        )
        db.execute(
            "INSERT INTO copy"
            " SELECT position, writer, seq, at, kind, invocation_id, CAST(body AS BLOB), hash FROM events"
        )
        db.execute("DROP TABLE events")
        db.execute("ALTER TABLE copy RENAME TO events")
    assert len(verify(path).problems) >= 2


def test_the_pages_of_a_file_that_was_overwritten_are_a_problem(tmp_path: Path) -> None:
    path = some(tmp_path, 500)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)  # behind what says which tables there are
        file.write(b"\xff" * (size - size // 2))
    (problem,) = verify(path).problems
    assert problem.startswith("the file is damaged")


def test_many_problems_are_not_all_shown(tmp_path: Path) -> None:
    path = some(tmp_path, 300)
    with tampering(path) as db:
        db.execute("DELETE FROM events WHERE position % 2 = 0")
    problems = verify(path).problems
    assert len(problems) == 101
    assert problems[-1].startswith("and ")


@pytest.mark.parametrize("new_hashes", [False, True])
def test_a_whole_chain_that_was_removed_is_found(tmp_path: Path, new_hashes: bool) -> None:
    path = tmp_path / "records.sqlite3"
    for number in range(3):
        with closing(SqliteAuditLog(path)) as records:
            records.append("denial", f"call-{number}", {})
    with tampering(path) as db:
        (writer,) = db.execute("SELECT writer FROM events WHERE position = 3").fetchone()
        db.execute("DELETE FROM events WHERE writer = ?", (writer,))
        db.execute("DELETE FROM writers WHERE writer = ?", (writer,))
        rest = db.execute("SELECT position FROM events ORDER BY position").fetchall()
        db.executemany("UPDATE events SET position = ? WHERE position = ?", [(i, p) for i, (p,) in enumerate(rest, 1)])
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'events'", (len(rest),))
        if new_hashes:
            relink(db)
    (problem,) = verify(path).problems
    assert "which is missing" in problem
