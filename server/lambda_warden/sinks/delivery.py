"""Brings the records of a store to a sink, in a thread.

The store is the queue: what is not delivered yet is read from there by its seq, so that nothing is dropped and little
is held in memory, however long the sink is away. A cursor says how far each writer is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from lambda_warden.defects import log_defect
from lambda_warden.errors import SinkError
from lambda_warden.model.sink_entry import SinkEntry
from lambda_warden.sinks.checkpoint import Signer
from lambda_warden.sinks.opening import OpenSink
from lambda_warden.sinks.sink import Sink, event_entry
from lambda_warden.store.audit_log import AuditLog, AuditReader, Kind, RecordError
from lambda_warden.store.hash_chain import AuditEvent

CONFIRM_SECONDS: Final = 15.0
"""How long anybody waits for a required sink."""
_READ_ENTRIES, _BATCH_BYTES = 500, 900_000
"""Below what CloudWatch Logs takes at once."""
_GATHER_SECONDS: Final = 1.0
"""How long what nobody waits for is put off, so that more goes with it."""
_LEAST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""After a failure, where nobody waits."""
_SWEEP_SECONDS: Final = 600.0
"""How often the chains of other writers are looked at: of commands, and of servers that were killed."""
_SWEPT_DAYS: Final = 7
_STARTS: Final[tuple[Kind, ...]] = ("start",)
_OWN_TIME: Final = timedelta(minutes=1)
"""A living server has this long to deliver what it wrote, before others do."""

logger = logging.getLogger(__name__)


class SinkDelivery:
    """Keeps one sink as far as the store. Safe to use from any thread.

    Args:
        to: the sink.
        log: of the server, whose chain is delivered at once.
        signer: signs checkpoints, if there are any.
        every: a checkpoint after so many records.
        minutes: and after so many minutes, if there are new records.
    """

    def __init__(self, to: OpenSink, log: AuditLog, signer: Signer | None, every: int, minutes: float) -> None:
        self.required = to.required
        self._name, self._sink, self._log, self._signer = to.name, to.sink, log, signer
        self._every, self._seconds = every, minutes * 60
        self._writer = log.writer
        self._cursors: dict[str, int] = {log.writer: 0}
        self._last: AuditEvent | None = None
        self._signed_seq, self._signed_at = 0, time.monotonic()
        self._sweep_at, self._to_sweep = time.monotonic(), list[str]()
        self._changed = threading.Condition()
        self._wanted, self._ended, self._succeeded, self._waiting = 1, 0, 0, 0
        self._problem = ""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"sink {to.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to deliver. Does not block."""
        with self._changed:
            self._wanted += 1
            self._changed.notify_all()

    def confirm(self) -> None:
        """Wait until all that the server has written by now is in the sink.

        Raises:
            SinkError: if it is not known to be.
        """
        with self._changed:
            self._wanted += 1
            mine = self._wanted
            self._waiting += 1
            self._changed.notify_all()
            ended = self._changed.wait_for(lambda: self._ended >= mine, CONFIRM_SECONDS)
            self._waiting -= 1
            if self._succeeded < mine:
                problem = self._problem if ended else f"no answer within {CONFIRM_SECONDS:g} s"
                raise SinkError(f"the required sink {self._name} does not have the record: {problem}")

    def close(self) -> None:
        """Deliver what is left, with a checkpoint at the end, and say what could not be."""
        with self._changed:
            self._wanted += 1
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(CONFIRM_SECONDS)

    def _run(self) -> None:
        pause = _LEAST_PAUSE
        while True:
            with self._changed:
                idle = min(self._seconds, _SWEEP_SECONDS)
                self._changed.wait_for(lambda: self._wanted > self._ended or self._stopping, idle)
                self._changed.wait_for(lambda: self._waiting or self._stopping, _GATHER_SECONDS)
                attempt, stopping = self._wanted, self._stopping
            problem = _problem_of(partial(self._deliver_own, last=stopping))
            with self._changed:
                self._ended = attempt
                if problem is None:
                    self._succeeded, pause = attempt, _LEAST_PAUSE
                    if self._problem:
                        logger.error("the sink %s has all records again", self._name)
                elif not self._problem or stopping:
                    last = "; `lambda-warden records ship` brings them, or the next server" if stopping else ""
                    logger.error("records wait for the sink %s: %s%s", self._name, problem, last)
                self._problem = problem or ""
                self._changed.notify_all()
                if stopping:
                    self._sink.close()
                    return
                if problem is not None:
                    # Who needs it to be there does not wait longer than an attempt takes.
                    self._changed.wait_for(lambda: self._waiting or self._stopping, pause)
                    pause = min(pause * 2, _LONGEST_PAUSE)
                    self._wanted += 1
                    continue
            # Whoever waited has been told, and goes on while this is done.
            if others := _problem_of(self._sweep):
                self._to_sweep = []
                logger.error("records of other writers wait for the sink %s: %s", self._name, others)

    def _deliver_own(self, *, last: bool) -> None:
        if (writer := self._log.writer) != self._writer:
            # Others took the server for dead, and it has begun a new chain.
            self._deliver_chain(last=True)
            self._writer, self._last, self._signed_seq = writer, None, 0
            self._cursors[writer] = 0
        self._deliver_chain(last=last)

    def _deliver_chain(self, *, last: bool) -> None:
        for event in deliver(self._sink, self._log, self._writer, self._cursors[self._writer]):
            self._cursors[self._writer], self._last = event.seq, event
        new = self._cursors[self._writer] - self._signed_seq
        waited = time.monotonic() - self._signed_at
        if new and (last or new >= self._every or waited >= self._seconds):
            self._sign(self._last)
            self._signed_seq, self._signed_at = self._cursors[self._writer], time.monotonic()

    def _sign(self, event: AuditEvent | None) -> None:
        if event is not None and self._signer is not None:
            self._sink.write([self._signer.sign(event, sum(self._cursors.values())).entry()])

    def _sweep(self) -> None:
        """Deliver what other writers left, one after the other, for as long as nobody waits."""
        now = datetime.now(UTC)
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + _SWEEP_SECONDS
            starts = self._log.entries(_STARTS, now - timedelta(days=_SWEPT_DAYS))
            self._to_sweep = [start.event.writer for start in starts if start.event.writer != self._writer]
        until = (now - _OWN_TIME).isoformat(timespec="milliseconds")
        while self._to_sweep:
            writer = self._to_sweep.pop()
            if writer not in self._cursors:
                # Its last record is delivered again, so that it is signed: nobody may have come to that.
                self._cursors[writer] = max(self._sink.last_seq(writer) - 1, 0)
            for event in deliver(self._sink, self._log, writer, self._cursors[writer], until):
                self._cursors[writer] = event.seq
                self._sign(event)
                if self._waiting or self._stopping:
                    self._to_sweep.append(writer)
                    return
            if self._waiting or self._stopping:
                return


def _problem_of(work: Callable[[], None]) -> str | None:
    try:
        work()
    except (SinkError, RecordError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a defect must not end the thread that others wait for
        log_defect("delivering records", error)
        return type(error).__name__
    return None


def deliver(sink: Sink, reader: AuditReader, writer: str, after: int, until: str | None = None) -> Iterator[AuditEvent]:
    """Write the records of one writer to a sink, in batches.

    Args:
        sink: where they go.
        reader: where they stand.
        writer: whose.
        after: the seq of the last one that is there.
        until: nothing newer than this time.

    Yields:
        The last record of each batch, once that is in the sink.
    """
    while events := list(reader.chain(writer, after, _READ_ENTRIES)):
        events = [event for event in events if until is None or event.at <= until]
        for batch in _batches(events):
            sink.write([entry for _, entry in batch])
            yield batch[-1][0]
        if not events:
            return
        after = events[-1].seq


def _batches(events: Iterable[AuditEvent]) -> Iterator[list[tuple[AuditEvent, SinkEntry]]]:
    batch: list[tuple[AuditEvent, SinkEntry]] = []
    size = 0
    for event in events:
        entry = event_entry(event)
        if batch and size + len(entry.line) > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append((event, entry))
        size += len(entry.line) + 32
    if batch:
        yield batch


def ship(sink: Sink, reader: AuditReader, signer: Signer | None) -> int:
    """Bring every record of a store to a sink that is not there yet, with a checkpoint of each chain that went on.

    Returns:
        How many.
    """
    shipped = count = 0
    with closing(sink):
        for writer in dict.fromkeys(event.writer for event in reader.events()):
            after, last = sink.last_seq(writer), None
            for event in deliver(sink, reader, writer, after):
                shipped += event.seq - after
                after, last = event.seq, event
            count += after
            if last is not None and signer is not None:
                sink.write([signer.sign(last, count).entry()])
    return shipped
