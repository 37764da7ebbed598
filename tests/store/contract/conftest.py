"""What every store has to do, on each one there is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test

from lambda_warden.store.audit_log import AuditLog
from lambda_warden.store.opening import Store
from support.backends import BACKENDS, Backend
from support.clock import Clock

_LARGE = ("every_moment", "many", "model")


@pytest.hookimpl(tryfirst=True)  # before that of all tests, which gives slow ones their time
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks an engine thousands of things is slow, as is all on a second engine of one kind."""
    for item in items:
        backend = getattr(getattr(item, "callspec", None), "params", {}).get("backend")
        if isinstance(backend, Backend) and backend.engine and item.path.parent == Path(__file__).parent:
            is_large = is_hypothesis_test(getattr(item, "obj", None)) or "race" in getattr(item, "fixturenames", ())
            if is_large or backend.engine == "dynamodb-local" or any(word in item.name for word in _LARGE):
                item.add_marker("slow")


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
        return lambda: backend.open(engine)
    return lambda: backend.open(str(tmp_path_factory.mktemp("store")))


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
