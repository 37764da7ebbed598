"""Kept results: what is kept, for how long, for whom, and in how much room."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from lambda_warden.store.opening import Store
from lambda_warden.store.results import CHUNK_BYTES, Owner, ResultError, ResultStore
from lambda_warden.store.seal import Seal
from support.backends import RESULT_BACKENDS, Backend
from support.clock import Clock
from support.kept import GB, KEY, OWNER, keep, parts, read

LARGE = hashlib.shake_256(b"large").digest(3 * CHUNK_BYTES + 17)
SEAL = Seal(KEY)
BYTES = 100_000


@pytest.fixture(params=list(RESULT_BACKENDS.values()), ids=list(RESULT_BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


@pytest.fixture
def makes_room(backend: Backend) -> None:
    if not backend.makes_room:
        pytest.skip("results leave it when they expire, and not before")


@pytest.fixture
def results(store: Store, clock: Clock) -> Iterator[ResultStore]:
    with closing(store.result_store(ttl_seconds=3600, max_bytes=GB, clock=clock)) as opened:
        yield opened


@pytest.mark.parametrize("seal", [None, SEAL], ids=["plain", "sealed"])
@pytest.mark.parametrize("size", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, len(LARGE)])
def test_what_is_kept_is_read_back_whole_and_in_ranges(
    backend: Backend, store: Store, clock: Clock, seal: Seal | None, size: int
) -> None:
    payload = LARGE[:size]
    with closing(store.result_store(ttl_seconds=3600, max_bytes=GB, seal=seal, clock=clock)) as results:
        kept_until = results.keep("call-1", OWNER, parts(payload, b"log", "base64"))
        if size + len(b"log") > backend.largest:
            assert kept_until is None
            return
        assert kept_until == clock.now + 3600
        with results.reading("call-1", "local") as entry:
            assert entry is not None
            about = entry.about
            assert (entry.id, entry.expires_at) == ("call-1", clock.now + 3600)
            assert (about.function, about.created_at) == (OWNER.function, clock.now)
            part = about.parts["payload"]
            assert (part.format, part.size, part.original_bytes, part.redacted) == ("base64", size, size, 0)
            assert part.sha256 == hashlib.sha256(payload).hexdigest()
            assert b"".join(entry.chunks("payload")) == payload
            assert entry.read("log", 0, 100) == b"log"
            for start in (0, 1, size // 2, size - 1, CHUNK_BYTES - 1, CHUNK_BYTES, size, size + 5):
                for length in (0, 1, CHUNK_BYTES, size):
                    assert entry.read("payload", start, length) == payload[start : start + length]


def test_what_is_kept_is_read_by_others(backend: Backend, results: ResultStore, store: Store, clock: Clock) -> None:
    payload = LARGE[: backend.largest]
    keep(results, "call-1", payload)
    assert results.flush()
    with closing(store.result_reader(clock=clock)) as reader:
        assert read(reader, "call-1") == payload
        clock.now += 3600
        assert read(reader, "call-1") is None


def test_what_is_kept_survives_closing(backend: Backend, lasting: Store) -> None:
    payload = LARGE[: backend.largest]
    with closing(lasting.result_store(ttl_seconds=3600, max_bytes=GB)) as results:
        for i in range(50):
            keep(results, f"call-{i}", payload)
    assert keep(results, "late", b"x") is None
    results.close()
    with closing(lasting.result_reader()) as reader:
        assert [read(reader, f"call-{i}") == payload for i in range(50)] == [True] * 50


def test_nothing_is_read_where_no_server_has_written(backend: Backend, store: Store) -> None:
    if backend.engine:
        with closing(store.result_reader()) as reader:
            assert read(reader, "call-1") is None
    else:
        with pytest.raises(ResultError):
            store.result_reader()


def test_parts_without_bytes_are_not_there(results: ResultStore) -> None:
    results.keep("call-1", OWNER, parts(b"", b"log"))
    with results.reading("call-1", "local") as entry:
        assert entry is not None
        assert set(entry.about.parts) == {"log"}
        with pytest.raises(KeyError):
            entry.read("payload", 0, 1)


def test_only_its_principal_finds_a_result(results: ResultStore) -> None:
    keep(results, "call-1", b"x", Owner("chat-ops", "arn"))
    assert read(results, "call-1", principal="chat-ops") == b"x"
    for other in ("local", "", "chat-ops ", "CHAT-OPS", "%"):
        assert read(results, "call-1", principal=other) is None


@pytest.mark.parametrize(
    "hostile", ["", "call-1 ", "call_1", "../call-1", "' OR 1=1 --", "call-1\0", "\ud800", "%", "a" * 65]
)
def test_any_other_text_names_no_result(results: ResultStore, hostile: str) -> None:
    keep(results, "call-1", b"x")
    assert read(results, hostile) is None


@pytest.mark.parametrize("text", ["a/b", "", "a" * 65, "\u0661"])
def test_text_that_is_no_id_is_not_kept(results: ResultStore, text: str) -> None:
    assert keep(results, text, b"x") is None


def test_what_has_expired_is_not_there(results: ResultStore, clock: Clock) -> None:
    keep(results, "call-1", b"x")
    clock.now += 3599.9
    assert read(results, "call-1") == b"x"
    clock.now += 0.1
    assert read(results, "call-1") is None


def test_an_id_is_kept_once(results: ResultStore, caplog: pytest.LogCaptureFixture) -> None:
    keep(results, "call-1", b"first")
    keep(results, "call-1", b"second")
    assert results.flush()
    assert read(results, "call-1") == b"first"
    assert "could not be kept" in caplog.text
    assert "second" not in caplog.text


def there(results: ResultStore, *names: str) -> list[bool]:
    return [read(results, name) is not None for name in names]


@pytest.mark.usefixtures("makes_room")
def test_the_oldest_make_room(store: Store) -> None:
    with closing(store.result_store(ttl_seconds=3600, max_bytes=int(3.5 * BYTES))) as results:
        for name in "abcde":
            assert keep(results, name, bytes(BYTES)) is not None
            assert results.flush()
        assert there(results, *"abcde") == [False, False, True, True, True]
        keep(results, "larger", bytes(3 * BYTES))
        assert results.flush()
        assert there(results, *"abcde", "larger") == [False, False, False, False, False, True]


@pytest.mark.usefixtures("makes_room")
def test_the_expired_make_room_before_the_oldest(store: Store, clock: Clock) -> None:
    opened = partial(store.result_store, clock=clock)
    with closing(opened(ttl_seconds=3600, max_bytes=GB)) as lasting:
        keep(lasting, "lasting", bytes(BYTES))
        assert lasting.flush()
        with closing(opened(ttl_seconds=10, max_bytes=int(2.5 * BYTES))) as results:
            keep(results, "brief", bytes(BYTES))
            assert results.flush()
            clock.now += 10
            keep(results, "new", bytes(BYTES))
            assert results.flush()
            assert there(results, "lasting", "brief", "new") == [True, False, True]


def test_what_is_larger_than_all_may_be_is_not_kept_and_removes_nothing(store: Store) -> None:
    with closing(store.result_store(ttl_seconds=3600, max_bytes=2 * BYTES)) as results:
        keep(results, "call-1", bytes(BYTES))
        assert keep(results, "call-2", bytes(2 * BYTES + 1)) is None
        assert there(results, "call-1", "call-2") == [True, False]


@pytest.mark.parametrize(
    ("seal", "message"),
    [
        (None, r"encrypted: its key is needed \(--results-key-file\)"),
        (Seal(bytes(32)), "encrypted with another key"),
    ],
    ids=["none", "other"],
)
def test_without_the_right_key_one_error_says_so(store: Store, seal: Seal | None, message: str) -> None:
    opened = partial(store.result_store, ttl_seconds=3600, max_bytes=GB)
    with closing(opened(seal=SEAL)) as sealed, closing(opened(seal=seal)) as results:
        keep(sealed, "call-1", b"sealed")
        assert read(sealed, "call-1") == b"sealed"
        with pytest.raises(ResultError, match=message):
            read(results, "call-1")
        assert read(results, "call-1", principal="chat-ops") is None  # for others it is unknown all the same
        keep(results, "call-2", b"x")
        assert read(results, "call-2") == b"x"


def test_with_a_key_only_sealed_results_are_read(store: Store) -> None:
    opened = partial(store.result_store, ttl_seconds=3600, max_bytes=GB)
    with closing(opened(seal=SEAL)) as sealed, closing(opened()) as results:
        keep(results, "forged", b"put there by somebody else")
        assert results.flush()
        with pytest.raises(ResultError, match="not encrypted"):
            read(sealed, "forged")
