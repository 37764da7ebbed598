"""HTTP streaming answers are read as API Gateway's: redacted by pointers, queried, and kept in that form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.answers.http_stream import as_response
from lambda_warden.answers.payload import read_payload
from lambda_warden.jsontools.query import compile_query
from lambda_warden.model.outcome import Returned
from support.reported import report_outcome
from support.results import CALL

NULS = b"\0" * 8


def stream(head: object, body: bytes) -> bytes:
    return json.dumps(head).encode() + NULS + body


def test_pointers_lead_into_its_body() -> None:
    read = read_payload(stream({"statusCode": 200}, b'{"card":{"number":"4111"},"ok":1}'), [("body", "card", "number")])

    assert isinstance(read.value, dict)
    assert read.value["body"] == {"card": {"number": "[redacted]"}, "ok": 1}
    assert read.redacted == 1


def test_a_body_in_which_places_cant_be_found_is_withheld() -> None:
    read = read_payload(stream({"statusCode": 200}, b"number=4111"), [("body", "card", "number")])

    assert "4111" not in str(read.value)


def test_it_can_be_queried() -> None:
    raw = Returned(200, stream({"statusCode": 200}, b'{"rows":[1,2,3]}'))
    result = report_outcome(CALL, raw, 1, 1024, query=compile_query("body.rows[1]"))

    assert (result.payload, result.query_error) == (2, None)


@pytest.mark.parametrize("status", [400, 404, 502])
def test_nobody_is_told_to_use_what_failed(status: int) -> None:
    result = report_outcome(CALL, Returned(200, stream({"statusCode": status}, b"no")), 1, 1024)

    assert f"HTTP status {status}" in result.next_step
    assert "Use the payload" not in result.next_step


def test_the_beginning_of_a_larger_one_shows_no_more_than_it_has() -> None:
    data = stream({"statusCode": 200}, b'{"card":"4111","more":"' + b"x" * 50)
    for redact in ([], [("body", "card")]):
        read = read_payload(data, redact, total=len(data) + 100)
        assert (read.in_part, read.total) == (True, len(data) + 100)
        assert not redact or "4111" not in str(read.value)


@given(
    st.dictionaries(st.sampled_from(["headers", "cookies", "a"]), st.text(), max_size=3),
    st.one_of(st.integers(), st.just(200), st.none()),
    st.binary(),
)
def test_what_is_no_such_answer_is_left_alone(head: dict[str, Any], status: int | None, body: bytes) -> None:
    data = stream(head | ({} if status is None else {"statusCode": status}), body)
    valid = "a" not in head and (status is None or 100 <= status <= 599)

    assert (as_response(data) is not None) == valid
    assert as_response(body) is None or NULS in body
