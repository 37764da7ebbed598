"""The command on a terminal of its own, as a person has it, or on none, as an agent's shell may have it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import loopback_only

# The session's leader takes the terminal that it is given.
_TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"

_PROMPTS = (b"knows: ", b"Once more: ", b"so far: ", b"approved: ", b"denied: ", b"again: ", b"[s]: ", b"empty): ")


@dataclass(frozen=True)
class Ended:
    """How the command ended, and all that it showed."""

    code: int
    shown: str


def in_terminal(
    home: Path, arguments: Sequence[str], *typed: str, asks: bytes | None = None, **variables: str
) -> Ended:
    """Run it on a terminal; each text is typed once the command asks, at its prompts or with what `asks` is."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE, *_command(arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=_environment(home) | variables,
    )
    os.close(theirs)
    shown, left = b"", list(typed)
    asked_at = 0
    try:
        while chunk := _read(ours):
            shown += chunk
            waits = shown[asked_at:].endswith(_PROMPTS) if asks is None else asks in shown[asked_at:]
            if left and waits:
                asked_at = len(shown)
                os.write(ours, left.pop(0).encode() + b"\n")
        return Ended(process.wait(30), shown.decode())
    finally:
        os.close(ours)
        process.kill()
        process.wait()


def shown_at(columns: int, run: Callable[[], object], variables: Mapping[str, str] | None = None) -> Ended:
    """What is shown on a terminal of so many columns, by a command that runs in this process; its stderr is not there.

    Args:
        columns: the terminal's width.
        run: the command, which ends with SystemExit.
        variables: of its environment.
    """
    ours, theirs = pty.openpty()
    shown: list[bytes] = []
    reader = threading.Thread(target=lambda: shown.extend(iter(lambda: _read(ours), b"")), daemon=True)
    reader.start()
    before = {"TERM": "xterm", "NO_COLOR": "", "COLUMNS": str(columns)}
    with (
        os.fdopen(theirs, "w", encoding="utf-8", errors="backslashreplace") as stdout,
        pytest.MonkeyPatch.context() as patched,
    ):
        for name, value in (before | dict(variables or {})).items():
            patched.setenv(name, value)
        patched.setattr(sys, "stdout", stdout)
        try:
            run()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    reader.join(30)
    os.close(ours)
    return Ended(code, b"".join(shown).decode().replace("\r\n", "\n"))


def without_terminal(
    home: Path, arguments: Sequence[str], piped: str = "", variables: dict[str, str] | None = None
) -> Ended:
    """Run it without one."""
    ended = subprocess.run(
        _command(arguments),
        input=piped,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=_environment(home) | (variables or {}),
        timeout=60,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout)


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "lambda_warden", *arguments]


def _environment(home: Path) -> dict[str, str]:
    return os.environ | loopback_only.environment(str(home))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # whoever had the other end has ended
        return b""
