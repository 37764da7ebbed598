"""A process that admits, starts and finishes calls until it is killed, and what its records must then say.

Started with `Run.arguments`. Its clock runs fast, so that the windows of the limits roll on within a test.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lambda_warden.store.audit_log import SERVER_LOST, Limit, RecordError
from lambda_warden.store.hash_chain import AuditEvent
from lambda_warden.store.opening import open_store
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog

_SPEED = 600
_LEASE_SECONDS = 60.0
_RULE = Limit("rule:f", per_minute=40, concurrent=3)
_PER_DAY = 250
_COUNTED = """SELECT one.key, one.at, count(*) FROM admissions one
    JOIN admissions other ON other.key = one.key AND other.at > one.at - :seconds * 1000000 AND other.at <= one.at
    WHERE one.key GLOB :key GROUP BY one.invocation_id, one.key HAVING count(*) > :allowed"""


@dataclass(frozen=True)
class Run:
    """One file of records, and beside it a file with the invocation id of every call that was started."""

    path: Path
    starts_file: Path
    base: float

    def arguments(self, principal: str, *, calls: int = 0, threads: int = 8) -> list[str]:
        """Of the process. It makes so many attempts in each thread, or goes on for good."""
        return [*map(str, (self.path, self.starts_file, self.base, principal, calls, threads))]

    def starts(self) -> list[str]:
        return self.starts_file.read_text().splitlines() if self.starts_file.exists() else []

    def history(self) -> History:
        try:
            with closing(open_store(self.path).audit_reader()) as reader:
                return History(event for event in reader.events() if event.kind != "start")
        except RecordError:
            if self.starts():
                raise
            return History([])  # killed before the file was made

    def counted_beyond(self) -> list[tuple[str, int, int]]:
        """What the store counts within a window, by its own times, beyond a limit: its key, when, and how many."""
        windows = ((_RULE.key, 60, _RULE.per_minute), ("principal:*", 86_400, _PER_DAY))
        with closing(sqlite3.connect(self.path)) as db:
            return [
                row
                for key, seconds, allowed in windows
                for row in db.execute(_COUNTED, {"key": key, "seconds": seconds, "allowed": allowed})
            ]


class History:
    """What the records say was admitted, and when."""

    def __init__(self, records: Iterable[AuditEvent]) -> None:
        self.records = list(records)
        self.intents = [record for record in self.records if record.kind == "intent"]
        self.outcomes = [record for record in self.records if record.kind == "outcome" and not _is_lost(record)]

    def exceeded(self) -> list[str]:
        """The intents that went beyond a limit."""
        found = []
        counting: dict[str, list[tuple[str, float]]] = defaultdict(list)
        under_way: dict[str, float] = {}
        for record in self.records:
            principal = str(record.fields().get("principal"))
            if _is_lost(record):
                continue  # the call may go on: its slot is not free before its lease ends
            if record.kind == "outcome":
                under_way.pop(record.invocation_id, None)
                if not record.fields()["ran"]:
                    for units in counting.values():
                        units[:] = [unit for unit in units if unit[0] != record.invocation_id]
                continue
            at = datetime.fromisoformat(record.at).timestamp()
            for key, allowed, seconds in ((_RULE.key, _RULE.per_minute, 60), (principal, _PER_DAY, 86_400)):
                counting[key].append((record.invocation_id, at))
                # Records have whole milliseconds: a unit that left its window within the last one is not counted.
                counting[key] = [unit for unit in counting[key] if at - unit[1] < seconds - 0.0011]
                if allowed is not None and len(counting[key]) > allowed:
                    found.append(f"{record.position}: {len(counting[key])} of {key}")
            under_way = {key: start for key, start in under_way.items() if at - start < _LEASE_SECONDS - 0.0011}
            under_way[record.invocation_id] = at
            if _RULE.concurrent is not None and len(under_way) > _RULE.concurrent:
                found.append(f"{record.position}: {len(under_way)} at once")
        return found


def _is_lost(record: AuditEvent) -> bool:
    """Whether it is the outcome of a call whose server was killed."""
    return record.fields().get("error") == SERVER_LOST


class _FastClock:
    """Shared by all processes that were given the same base."""

    boot_id = "fast"

    def __init__(self, base: float) -> None:
        self._base = base
        self._read = threading.local()

    def time_of_day(self) -> float:
        # What is counted and what is recorded are read one after the other, and would be far apart on so fast a clock.
        seconds: float = getattr(self._read, "seconds", 0.0)
        return self._base + (seconds or self.elapsed())

    def elapsed(self) -> float:
        self._read.seconds = seconds = (time.time() - self._base) * _SPEED
        return seconds


def _work(records: SqliteAuditLog, starts: int, principal: str, calls: int) -> None:
    wanted_limits = [_RULE, Limit(f"principal:{principal}", per_day=_PER_DAY)]
    attempt = 0
    while not calls or attempt < calls:
        attempt += 1
        invocation_id = uuid.uuid4().hex
        if records.admit(invocation_id, {"principal": principal}, wanted_limits, _LEASE_SECONDS) is not None:
            time.sleep(0.001)
            continue
        os.write(starts, f"{invocation_id}\n".encode())
        time.sleep(secrets.randbelow(5) / 1000)
        ran = secrets.randbelow(4) > 0
        records.finish(invocation_id, {"principal": principal, "ran": ran}, ran=ran)


def _main(path: str, starts_file: str, base: str, principal: str, calls: str, threads: str) -> None:
    starts = os.open(starts_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    print("here", flush=True)
    records = SqliteAuditLog(Path(path), clock=_FastClock(float(base)))
    workers = [
        threading.Thread(target=_work, args=(records, starts, principal, int(calls))) for _ in range(int(threads))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    records.close()
    os.close(starts)


if __name__ == "__main__":
    _main(*sys.argv[1:])
