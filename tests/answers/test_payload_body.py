"""API Gateway responses: their body is shown as what it holds, and the result says so."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.jsontools.pointer import parse_pointer
from lambda_warden.model.outcome import Returned
from lambda_warden.model.result import DecodedBody, InvokeResult
from lambda_warden.report.text import invocation_text
from support.reported import report_outcome
from support.results import CALL, check_invoke_result, json_values

MIXED = "q7Zx3Kv9Wj5Yh2Bn8Dm4Fp6Rt1Gc0Ls7Uq3Ea9To"
FROM_JSON = DecodedBody(path="/body", source="json", media_type="application/json")


def report(value: Any, *pointers: str, budget: int = 16_384, error: str | None = None) -> InvokeResult:
    raw = Returned(200, json.dumps(value).encode(), error, payload_sha256="digest")
    result = report_outcome(CALL, raw, 1, budget, [parse_pointer(pointer) for pointer in pointers])
    check_invoke_result(result)
    return result


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"a": [1, {"b": "c"}]}', {"a": [1, {"b": "c"}]}),
        (" [1]\n", [1]),
        ("{}", {}),
    ],
)
def test_a_body_that_holds_json_is_shown_as_json(body: str, shown: Any) -> None:
    result = report({"statusCode": 200, "headers": {"x": "y"}, "body": body})

    assert result.payload == {"statusCode": 200, "headers": {"x": "y"}, "body": shown}
    assert result.unfolded == [FROM_JSON]
    assert result.next_step == "Use the payload."
    assert "/body unfolded from json" in invocation_text(result)


@pytest.mark.parametrize(
    "body",
    [
        "hello",
        "42",
        "true",
        '"quoted"',
        "",
        "{not JSON}",
        '{"a": 1, "a": 2}',
        "[NaN]",
        None,
        7,
        {"a": 1},
        '{"a": "\ud800"}',
    ],
)
def test_any_other_body_stays_as_it_is(body: Any) -> None:
    value = {"statusCode": 200, "body": body}
    result = report(value)

    assert result.unfolded == []
    if result.payload_format == "json":
        assert result.payload == value


@pytest.mark.parametrize(
    "value",
    [
        {"statusCode": "200", "body": "{}"},
        {"statusCode": True, "body": "{}"},
        {"statusCode": 42, "body": "{}"},
        {"statusCode": 200.0, "body": "{}"},
        {"status": 200, "body": "{}"},
        {"response": {"statusCode": 404, "body": "{}"}},
        [{"statusCode": 404, "body": "{}"}],
    ],
)
def test_what_is_no_response_is_not_decoded(value: Any) -> None:
    result = report(value)
    assert (result.payload, result.unfolded, result.next_step) == (value, [], "Use the payload.")


@pytest.mark.parametrize(
    ("data", "shown", "media_type"),
    [
        (b'{"a": 1}', {"a": 1}, "application/json"),
        ("Grüße".encode(), "Grüße", "text/plain"),
        (b"<!doctype html><p>", "<!doctype html><p>", "text/html"),
        (b"\x89PNG\r\n\x1a\n" + bytes(8), encoded(b"\x89PNG\r\n\x1a\n" + bytes(8)), "image/png"),
    ],
)
def test_a_body_in_base64_is_decoded_unless_it_is_binary(data: bytes, shown: Any, media_type: str) -> None:
    result = report({"statusCode": 200, "isBase64Encoded": True, "body": encoded(data)})

    assert result.payload == {"statusCode": 200, "isBase64Encoded": True, "body": shown}
    assert result.unfolded == [DecodedBody(path="/body", source="base64", media_type=media_type)]


@pytest.mark.parametrize("body", ["%%%", "YQ", "é"])
def test_a_body_that_is_no_base64_stays_as_it_is(body: str) -> None:
    value = {"statusCode": 200, "isBase64Encoded": True, "body": body}
    assert (report(value).payload, report(value).unfolded) == (value, [])


@pytest.mark.parametrize("source", ["json", "base64"])
def test_secrets_in_a_body_are_redacted_by_form_name_and_place(source: str) -> None:
    held = {"card": {"number": "4111 1111", "kind": "visa"}, "password": "two words", "note": f"token={MIXED}"}
    body = json.dumps(held)
    value = {"statusCode": 200, "isBase64Encoded": source == "base64", "body": body}
    if source == "base64":
        value["body"] = encoded(body.encode())
    result = report(value, "/body/card/number")

    assert isinstance(result.payload, dict)
    assert result.payload["body"] == {
        "card": {"number": "[redacted]", "kind": "visa"},
        "password": "[redacted:password]",
        "note": "token=[redacted:token]",
    }
    assert result.redacted == 3
    assert [string.source for string in result.unfolded] == [source]


def test_secrets_in_a_decoded_text_are_redacted() -> None:
    result = report({"statusCode": 200, "isBase64Encoded": True, "body": encoded(f"password={MIXED}".encode())})

    assert isinstance(result.payload, dict)
    assert result.payload["body"] == "password=[redacted:password]"


@pytest.mark.parametrize("pointer", ["/body", "/*", ""])
def test_a_place_above_the_body_withholds_all_of_it(pointer: str) -> None:
    result = report({"statusCode": 404, "body": '{"number": 4111}'}, pointer)

    assert "4111" not in result.model_dump_json()
    assert result.unfolded == []
    assert "404" not in result.next_step or pointer == "/body"


@pytest.mark.parametrize("pointer", ["/body/card/number", "/*/card/number"])
@pytest.mark.parametrize(
    ("is_base64", "body"),
    [
        (False, "card 4111"),
        (False, '{"card": {"number": 4111}, "card": {"number": 4111}}'),
        (True, encoded(b"card 4111")),
        (True, encoded(b"\xff 4111")),
        (True, "card 4111"),
    ],
)
def test_a_body_in_which_the_places_can_t_be_found_is_withheld(pointer: str, is_base64: bool, body: str) -> None:
    result = report({"statusCode": 200, "isBase64Encoded": is_base64, "body": body}, pointer)

    assert result.payload == {"statusCode": 200, "isBase64Encoded": is_base64, "body": "[redacted]"}
    assert (result.redacted, result.unfolded) == (1, [])


@pytest.mark.parametrize(("status", "said"), [(200, False), (399, False), (400, True), (404, True), (503, True)])
@pytest.mark.parametrize("body", ["{}", "text", None])
def test_an_http_status_that_is_an_error_is_said(status: int, said: bool, body: str | None) -> None:
    result = report({"statusCode": status, "body": body})

    assert result.outcome == "succeeded"
    assert (f"HTTP status {status}" in result.next_step) == said


def test_an_http_status_that_must_not_be_shown_is_not_said() -> None:
    assert "404" not in report({"statusCode": 404, "body": "{}"}, "/statusCode").next_step


def test_a_large_body_is_cut_as_json() -> None:
    rows = [{"id": i, "name": f"name {i}"} for i in range(1000)]
    result = report({"statusCode": 200, "body": json.dumps(rows)}, budget=1000)

    assert isinstance(result.payload, dict)
    shown = result.payload["body"]
    assert isinstance(shown, list)
    assert shown == rows[: len(shown)]
    assert [(cut.path, cut.total) for cut in result.omitted] == [("/body", 1000)]


def test_the_error_of_a_function_is_read_as_before() -> None:
    result = report({"errorType": "E", "errorMessage": "no", "statusCode": 500, "body": "{}"}, error="Unhandled")

    assert result.function_error is not None
    assert (result.function_error.type, result.function_error.message) == ("E", "no")


@given(json_values.filter(lambda value: isinstance(value, list | dict)), st.booleans())
def test_any_json_in_a_body_is_shown_as_it_is(value: Any, is_base64: bool) -> None:
    body = json.dumps(value)
    response = {"statusCode": 200, "body": encoded(body.encode()) if is_base64 else body, "isBase64Encoded": is_base64}
    result = report(response, budget=10**6)

    if not result.truncated and not result.redacted:
        assert json.dumps(result.payload) == json.dumps({**response, "body": value})


def test_a_digest_is_given_where_not_all_is_shown() -> None:
    assert report(["x" * 1000]).payload_sha256 is None
    assert report(["x" * 1000], budget=256).payload_sha256 == "digest"
    image = report_outcome(CALL, Returned(200, b"\xff\x00", payload_sha256="digest"), 1, 256)
    assert image.payload_sha256 == "digest"


def test_no_digest_lets_anybody_guess_what_was_kept_back() -> None:
    assert report({"pin": 1234, "log": "x" * 1000}, "/pin", budget=256).payload_sha256 is None
    assert (
        report_outcome(CALL, Returned(200, b"\xff", payload_sha256="digest"), 1, 256, [("pin",)]).payload_sha256 is None
    )


def test_the_text_of_a_result_names_what_a_payload_looks_like() -> None:
    assert "base64, 2 bytes)" in invocation_text(report_outcome(CALL, Returned(200, b"\xff\x00"), 1, 256))
    assert "text, 5 bytes, text/plain)" in invocation_text(report_outcome(CALL, Returned(200, b"hello"), 1, 256))
