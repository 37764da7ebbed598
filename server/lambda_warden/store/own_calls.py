"""Finds the call that a principal made, by its id, in the records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_warden.store.audit_log import AuditReader


@dataclass(frozen=True, slots=True)
class OwnCall:
    """A call as it is on record.

    Attributes:
        began: when, ISO 8601.
        intent: the fields of the record before it was sent.
        outcome: those of the record of its end; empty while there is none.
    """

    began: str
    intent: Mapping[str, Any]
    outcome: Mapping[str, Any]


def own_call(records: AuditReader, invocation_id: str, principal: str) -> OwnCall | None:
    """The call with this id, if it was sent for this principal, or about to be; None for all others and a dry run.

    Raises:
        RecordError: if the records can't be read.
    """
    events = records.find_invocation(invocation_id)
    begun = next((event for event in events if event.kind == "intent"), None)
    ending = next((event for event in reversed(events) if event.kind == "outcome"), None)
    intent = begun.fields() if begun else {}
    if begun is None or intent.get("principal") != principal or intent.get("tool") == "dry_run":
        return None
    return OwnCall(begun.at, intent, ending.fields() if ending else {})
