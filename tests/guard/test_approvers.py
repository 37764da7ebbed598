"""Who is one of a rule's approvers, by a verified token."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_warden.guard.approvers import approver_of
from lambda_warden.model.caller import Caller

APPROVERS = ["group:sre", "user:dan", "client:bot"]
BOB: dict[str, Any] = {"principal": "user:bob", "subject": "bob"}


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (Caller(**BOB, groups=("devs", "sre")), "group:sre"),
        (Caller("user:dan", subject="dan"), "user:dan"),
        (Caller("user:dan", subject="dan", groups=("sre",)), "group:sre"),
        (Caller(**BOB), None),
        (Caller(**BOB, groups=("SRE", "group:sre", "sre ")), None),
        (Caller("user:Dan", subject="Dan"), None),
        (Caller(**BOB, groups=("sre",), actor="bot"), None),
        (Caller("user:dan", subject="dan", actor="bot"), None),
        (Caller("client:bot", client_id="bot", groups=("sre",)), None),
        (Caller("local", groups=("sre",)), None),
    ],
)
def test_an_approver_is_a_person_whom_the_rule_names(caller: Caller, expected: str | None) -> None:
    assert approver_of(caller, APPROVERS) == expected
    assert approver_of(caller, []) is None
