"""Who leaves and comes back does not overtake its own leaving, in whatever order the store hears of the two."""

from __future__ import annotations

import pytest

from lambda_warden.store.audit_log import (
    AuditLog,
    CallerLeft,
    IdempotencyClaim,
    Limit,
    NotAdmitted,
    RecordError,
    Takes,
    always,
)

READS = IdempotencyClaim("local", None, "look at A-1", 86_400.0, repeatable=True)
WRITES = IdempotencyClaim("local", None, "refund A-1", 86_400.0)
CLAIMS = pytest.mark.parametrize("claim", [READS, WRITES], ids=["read", "write"])


def admit(records: AuditLog, call: str, claim: IdempotencyClaim, takes: Takes = always) -> NotAdmitted | None:
    return records.admit(call, {}, [], 915.0, claim, takes=takes)


def gone(_: str) -> bool:
    return False


def found(result: object) -> tuple[object, object]:
    return getattr(result, "invocation_id", None), getattr(result, "state", None)


@CLAIMS
def test_who_has_left_is_known_before_it_is_written(claim: IdempotencyClaim, records: AuditLog) -> None:
    admit(records, "one", claim)
    records.leaving("one")
    assert found(admit(records, "two", claim)) == ("one", "left")
    records.note_leaving()
    records.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: "{}", delivered=lambda: False)
    assert found(admit(records, "three", claim)) == ("one", "ended")


@CLAIMS
def test_who_left_before_it_was_admitted_starts_nothing(claim: IdempotencyClaim, records: AuditLog) -> None:
    """It may have come back meanwhile, and got its answer."""
    limit = Limit("rule:f", per_day=1)
    assert records.admit("one", {}, [limit], 915.0, claim, takes=gone) == CallerLeft()
    assert records.admit("two", {}, [limit], 915.0, claim) is None, "nothing was taken"


@CLAIMS
def test_who_has_left_takes_no_answer(claim: IdempotencyClaim, records: AuditLog) -> None:
    """Neither while the call is under way nor when it has ended, however it was looked for."""
    admit(records, "one", claim)
    records.leaving("one")
    for state in ("left", "ended"):
        assert found(admit(records, "two", claim, gone)) == ("one", state)
        assert found(records.claimed_by(claim, gone)) == ("one", state)
        assert records.fetch("one", "local", gone) is not None
        if state == "left":
            records.finish("one", {"outcome": "succeeded"}, ran=True, result=lambda: "{}", delivered=lambda: False)
    assert found(admit(records, "three", claim)) == ("one", "ended"), "it reached nobody before"
    assert admit(records, "four", claim) is None, "it has reached somebody"


@CLAIMS
def test_who_has_left_is_known_also_where_what_was_to_be_written_with_it_fails(
    claim: IdempotencyClaim, records: AuditLog
) -> None:
    admit(records, "one", claim)
    records.leaving("one")

    def fails(_: str) -> bool:
        raise OSError("the disk is full")

    with pytest.raises(RecordError, match="the disk is full"):
        records.claimed_by(claim, fails)
    assert found(admit(records, "two", claim)) == ("one", "left")


def test_what_can_never_be_written_keeps_nobody_from_writing(records: AuditLog) -> None:
    admit(records, "one", WRITES)
    records.bring_back("one", WRITES, "succeeded", "no text: \ud800", ran=True)
    with pytest.raises(RecordError):
        records.note_leaving()
    assert found(admit(records, "two", WRITES)) == ("one", "in_progress")
