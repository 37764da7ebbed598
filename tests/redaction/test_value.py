from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.jsontools.pointer import parse_pointer
from lambda_warden.redaction.policy import Detectors
from lambda_warden.redaction.text import suspicion
from lambda_warden.redaction.value import PLACE, redact_value
from support.results import json_values

ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
KEY_MARK = "[redacted:aws-access-key]"


def shown(value: Any, *pointers: str) -> Any:
    return redact_value(value, [parse_pointer(pointer) for pointer in pointers]).value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"password": "hunter2"}, {"password": "[redacted:password]"}),
        ({"dbPassword": "two words\nand lines"}, {"dbPassword": "[redacted:password]"}),
        ({"Credentials": {"SecretAccessKey": "x"}}, {"Credentials": {"SecretAccessKey": "[redacted:secret]"}}),
        ({"SessionToken": "x"}, {"SessionToken": "[redacted:token]"}),
        ({"SecretString": '{"a":"b"}'}, {"SecretString": "[redacted:secret]"}),
        ({"api_key": ["a", "b", 1]}, {"api_key": ["[redacted:key]", "[redacted:key]", 1]}),
        ({"password": {"S": "x"}}, {"password": {"S": "[redacted:password]"}}),
        ({"name": "DB_PASSWORD", "value": "x"}, {"name": "DB_PASSWORD", "value": "[redacted:password]"}),
        ({"Key": "team", "Value": "x"}, {"Key": "team", "Value": "x"}),
        ({"Authorization": "Bearer x"}, {"Authorization": "Bearer [redacted:authorization]"}),
        ({"authorization": ["Basic x"]}, {"authorization": ["Basic [redacted:authorization]"]}),
        ({"authorization": "AWS_IAM"}, {"authorization": "AWS_IAM"}),
        ({"note": f"use {ACCESS_KEY}"}, {"note": f"use {KEY_MARK}"}),
        ({ACCESS_KEY: 1}, {KEY_MARK: 1}),
        ({ACCESS_KEY: 1, "ASIA" + ACCESS_KEY[4:]: 2}, {KEY_MARK: 1, f"{KEY_MARK} (2)": 2}),
        ({"body": '{"password":"x y"}'}, {"body": '{"password":"[redacted:password]"}'}),
        ([[ACCESS_KEY]], [[KEY_MARK]]),
        (ACCESS_KEY, KEY_MARK),
    ],
)
def test_secrets_go_and_what_they_are_for_stays(value: Any, expected: Any) -> None:
    assert shown(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"nextToken": "abc", "password": None, "token": 7, "secret": True, "api_key": "", "tokens": ["a"]},
        {"password": {"min": "8", "S": "x"}},
        {"id": "8f507cfc-6c1b-4f0e-9d3f-000000000001", "key": "a/b"},
        [1, 1.5, None, True, "", [], {}],
    ],
)
def test_a_value_without_secrets_is_the_very_same(value: Any) -> None:
    redacted = redact_value(value)

    assert redacted.value is value
    assert redacted.count == 0


@pytest.mark.parametrize("lines", [2, 40])
def test_a_private_key_whose_lines_are_items_goes_whole(lines: int) -> None:
    begin, end = (f"-----{word} RSA PRIVATE {'KEY'}-----" for word in ("BEGIN", "END"))
    mark = "[redacted:private-key]"

    key = [f"Error: {begin}", *["MIIE"] * lines, end]
    assert shown({"lines": ["a", *key, "at x"]}) == {"lines": ["a", f"Error: {mark}", *[mark] * (lines + 1), "at x"]}
    assert shown([begin, 1, ["MIIE"], "MIIE"]) == [mark, 1, ["MIIE"], mark]


def test_members_stay_in_order_and_apart_whatever_stands_between() -> None:
    between = {f"m{i}": i for i in range(50)}
    value = {"Name": "DB_PASSWORD", ACCESS_KEY: 2, **between, "ASIA" + ACCESS_KEY[4:]: 3, "Value": "x", "z": 4}
    found = shown(value)

    assert list(found) == ["Name", KEY_MARK, *between, f"{KEY_MARK} (2)", "Value", "z"]
    assert list(found.values()) == ["DB_PASSWORD", 2, *between.values(), 3, "[redacted:password]", 4]


@pytest.mark.parametrize("at", [0, 1023, 1099])
def test_one_secret_among_many_rows_is_found_wherever_it_stands(at: int) -> None:
    rows: list[Any] = [{"id": i, "note": f"note {i}", "tags": [["a"], {"x": "y"}]} for i in range(1100)]
    expected = json.loads(json.dumps(rows))
    rows[at] |= {"note": f"use {ACCESS_KEY}", "tags": [[ACCESS_KEY], {"password": "x"}]}
    expected[at] |= {"note": f"use {KEY_MARK}", "tags": [[KEY_MARK], {"password": "[redacted:password]"}]}

    redacted = redact_value({"rows": rows}, [("rows", "*", "id")])
    assert redacted.value == {"rows": [row | {"id": PLACE} for row in expected]}
    assert redacted.count == 1100 + 3


@pytest.mark.parametrize("at", [0, 262_130, 262_138, 262_144, 262_145, 524_290])
@pytest.mark.parametrize("text", [ACCESS_KEY, "db_pass=", "signing_key=", "-----BEGIN RSA PRIVATE " + "KEY-----"])
def test_what_a_long_text_may_hold_is_found_anywhere(at: int, text: str) -> None:
    found = suspicion(b"." * at + text.encode() + b"." * 300_000)
    alone = suspicion(text.encode())
    assert alone.literals
    assert found.literals >= alone.literals


ANSWER: dict[str, Any] = {
    "card": {"number": 0},
    "items": [{"ssn": 1}, {"ssn": {"a": 1}, "x": 2}],
    "": 3,
    "a/b": 4,
    "*": 5,
}


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("", PLACE),
        ("/card", {**ANSWER, "card": PLACE}),
        ("/card/number", {**ANSWER, "card": {"number": PLACE}}),
        ("/items/*/ssn", {**ANSWER, "items": [{"ssn": PLACE}, {"ssn": PLACE, "x": 2}]}),
        ("/items/1", {**ANSWER, "items": [{"ssn": 1}, PLACE]}),
        ("/", {**ANSWER, "": PLACE}),
        ("/a~1b", {**ANSWER, "a/b": PLACE}),
        ("/*", dict.fromkeys(ANSWER, PLACE)),
    ],
)
def test_what_stands_at_a_pointer_goes_whole(pointer: str, expected: Any) -> None:
    assert shown(ANSWER, pointer) == expected


@pytest.mark.parametrize("pointer", ["/Card", "/items/2", "/items/01", "/items/-", "/card/number/0", "/body/y"])
def test_a_pointer_that_leads_nowhere_changes_nothing(pointer: str) -> None:
    value: Any = {"card": {"number": 0}, "items": [1, 2], "body": '{"x":1}'}
    assert redact_value(value, [parse_pointer(pointer)]).value is value


@pytest.mark.parametrize(
    ("value", "pointer", "expected"),
    [
        (
            '{"card": {"number": 4111, "kind": "visa"}}',
            "/card/number",
            '{"card": {"number": "[redacted]", "kind": "visa"}}',
        ),
        (
            {"Payload": '{"card":{"number":4111}}'},
            "/Payload/card/number",
            {"Payload": '{"card": {"number": "[redacted]"}}'},
        ),
        ({"body": '["é", {"ssn": 1}]'}, "/body/*/ssn", {"body": '["é", {"ssn": "[redacted]"}]'}),
        (
            {"Records": [{"body": '{"Message": "{\\"ssn\\": 1}"}'}, {"body": "{}"}]},
            "/Records/*/body/Message/ssn",
            {"Records": [{"body": '{"Message": "{\\"ssn\\": \\"[redacted]\\"}"}'}, {"body": "{}"}]},
        ),
        ('"{\\"ssn\\": 1}"', "/ssn", '"{\\"ssn\\": \\"[redacted]\\"}"'),
        ({"body": '{"ssn": 1'}, "/body/ssn", {"body": PLACE}),
        ({"body": '{"ssn": 1, "ssn": 2}'}, "/body/ssn", {"body": PLACE}),
        ({"body": '{"ssn": NaN}'}, "/body/ssn", {"body": PLACE}),
        ({"body": "ssn=078051120"}, "/body/ssn", {"body": PLACE}),
        ({"body": "4111111111111111"}, "/body/number", {"body": PLACE}),
        ({"body": "[" * 100_000}, "/body/ssn", {"body": PLACE}),
        ({"status": "ok", "a": {"ssn": 1}, "b": "{x"}, "/*/ssn", {"status": "ok", "a": {"ssn": PLACE}, "b": PLACE}),
        ({"body": "null", "other": "ssn"}, "/body/ssn", {"body": "null", "other": "ssn"}),
        ({"body": '{"a":1}'}, "/body/ssn", {"body": '{"a":1}'}),
    ],
)
def test_a_pointer_leads_into_strings_that_hold_json(value: Any, pointer: str, expected: Any) -> None:
    once = shown(value, pointer)

    assert once == expected
    assert shown(once, pointer) == expected


def test_a_number_may_be_a_secret_by_its_name() -> None:
    assert shown({"pin": 1234, "cvv": 123, "pins": 1234}) == {
        "pin": "[redacted:secret]",
        "cvv": "[redacted:secret]",
        "pins": 1234,
    }
    assert shown({"pin": 13, "token": 4711, "code": 500}) == {"pin": 13, "token": 4711, "code": 500}


def test_an_operators_names_hold_for_numbers() -> None:
    own = Detectors(names=("customer number",), allow=frozenset(("pinCode", "4711")))
    told: Any = {
        "customerNumber": 47110012,
        "CUSTOMER_NUMBERS": [7, -12, 4.5, True, None],
        "pinCode": 1234,
        "pin": 4711,
    }
    assert redact_value(told, detectors=own).value == {
        "customerNumber": "[redacted:secret]",
        "CUSTOMER_NUMBERS": [*["[redacted:secret]"] * 3, True, None],
        "pinCode": 1234,
        "pin": 4711,
    }


def test_long_names_of_a_value_do_not_stay_in_memory() -> None:
    tracemalloc.start()
    try:
        for i in range(30):
            assert shown({f"{'x' * 1_000_000}{i}": "y", "password": "hunter2"})["password"] == "[redacted:password]"
        assert tracemalloc.get_traced_memory()[0] < 10_000_000
    finally:
        tracemalloc.stop()


def test_pointers_see_keys_as_they_were() -> None:
    assert shown({ACCESS_KEY: {"x": 1}}, f"/{ACCESS_KEY}/x") == {KEY_MARK: {"x": PLACE}}


def test_no_nesting_is_too_deep() -> None:
    value: Any = ACCESS_KEY
    for _ in range(100_000):
        value = [value]
    redacted: Any = redact_value(value, (), f'"{ACCESS_KEY}"'.encode()).value
    for _ in range(100_000):
        (redacted,) = redacted
    assert redacted == KEY_MARK


_POINTERS = st.lists(
    st.lists(st.text(max_size=3) | st.sampled_from(["*", "0", "1", "in"]), max_size=3).map(tuple), max_size=3
)


@given(json_values, _POINTERS)
def test_a_value_is_redacted_once_and_left_as_it_was(value: Any, pointers: list[tuple[str, ...]]) -> None:
    before = json.dumps(value)
    once = redact_value(value, pointers)

    assert json.dumps(value) == before
    assert redact_value(json.loads(before), pointers, owned=True) == once
    assert redact_value(once.value, pointers).value == once.value
    assert (once.count > 0) or once.value is value
