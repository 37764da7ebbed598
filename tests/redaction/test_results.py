"""Whatever a function or AWS says: a secret in it does not reach the result, at no budget, not even in part."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.answers.log import TAIL_LIMIT, read_log
from lambda_warden.jsontools.pointer import parse_pointer
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.result import InvokeResult
from lambda_warden.report.text import invocation_text
from support.reported import report_outcome
from support.results import CALL, check_invoke_result

# Each piece of eight characters occurs nowhere else. Put together here, so that no scanner takes them for real ones.
UPPER = "QZ7XKV3WJ5YH2BND"
MIXED = "q7Zx3Kv9Wj5Yh2Bn8Dm4Fp6Rt1Gc0Ls7Uq3Ea9To"
BODY = "\n".join([MIXED, MIXED[::-1], MIXED[5:] + MIXED[:5]])
BEGIN, END = (f"-----{word} RSA PRIVATE {'KEY'}-----" for word in ("BEGIN", "END"))

SECRETS = {
    "AKIA" + UPPER: "AKIA" + UPPER,
    f"aws_secret_access_key={MIXED}": MIXED,
    f'"SecretAccessKey": "{MIXED}"': MIXED,
    f"SessionToken: {MIXED}//=": MIXED,
    f"{BEGIN}\n{BODY}\n{END}": BODY,
    f"{BEGIN}\\n{MIXED}\\n{END}": MIXED,
    f"{BEGIN}\n{BODY}": BODY,
    "ey" + f"JhbGciOiJIUzI1NiJ9.{'ey'}J{MIXED}.{MIXED[::-1]}": MIXED,
    "gh" + f"p_{MIXED}": MIXED,
    "gl" + f"pat-{MIXED[:20]}": MIXED[:20],
    "xo" + f"xb-123456789012-{MIXED}": MIXED,
    "sk" + f"_live_{MIXED}": MIXED,
    "S" + f"G.{MIXED[:22]}.{MIXED}": MIXED,
    "np" + f"m_{MIXED[:36]}": MIXED[:36],
    "py" + f"pi-AgEIcHlwaS5vcmc{MIXED}{MIXED[::-1]}": MIXED,
    "sk" + f"-proj-{MIXED}": MIXED,
    "sk" + f"-ant-api03-{MIXED}": MIXED,
    "AI" + f"za{MIXED[:35]}": MIXED[:35],
    f"AccountName=n;AccountKey={MIXED}==;EndpointSuffix=x": MIXED,
    f"postgres://bob:{MIXED}@db.example/x": MIXED,
    f"Authorization: Bearer {MIXED}": MIXED,
    f"Authorization: Basic {MIXED}": MIXED,
    f"password={MIXED}": MIXED,
    f'"clientSecret":"{MIXED}"': MIXED,
    f"api_key: {MIXED}": MIXED,
}
texts = st.sampled_from(sorted(SECRETS))
fillers = st.sampled_from(["", "x", "some words ", "x" * 100, "line\n" * 20, "é😀" * 30])
budgets = st.integers(256, 700) | st.integers(256, 20_000)


def shown_anywhere(result: InvokeResult) -> str:
    check_invoke_result(result)
    return result.model_dump_json() + invocation_text(result) + json.dumps(result.model_dump(mode="json"))


def assert_hidden(secret: str, result: InvokeResult) -> None:
    text = shown_anywhere(result)
    for line in secret.split("\n"):
        for i in range(len(line) - 7):
            assert line[i : i + 8] not in text
    assert result.redacted >= 1


def planted(text: str, filler: str, place: str) -> Any:
    inside = f"{filler} {text} {filler}"
    return {
        "value": {"a": 1, "note": inside, "z": [1, 2]},
        "string": inside,
        "key": {"rows": list(range(50)), inside: {"more": ["x" * 600] * 30}},
        "deep": [{"a": [{"b": {"c": [inside] * 3}}]}] * 5,
        "text in JSON": {"statusCode": 200, "body": json.dumps({"note": inside, "n": 1})},
        "text in text in JSON": {"body": json.dumps({"body": json.dumps({"note": inside})})},
        "error": {"errorType": inside, "errorMessage": inside, "stackTrace": [inside, *inside.split("\n")]},
        "long": {"note": "x" * 500 + f" {text} " + "y" * 3000, "rows": [inside] * 40},
    }[place]


PLACES = ["value", "string", "key", "deep", "text in JSON", "text in text in JSON", "error", "long"]


@given(texts, fillers, st.sampled_from(PLACES), st.booleans(), st.sampled_from([None, "Unhandled"]), budgets)
def test_no_secret_in_a_json_payload_is_shown(
    text: str, filler: str, place: str, escape: bool, error: str | None, budget: int
) -> None:
    value = planted(text, filler, place)
    data = json.dumps(value, ensure_ascii=False)
    if escape:
        data = json.dumps(value).replace(json.dumps(text)[1:-1], "TEXT")
        data = data.replace("TEXT", "".join(f"\\u{ord(c):04x}" for c in text))
    result = report_outcome(CALL, Returned(200, data.encode(), error), 1, budget)

    assert_hidden(SECRETS[text], result)
    assert result.payload_bytes == len(data.encode())


@given(texts, fillers, st.booleans(), st.booleans(), st.sampled_from([None, "Unhandled"]), budgets)
def test_no_secret_in_a_text_payload_is_shown(
    text: str, filler: str, nearly_json: bool, escape: bool, error: str | None, budget: int
) -> None:
    inside = f"{filler} {text} {filler}"
    data = inside
    if nearly_json:
        data = json.dumps({"errorMessage": inside, "stackTrace": [inside], "amount": 1})[:-1] + ', "amount": 2}'
        if escape:
            inner = json.dumps(text)[1:-1]
            data = data.replace(inner, "".join(f"\\u{ord(c):04x}" for c in text))
    result = report_outcome(CALL, Returned(200, data.encode(), error), 1, budget)

    assert result.payload_format == "text"
    assert_hidden(SECRETS[text], result)


@given(texts, fillers, st.integers(0, 200))
def test_no_secret_in_a_log_is_shown(text: str, filler: str, before: int) -> None:
    log = f"{'x' * before} Traceback (most recent call last):\n  File {filler}\n{text}\nE: {text}\n{filler}".encode()
    assert_hidden(SECRETS[text], report_outcome(CALL, Returned(200, b"{}", "Unhandled", log[-TAIL_LIMIT:]), 1, 256))


@given(texts.filter(lambda text: "\n" not in text), st.data())
def test_no_half_of_a_secret_is_left_where_aws_cuts_a_log(text: str, data: st.DataObject) -> None:
    line = f"INFO {text}"
    cut = data.draw(st.integers(0, len(line)))
    log = f"{line[cut:]}\nand more\n{text}\n"
    log += "." * (TAIL_LIMIT - len(log))
    assert_hidden(SECRETS[text], report_outcome(CALL, Returned(200, b"{}", "Unhandled", log.encode()), 1, 256))


@given(st.integers(0, len(BEGIN) + len(BODY)))
def test_a_private_key_that_aws_cuts_is_redacted_to_its_end(cut: int) -> None:
    log = f"{BEGIN}\n{BODY}\n{END}\nand more\n"[cut:]
    tail = log.encode() + b"." * (TAIL_LIMIT - len(log))
    result = report_outcome(CALL, Returned(200, b"{}", "Unhandled", tail), 1, 256)

    assert result.log is not None
    assert "and more" in result.log.text
    assert_hidden(BODY, result)


@given(texts, fillers, st.sampled_from([Refused, Unknown]))
def test_no_secret_in_what_aws_says_is_shown(text: str, filler: str, kind: type[Refused] | type[Unknown]) -> None:
    raw: RawOutcome = kind("SomeException", f"{filler} {text} {filler}" * 12)
    assert_hidden(SECRETS[text], report_outcome(CALL, raw, 1, 256))


@pytest.mark.parametrize("at", range(880, 1010, 7))
def test_no_secret_is_cut_in_two_at_the_end_of_a_message(at: int) -> None:
    assert_hidden(MIXED, report_outcome(CALL, Unknown("X", "." * at + f" password={MIXED}"), 1, 256))


@given(st.sampled_from(["plain", 7, None, [1], {"a": "x" * 400}]), budgets)
def test_what_stands_at_the_rule_s_places_is_not_shown(found: Any, budget: int) -> None:
    places = [parse_pointer("/card/number"), parse_pointer("/items/*/ssn")]
    value = {"card": {"number": found, "kind": "visa"}, "items": [{"ssn": found, "id": i} for i in range(3)]}
    result = report_outcome(CALL, Returned(200, json.dumps(value).encode()), 1, budget, places)

    assert result.redacted == 4
    assert isinstance(result.payload, dict)
    assert result.payload["card"] == {"number": "[redacted]", "kind": "visa"}


@pytest.mark.parametrize(
    "data",
    [
        b"card 4111",
        b'{"card":{"number":4111},"card":{"number":4111}}',
        b"[NaN, 4111]",
        b"\xff 4111",
        b'["\\ud800", 4111]',
    ],
    ids=["text", "key twice", "NaN", "bytes", "lone surrogate"],
)
@pytest.mark.parametrize("error", [None, "Unhandled"])
def test_a_payload_in_which_the_places_can_t_be_found_is_withheld(data: bytes, error: str | None) -> None:
    result = report_outcome(CALL, Returned(200, data, error), 1, 256, [parse_pointer("/card/number")])

    assert "4111" not in shown_anywhere(result)
    assert (result.payload_format, result.redacted, result.truncated) == ("text", 1, False)
    assert str(result.payload).startswith("[redacted: ")
    assert result.payload_bytes == len(data)


def test_without_an_answer_there_is_nothing_to_withhold() -> None:
    result = report_outcome(CALL, Returned(202), 1, 256, [parse_pointer("/card/number")])
    assert (result.payload, result.payload_format, result.redacted) == (None, None, 0)


def test_bytes_that_are_no_text_are_shown_as_they_are() -> None:
    data = b"\xffpassword=hunter2"
    assert report_outcome(CALL, Returned(200, data), 1, 256).redacted == 0


def test_the_error_of_a_function_is_read_from_what_is_left() -> None:
    payload = {
        "errorType": "E",
        "errorMessage": f"password={MIXED}",
        "trace": ["E", BEGIN, *BODY.split("\n"), END, "at x"],
    }
    result = report_outcome(CALL, Returned(200, json.dumps(payload).encode(), "Unhandled"), 1, 4096)

    assert result.function_error is not None
    assert result.function_error.message == "password=[redacted:password]"
    assert result.function_error.stack_trace == ["E", *["[redacted:private-key]"] * 5, "at x"]
    assert result.redacted == 6


def test_slashes_that_are_escaped_twice_hide_no_password_from_a_lenient_reader() -> None:
    data = f'{{"errorMessage": "https:\\/\\/bob:{MIXED}@x", "a": NaN}}'
    assert_hidden(MIXED, report_outcome(CALL, Returned(200, data.encode(), "Unhandled"), 1, 4096))


def test_the_report_of_a_log_is_read_though_a_key_that_never_ends_hides_it() -> None:
    read = read_log(f"{BEGIN}\n{MIXED}\nREPORT RequestId: 1\tDuration: 5.00 ms\t".encode())

    assert read is not None
    assert read.log.text == "[redacted:private-key]"
    assert read.log.report is not None
    assert read.log.report.duration_ms == 5
