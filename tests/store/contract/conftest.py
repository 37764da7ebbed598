"""What every store has to do, on each one there is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from lambda_warden.store.audit_log import AuditLog
from lambda_warden.store.opening import Store, open_store
from support.backends import BACKENDS, Backend
from support.clock import Clock


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


@pytest.fixture
def new_store(
    backend: Backend, engines: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Store]:
    """Makes a place with nothing in it. To open the store that it gives again is to open the same place."""
    if backend.engine:
        engine = engines(backend.engine)
        return lambda: open_store(backend.url(engine))
    return lambda: open_store(backend.url(str(tmp_path_factory.mktemp("store"))))


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
