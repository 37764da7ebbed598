"""The question that a person is asked before a call: what exactly will be sent, and why they are asked."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lambda_warden.approvals.members import DEPTH, member_lines, parse
from lambda_warden.guard.request_digest import request_digest
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.manifest import FunctionRule
from lambda_warden.model.request import EncodedRequest
from lambda_warden.report.outgoing import mixed_script_keys
from lambda_warden.report.text import OUTSIDE
from lambda_warden.report.visible import inline, show

GLANCE: Final = 1000
"""Characters of a payload that are read at a glance. Of a longer one the members are listed first."""
PAYLOAD_SHOWN: Final = 4000
"""Characters of a payload that are shown whole."""
END_SHOWN: Final = 1500
"""Characters shown of either end of a longer one."""
_REPEATED: Final = re.compile(r"(\\u[0-9a-f]{4}|\\U[0-9a-f]{8})\1{7,}")


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What to ask, and the digest of the one request that an answer is good for."""

    text: str
    request_digest: str


def approval_request(ref: FunctionRef, spec: FunctionRule, request: EncodedRequest, principal: str) -> ApprovalRequest:
    """Make the question that a person is asked before one call.

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
        f"Asked for by: {inline(principal)}",
        f"Why this question: {asks}.",
        *_sent(request),
    ]
    return ApprovalRequest("\n".join(lines), request_digest(ref, request, principal))


def _sent(request: EncodedRequest) -> list[str]:
    named = [("Tenant", request.tenant_id), ("Durable execution", request.durable_execution_name)]
    context = request.client_context
    return [
        *(f"{name}: {inline(value)}" for name, value in named if value is not None),
        "",
        *(["Payload: none"] if request.payload is None else _data_lines("Payload", request.payload)),
        *([] if context is None else ["", *_data_lines("Client context", base64.b64decode(context))]),
    ]


def _data_lines(name: str, data: bytes) -> list[str]:
    """JSON as it will be sent, whole or, if it is long, by its members, its beginning and its end."""
    text, hidden = show(data.decode(errors="backslashreplace"))
    text = _REPEATED.sub(lambda run: f"{run[1]}[{len(run[0]) // len(run[1])} times]", text)
    lines = [f"{name} ({len(data):,} bytes, SHA-256 {hashlib.sha256(data).hexdigest()[:16]}…):"]
    if hidden:
        lines.append(f"Careful: {hidden:,} hidden character{' is' if hidden == 1 else 's are'} shown as \\u…")
    value = parse(data)
    if mixed := mixed_script_keys(value):
        lines += ["Careful: keys that mix scripts, so that they may only look like others:", *_marked(mixed)]
    if len(text) <= GLANCE:
        return [*lines, *_marked(text.split("\n"))]
    members = member_lines(value)
    lines += _listed("Its short members:", members.short, members.more_short)
    lines += _listed("Its long members:", members.long, members.more_long)
    if deeper := members.deeper:
        places = f"{deeper:,} place{'' if deeper == 1 else 's'}"
        lines.append(f"Careful: members at {places} deeper than {DEPTH} levels are not listed here.")
    if members.unseen:
        lines.append(f"Careful: {members.unseen:,} more members, and all in them, were not looked at for these lists.")
    if len(text) <= PAYLOAD_SHOWN:
        return [*lines, "All of it:", *_marked(text.split("\n"))]
    left_out = len(text) - 2 * END_SHOWN
    return [
        *lines,
        f"Its first {END_SHOWN:,} characters:",
        *_marked(text[:END_SHOWN].split("\n")),
        f"{left_out:,} characters are not shown here. Its last {END_SHOWN:,}:",
        *_marked(text[-END_SHOWN:].split("\n")),
    ]


def _listed(title: str, lines: Sequence[str], more: int) -> list[str]:
    if not lines:
        return []
    return [title, *_marked(lines), *([f"Careful: {more:,} more of these are not listed here."] if more else [])]


def _marked(lines: Iterable[str]) -> list[str]:
    return [OUTSIDE + line for line in lines]
