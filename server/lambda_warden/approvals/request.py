"""The question that a person is asked before a call: what exactly will be sent, and why they are asked."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from lambda_warden.guard.request_digest import request_digest
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.manifest import FunctionRule
from lambda_warden.model.request import EncodedRequest
from lambda_warden.report.text import OUTSIDE, inline, visible

PAYLOAD_SHOWN: Final = 4000
"""Characters of the payload in the question; of a longer one, the size and digest stand for the rest."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What to ask, and the digest of the one request that an answer is good for."""

    text: str
    binding: str


def approval_request(ref: FunctionRef, spec: FunctionRule, request: EncodedRequest, principal: str) -> ApprovalRequest:
    """Put the question for one call.

    Args:
        ref: the canonical reference that would be sent.
        spec: the rule that it would be sent under.
        request: the exact parameters that would be sent.
        principal: who asks for the call.
    """
    asks = "the rule asks for approval of each call" if spec.approval else "its effect is destructive"
    lines = [
        f"Run the Lambda function {ref.name}:{ref.qualifier}?",
        "",
        f"Account: {ref.account}, region {ref.region}",
        f"ARN: {ref.qualified_arn}",
        f"Effect: {spec.effect}" + (f" ({inline(spec.description)})" if spec.description else ""),
        f"Type: {request.invocation_type}",
        f"Asked for by: {principal}",
        f"Why this question: {asks}.",
        *_sent(request),
    ]
    return ApprovalRequest("\n".join(lines), request_digest(ref, request, principal))


def _sent(request: EncodedRequest) -> list[str]:
    context = request.client_context
    sent = [
        ("Client context", None if context is None else base64.b64decode(context).decode(errors="backslashreplace")),
        ("Tenant", request.tenant_id),
        ("Durable execution", request.durable_execution_name),
    ]
    return [
        *(f"{name}: {inline(value)}" for name, value in sent if value is not None),
        "",
        *_payload_lines(request.payload),
    ]


def _payload_lines(payload: bytes | None) -> list[str]:
    if payload is None:
        return ["Payload: none"]
    digest = hashlib.sha256(payload).hexdigest()
    head = f"Payload ({len(payload):,} bytes, SHA-256 {digest[:16]}…):"
    text = visible(payload.decode(errors="backslashreplace"))
    if len(text) > PAYLOAD_SHOWN:
        rest = len(text) - PAYLOAD_SHOWN
        text = f"{text[:PAYLOAD_SHOWN]}\n… and {rest:,} more characters that are not shown here"
    return [head, *(OUTSIDE + line for line in text.split("\n"))]
