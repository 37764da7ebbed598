"""What holds for every test: no AWS settings of this machine are seen, and nothing but this machine is reached."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from support import loopback_only
from support.dynamodb import engine
from support.logs_endpoint import LogsEndpoint, logs_endpoint
from support.scripted_endpoint import Held, ScriptedEndpoint, scripted_endpoint

_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes folders of its own in it
_ROOM_BYTES = 2 << 30

loopback_only.install()
# How fast a machine is fails no test; a test that takes a fixture says itself what it resets.
_CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
# The same examples in each run, so that a change lands or not by what it changed. `--hypothesis-profile explore` looks
# for new ones.
settings.register_profile("explore", deadline=None, suppress_health_check=_CHECKS, max_examples=1000)
settings.register_profile("small", settings.get_profile("explore"), max_examples=30, derandomize=True, database=None)
settings.register_profile("slow", settings.get_profile("small"), max_examples=200)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background, and children would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Properties are small unless the slow tests are asked for (before a test is imported, since it copies this).

    What tests write is kept in memory where there is room: it is flushed as ever, but no disk is waited for.
    """
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("slow" if config.option.markexpr == "slow" else "small")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`pytest -m slow` runs each property, too, and waits longer for what it runs."""
    for item in items:
        if config.option.markexpr == "slow" and is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("slow")
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session", autouse=True)
def no_aws_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("AWS_", "LAMBDA_WARDEN_", "OTEL_")):
                patch.delenv(name)
        for name, value in loopback_only.environment(str(tmp_path_factory.mktemp("home"))).items():
            if name != "PYTHONPATH":
                patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def _endpoint() -> Iterator[ScriptedEndpoint]:
    with scripted_endpoint() as running:
        yield running


@pytest.fixture
def endpoint(_endpoint: ScriptedEndpoint) -> ScriptedEndpoint:
    """The scripted endpoint, with nothing received and nothing told."""
    _endpoint.reset()
    return _endpoint


@pytest.fixture(scope="session")
def _logs() -> Iterator[LogsEndpoint]:
    with logs_endpoint() as running:
        yield running


@pytest.fixture
def logs(_logs: LogsEndpoint) -> LogsEndpoint:
    """The scripted endpoint of CloudWatch Logs, with no log groups and nothing received."""
    _logs.reset()
    return _logs


@pytest.fixture
def held(endpoint: ScriptedEndpoint) -> Iterator[Held]:
    """The calls of `f`, which get no answer until they are released, at the latest when the test ends."""
    holding = Held()
    endpoint.behaviours["f"] = holding
    yield holding
    holding.release()


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Gives the URL of an engine of `support.dynamodb.ENGINES`, which runs from then on until the tests end."""
    with ExitStack() as running:
        yield cache(lambda kind: running.enter_context(engine(kind, tmp_path_factory.mktemp(kind))))
