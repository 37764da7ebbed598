"""The ways in which asking a person for approval can end."""

from __future__ import annotations

from typing import Literal

ApprovalDecision = Literal[
    "approved",
    "declined",
    "cancelled",
    "timed_out",
    "unavailable",
    "unauthenticated",
    "replayed",
    "not_set_up",
    "no_approvals_key",
]
"""approved is the only one that lets a call go on. unavailable: the client can't ask anybody. unauthenticated: it is no
person who would answer. replayed: the answer was given for a call that was made already. not_set_up: it has to be
approved out of band, and nobody set a secret for that. no_approvals_key: it has to be approved by certain people, and
the server has no key to sign what they decide."""

SET_UP = "once the operator has set an approver's secret: `lambda-warden approvals init` in a terminal"

REASONS: dict[ApprovalDecision, str] = {
    "approved": "a person approved this call",
    "declined": "a person declined this call",
    "cancelled": "the question was dismissed without an answer",
    "timed_out": "nobody answered in time",
    "unavailable": "this call has to be approved by a person, and this client can't ask one (MCP elicitation)",
    "unauthenticated": "this call has to be approved by a person, and the access token is that of an agent or of a "
    "client, which could answer for them",
    "replayed": "the approval was used already, and it is good for one call",
    "no_approvals_key": "this call has to be approved by the people whom its rule names, which it can be once the "
    "operator has set `--approvals-key-file`",
    "not_set_up": f"this call has to be approved out of band, which it can be {SET_UP}",
}


def why(unable: ApprovalDecision, by: Literal["client", "operator"] | None = None) -> str:
    """Why nobody can be asked, and what would change that.

    Args:
        unable: in one word.
        by: how the rule wants it.
    """
    more = f"; or out of band, {SET_UP}" if unable != "not_set_up" and by is None else ""
    return REASONS[unable] + more
