"""What a record says of a call: enough to know what was asked, decided and done, and no payload unless it is wanted."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Final

from lambda_warden.answers.payload import read_payload
from lambda_warden.invocation.stages import AllowedCall, DeniedCall
from lambda_warden.jsontools.pointer import Pointer
from lambda_warden.memory import turn_for
from lambda_warden.model.outcome import RawOutcome, Refused, Returned
from lambda_warden.redaction.policy import Detectors
from lambda_warden.redaction.text import redact_text
from lambda_warden.report.invocation import CallInfo, outcome_of
from lambda_warden.report.payload_view import preview
from lambda_warden.store.audit_log import AuditLog, Field, Limit, RecordError
from lambda_warden.telemetry.call import note_denial

logger = logging.getLogger(__name__)

_KEPT_BYTES: Final = 64 * 1024
"""Of a payload in the records, where payloads are kept."""


def record_denial(records: AuditLog, tool: str, call: DeniedCall, detectors: Detectors) -> None:
    """Record a call that is not sent. All stages' denials are recorded here. Blocks."""
    note_denial(tool, call.decision.failed.name if call.decision.failed else "")
    try:
        records.append("denial", call.info.invocation_id, _denial_record(tool, call, detectors))
    except RecordError as error:
        # A denial needs no record to be safe: it stands, and the operator is told.
        logger.error("the denial of %s is not on record: %s", call.info.invocation_id, error)


def _denial_record(tool: str, call: DeniedCall, detectors: Detectors) -> dict[str, Field]:
    """A call that is not sent, and the check that stopped it."""
    failed = call.decision.failed
    told = failed.reason if failed else None
    if failed and failed.name == "payload_schema":
        # What is said of a payload quotes it, and payloads are not kept.
        broken = call.decision.broken_keyword
        told = f"the payload breaks {broken}" if broken else "the payload could not be held to its schema"
    return {
        "tool": tool,
        **call_fields(call.info, call.payload),
        "function": call.info.ref.qualified_arn if call.info.ref else None,
        "invocation_type": call.info.invocation_type,
        "check": failed.name if failed else None,
        "reason": None if told is None else redact_text(told, detectors=detectors).text,
        "rule": call.decision.rule_source,
    }


def call_fields(info: CallInfo, payload: bytes | None) -> dict[str, Field]:
    """The fields that every record of a call has: who made it, what it sends, and by which manifest it was decided."""
    return {
        **info.caller.fields(),
        "manifest_sha256": info.manifest,
        "payload_bytes": len(payload or b""),
        "payload_sha256": _digest(payload),
    }


def intent_record(tool: str, call: AllowedCall, limits: Sequence[Limit], *, keep_payload: bool) -> dict[str, Field]:
    """A call that is about to be sent, what it counts in, and how long it is known to later ones."""
    request = call.request
    approved = any(check.name == "approval" and check.passed for check in call.decision.checks)
    return {
        "tool": tool,
        **call_fields(call.info, request.payload),
        "approved": True if approved and tool != "dry_run" else None,
        "function": call.ref.qualified_arn,
        "invocation_type": request.invocation_type,
        "rule": call.rule.source,
        "payload": _kept(request.payload, (), call.policy.rules.detectors) if keep_payload else None,
        "client_context_sha256": _digest(request.client_context.encode() if request.client_context else None),
        "tenant_id": request.tenant_id,
        "durable_execution_name": request.durable_execution_name,
        "idempotency_key": call.claim.key if call.claim else None,
        "after_unknown": call.claim.after_unknown if call.claim else None,
        "kept_seconds": call.claim.kept_seconds if call.claim else None,
        "counts_in": "\n".join(limit.key for limit in limits) or None,
    }


def retry_record(call: AllowedCall, attempt: int, refusal: Refused, pause_seconds: float) -> dict[str, Field]:
    """An attempt that started nothing, and after which another one is made."""
    return {
        **call_fields(call.info, call.request.payload),
        "attempt": attempt,
        "error": refusal.code,
        "status_code": refusal.status_code,
        "request_id": refusal.request_id,
        "pause_ms": round(pause_seconds * 1000),
    }


def outcome_record(
    call: AllowedCall, raw: RawOutcome, seconds: float, attempts: int, *, keep_payload: bool
) -> dict[str, Field]:
    """How a call ended that was sent, or was about to be."""
    detectors = call.policy.rules.detectors
    common: dict[str, Field] = {
        **call_fields(call.info, call.request.payload),
        "outcome": outcome_of(raw, call.request.invocation_type),
        "status_code": raw.status_code,
        "request_id": raw.request_id,
        "duration_ms": round(seconds * 1000),
        "attempts": attempts if attempts > 1 else None,
    }
    if not isinstance(raw, Returned):
        return common | {"error": raw.code}
    return common | {
        "function_error": raw.function_error,
        "executed_version": raw.executed_version,
        "durable_execution_arn": raw.durable_execution_arn,
        "answer": _kept(raw.payload, call.rule.spec.result.pointers, detectors) if keep_payload else None,
        "answer_bytes": raw.payload_bytes if raw.payload_bytes is not None else len(raw.payload),
        "answer_sha256": raw.payload_sha256 if raw.payload else None,
    }


def _kept(payload: bytes | None, redact: Sequence[Pointer], detectors: Detectors) -> str | None:
    """A payload as it may be kept: redacted, then cut, as JSON text."""
    if not payload:
        return None
    with turn_for(len(payload)):
        shown = preview(read_payload(payload, redact, detectors=detectors), _KEPT_BYTES)
        return json.dumps(shown.value, ensure_ascii=False)


def _digest(data: bytes | None) -> str | None:
    return hashlib.sha256(data).hexdigest() if data else None
