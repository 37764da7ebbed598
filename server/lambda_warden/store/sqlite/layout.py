"""The tables of the audit log."""

from __future__ import annotations

from typing import Final, get_args

from lambda_warden.store.audit_log import Kind, RecordError
from lambda_warden.store.sqlite import approval_requests, calls, limits, questions, stops, timeline, writers
from lambda_warden.store.sqlite.database import Tables

LAYOUT: Final = 4
"""The version of these tables."""

RECORDS: Final = Tables(
    what="records",
    table="events",
    columns=("position", "writer", "seq", "at", "kind", "invocation_id", "body", "hash"),
    error=RecordError,
    version=LAYOUT,
)

_KINDS = ", ".join(f"'{kind}'" for kind in get_args(Kind))
_REFUSE = "BEGIN SELECT RAISE(ABORT, 'records are append-only'); END"
_NOT_NEXT = """NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events)
    OR NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM events WHERE writer = NEW.writer)"""
SCHEMA: Final = (
    f"""CREATE TABLE IF NOT EXISTS events (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        writer TEXT NOT NULL,
        seq INTEGER NOT NULL,
        at TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ({_KINDS})),
        invocation_id TEXT NOT NULL,
        body TEXT NOT NULL,
        hash TEXT NOT NULL,
        UNIQUE (writer, seq)
    ) STRICT""",
    "CREATE INDEX IF NOT EXISTS events_by_invocation ON events (invocation_id)",
    f"CREATE TRIGGER IF NOT EXISTS events_only_append BEFORE INSERT ON events WHEN {_NOT_NEXT} {_REFUSE}",
    f"CREATE TRIGGER IF NOT EXISTS events_no_update BEFORE UPDATE ON events {_REFUSE}",
    f"CREATE TRIGGER IF NOT EXISTS events_no_delete BEFORE DELETE ON events {_REFUSE}",
    *limits.SCHEMA,
    *questions.SCHEMA,
    *approval_requests.SCHEMA,
    *calls.SCHEMA,
    *writers.SCHEMA,
    *stops.SCHEMA,
    *timeline.SCHEMA,
    f"PRAGMA user_version = {LAYOUT}",
)
