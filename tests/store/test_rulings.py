"""What becomes of a request by what people decide, in whatever order, however often, whoever they are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.store.approvals import ApprovalAsk, ApprovalRuling, PendingApproval, counts, judge

ASK = ApprovalAsk("a", "d", "user:ann", None, "arn:f:7", "write", "m:3", "7", "m1", "Run it?", None, 60)
PEOPLE = [f"user:{name}" for name in ("ann", "bob", "cy", "dan", "eve")]

asks = st.builds(
    replace,
    st.just(ASK),
    principal=st.sampled_from(["user:ann", "client:bot", "local"]),
    approvers=st.sampled_from([(), ("group:sre",), ("user:bob", "user:ann"), ("group:sre", "user:dan")]),
    count=st.integers(1, 3),
    not_requester=st.booleans(),
)
rulings = st.builds(
    ApprovalRuling,
    verdict=st.sampled_from(["approved", "approved", "approved", "denied"]),
    by=st.sampled_from(PEOPLE),
    how=st.just("page"),
    note=st.none(),
    signature=st.just(""),
    approver=st.sampled_from([None, "group:sre", "group:devs", "user:bob", "user:dan", "user:ann"]),
)


@given(asks, st.lists(rulings, max_size=8))
def test_only_enough_different_people_whom_the_rule_names_approve(ask: ApprovalAsk, said: list[ApprovalRuling]) -> None:
    state = judge(ask, said)
    assert judge(ask, reversed(said)) == judge(ask, said + said) == state
    may = [
        each
        for each in said
        if (each.approver in ask.approvers if ask.approvers else each.approver is None)
        and (not (each.approver or "").startswith("user:") or each.approver == each.by)
        and not (ask.approvers and ask.not_requester and (each.by == ask.principal or ask.principal == "local"))
    ]
    assert [each for each in said if counts(ask, each.by, each.approver)] == may
    people = {each.by for each in may if each.verdict == "approved"}
    denied = any(each.verdict == "denied" for each in may)
    assert state == ("denied" if denied else "approved" if len(people) >= ask.count else "pending")


@given(asks, st.lists(rulings, max_size=8))
def test_one_after_another_gives_what_all_of_them_say(ask: ApprovalAsk, said: list[ApprovalRuling]) -> None:
    pending = PendingApproval(ask, "pending", 0, 60, 60)
    for ruling in said:
        ruled = pending.ruled(ruling)
        if ruled is None:
            again = ruling.verdict == "approved" and ruling.by in {each.by for each in pending.rulings}
            assert pending.state != "pending" or again or not counts(ask, ruling.by, ruling.approver)
            continue
        assert pending.state == "pending", "what is decided stays so"
        assert ruled.rulings == (*pending.rulings, ruling)
        pending = ruled
    assert pending.state == judge(ask, pending.rulings)
    approved = [each.by for each in pending.rulings if each.verdict == "approved"]
    assert pending.approvals == len(set(approved)) == len(approved)


@given(rulings, st.sampled_from(["expired", "void", "used", "denied", "approved"]))
def test_what_is_over_is_decided_on_no_more(ruling: ApprovalRuling, state: str) -> None:
    assert PendingApproval(ASK, state, 0, 60, 60).ruled(replace(ruling, approver=None)) is None  # type: ignore[arg-type]


def test_a_person_approves_once_and_can_deny_until_it_is_decided() -> None:
    pending = PendingApproval(replace(ASK, approvers=("group:sre",), count=2), "pending", 0, 60, 60)
    yes = ApprovalRuling("approved", "user:bob", "page", None, "", "group:sre")
    first = pending.ruled(yes)
    assert first is not None
    assert (first.state, first.approvals) == ("pending", 1)
    assert first.ruled(replace(yes, how="token", note="again")) is None
    denied = first.ruled(replace(yes, verdict="denied"))
    assert denied is not None
    assert (denied.state, denied.ruled(replace(yes, by="user:cy"))) == ("denied", None)
