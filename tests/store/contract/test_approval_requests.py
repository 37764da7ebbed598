"""A request for approval out of band is decided on once, used once, in time, and for exactly what was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from lambda_warden.store.approvals import OPEN_LIMIT, ApprovalAsk, ApprovalGone, ApprovalRuling, PendingApproval
from lambda_warden.store.audit_log import (
    AuditLog,
    IdempotencyClaim,
    IdempotencyHit,
    Limit,
    LimitExceeded,
    NotAdmitted,
    Pause,
    RecordError,
)
from lambda_warden.store.opening import Store
from support.audit import recorded
from support.clock import START, Clock

ASK = ApprovalAsk(
    "a" * 32, "d1", "local", "host 1", "arn:f:live", "write", "m.yaml:3", "7", "m1", "Run it?", "tidy \ud800", 60
)
YES = ApprovalRuling("approved", "ada", "terminal", "fine", "00")
NO = ApprovalRuling("denied", "bob", "page", None, "01")
VOID = ApprovalGone("void")


def ask_for(records: AuditLog, **changed: Any) -> PendingApproval:
    pending = records.request_approval(replace(ASK, **changed))
    assert pending is not None
    return pending


def decided(records: AuditLog, ruling: ApprovalRuling = YES, **changed: Any) -> PendingApproval:
    pending = records.decide_approval(ask_for(records, **changed).ask.approval_id, ruling)
    assert pending is not None
    return pending


def use(records: AuditLog, call: str, approved: PendingApproval, *limits: Limit) -> NotAdmitted | None:
    """Have a call go through by what was approved."""
    return records.admit(call, {}, limits, 60, approval=approved)


def test_a_request_is_kept_until_it_is_decided_on_and_used_once(records: AuditLog, store: Store) -> None:
    asked = ask_for(records)
    assert asked == PendingApproval(ASK, "pending", START, START + 60, 60)
    assert use(records, "call", asked) == VOID
    approved = records.decide_approval(ASK.approval_id, YES)
    assert approved == replace(asked, state="approved", rulings=(YES,), decided_at=START)
    assert ask_for(records, approval_id="b" * 32) == approved, "asked for again, it is the same request"
    assert use(records, "call", approved) is None
    assert use(records, "call-2", approved) == ApprovalGone("used")
    assert records.find_approval(ASK.approval_id) == replace(approved, state="used")
    events = [(event.kind, event.invocation_id, event.fields()) for event in recorded(store)]
    assert [(kind, of, fields.get("answer")) for kind, of, fields in events] == [
        ("approval_request", ASK.approval_id, None),
        ("approval", ASK.approval_id, "approved"),
        ("approval", "call", "approved"),
        ("intent", "call", None),
    ]
    assert events[0][2]["reason"] == ASK.reason
    assert {"by": "ada", "how": "terminal", "note": "fine", "approval_id": ASK.approval_id}.items() <= events[2][
        2
    ].items()
    assert "Run it?" not in str(events), "it holds the payload"


def test_the_first_decision_counts(records: AuditLog) -> None:
    assert decided(records, NO).state == "denied"
    found = records.decide_approval(ASK.approval_id, YES)
    assert found is not None
    assert (found.state, found.ruling) == ("denied", NO)
    assert use(records, "call", found) == VOID
    assert ask_for(records, approval_id="b" * 32).ruling == NO, "who asks again is not asked about again"
    assert records.decide_approval("unknown", YES) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"principal": "other"},
        {"request_digest": "d2"},
        {"executed_version": "8"},
        {"manifest_sha256": "m2"},
        {"question": "Run another?"},
        {"function": "arn:g:live"},
        {"effect": "read"},
        {"rule": "other.yaml:3"},
        {"approvers": ("group:sre",)},
        {"count": 2},
        {"not_requester": True},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_would_run_otherwise_is_another_request(records: AuditLog, changed: dict[str, Any]) -> None:
    approved = decided(records)
    other = ask_for(records, approval_id="b" * 32, **changed)
    assert (other.state, other.ask.approval_id) == ("pending", "b" * 32)
    first = records.find_approval(ASK.approval_id)
    assert first is not None
    is_void = changed.keys().isdisjoint({"principal", "request_digest"})
    assert first.state == ("void" if is_void else "approved")
    assert use(records, "other", replace(approved, ask=replace(ASK, **changed))) == VOID
    assert use(records, "call", approved) == (VOID if is_void else None)


def test_it_is_good_for_what_was_decided_alone(records: AuditLog) -> None:
    approved = decided(records)
    for other in (
        replace(approved, rulings=(replace(YES, note="another"),)),
        replace(approved, ask=replace(ASK, question="another")),
        replace(approved, ask=replace(ASK, approval_id="never asked")),
        replace(approved, expires_at=approved.expires_at + 1),
    ):
        assert use(records, "call", other) == VOID
    assert use(records, "call", approved) is None


CLAIM = IdempotencyClaim("local", None, "d1", 1000)


def test_whatever_keeps_a_call_from_being_admitted_leaves_its_approval(
    records: AuditLog, store: Store, clock: Clock
) -> None:
    approved, one = decided(records), Limit("k", concurrent=1)
    assert records.admit("first", {}, [one], 30, CLAIM) is None
    assert isinstance(use(records, "call", approved, one), LimitExceeded)
    assert isinstance(records.admit("call", {}, [], 30, CLAIM, approval=approved), IdempotencyHit)
    with pytest.raises(RecordError):
        use(records, "first", approved)
    records.pause("ada")
    assert isinstance(use(records, "call", approved), Pause)
    records.resume("ada")
    clock.now += 30
    assert records.find_approval(ASK.approval_id) == replace(approved, left_seconds=30)
    assert use(records, "call", approved, one) is None
    assert use(records, "call-2", approved, Limit("k", per_day=2)) == ApprovalGone("used")
    assert records.admit("call-2", {}, [Limit("k", per_day=3)], 60) is None, "what was not admitted took no unit"
    events = [(event.kind, event.invocation_id) for event in recorded(store)]
    assert events[3:] == [
        ("pause", events[3][1]),
        ("resume", events[4][1]),
        ("approval", "call"),
        ("intent", "call"),
        ("intent", "call-2"),
    ]


@pytest.mark.parametrize("seconds", [59.9, 60])
def test_it_expires_before_and_after_it_was_decided_on(
    new_store: Callable[[], Store], clock: Clock, seconds: float
) -> None:
    in_time = seconds < 60
    for ruling in (None, YES):
        with closing(new_store().audit_log(clock=clock)) as records:
            found = ask_for(records) if ruling is None else decided(records)
            clock.now += seconds
            current = records.find_approval(ASK.approval_id)
            assert current is not None
            assert (current.state == "expired") is not in_time
            if ruling is None:
                late = records.decide_approval(ASK.approval_id, YES)
                assert late is not None
                assert (late.ruling == YES) is in_time
            else:
                assert use(records, "call", found) == (None if in_time else ApprovalGone("expired"))
            assert (ask_for(records, approval_id="b" * 32).ask.approval_id == "b" * 32) is (not in_time or bool(ruling))


def test_they_are_listed_by_state_the_newest_first(records: AuditLog, clock: Clock) -> None:
    for number, ruling in enumerate([None, YES, NO, None]):
        names = {"approval_id": f"id-{number}", "request_digest": f"d{number}"}
        _ = ask_for(records, **names) if ruling is None else decided(records, ruling, **names)
        clock.now += 1
    listed = [pending.ask.approval_id for pending in records.approvals()]
    assert listed == ["id-3", "id-2", "id-1", "id-0"]
    assert [pending.ask.approval_id for pending in records.approvals(["pending"], 1)] == ["id-3"]
    assert [pending.ask.approval_id for pending in records.approvals({"approved", "denied"})] == ["id-2", "id-1"]
    clock.now += 60
    assert [pending.state for pending in records.approvals()] == ["expired", "denied", "expired", "expired"]
    clock.now += 86_400
    assert records.request_approval(ASK) is not None
    assert len(records.approvals()) == 1, "what was over long ago is forgotten"


def test_a_principal_has_so_many_undecided_requests_and_no_more(records: AuditLog, clock: Clock) -> None:
    for number in range(OPEN_LIMIT):
        ask_for(records, approval_id=f"id-{number}", request_digest=f"d{number}")
    assert records.request_approval(replace(ASK, request_digest="one more")) is None
    assert ask_for(records, request_digest="d0").ask.approval_id == "id-0"
    assert ask_for(records, principal="other").state == "pending"
    clock.now += 60
    assert ask_for(records, approval_id="b", request_digest="one more").state == "pending"


@pytest.mark.usefixtures("race")
def test_of_many_that_ask_decide_and_use_at_once_one_does_each(store: Store, clock: Clock) -> None:
    threads = 16
    ready = threading.Barrier(threads)
    asked: set[str] = set()
    rulings: set[ApprovalRuling | None] = set()
    used: list[NotAdmitted | None] = []

    def work(records: AuditLog, number: int) -> None:
        ready.wait()
        approval_id = ask_for(records, approval_id=f"id-{number}").ask.approval_id
        asked.add(approval_id)
        found = records.decide_approval(approval_id, replace(YES, by=f"person {number}"))
        assert found is not None
        rulings.add(found.ruling)
        used.append(use(records, f"call-{number}", found))

    with closing(store.audit_log(clock=clock)) as one, closing(store.audit_log(clock=clock)) as other:
        workers = [threading.Thread(target=work, args=((one, other)[i % 2], i)) for i in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        requests = one.approvals()
    assert len(asked) == len(rulings) == len(requests) == used.count(None)
    assert used.count(None) + used.count(ApprovalGone("used")) == threads
    assert all(pending.state == "used" for pending in requests)


def test_it_outlives_who_asked(lasting: Store, clock: Clock) -> None:
    with closing(lasting.audit_log(clock=clock)) as records:
        ask_for(records)
    clock.reboot(30)
    with closing(lasting.audit_log(clock=clock)) as approver:
        approved = approver.decide_approval(ASK.approval_id, YES)
    assert approved is not None
    assert approved.left_seconds == 30
    with closing(lasting.audit_log(clock=clock)) as records:
        assert use(records, "call", approved) is None


# Rules that name who approves

BY_TWO: dict[str, Any] = {
    "approvers": ("group:sre", "user:dan"),
    "count": 2,
    "not_requester": True,
    "principal": "user:ann",
}
BOB = ApprovalRuling("approved", "user:bob", "page", "fine", "00", "group:sre")


def test_each_ruling_is_kept_and_recorded_until_there_are_enough(records: AuditLog, store: Store) -> None:
    first = decided(records, BOB, **BY_TWO)
    assert (first.state, first.rulings) == ("pending", (BOB,))
    assert use(records, "call", first) == VOID
    for refused in (BOB, replace(BOB, by="user:ann"), replace(BOB, by="user:eve", approver="user:dan"), YES):
        again = records.decide_approval(ASK.approval_id, replace(refused, note="no"))
        assert again == first
    dan = replace(BOB, by="user:dan", how="token", approver="user:dan")
    approved = records.decide_approval(ASK.approval_id, dan)
    assert approved is not None
    assert (approved.state, approved.rulings, approved.ask) == ("approved", (BOB, dan), replace(ASK, **BY_TWO))
    assert records.find_approval(ASK.approval_id) == records.approvals()[0] == approved
    assert use(records, "call", replace(approved, rulings=(dan,))) == VOID
    assert use(records, "call", approved) is None
    fields = [event.fields() for event in recorded(store) if event.kind == "approval"]
    assert [(said["by"], said["approver"], said["approvals_needed"]) for said in fields] == [
        ("user:bob", "group:sre", "2"),
        ("user:dan", "user:dan", "2"),
        ("user:dan", "user:dan", "2"),
    ]


def test_one_denial_denies_also_of_who_approved(records: AuditLog) -> None:
    decided(records, BOB, **BY_TWO)
    denied = records.decide_approval(ASK.approval_id, replace(BOB, verdict="denied"))
    assert denied is not None
    assert (denied.state, len(denied.rulings)) == ("denied", 2)
    assert records.decide_approval(ASK.approval_id, replace(BOB, by="user:cy")) == denied


def test_of_many_who_race_for_the_last_place_one_has_it(store: Store, clock: Clock) -> None:
    threads = 8
    ready = threading.Barrier(threads)

    def work(records: AuditLog, number: int) -> None:
        ready.wait()
        records.decide_approval(ASK.approval_id, replace(BOB, by=f"user:{number}"))

    with closing(store.audit_log(clock=clock)) as one, closing(store.audit_log(clock=clock)) as other:
        ask_for(one, **BY_TWO)
        workers = [threading.Thread(target=work, args=((one, other)[i % 2], i)) for i in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        found = one.find_approval(ASK.approval_id)
    assert found is not None
    assert (found.state, len(found.rulings), found.approvals) == ("approved", 2, 2)
