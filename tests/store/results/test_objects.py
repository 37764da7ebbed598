"""Results as objects: what is tried again, what whoever can write to the bucket can't do, and what waits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.store import object_results, objects
from lambda_warden.store.object_results import ObjectResultStore
from lambda_warden.store.objects import ObjectBusyError, ObjectExistsError, ObjectResultReader
from lambda_warden.store.results import CHUNK_BYTES, NewPart, Owner, ResultError
from lambda_warden.store.seal import Seal
from support.clock import Clock
from support.kept import GB, KEY, OWNER, keep, parts, read

SEAL = Seal(KEY)
LARGE = bytes(range(256)) * (CHUNK_BYTES // 256 * 2 + 1)


class InMemory:
    """Objects in a dictionary, which fails as it is told."""

    object_bytes = GB

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.faults: list[Exception] = []
        self.loses_answers = False
        self.free = threading.Event()
        self.free.set()
        self.puts = 0

    def check(self) -> None:
        """It is there."""

    def put(self, name: str, data: bytes, expires_at: int) -> None:
        self.free.wait(30)
        self.puts += 1
        if self.faults and not self.loses_answers:
            raise self.faults.pop()
        if name in self.kept:
            raise ObjectExistsError("there is one of this call")
        self.kept[name] = data
        if self.faults:
            raise self.faults.pop()

    def get(self, name: str) -> InMemory.Found | None:
        if self.faults:
            raise self.faults.pop()
        return self.Found(self.kept[name]) if name in self.kept else None

    class Found:
        def __init__(self, data: bytes) -> None:
            self._data = data

        def read(self, start: int, length: int) -> bytes:
            return self._data[start : start + length]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_FIRST_PAUSE_SECONDS", 0)


@pytest.fixture
def kept() -> InMemory:
    return InMemory()


@pytest.fixture
def store(kept: InMemory) -> Iterator[ObjectResultStore]:
    with closing(ObjectResultStore(kept, ttl_seconds=3600, max_bytes=GB, seal=SEAL, clock=Clock())) as opened:
        yield opened


def test_a_write_is_repeated_while_the_store_is_busy(
    store: ObjectResultStore, kept: InMemory, caplog: pytest.LogCaptureFixture
) -> None:
    kept.faults = [ObjectBusyError("throttled"), ObjectBusyError("reset")]
    keep(store, "call-1", b"x")
    assert read(store, "call-1") == b"x"
    assert (kept.puts, caplog.text) == (3, "")


def test_a_write_whose_answer_was_lost_has_happened(
    store: ObjectResultStore, kept: InMemory, caplog: pytest.LogCaptureFixture
) -> None:
    kept.loses_answers, kept.faults = True, [ObjectBusyError("reset")]
    keep(store, "call-1", b"x")
    assert read(store, "call-1") == b"x"
    assert (kept.puts, caplog.text) == (2, "")


@pytest.mark.parametrize("fault", [ResultError("no such table"), RuntimeError("payload")], ids=["refused", "a defect"])
def test_a_write_that_fails_costs_its_own_result(
    fault: Exception, store: ObjectResultStore, kept: InMemory, caplog: pytest.LogCaptureFixture
) -> None:
    kept.faults = [fault]
    keep(store, "call-1", b"x")
    assert store.flush()
    assert read(store, "call-1") is None
    assert caplog.text.count("a result could not be kept") == 1
    assert "payload" not in caplog.text
    keep(store, "call-2", b"y")
    assert read(store, "call-2") == b"y"


def test_a_read_is_repeated_a_few_times(store: ObjectResultStore, kept: InMemory) -> None:
    keep(store, "call-1", b"x")
    assert store.flush()
    kept.faults = [ObjectBusyError("throttled")] * 3
    assert read(store, "call-1") == b"x"
    kept.faults = [ObjectBusyError("throttled")] * 4
    with pytest.raises(ResultError, match="throttled"):
        read(store, "call-1")


def test_what_waits_is_bounded_and_read_once_it_is_written(
    store: ObjectResultStore, kept: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_results, "QUEUED_BYTES", 3 * CHUNK_BYTES)
    kept.free.clear()
    assert keep(store, "call-1", LARGE) is not None
    assert keep(store, "call-2", LARGE) is None, "there is no room in the queue"
    assert not store.flush(0.01)
    threading.Timer(0.01, kept.free.set).start()
    assert read(store, "call-1") == LARGE


def test_closing_does_not_wait_for_ever(kept: InMemory, caplog: pytest.LogCaptureFixture) -> None:
    kept.free.clear()
    store = ObjectResultStore(kept, ttl_seconds=3600, max_bytes=GB)
    keep(store, "call-1", b"x")
    store.close(0.01)
    assert "1 results were not kept" in caplog.text
    assert keep(store, "late", b"x") is None
    kept.faults = [ObjectBusyError("reset")] * 4
    kept.free.set()
    store._writers.shutdown(wait=True)
    assert kept.puts == 1, "nothing is tried again"


def test_a_result_is_its_principals_until_it_expires(kept: InMemory) -> None:
    clock = Clock()
    with closing(ObjectResultStore(kept, ttl_seconds=3600, max_bytes=GB, clock=clock)) as store:
        keep(store, "call-1", b"x", Owner("chat-ops", "arn"))
        assert read(store, "call-1", principal="local") is None
        clock.now += 3599
        assert read(store, "call-1", principal="chat-ops") == b"x"
        clock.now += 1
        assert read(store, "call-1", principal="chat-ops") is None


def _head(kept: InMemory, change: Callable[[dict[str, object]], object], name: str = "call-1") -> None:
    """Change what stands unsealed in an object."""
    data = kept.kept[name]
    length = int.from_bytes(data[:4])
    head = json.loads(data[4 : 4 + length])
    change(head)
    written = json.dumps(head).encode()
    kept.kept[name] = len(written).to_bytes(4) + written + data[4 + length :]


ALTERED: dict[str, tuple[Callable[[InMemory], object], str]] = {
    "another's object": (lambda kept: kept.kept.update({"call-1": kept.kept["call-2"]}), "local"),
    "another principal": (lambda kept: _head(kept, lambda head: head.update(principal="chat-ops")), "chat-ops"),
    "kept longer": (lambda kept: _head(kept, lambda head: head.update(expires_at=10**12)), "local"),
    "another description": (lambda kept: _head(kept, lambda head: head.update(about="AAAA")), "local"),
    "a byte": (lambda kept: kept.kept.update({"call-1": kept.kept["call-1"][:-20] + b"\0" * 20}), "local"),
    "cut off": (lambda kept: kept.kept.update({"call-1": kept.kept["call-1"][:-CHUNK_BYTES]}), "local"),
}


@pytest.mark.parametrize(("alter", "reader"), ALTERED.values(), ids=ALTERED)
def test_what_was_altered_is_not_shown(
    alter: Callable[[InMemory], object], reader: str, store: ObjectResultStore, kept: InMemory
) -> None:
    for name in ("call-1", "call-2"):
        keep(store, name, LARGE)
    assert store.flush()
    alter(kept)
    with pytest.raises(ResultError, match="changed after it was written"):
        read(store, "call-1", principal=reader)
    assert read(store, "call-2") == LARGE


@pytest.mark.parametrize("data", [b"", b"\0\0\0\2{}", b"\xff" * 100, b"\0\0\0\4null"], ids=range(4))
def test_what_is_no_result_is_damaged(data: bytes, kept: InMemory) -> None:
    kept.kept["call-1"] = data
    with pytest.raises(ResultError, match="damaged"):
        read(ObjectResultReader(kept, SEAL), "call-1")


@given(
    payload=st.integers(0, 3 * CHUNK_BYTES + 5),
    log=st.integers(1, CHUNK_BYTES + 5),
    sealed=st.booleans(),
    start=st.integers(0, 3 * CHUNK_BYTES),
    length=st.integers(0, CHUNK_BYTES),
)
def test_any_range_of_any_part_is_found(payload: int, log: int, sealed: bool, start: int, length: int) -> None:
    kept, seal = InMemory(), SEAL if sealed else None
    contents = {"payload": LARGE * 2, "log": LARGE[7:] * 2}
    contents = {"payload": contents["payload"][:payload], "log": contents["log"][:log]}
    with closing(ObjectResultStore(kept, ttl_seconds=3600, max_bytes=GB, seal=seal)) as store:
        store.keep("call-1", OWNER, parts(contents["payload"], contents["log"]))
        with store.reading("call-1", OWNER.principal) as entry:
            assert entry is not None
            for name in entry.about.parts:
                assert entry.read(name, start, length) == contents[name][start : start + length]
                assert b"".join(entry.chunks(name)) == contents[name]


def test_the_longest_names_fit_beside_the_contents(kept: InMemory) -> None:
    """What an object has beside its contents is less than is counted for it."""
    owner = Owner("p" * 512, "arn:" + "f" * 400)
    data = bytes(2 * CHUNK_BYTES)
    with closing(ObjectResultStore(kept, ttl_seconds=3600, max_bytes=GB, seal=SEAL)) as store:
        store.keep("c" * 64, owner, {name: NewPart(data, "base64", 10**9, 10**6) for name in ("payload", "log")})
    (written,) = kept.kept.values()
    assert len(written) < 4 * CHUNK_BYTES + objects.OVERHEAD_BYTES
