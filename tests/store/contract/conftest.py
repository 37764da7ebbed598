"""What every store has to do, on each one there is: a new one is a line of `BACKENDS`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from lambda_warden.store.audit_log import AuditLog
from lambda_warden.store.opening import Store, open_store
from support.clock import Clock


@dataclass(frozen=True)
class Backend:
    """A kind of store.

    Attributes:
        url: of a new one, which may use the folder.
        lasts: whether it is still there when nobody has it open.
    """

    url: Callable[[Path], str]
    lasts: bool = True


BACKENDS = {
    "sqlite-file": Backend(lambda folder: f"sqlite://{folder}/store.sqlite3"),
    "sqlite-memory": Backend(lambda folder: "sqlite::memory:", lasts=False),
}


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


@pytest.fixture
def new_store(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
    """Makes a place with nothing in it. To open the store that it gives again is to open the same place."""
    return lambda: open_store(backend.url(tmp_path_factory.mktemp("store")))


@pytest.fixture
def store(new_store: Callable[[], Store]) -> Store:
    return new_store()


@pytest.fixture
def lasting(backend: Backend, store: Store) -> Store:
    """A store that outlives who has it open."""
    if not backend.lasts:
        pytest.skip("nothing lasts in it")
    return store


@pytest.fixture
def race() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 1000)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def records(store: Store, clock: Clock) -> Iterator[AuditLog]:
    with closing(store.audit_log(clock=clock)) as opened:
        yield opened
