"""What tests read of an audit log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lambda_warden.settings import payload_key_beside
from lambda_warden.store.audit_log import AuditReader
from lambda_warden.store.hash_chain import AuditEvent, Verification
from lambda_warden.store.opening import Store, open_store
from lambda_warden.store.payload_digests import read_digests


@contextmanager
def reading(store: Path | Store) -> Iterator[AuditReader]:
    with closing((open_store(store) if isinstance(store, Path) else store).audit_reader()) as reader:
        yield reader


def verify(store: Path | Store, *noted: str) -> Verification:
    with reading(store) as reader:
        return reader.verify(noted)


def payload_hmac(records: Path, payload: bytes) -> str:
    """How the records of a server name a payload."""
    return read_digests(payload_key_beside(records), make=False).of(payload)


def recorded(store: Path | Store) -> list[AuditEvent]:
    """All events but the starts of servers."""
    with reading(store) as reader:
        return [event for event in reader.events() if event.kind != "start"]
