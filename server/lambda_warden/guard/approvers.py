"""Decides whether a caller may decide on a request for approval, by its verified access token."""

from __future__ import annotations

from collections.abc import Sequence

from lambda_warden.model.caller import Caller


def approver_of(caller: Caller, approvers: Sequence[str]) -> str | None:
    """Which of a rule's approvers a caller is: `user:SUBJECT` or `group:NAME`; None if none of them.

    An agent is none, for whomever it acts, and a client that acts for nobody isn't, either.

    >>> approver_of(Caller("user:ann", subject="ann", groups=("sre",)), ["group:sre"])
    'group:sre'
    >>> approver_of(Caller("user:ann", subject="ann", actor="bot", groups=("sre",)), ["group:sre"])
    """
    if not caller.answers_for_a_person:
        return None
    names = {caller.principal, *(f"group:{group}" for group in caller.groups)}
    return next((each for each in approvers if each in names), None)
