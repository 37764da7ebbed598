"""The embedded endpoint: ministack in a process of its own, on 127.0.0.1, in a folder of its own."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ACCOUNT = "123456789012"
REGION = "us-east-1"

_READY_SECONDS = 30.0
_STOP_SECONDS = 5.0
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "PYTHONDONTWRITEBYTECODE")


class EndpointError(Exception):
    """The embedded endpoint is not installed, or did not start."""


@contextmanager
def embedded_endpoint(folder: Path, services: str = "lambda,iam,logs,sts") -> Iterator[str]:
    """Run the endpoint while the context lasts, and give its URL.

    Args:
        folder: an empty folder for everything it writes. The endpoint removes it if this process dies.
        services: of AWS, which it stands in for.

    Raises:
        EndpointError: if it is not installed or does not answer in time.
    """
    if sys.platform == "win32":
        raise EndpointError("the embedded endpoint does not run on Windows: try it in WSL or a container")
    if importlib.util.find_spec("ministack") is None:
        raise EndpointError("the embedded endpoint is not installed: pip install '.[local]' in lambda-warden's folder")
    port = _free_port()
    log = folder / "endpoint.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lambda_warden.local.endpoint_process"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(folder, port, services),
            cwd=folder,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(process)


def _environment(folder: Path, port: int, services: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "STATE_DIR": str(folder / "state"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SERVICES": services,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "LOG_LEVEL": "WARNING",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise EndpointError(f"the embedded endpoint ended at once:\n{log.read_text(errors='replace')[-2000:]}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise EndpointError(f"the embedded endpoint did not answer within {_READY_SECONDS:g} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the endpoint and the workers it started: they share its process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_STOP_SECONDS)
    if process.stdin:
        process.stdin.close()
