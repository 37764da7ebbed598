"""What is sent is exactly what was asked for, within Lambda's limits, or nothing is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import JsonValue

from lambda_warden.errors import ArgumentError
from lambda_warden.guard.decide import decide, match_rule
from lambda_warden.guard.encode import encode, settle
from lambda_warden.model.caller import Caller
from lambda_warden.model.request import EncodedRequest, InvokeArguments
from support.builders import ref, rule, rules
from support.strategies import json_values

SIX_MB = 6 * 1024 * 1024
ONE_MB = 1024 * 1024


def encoded(**arguments: Any) -> EncodedRequest:
    return encode(InvokeArguments(function="f", **arguments))


def refusal(**arguments: Any) -> ArgumentError:
    with pytest.raises(ArgumentError) as caught:
        encoded(**arguments)
    return caught.value


def holds_a_json_container(value: JsonValue) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return isinstance(json.loads(value), dict | list)
    except ValueError:
        return False


# Payloads


@given(json_values)
def test_any_json_value_reaches_the_function_unchanged(value: JsonValue) -> None:
    assume(value is not None and not holds_a_json_container(value))
    payload = encoded(payload=value).payload
    assert payload is not None
    # repr tells 1, 1.0 and True apart, and keeps the order of keys.
    assert repr(json.loads(payload)) == repr(value)


@pytest.mark.parametrize(
    ("value", "payload"),
    [
        ("plain text", b'"plain text"'),
        ("", b'""'),
        ("7", b'"7"'),
        ("null", b'"null"'),
        ('"quoted"', b'"\\"quoted\\""'),
        (False, b"false"),
        (True, b"true"),
        (0, b"0"),
        (1.5, b"1.5"),
        (10**30, b"1" + b"0" * 30),
        ([], b"[]"),
        ({}, b"{}"),
        ({"b": [1, None], "a": "é\u2028"}, '{"b":[1,null],"a":"é\u2028"}'.encode()),
    ],
    ids=lambda part: None if isinstance(part, bytes) else ascii(part),
)
def test_a_payload_is_compact_json_in_utf8(value: JsonValue, payload: bytes) -> None:
    assert encoded(payload=value).payload == payload


def test_no_payload_and_null_send_none() -> None:
    assert encoded().payload is None
    assert encoded(payload=None).payload is None


@pytest.mark.parametrize("kind", ["RequestResponse", "DryRun", "Event"])
@pytest.mark.parametrize("argument", ["payload", "payload_base64"])
def test_the_payload_limit_is_6_mb_and_1_mb_for_an_event(kind: str, argument: str) -> None:
    limit = ONE_MB if kind == "Event" else SIX_MB

    def payload_of(size: int) -> str:
        text = "x" * (size - 2)
        return text if argument == "payload" else base64.b64encode(f'"{text}"'.encode()).decode()

    payload = encoded(invocation_type=kind, **{argument: payload_of(limit)}).payload
    assert payload is not None
    assert len(payload) == limit
    error = refusal(invocation_type=kind, **{argument: payload_of(limit + 1)})
    assert error.argument == argument
    assert error.problem == f"is {limit + 1:,} bytes"
    assert error.expected.startswith(f"at most {limit:,} bytes for {kind}")


def test_the_payload_limit_counts_bytes_and_not_characters() -> None:
    assert refusal(invocation_type="Event", payload="é" * (ONE_MB // 2)).problem == f"is {ONE_MB + 2:,} bytes"


@given(st.binary())
def test_payload_base64_sends_its_exact_bytes(data: bytes) -> None:
    assert encoded(payload_base64=base64.b64encode(data).decode()).payload == data


@pytest.mark.parametrize(
    "text",
    ["e30", "e3", "e", "e30==", "e30=e30=", "e30=\n", "e3\n0=", " e30=", "e3 0=", "====", "_-_-", "é30=", "e30=\ud800"],
    ids=[
        "no padding",
        "two characters",
        "one character",
        "padding too long",
        "two texts",
        "newline behind",
        "line break",
        "space in front",
        "space within",
        "padding alone",
        "URL alphabet",
        "not ASCII",
        "lone surrogate",
    ],
)
def test_what_is_not_standard_base64_is_refused(text: str) -> None:
    error = refusal(payload_base64=text)
    assert error.argument == "payload_base64"
    assert error.problem == "is not base64"
    assert error.expected == "standard base64 with padding and no line breaks"


@pytest.mark.parametrize("payload", [{"a": 1}, [], False, 0, "x"])
@pytest.mark.parametrize("argument", ["payload_json", "payload_base64"])
def test_two_payloads_are_refused(payload: JsonValue, argument: str) -> None:
    error = refusal(payload=payload, **{argument: "e30="})
    assert error.argument == argument
    assert error.problem == "is given beside payload"
    assert error.expected == "one of the two"


def test_json_text_and_base64_are_two_payloads_too() -> None:
    assert refusal(payload_json="{}", payload_base64="e30=").problem == "is given beside payload_json"
    assert refusal(payload={}, payload_json="{}", payload_base64="e30=").problem == "is given beside payload_json"


def test_an_empty_object_beside_another_payload_is_what_a_strict_schema_makes_a_model_write() -> None:
    assert encoded(payload={}, payload_json="[1]").payload == b"[1]"
    assert encoded(payload={}, payload_base64="MQ==").payload == b"1"
    assert encoded(payload={}).payload == b"{}"


@pytest.mark.parametrize(
    "text", ["{}", "[1, 2]", '"text"', '"{\\"id\\": 1}"', "1.0", "1e2", "null", ' {"b": 1,\n "a": "é"} ', "0"]
)
def test_payload_json_sends_exactly_its_text(text: str) -> None:
    assert encoded(payload_json=text).payload == text.encode()
    assert encoded(payload_json=text).payload_text is None


@pytest.mark.parametrize(
    "text", ["{", "{'a': 1}", "text", "NaN", '{"a": 1, "a": 2}', "1e999", "[" * 10_000, '"\ud800"']
)
def test_payload_json_that_is_not_json_or_in_doubt_is_refused(text: str) -> None:
    error = refusal(payload_json=text)
    assert error.argument == "payload_json"
    assert error.problem.startswith("is not JSON: ")


TEXTS = ['{"id": 1}', "{}", "[]", "[1, 2]", ' \n\t{"id": 1}\n']


def settled(text: str, schema: dict[str, Any] | None) -> EncodedRequest:
    """The request with this text as its payload, for a function whose rule has this schema."""
    made = rules(rule("f", payload={} if schema is None else {"schema": schema}))
    return settle(encoded(payload=text), match_rule(ref("f"), made))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("schema", [None, {}, {"type": ["string", "object", "array"]}], ids=["no", "empty", "both"])
def test_a_string_that_holds_a_json_container_is_refused_where_either_may_be_meant(
    text: str, schema: dict[str, Any] | None
) -> None:
    with pytest.raises(ArgumentError) as caught:
        settled(text, schema)
    assert caught.value.argument == "payload"
    assert caught.value.problem == "is a string that holds JSON text, so it is in doubt which of the two is meant"
    assert "the JSON value itself" in caught.value.expected
    assert "payload_json" in caught.value.expected


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": ["object", "array"], "required": ["n"]},
        {"anyOf": [{"type": "array"}, {"type": "null"}]},
    ],
)
def test_it_is_what_it_says_where_the_schema_admits_no_string(text: str, schema: dict[str, Any]) -> None:
    request = settled(text, schema)
    assert (request.payload, request.payload_text) == (text.encode(), None)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("schema", [{"type": "string"}, {"maxLength": 20, "type": ["string", "null"]}])
def test_it_is_the_string_where_the_schema_admits_nothing_else(text: str, schema: dict[str, Any]) -> None:
    request = settled(text, schema)
    assert (request.payload, request.payload_text) == (json.dumps(text).encode(), None)


def test_what_is_not_quite_json_is_in_doubt_where_no_schema_tells_and_else_the_string_if_that_fits() -> None:
    with pytest.raises(ArgumentError):
        settled('{"n": NaN}', None)
    assert settled('{"n": NaN}', {"type": ["string", "object"]}).payload == b'"{\\"n\\": NaN}"'
    denied = settled('{"n": NaN}', {"type": "object"})
    assert not decide(ref("f"), denied, rules(rule("f", payload={"schema": {"type": "object"}}))).decision.allowed


def test_what_it_is_follows_from_the_string_itself_and_not_from_its_type_alone() -> None:
    schema = {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "object"}]}
    assert settled('{"id": 1}', schema).payload == b'{"id": 1}'
    with pytest.raises(ArgumentError):
        settled("{ }", schema)


def test_what_is_denied_already_is_not_looked_into() -> None:
    request, made = encoded(payload="{}"), rules(rule("f", principals=["ops"]))
    assert settle(request, match_rule(ref("g"), made)) == request
    assert settle(request, match_rule(ref("f"), made, Caller("other"))) == request


def test_what_is_in_doubt_still_is_never_allowed() -> None:
    assert not decide(ref("f"), encoded(payload="{}"), rules(rule("f"))).decision.allowed


@given(json_values)
def test_a_payload_that_is_in_no_doubt_stays_as_it_is(value: JsonValue) -> None:
    assume(not holds_a_json_container(value))
    request = encoded(payload=value)
    assert settle(request, match_rule(ref("f"), rules(rule("f")))) == request


@pytest.mark.parametrize("text", ["{", "[x]", "{not json}", "[1] and more", "{'a': 1}", "[" * 100_000])
def test_a_string_that_only_looks_like_a_json_container_is_sent_as_the_string(text: str) -> None:
    assert encoded(payload=text).payload == json.dumps(text).encode()
    assert encoded(payload=text).payload_text is None


NOT_JSON: dict[str, JsonValue] = {
    "NaN": float("nan"),
    "infinity": float("inf"),
    "NaN deep within": {"a": [float("nan")]},
    "lone surrogate": "\ud800",
    "lone surrogate within": ["a\udfffb"],
    "lone surrogate in a key": {"\ud800": 1},
    "an integer too long to write": 10**5000,
}


@pytest.mark.parametrize("value", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_json_cannot_say_is_refused(value: JsonValue) -> None:
    error = refusal(payload=value)
    assert error.argument == "payload"
    assert error.problem == "can't be written as JSON"
    assert error.expected.startswith("JSON without NaN, infinity, lone surrogates")
    assert refusal(client_context={"custom": value}).argument == "client_context"


# Client context


@given(st.dictionaries(st.text(), json_values, max_size=3))
def test_a_client_context_is_sent_as_base64_of_its_json(context: dict[str, JsonValue]) -> None:
    sent = encoded(client_context=context).client_context
    assert sent is not None
    assert repr(json.loads(base64.b64decode(sent, validate=True))) == repr(context)


def test_an_empty_client_context_is_sent_and_an_absent_one_is_not() -> None:
    assert encoded(client_context={}).client_context == base64.b64encode(b"{}").decode()
    assert encoded().client_context is None


def test_a_client_context_may_have_3583_bytes_of_base64() -> None:
    # Base64 comes in fours: 3,580 is the largest that fits, and 3,584 the next.
    def context_of(json_bytes: int) -> dict[str, str]:
        return {"a": "x" * (json_bytes - len('{"a":""}'))}

    sent = encoded(client_context=context_of(3580 // 4 * 3)).client_context
    assert sent is not None
    assert len(sent) == 3580
    error = refusal(client_context=context_of(3580 // 4 * 3 + 1))
    assert error.argument == "client_context"
    assert error.problem == "is 3,584 bytes as base64"
    assert error.expected.startswith("at most 3,583 bytes")


def test_an_event_takes_no_client_context() -> None:
    error = refusal(invocation_type="Event", client_context={})
    assert error.argument == "client_context"
    assert error.problem == "is given with Event"
    assert error.expected.startswith("no client context")


# The rest


@pytest.mark.parametrize(
    ("invocation_type", "log_type", "asked"),
    [
        ("RequestResponse", "Tail", True),
        ("RequestResponse", "None", False),
        ("Event", "Tail", False),
        ("Event", "None", False),
        ("DryRun", "Tail", False),
        ("DryRun", "None", False),
    ],
)
def test_the_log_tail_is_asked_for_where_there_is_an_answer_to_carry_it(
    invocation_type: str, log_type: str, asked: bool
) -> None:
    assert encoded(invocation_type=invocation_type, log_type=log_type).log_tail is asked


@pytest.mark.parametrize("invocation_type", ["RequestResponse", "Event", "DryRun"])
def test_what_needs_no_encoding_is_carried_over(invocation_type: str) -> None:
    sent = encoded(
        invocation_type=invocation_type, tenant_id="tenant-1", durable_execution_name="order-7", timeout_seconds=30
    )
    assert sent.invocation_type == invocation_type
    assert (sent.tenant_id, sent.durable_execution_name, sent.wait_seconds) == ("tenant-1", "order-7", 30)
    bare = encoded()
    assert (bare.tenant_id, bare.durable_execution_name, bare.wait_seconds) == (None, None, None)
