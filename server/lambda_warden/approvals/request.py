"""The question that a person is asked before a call: what exactly will be sent, and why they are asked."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from lambda_warden.approvals.members import DEPTH, member_lines, parse
from lambda_warden.guard.request_digest import request_digest
from lambda_warden.jsontools.strict_json import json_bytes, parse_json
from lambda_warden.model.caller import Caller
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.request import EncodedRequest
from lambda_warden.redaction.policy import Detectors
from lambda_warden.redaction.text import redact_text
from lambda_warden.redaction.value import redact_value
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


def approval_request(
    ref: FunctionRef,
    spec: FunctionRule,
    request: EncodedRequest,
    caller: Caller,
    *,
    versions: str | None = None,
    after_unknown: str | None = None,
    detectors: Detectors | None = None,
) -> ApprovalRequest:
    """Make the question that a person is asked before one call.

    Args:
        ref: the canonical reference that would be sent.
        spec: the rule that it would be sent under.
        request: the exact parameters that would be sent.
        caller: who asks for the call.
        versions: what the qualifier leads to, if that is known.
        after_unknown: the same call from before that may have run, if this one is to follow it.
        detectors: if given, the question is made to be kept: they find the secrets that it must not hold, and the
            model's reason is kept beside it. The same request always has the same one.
    """
    asks = "the rule asks for approval of each call" if spec.approval else "its effect is destructive"
    lines = [
        f"Run the Lambda function {ref.name}:{ref.qualifier}?",
        "",
        f"Account: {ref.account}, region {ref.region}",
        f"ARN: {ref.qualified_arn}",
        f"Effect: {spec.effect}" + (f" ({inline(spec.description)})" if spec.description else ""),
        *([] if versions in (None, ref.qualifier) else [f"Leads to version: {versions}"]),
        f"Type: {request.invocation_type}",
        f"Asked for by: {inline(caller.name)}",
        f"Why this question: {asks}.",
        *([f"Careful: the same call {after_unknown} may have run; this runs it again."] if after_unknown else []),
        *([] if request.reason is None or detectors else reason_lines(request.reason)),
        *_sent(request, detectors),
    ]
    return ApprovalRequest("\n".join(lines), request_digest(ref, request, caller))


def reason_lines(reason: str) -> list[str]:
    """Why the model wants a call, as a person reads it: data from outside."""
    return ["Why the model wants it, in its words:", *_marked(show(reason)[0].split("\n"))]


def _sent(request: EncodedRequest, detectors: Detectors | None) -> list[str]:
    named = [("Tenant", request.tenant_id), ("Durable execution", request.durable_execution_name)]
    context = request.client_context
    return [
        *(f"{name}: {inline(value)}" for name, value in named if value is not None),
        "",
        *(["Payload: none"] if request.payload is None else _data_lines("Payload", request.payload, detectors)),
        *([] if context is None else ["", *_data_lines("Client context", base64.b64decode(context), detectors)]),
    ]


def _data_lines(name: str, sent: bytes, detectors: Detectors | None) -> list[str]:
    """JSON as it will be sent, whole or, if it is long, by its members, its beginning and its end."""
    data, secrets = (sent, 0) if detectors is None else _redacted(sent, detectors)
    text, hidden = show(data.decode(errors="backslashreplace"))
    text = _REPEATED.sub(lambda run: f"{run[1]}[{len(run[0]) // len(run[1])} times]", text)
    lines = [f"{name} ({len(sent):,} bytes, SHA-256 {hashlib.sha256(sent).hexdigest()[:16]}…):"]
    if secrets:
        lines.append(f"Careful: {secrets:,} secret{'' if secrets == 1 else 's'} in it are not shown: [redacted…].")
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


def _redacted(data: bytes, detectors: Detectors) -> tuple[bytes, int]:
    """Data without its secrets, as it is if it has none; and how many there are."""
    try:
        value: JsonValue = parse_json(data)  # type: ignore[assignment]
        found = redact_value(value, detectors=detectors)
        return (json_bytes(found.value), found.count) if found.count else (data, 0)
    except (ValueError, RecursionError):
        told = redact_text(data.decode(errors="backslashreplace"), detectors=detectors)
        return (told.text.encode(), told.count) if told.count else (data, 0)


def _listed(title: str, lines: Sequence[str], more: int) -> list[str]:
    if not lines:
        return []
    return [title, *_marked(lines), *([f"Careful: {more:,} more of these are not listed here."] if more else [])]


def _marked(lines: Iterable[str]) -> list[str]:
    return [OUTSIDE + line for line in lines]
