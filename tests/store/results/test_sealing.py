"""Encryption at rest: without the key nothing can be read, and what was changed is noticed."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.results.kept import seal_from
from lambda_warden.store.results import CHUNK_BYTES, Owner, ResultError
from lambda_warden.store.seal import Seal, read_key
from support.kept import FUNCTION, KEY, OWNER, keep, opened, parts, read

SEAL = Seal(KEY)
OTHER = Seal(bytes(32))
PAYLOAD = hashlib.shake_256(b"payload").digest(2 * CHUNK_BYTES) + b"the end"
TWIN = hashlib.shake_256(b"twin").digest(len(PAYLOAD))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Sealed results 1 to 3: two of one size, and one whose payload is as long as its log."""
    path = tmp_path / "results.sqlite3"
    with opened(path, SEAL) as store:
        keep(store, "call-1", PAYLOAD)
        keep(store, "call-2", TWIN)
        store.keep("call-3", OWNER, parts(b"abc", b"def"))
    return path


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def test_without_the_key_nothing_is_in_the_file(path: Path) -> None:
    with opened(path, SEAL) as store:
        store.keep("marked", OWNER, parts(b"a telling payload", b"a telling log"))
        assert store.flush()
        for file in path.parent.iterdir():
            content = file.read_bytes()
            assert b"telling" not in content
            assert FUNCTION.encode() not in content
            assert KEY not in content
    with opened(path.with_name("plain"), None) as store:
        store.keep("marked", OWNER, parts(b"a telling payload", b"a telling log"))
        assert store.flush()
    assert b"telling" in path.with_name("plain").read_bytes()


def test_the_same_contents_are_never_sealed_alike(path: Path) -> None:
    with opened(path, SEAL) as store:
        keep(store, "again", PAYLOAD)
    with closing(sqlite3.connect(path)) as db:
        sealed = [row[0] for row in db.execute("SELECT data FROM chunks UNION ALL SELECT about FROM results")]
    assert len({data[:12] for data in sealed}) == len(sealed)


_SWAP = (
    "UPDATE chunks SET n = 9 WHERE n = 0 AND result = 1",
    "UPDATE chunks SET n = 0 WHERE n = 1 AND result = 1",
    "UPDATE chunks SET n = 1 WHERE n = 9 AND result = 1",
)
_MOVE = (
    "DELETE FROM chunks WHERE n = 1 AND result = 1",
    "UPDATE chunks SET result = 1 WHERE n = 1 AND result = 2",
)
_REPLACE = (
    "DELETE FROM chunks WHERE result = 1",
    "UPDATE chunks SET result = 1 WHERE result = 2",
)
_RENAME = (
    "UPDATE results SET id = 'x' WHERE id = 'call-1'",
    "UPDATE results SET id = 'call-1' WHERE id = 'call-2'",
)
_WHOLE = (
    "DELETE FROM chunks WHERE result = 1",
    "UPDATE chunks SET result = 1 WHERE result = 2",
    "UPDATE results SET about = (SELECT about FROM results WHERE id = 'call-2') WHERE id = 'call-1'",
)


@pytest.mark.parametrize(
    "statements",
    [
        _SWAP,
        _MOVE,
        _REPLACE,
        _RENAME,
        _WHOLE,
        ("DELETE FROM chunks WHERE n = 2 AND result = 1",),
        ("DELETE FROM chunks WHERE n = 0 AND result = 1",),
        ("UPDATE chunks SET data = substr(data, 1, length(data) - 1) WHERE n = 2 AND result = 1",),
        ("UPDATE chunks SET data = CAST(data || x'00' AS BLOB) WHERE n = 2 AND result = 1",),
        ("UPDATE chunks SET data = x'' WHERE n = 1 AND result = 1",),
        ("UPDATE results SET about = x'' WHERE id = 'call-1'",),
        ("UPDATE results SET about = substr(about, 1, length(about) - 1) WHERE id = 'call-1'",),
        ("UPDATE results SET expires_at = expires_at + 1e6 WHERE id = 'call-1'",),
    ],
    ids=[
        "chunks swapped",
        "a chunk of another result",
        "chunks of another result",
        "another result's id",
        "all of another result",
        "end cut off",
        "start cut off",
        "chunk cut",
        "chunk longer",
        "chunk emptied",
        "description emptied",
        "description cut",
        "kept longer",
    ],
)
def test_what_was_changed_swapped_moved_or_cut_off_is_not_shown(path: Path, statements: tuple[str, ...]) -> None:
    change(path, *statements)
    with opened(path, SEAL) as store:
        with pytest.raises(ResultError, match="changed after it was written"):
            read(store, "call-1")
        assert read(store, "call-3") == b"abc"


def test_a_log_does_not_pass_for_the_payload(path: Path) -> None:
    change(
        path,
        "UPDATE chunks SET part = 'x' WHERE part = 'log' AND result = 3",
        "UPDATE chunks SET part = 'log' WHERE part = 'payload' AND result = 3",
        "UPDATE chunks SET part = 'payload' WHERE part = 'x' AND result = 3",
    )
    with opened(path, SEAL) as store, pytest.raises(ResultError, match="changed"):
        read(store, "call-3")


def test_a_result_does_not_become_another_principals(path: Path) -> None:
    change(path, "UPDATE results SET principal = 'chat-ops' WHERE id = 'call-1'")
    with opened(path, SEAL) as store, pytest.raises(ResultError, match="changed"):
        read(store, "call-1", principal="chat-ops")


@pytest.mark.parametrize(
    ("select", "update"),
    [
        ("SELECT data FROM chunks WHERE result = 1 AND n = 0", "UPDATE chunks SET data = ? WHERE result = 1 AND n = 0"),
        ("SELECT about FROM results WHERE seq = 1", "UPDATE results SET about = ? WHERE seq = 1"),
    ],
    ids=["contents", "description"],
)
@pytest.mark.parametrize("byte", [0, 11, 12, 20, -17, -16, -1])
def test_no_byte_can_be_altered(path: Path, select: str, update: str, byte: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        altered = bytearray(db.execute(select).fetchone()[0])
        altered[byte] ^= 1
        db.execute(update, [bytes(altered)])
    with opened(path, SEAL) as store, pytest.raises(ResultError, match="changed"):
        read(store, "call-1")


@given(
    data=st.binary(max_size=100), place=st.binary(max_size=20), other=st.binary(max_size=20), cut=st.integers(0, 130)
)
def test_a_seal_opens_what_it_closed_and_only_at_its_place(data: bytes, place: bytes, other: bytes, cut: int) -> None:
    sealed = SEAL.close(data, place)
    assert SEAL.open(sealed, place) == data
    for wrong, where, seal in [(sealed, place, OTHER), (sealed[:cut], place, SEAL), (sealed, other, SEAL)]:
        if (wrong, where, seal) != (sealed, place, SEAL):
            with pytest.raises(ResultError):
                seal.open(wrong, where)


def test_unsealed_results_that_do_not_fit_their_description_are_not_shown(tmp_path: Path) -> None:
    damages: list[Callable[[dict[str, Any]], object]] = [
        lambda about: about["parts"]["payload"].update(size=len(PAYLOAD) + 1),
        lambda about: about["parts"]["payload"].update(size=-1),
        lambda about: about.update(chunk_bytes=0),
        lambda about: about.update(chunk_bytes=10**12),
        lambda about: about.update(chunk_bytes=CHUNK_BYTES - 1),
        lambda about: about["parts"].update(other=about["parts"]["payload"]),
        lambda about: about.clear(),
    ]
    for i, damage in enumerate(damages):
        path = tmp_path / f"{i}.sqlite3"
        with opened(path) as store:
            store.keep("call-1", Owner("local", "arn"), parts(PAYLOAD))
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            about = json.loads(db.execute("SELECT about FROM results").fetchone()[0])
            damage(about)
            db.execute("UPDATE results SET about = ?", (json.dumps(about).encode(),))
        with opened(path) as store, pytest.raises(ResultError, match="damaged"):
            read(store, "call-1")


@pytest.mark.parametrize("text", [KEY.hex(), KEY.hex().upper(), base64.b64encode(KEY).decode()])
def test_a_key_file_holds_base64_or_hexadecimal(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(f"{text}\n")
    assert read_key(file) == KEY
    seal = seal_from(file)
    assert seal is not None
    assert seal.key_id == SEAL.key_id


def test_without_a_key_file_there_is_no_seal() -> None:
    assert seal_from(None) is None


@pytest.mark.parametrize("content", [b"", b"secret", KEY, KEY.hex()[:-1].encode(), base64.b64encode(KEY[:-1]), b"\xff"])
def test_a_file_without_a_key_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(ResultError, match="key file") as raised:
        read_key(file)
    assert len(content) < 5 or content.decode("latin-1") not in str(raised.value)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"none can't be read"):
        read_key(tmp_path / "none")
