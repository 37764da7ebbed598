"""This machine as Windows is, as far as a program can tell by what Python lacks there.

    python -c "from support.windows import become_windows; become_windows(); …"

Libraries are loaded first, as they are here: what is tried is our own code. What is not tried is what Windows does in
another way with the same names: text and binary descriptors, files that are open and can't be moved, access lists.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
import types
from typing import Any, Final, NoReturn

import lambda_warden

_NOT_OURS: Final = ("lambda_warden.local.functions", "lambda_warden.local.endpoint_process", "lambda_warden.__main__")
_ABSENT: Final[dict[Any, tuple[str, ...]]] = {
    os: (
        *("getuid", "geteuid", "getgid", "getegid", "getpgid", "killpg", "fork", "setsid", "uname", "pread", "pwrite"),
        *("fchmod", "chown", "statvfs", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_DIRECTORY"),
    ),
    select: ("poll", "epoll", "PIPE_BUF", "POLLIN", "POLLOUT"),
    signal: ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPIPE", "SIGCHLD"),
    socket: ("MSG_DONTWAIT", "SO_REUSEPORT"),
}


def modules() -> list[str]:
    """Every module of the package that is not run by itself."""
    found = pkgutil.walk_packages(lambda_warden.__path__, "lambda_warden.")
    return [module.name for module in found if not module.name.startswith(_NOT_OURS)]


def become_windows() -> None:
    """From now on, what is imported of lambda-warden finds itself on Windows."""
    for name in ("boto3", "anyio._backends._asyncio", *modules()):
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "lambda_warden"]:
        del sys.modules[name]
    sys.modules["msvcrt"] = _msvcrt()
    for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
        sys.modules[name] = None  # type: ignore[assignment]
    for module, absent in _ABSENT.items():
        for name in absent:
            if hasattr(module, name):
                delattr(module, name)
    os.getlogin = lambda: "user"
    opens = os.open

    def open_file(path: Any, *args: Any, **keys: Any) -> int:
        ours = sys._getframe(1).f_globals["__name__"].startswith("lambda_warden")  # shutil does it here
        if ours and os.path.isdir(path):  # noqa: PTH112
            raise PermissionError(13, "Permission denied", path)
        return opens(path, *args, **keys)

    os.open = open_file
    for name in ("add_reader", "add_writer", "add_signal_handler"):
        for loop in (asyncio.SelectorEventLoop, asyncio.BaseEventLoop):
            setattr(loop, name, _not_there)
    sys.platform = "win32"


def _msvcrt() -> types.ModuleType:
    """Locks of bytes, by which nobody else's lock of the same bytes is had."""
    module: Any = types.ModuleType("msvcrt")
    module.LK_LOCK, module.LK_NBLCK = 1, 2

    def locking(fd: int, mode: int, count: int) -> None:
        assert (os.lseek(fd, 0, os.SEEK_CUR), count) == (0, 1)
        fcntl.flock(fd, fcntl.LOCK_EX | (fcntl.LOCK_NB if mode == module.LK_NBLCK else 0))

    module.locking = locking
    return module  # type: ignore[no-any-return]


def _not_there(*_: object) -> NoReturn:
    raise NotImplementedError
