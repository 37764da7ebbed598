"""Processes that admit calls in a file of records, forked from one that has the store in memory already."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from lambda_warden.store.audit_log import IdempotencyClaim, RecordError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([SqliteAuditLog.__module__])
_SECONDS = 60.0
"""How long an answer may take before the test fails."""


class ServerRefusedError(Exception):
    """A server did not start."""


class StoreProcess:
    """A process that takes keys, and says what it did with each."""

    def __init__(self, path: Path) -> None:
        self._pipe, theirs = _FORKS.Pipe()
        self._process = _FORKS.Process(target=_serve, args=(theirs, path), daemon=True)
        self._process.start()
        theirs.close()
        if self._read() != "ready":
            self.end(kill=False)
            raise ServerRefusedError

    def call(self, key: str) -> str:
        """`started`, `denied` with the reason, or the state of the call that has the key."""
        self._pipe.send(key)
        return self._read()

    def end(self, *, kill: bool) -> None:
        """End it: by SIGKILL, or once it has closed its file."""
        if kill:
            self._process.kill()
        self._pipe.close()
        self._process.join(_SECONDS)

    def _read(self) -> str:
        assert self._pipe.poll(_SECONDS), "no answer"
        said: str = self._pipe.recv()
        return said


@contextmanager
def store_process(path: Path, *, kill: bool = False) -> Iterator[StoreProcess]:
    running = StoreProcess(path)
    try:
        yield running
    finally:
        running.end(kill=kill)


def _serve(pipe: Connection, path: Path) -> None:
    try:
        records = SqliteAuditLog(path)
    except RecordError:
        pipe.send("refused")
        return
    pipe.send("ready")
    with closing(records):
        while True:
            try:
                key = pipe.recv()
            except EOFError:
                return
            try:
                met = records.admit(f"call-{key}", {}, [], 900.0, IdempotencyClaim("local", key, key, 86400.0))
                pipe.send("started" if met is None else getattr(met, "state", str(met)))
            except RecordError as error:
                pipe.send(f"denied {error}")
