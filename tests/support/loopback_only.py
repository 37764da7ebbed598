"""No test reaches anything but this machine, whatever it is told to connect to."""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any

_HOSTS = {"localhost", "", None}


class LeftTheMachineError(RuntimeError):
    """Something tried to reach another machine."""


def install() -> None:
    """Watch this process from now on. Audit hooks see every connection, also those of libraries, and stay for good."""
    sys.addaudithook(_watch)


def environment(home: str) -> dict[str, str]:
    """Environment variables for a child process that watches itself the same way, and finds no AWS settings."""
    folder = os.path.dirname(__file__)  # noqa: PTH120 - also imported where pathlib would cost start-up time
    return {
        "PYTHONPATH": os.pathsep.join(
            [os.path.join(folder, "watched"), *filter(None, [os.environ.get("PYTHONPATH")])]  # noqa: PTH118
        ),
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "XDG_STATE_HOME": home,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        _check(arguments[1][0])
    elif event == "socket.getaddrinfo":
        _check(arguments[0])


def _check(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in _HOSTS:
        return
    try:
        if ipaddress.ip_address(str(name)).is_loopback or ipaddress.ip_address(str(name)).is_unspecified:
            return
    except ValueError:
        pass
    raise LeftTheMachineError(f"a test tried to reach {name!r}")
