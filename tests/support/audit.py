"""What tests read of an audit log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lambda_warden.store.audit_log import AuditReader
from lambda_warden.store.hash_chain import AuditEvent, Verification
from lambda_warden.store.opening import open_store


@contextmanager
def reading(path: Path) -> Iterator[AuditReader]:
    with closing(open_store(path).audit_reader()) as reader:
        yield reader


def verify(path: Path, *noted: str) -> Verification:
    with reading(path) as reader:
        return reader.verify(noted)


def recorded(path: Path) -> list[AuditEvent]:
    """All events but the starts of servers."""
    with reading(path) as reader:
        return [event for event in reader.events() if event.kind != "start"]
