"""A digest of exactly what would be sent, and of who asks. An approval or an idempotency key is good for one digest."""

from __future__ import annotations

import hashlib
import json

from lambda_warden.model.caller import Caller
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.request import EncodedRequest


def request_digest(ref: FunctionRef, request: EncodedRequest, caller: Caller) -> str:
    """The digest, as 64 hexadecimal digits. Another request has another one; how long is waited plays no part."""
    parts = [
        ref.qualified_arn,
        request.invocation_type,
        None if request.payload is None else hashlib.sha256(request.payload).hexdigest(),
        request.client_context,
        request.tenant_id,
        request.durable_execution_name,
        caller.name,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def durable_name_of(principal: str, key: str) -> str:
    """The DurableExecutionName that stands for an idempotency key: AWS runs one execution for each name."""
    return f"lambda-warden-{hashlib.sha256(json.dumps([principal, key]).encode()).hexdigest()[:40]}"
