"""Calls on record and CloudTrail's events are matched, and what is in one of them alone is told apart."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lambda_warden.errors import SettingsError
from lambda_warden.proof.cloudtrail import Trail, merge, read_trail
from lambda_warden.proof.reconcile import Reconciliation, reconcile, recorded_calls
from lambda_warden.store.hash_chain import AuditEvent, body_text
from support.builders import ACCOUNT, function_arn
from support.cloudtrail import ROLE, deliver, management_event, trail_event

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
LAG = timedelta(minutes=15)
DEVELOPER = f"arn:aws:iam::{ACCOUNT}:role/developer"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def event(kind: str, call: str, seconds: float, **body: Any) -> AuditEvent:
    return AuditEvent(1, "w", 1, at(seconds).isoformat(timespec="milliseconds"), kind, call, body_text(body), "")


def call(
    name: str, seconds: float, outcome: str | None = "succeeded", request_id: str | None = None, **intent: Any
) -> list[AuditEvent]:
    """A call of `f:live` as it is on record, which takes a second."""
    asked = {
        "function": f"{function_arn('f')}:live",
        "lease_seconds": 30,
        "invocation_type": "RequestResponse",
        **intent,
    }
    ended = [event("outcome", name, seconds + 1, outcome=outcome, request_id=request_id)] if outcome else []
    return [event("intent", name, seconds, **asked), *ended]


def held(
    events: Sequence[AuditEvent],
    *trail: dict[str, Any],
    reaches: float = 7200,
    roles: Sequence[str] = (),
    every: bool = False,
) -> Reconciliation:
    """Both held against each other; the trail reaches from an hour before noon to `reaches` seconds after."""
    whole = merge([management_event(at(-3600)), *trail, management_event(at(reaches))])
    return reconcile(recorded_calls(events), whole, LAG, roles, every=every)


def findings(result: Reconciliation) -> list[tuple[str, str | None, str | None]]:
    return [(each.finding, each.invocation_id, each.request_id) for each in result.found]


MATCHED = call("one", 0, request_id="r-1")
SEEN = trail_event("r-1", at=at(0))


def test_a_call_is_matched_by_its_request_id_with_its_attempts() -> None:
    retried = [MATCHED[0], event("retry", "one", 0.5, request_id="r-0"), MATCHED[1]]
    result = held(retried, trail_event("r-0", at=at(0), errorCode="TooManyRequestsException"), SEEN)
    assert (result.matched, findings(result), result.is_whole) == (1, [], True)


@pytest.mark.parametrize(
    ("records", "trail", "expected"),
    [
        # Past lambda-warden, or its records were removed.
        ([], [trail_event("r-2", at=at(9))], [("no_record", None, "r-2")]),
        ([], [trail_event("r-2", at=at(9), role=DEVELOPER)], [("other_caller", None, "r-2")]),
        ([], [trail_event("r-2", at=at(9), role=None)], [("other_caller", None, "r-2")]),
        ([], [trail_event("r-2", "g", at=at(9))], [("no_record", None, "r-2")]),
        # On record, and not in CloudTrail.
        (call("two", 9, request_id="r-2"), [], [("no_event", "two", "r-2")]),
        (call("two", 9, "function_error", "r-2"), [], [("no_event", "two", "r-2")]),
        (call("two", 9, "refused"), [], []),
        (call("two", 9, "accepted", "r-2", invocation_type="DryRun"), [], []),
        (
            call("two", 9, request_id="r-2"),
            [trail_event("r-9", at=at(9))],
            [("no_event", "two", "r-2"), ("no_record", None, "r-9")],
        ),
        # CloudTrail's files don't reach there.
        (call("two", 7000, request_id="r-2"), [], [("too_recent", "two", "r-2")]),
        (call("two", -4000, request_id="r-2"), [], [("too_recent", "two", "r-2")]),
        (call("two", 7000, None), [], [("too_recent", "two", None)]),
        # The records say something else than CloudTrail.
        (call("two", 9, request_id="r-2"), [trail_event("r-2", "g", at=at(9))], [("another_function", "two", "r-2")]),
        # Nobody knew.
        (call("two", 9, "unknown"), [trail_event("r-2", at=at(10))], [("ran", "two", "r-2")]),
        (call("two", 9, None), [trail_event("r-2", at=at(39))], [("ran", "two", "r-2")]),
        (call("two", 9, "unknown", "r-2"), [trail_event("r-2", at=at(9))], [("ran", "two", "r-2")]),
        (
            call("two", 9, "unknown"),
            [trail_event("r-2", at=at(9), errorCode="ServiceException")],
            [("no_sign", "two", "r-2")],
        ),
        (call("two", 9, "unknown"), [], [("no_sign", "two", None)]),
        (
            call("two", 9, "unknown"),
            [trail_event("r-2", at=at(900))],
            [("no_sign", "two", None), ("no_record", None, "r-2")],
        ),
        (
            call("two", 9, "unknown"),
            [trail_event("r-2", "g", at=at(9))],
            [("no_sign", "two", None), ("no_record", None, "r-2")],
        ),
        (
            call("two", 9, "unknown"),
            [trail_event("r-2", at=at(9), requestParameters={"functionName": "f", "qualifier": "8"})],
            [("no_sign", "two", None), ("no_record", None, "r-2")],
        ),
        (
            call("two", 9, "unknown"),
            [trail_event("r-2", at=at(9), role=DEVELOPER)],
            [("no_sign", "two", None), ("other_caller", None, "r-2")],
        ),
    ],
)
def test_what_is_in_one_of_them_alone(
    records: list[AuditEvent], trail: list[dict[str, Any]], expected: list[tuple[str, str | None, str | None]]
) -> None:
    result = held([*MATCHED, *records], SEEN, *trail)
    assert sorted(findings(result), key=str) == sorted(expected, key=str)
    assert result.is_whole == all(
        finding in ("ran", "no_sign", "other_caller", "too_recent") for finding, *_ in expected
    )


def test_an_event_stands_for_one_unknown_call_alone() -> None:
    result = held(
        [*MATCHED, *call("two", 9, "unknown"), *call("three", 10, "unknown")], SEEN, trail_event("r-2", at=at(9))
    )
    assert findings(result) == [("ran", "two", "r-2"), ("no_sign", "three", None)]


def test_whose_calls_have_to_be_on_record_can_be_said() -> None:
    theirs = trail_event("r-2", at=at(9), role=DEVELOPER)
    assert findings(held(MATCHED, SEEN, theirs)) == [("other_caller", None, "r-2")]
    assert findings(held(MATCHED, SEEN, theirs, every=True)) == [("no_record", None, "r-2")]
    assert findings(held(MATCHED, SEEN, theirs, roles=[DEVELOPER])) == [("no_record", None, "r-2")]
    assert findings(held([], SEEN)) == [("no_record", None, "r-1")], "no call shows who lambda-warden is"
    assert held(MATCHED, SEEN, theirs).found[0].who == f"{DEVELOPER} (ann)"


def test_an_asynchronous_call_ran_once_it_was_executed() -> None:
    parameters = {"functionName": f"{function_arn('f')}:live", "invocationType": "Event"}
    queued = trail_event("r-2", at=at(9), requestParameters=parameters)
    executed = trail_event("r-2", at=at(10), event_name="InvokeExecution", requestParameters=None)
    executed["userIdentity"] = {"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}
    unknown = call("two", 9, "unknown", invocation_type="Event")
    for order in ([queued, executed], [executed, queued]):
        assert findings(held([*MATCHED, *unknown], SEEN, *order)) == [("ran", "two", "r-2")]
    assert findings(held([*MATCHED, *unknown], SEEN, queued)) == [("no_sign", "two", "r-2")]


def test_events_are_read_as_cloudtrail_delivers_them(tmp_path: Path) -> None:
    by_service = trail_event("r-3", at=at(3), role=None, requestParameters=None)
    plain = trail_event("r-4", at=at(4), resources=None, requestParameters={"functionName": "f:live"})
    broken: list[Any] = [{"eventName": "Invoke"}, "text", trail_event("r-5", at="soon")]
    deliver(tmp_path, [trail_event("r-1", at=at(1)), by_service], [plain, *broken])
    (tmp_path / "digest.txt").write_text("not CloudTrail's")
    (tmp_path / "more.json").write_text(json.dumps({"Records": [management_event(at(9))]}))
    trail = read_trail(tmp_path)
    assert [(each.request_id, each.function, each.qualifier, each.version) for each in trail.events] == [
        ("r-1", function_arn("f"), "live", "7"),
        ("r-3", function_arn("f"), None, "7"),
        ("r-4", function_arn("f"), "live", "7"),
    ]
    assert [each.identity for each in trail.events] == [ROLE, "events.amazonaws.com", ROLE]
    assert (trail.first, trail.last, trail.unreadable) == (at(1), at(9), 3)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        gzip.compress(b"{}")[:-5],
        gzip.compress(b"{}")[:10] + b"\xff" * 20,
        gzip.compress(b"[]"),
        gzip.compress(b"no"),
        gzip.compress(b"[" * 100_000),
    ],
    ids=["empty", "cut", "damaged", "a list", "no JSON", "too deep"],
)
def test_a_file_that_is_not_cloudtrails_is_said(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(content)
    with pytest.raises(SettingsError, match="no file of CloudTrail"):
        read_trail(tmp_path)


def test_without_files_nothing_is_held_against_anything(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no files of CloudTrail"):
        read_trail(tmp_path)
    assert merge([]) == Trail((), None, None, 0)
