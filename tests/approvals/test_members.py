"""A person reads every short member of a payload, whatever stands beside it."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_warden.approvals.members import DEPTH, LONG_SHOWN, LOOKED_AT, SHORT_SHOWN, MemberLines, member_lines, parse
from lambda_warden.approvals.request import approval_request
from lambda_warden.model.caller import Caller
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.request import EncodedRequest
from support.builders import ref

RULE = FunctionRule.model_validate(
    {
        "arn": ref().function_arn,
        "qualifiers": ["live"],
        "invocation_types": ["RequestResponse"],
        "effect": "destructive",
    }
)
long_texts = st.sampled_from(["x" * 5000, "\u2800" * 300, "\u200b\u200c" * 200, "\n" * 3000, "a" * 101])
keys = st.text("abc/~\u202e\u0430", min_size=1, max_size=6)
others = st.recursive(
    long_texts | st.integers(0, 9),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(keys, part, max_size=3),
    max_leaves=8,
)


def lines_of(payload: bytes) -> MemberLines:
    return member_lines(parse(payload))


def question(payload: Any, context: bytes | None = None) -> str:
    encoded = EncodedRequest(
        payload=json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(),
        client_context=None if context is None else base64.b64encode(context).decode(),
        invocation_type="RequestResponse",
        log_tail=True,
        tenant_id=None,
        durable_execution_name=None,
        wait_seconds=60,
    )
    return approval_request(ref(), RULE, encoded, Caller()).text


@settings(max_examples=60)
@given(
    st.lists(keys, min_size=1, max_size=DEPTH),
    st.dictionaries(keys, others, max_size=5),
    st.sampled_from(["12.50", "1E400", "7", "true", "null", '"A-1"', "[]"]),
)
def test_a_short_member_is_read_whatever_the_others_are(path: list[str], beside: dict[str, Any], value: str) -> None:
    text = value
    for key in reversed(path[1:]):
        text = f"{{{json.dumps(key, ensure_ascii=False)}:{text}}}"
    members = [f"{json.dumps(key)}:{json.dumps(member)}" for key, member in beside.items() if key != path[0]]
    payload = "{" + ",".join([*members, f"{json.dumps(path[0])}:{text}"]) + "}"
    lines = lines_of(payload.encode())
    assert lines.more_short == 0
    assert any(line.startswith("/") and line.endswith(f": {value}") for line in lines.short)


@settings(max_examples=30)
@given(st.dictionaries(keys, others, max_size=5))
def test_a_question_is_bounded_and_shows_what_is_hidden(payload: dict[str, Any]) -> None:
    shown = question(payload | {"amount": 4711})
    assert "amount: 4711" in shown or '"amount":4711' in shown
    assert len(shown) < 24_000
    assert all(each.isprintable() for each in shown if each != "\n")


def test_members_beyond_those_listed_are_counted() -> None:
    payload = {f"decoy{i}": i for i in range(SHORT_SHOWN + 41)} | {f"long{i}": "x" * 999 for i in range(LONG_SHOWN + 7)}
    shown = question(payload | {"amount": 4711})
    assert "Careful: 42 more of these are not listed here." in shown
    assert "Careful: 7 more of these are not listed here." in shown
    assert '"amount":4711}' in shown, "it stands at the end of the payload, which is shown"


def test_of_a_payload_with_very_many_members_the_first_are_looked_at_and_the_rest_is_counted() -> None:
    for payload, unseen in (
        ([1] * (LOOKED_AT + 5), 5),
        ([[[]] * 10] * LOOKED_AT, LOOKED_AT * 10),
        ({"a": [{"b": 1}] * (LOOKED_AT + 5), "z": 1}, 7 + LOOKED_AT - 2),
        ([{}] * LOOKED_AT, 0),
    ):
        assert lines_of(json.dumps(payload).encode()).unseen == unseen
    assert "Careful: 5 more members, and all in them, were not looked at" in question([1] * (LOOKED_AT + 5))
    assert "not looked at" not in question([1] * LOOKED_AT)
    long = {f"note{i}": "x" * 101 for i in range(LOOKED_AT + 5)}
    assert "/amount: 4711" in question({**long, "amount": 4711, "z": "x" * 4000}), "long members keep none off the list"


def test_numbers_are_listed_as_they_are_written() -> None:
    assert lines_of(b"[12.50,-0,1E400," + b"9" * 5000 + b"]").short == ("/0: 12.50", "/1: -0", "/2: 1E400")


def test_members_of_deep_levels_are_listed_behind_the_outer_ones_or_counted() -> None:
    deep = {"z": "A" * 4000, "deep": {"a": {"b": {"amount": 900000}}}, "y": "B" * 4000}
    shown = question(deep)
    assert "/deep/a/b/amount: 900000" in shown
    assert "not listed here" not in shown

    crowded = question(deep | {"decoys": list(range(SHORT_SHOWN - 1)), "id": 7})
    assert "/id: 7\n" in crowded
    assert "/decoys/58: 58\n" in crowded
    assert "amount: 900000" not in crowded
    assert "Careful: 1 more of these are not listed here." in crowded


def test_members_below_the_levels_that_are_listed_are_counted() -> None:
    nested: Any = {"amount": 900000}
    for _ in range(DEPTH):
        nested = {"in": nested}
    shown = question({"z": "A" * 4000, "y": "B" * 4000} | nested)
    assert f"Careful: members at 1 place deeper than {DEPTH} levels are not listed here." in shown
    assert "levels are not listed" not in question({"z": "A" * 9000} | nested["in"])


def test_a_deep_member_with_long_keys_has_a_short_line_with_its_last_keys() -> None:
    (line,) = lines_of(('{"' + "k" * 45 + '":').encode() * 6 + b'{"amount":1}' + b"}" * 6).short
    assert line == f"/{'k' * 45}/… (4 more keys)/{'k' * 45}/amount: 1"


def test_a_long_member_has_its_size_and_digest() -> None:
    (line,) = lines_of(json.dumps({"note": "x" * 5000}).encode()).long
    assert line.startswith('/note: "xxx')
    assert "(5,000 characters, SHA-256 " in line


def test_a_key_that_is_long_leaves_its_value_in_sight() -> None:
    (line,) = lines_of(json.dumps({"k" * 5000: 1}).encode()).short
    assert line.endswith(": 1")
    assert len(line) < 120


def test_what_is_no_json_has_no_members() -> None:
    for data in (b"", b"{", b"\xff", b"[" * 100_000, b"1", b'"x"'):
        assert lines_of(data).short == lines_of(data).long == ()


def test_a_client_context_stands_behind_the_payload_and_is_shown_alike() -> None:
    shown = question(
        {"amount": 4711}, json.dumps({"custom": {"a": "\u2800" * 600, "tier": "gold"}}, ensure_ascii=False).encode()
    )
    assert shown.index("4711") < shown.index("Client context (")
    assert "600 hidden characters are shown as" in shown
    assert "tier" in shown
