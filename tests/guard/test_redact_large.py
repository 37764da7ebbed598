"""In large values only what may be secret is looked at closely: the same is found as in small ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.redaction.text import suspicion
from lambda_warden.redaction.value import PLACE, redact_value
from support.results import json_values

ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
MARK = "[redacted:aws-access-key]"
PADS: list[Any] = [{"n": i} for i in range(50)]
SECRETS: list[tuple[Any, Any]] = [
    ({"password": "x"}, {"password": "[redacted:password]"}),
    ({"api_key": ["a"] * 40}, {"api_key": ["[redacted:key]"] * 40}),
    ({"authorization": ["Basic x"] * 40}, {"authorization": ["Basic [redacted:authorization]"] * 40}),
    ({"password": [[{"S": "x"}]] * 40}, {"password": [[{"S": "[redacted:password]"}]] * 40}),
    ({ACCESS_KEY: 1}, {MARK: 1}),
    ([f"use {ACCESS_KEY}"], [f"use {MARK}"]),
]


@pytest.mark.parametrize(("secret", "shown"), SECRETS)
def test_a_secret_among_many_items_or_members_goes(secret: Any, shown: Any) -> None:
    names = [f"m{i}" for i in range(50)]
    for levels in range(8):
        assert redact_value([*PADS, secret, *PADS]).value == [*PADS, shown, *PADS]
        assert redact_value(dict(zip(names, PADS, strict=True)) | {"z": secret}).value == (
            dict(zip(names, PADS, strict=True)) | {"z": shown}
        )
        secret, shown = [*PADS[:levels], secret, *PADS], [*PADS[:levels], shown, *PADS]


def test_a_name_far_from_its_value_names_it() -> None:
    pads: dict[str, Any] = {f"m{i}": i for i in range(50)}
    value: dict[str, Any] = {"Name": "DB_PASSWORD", **pads, "Value": "x"}

    assert redact_value(value).value == {**value, "Value": "[redacted:password]"}


def test_a_private_key_that_is_an_array_of_many_lines_goes_whole() -> None:
    begin, end = (f"-----{word} RSA PRIVATE {'KEY'}-----" for word in ("BEGIN", "END"))
    lines: list[Any] = ["a"] * 40 + [begin] + ["MIIE"] * 40 + [end] + ["b"] * 40
    shown: Any = redact_value({"lines": lines}).value

    assert shown["lines"] == ["a"] * 40 + ["[redacted:private-key]"] * 42 + ["b"] * 40


def test_keys_that_are_secrets_stay_apart_and_in_order_among_many() -> None:
    value: dict[str, Any] = {
        "a": 1,
        ACCESS_KEY: 2,
        **{f"m{i}": i for i in range(50)},
        "ASIA" + ACCESS_KEY[4:]: 3,
        "z": 4,
    }
    shown: Any = redact_value(value).value

    assert list(shown) == ["a", MARK, *(f"m{i}" for i in range(50)), f"{MARK} (2)", "z"]
    assert list(shown.values()) == list(value.values())


@pytest.mark.parametrize("secret", ["password", "n"])
def test_places_are_found_among_many(secret: str) -> None:
    rows: list[Any] = [{"ssn": i, secret: "x"} for i in range(60)]
    shown: Any = redact_value({"rows": rows}, [("rows", "*", "ssn"), ("rows", "7")]).value

    kept = {"password": "[redacted:password]"} if secret == "password" else {"n": "x"}
    assert shown["rows"] == [PLACE if i == 7 else {"ssn": PLACE, **kept} for i in range(60)]


@given(json_values, st.sampled_from(SECRETS), st.integers(0, 2))
def test_any_value_is_redacted_as_it_would_be_alone(value: Any, secret: tuple[Any, Any], levels: int) -> None:
    value = [value, secret[0]]
    alone = redact_value(value)
    large, expected = value, alone.value
    for _ in range(levels):
        large, expected = [*PADS, large], [*PADS, expected]

    before = json.dumps(large)
    assert redact_value(large).value == expected
    assert redact_value(large).count == alone.count
    assert json.dumps(large) == before
    assert redact_value(large, owned=True).value == expected


@pytest.mark.parametrize("at", [0, 262_130, 262_138, 262_144, 262_145, 524_280, 524_290])
@pytest.mark.parametrize("text", [ACCESS_KEY, "db_pass", "signing_key", "-----BEGIN RSA PRIVATE " + "KEY-----"])
def test_what_a_long_text_may_hold_is_found_anywhere(at: int, text: str) -> None:
    found = suspicion(b"." * at + text.encode() + b"." * 300_000)
    assert found == suspicion(text.encode())
    assert found
