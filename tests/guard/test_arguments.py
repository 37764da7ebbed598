"""Arguments are taken as they are, or refused with their name and the form that would be right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from pydantic import BaseModel, JsonValue

from lambda_warden.errors import ArgumentError
from lambda_warden.guard.arguments import parse_arguments
from lambda_warden.model.request import InvokeArguments, ListArguments, ReadLogsArguments, ReadResultArguments
from support.strategies import json_values


def refusal(arguments: dict[str, Any], model: type[BaseModel] = InvokeArguments) -> ArgumentError:
    with pytest.raises(ArgumentError) as caught:
        parse_arguments(model, arguments)
    return caught.value


def test_only_the_function_is_required_and_the_rest_has_the_defaults_of_aws_lambda_invoke() -> None:
    arguments = parse_arguments(InvokeArguments, {"function": "f"})
    assert arguments.function == "f"
    assert (arguments.qualifier, arguments.payload) == (None, None)
    assert (arguments.payload_json, arguments.payload_base64) == (None, None)
    assert (arguments.invocation_type, arguments.log_type) == ("RequestResponse", "Tail")
    assert (arguments.client_context, arguments.tenant_id) == (None, None)
    assert (arguments.durable_execution_name, arguments.timeout_seconds) == (None, None)
    assert (arguments.idempotency_key, arguments.query) == (None, None)


def test_every_argument_is_taken_as_it_stands() -> None:
    given_arguments = {
        "function": " f\n",
        "qualifier": "07",
        "payload": {"n": 1.0, "s": "1", "b": True, "list": [None]},
        "payload_json": "[1.0]",
        "payload_base64": "e30=",
        "invocation_type": "Event",
        "log_type": "None",
        "client_context": {"client": {"id": 1}},
        "tenant_id": "a b.c_d:e/f=g+h-i@j",
        "durable_execution_name": "order_7-a",
        "timeout_seconds": 5460,
        "idempotency_key": "order-7/a:b@c",
        "query": "refund.id",
        "wait_seconds": 0,
        "after_unknown": "0" * 32,
        "reason": " they asked ",
    }
    assert parse_arguments(InvokeArguments, given_arguments).model_dump() == given_arguments


MODELS: list[type[BaseModel]] = [InvokeArguments, ListArguments, ReadLogsArguments, ReadResultArguments]
OPTIONAL = [(model, name) for model in MODELS for name, field in model.model_fields.items() if not field.is_required()]
REQUIRED = [(InvokeArguments, "function"), (ReadResultArguments, "invocation_id")]
NEEDED = {"function": "f", "invocation_id": "0" * 32}


def needed(model: type[BaseModel]) -> dict[str, Any]:
    return {name: NEEDED[name] for name, field in model.model_fields.items() if field.is_required()}


@pytest.mark.parametrize(("model", "name"), OPTIONAL, ids=lambda part: getattr(part, "__name__", part))
@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty"])
def test_null_and_the_empty_string_mean_that_an_optional_argument_is_not_given(
    model: type[BaseModel], name: str, nothing: str | None
) -> None:
    assert parse_arguments(model, needed(model) | {name: nothing}) == parse_arguments(model, needed(model))


def test_hosts_may_send_null_or_nothing_for_every_optional_argument() -> None:
    for model in MODELS:
        for nothing in (None, ""):
            everything = dict.fromkeys(model.model_fields, nothing) | needed(model)
            assert parse_arguments(model, everything) == parse_arguments(model, needed(model))


@pytest.mark.parametrize(("model", "name"), REQUIRED)
@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty"])
def test_a_required_argument_is_given_or_refused(model: type[BaseModel], name: str, nothing: str | None) -> None:
    assert refusal({name: nothing}, model).argument == name


@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty"])
def test_an_unknown_argument_is_refused_also_without_a_value(nothing: str | None) -> None:
    assert refusal({"function": "f", "qualifer": nothing}).problem == "is not an argument of this tool"


@pytest.mark.parametrize("value", [0, False, [], {}, " "])
def test_other_values_that_are_little_are_values(value: JsonValue) -> None:
    assert parse_arguments(InvokeArguments, {"function": "f", "payload": value}).payload == value


def test_a_client_context_may_come_as_json_text() -> None:
    text = ' {"client": {"id": 1.0}, "custom": "{}"}'
    parsed = parse_arguments(InvokeArguments, {"function": "f", "client_context": text})
    assert parsed.client_context == {"client": {"id": 1.0}, "custom": "{}"}


@given(json_values.filter(lambda value: value != ""))
def test_the_payload_may_be_any_json_value_and_is_not_changed(value: JsonValue) -> None:
    assert repr(parse_arguments(InvokeArguments, {"function": "f", "payload": value}).payload) == repr(value)


@pytest.mark.parametrize(
    ("unknown", "near"),
    [
        ("qualifer", "qualifier"),
        ("Qualifier", "qualifier"),
        ("payloads", "payload"),
        ("invocationType", "invocation_type"),
        ("timeout", "timeout_seconds"),
        ("function_name", "function"),
    ],
)
def test_an_unknown_argument_is_refused_with_the_known_one_it_resembles(unknown: str, near: str) -> None:
    error = refusal({"function": "f", unknown: "x"})
    assert unknown in error.argument
    assert error.problem == "is not an argument of this tool"
    assert error.expected.startswith(f"'{near}', perhaps")


def test_an_unknown_argument_like_no_other_is_refused_with_the_known_ones() -> None:
    error = refusal({"function": "f", "zzzz": 1})
    assert "zzzz" in error.argument
    assert "perhaps" not in error.expected
    assert error.expected.endswith(": " + ", ".join(InvokeArguments.model_fields))


def test_the_known_arguments_are_those_of_the_tool_that_was_called() -> None:
    error = refusal({"regon": "us-east-1"}, ListArguments)
    assert error.expected.startswith("'region', perhaps")
    assert error.expected.endswith("name_contains, account, region, effect, limit, cursor")


def test_the_name_of_an_unknown_argument_is_shown_escaped_and_cut() -> None:
    error = refusal({"function": "f", "\u202e" + "x" * 10_000: 1})
    assert str(error).isascii()
    assert len(error.argument) < 200


def test_a_missing_function_is_named() -> None:
    error = refusal({})
    assert (error.argument, error.problem) == ("function", "is missing")


WRONG_TYPES: dict[str, tuple[str, Any, str]] = {
    "function as a number": ("function", 7, "a string"),
    "function as null": ("function", None, "a string"),
    "function as a list": ("function", ["f"], "a string"),
    "qualifier as a number": ("qualifier", 7, "a string"),
    "qualifier as true": ("qualifier", True, "a string"),
    "payload_base64 as an object": ("payload_base64", {}, "a string"),
    "invocation_type in small letters": ("invocation_type", "event", "'RequestResponse', 'Event' or 'DryRun'"),
    "invocation_type as a list": ("invocation_type", ["Event"], "'RequestResponse', 'Event' or 'DryRun'"),
    "log_type in small letters": ("log_type", "tail", "'Tail' or 'None'"),
    "client_context as text": ("client_context", "web", "a JSON object"),
    "client_context as JSON text of an array": ("client_context", "[]", "a JSON object"),
    "client_context as text with a key twice": ("client_context", '{"a": 1, "a": 2}', "a JSON object"),
    "client_context as text with a lone surrogate": ("client_context", '{"a": "\ud800"}', "a JSON object"),
    "payload_json as an object": ("payload_json", {}, "a string"),
    "client_context as an array": ("client_context", [], "a JSON object"),
    "client_context as a number": ("client_context", 1, "a JSON object"),
    "tenant_id as a number": ("tenant_id", 5, "a string"),
    "durable_execution_name as false": ("durable_execution_name", False, "a string"),
    "timeout_seconds as text": ("timeout_seconds", "60", "an integer"),
    "timeout_seconds as a float": ("timeout_seconds", 60.0, "an integer"),
    "timeout_seconds as NaN": ("timeout_seconds", float("nan"), "an integer"),
    "timeout_seconds as true": ("timeout_seconds", True, "an integer"),
    "timeout_seconds as an array": ("timeout_seconds", [60], "an integer"),
}


@pytest.mark.parametrize(("argument", "value", "expected"), WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_a_value_of_another_type_is_refused_and_not_coerced(argument: str, value: Any, expected: str) -> None:
    error = refusal({"function": "f"} | {argument: value})
    assert error.argument == argument
    assert error.expected.endswith(expected)


@pytest.mark.parametrize(
    ("value", "named"),
    [(True, "boolean"), (1.5, "number (1.5)"), ([1], "array"), ({}, "object"), ("60", "'60'")],
    ids=["boolean", "number", "array", "object", "string"],
)
def test_a_refusal_says_what_was_given_in_json_words(value: Any, named: str) -> None:
    assert named in refusal({"function": "f", "timeout_seconds": value}).problem


def test_a_refusal_shows_a_long_string_cut() -> None:
    error = refusal({"function": "f", "timeout_seconds": "x" * 10_000})
    assert len(str(error)) < 300


@pytest.mark.parametrize(
    "value",
    [object(), (1, 2), {1: 2}, b"{}", {"a": {1, 2}}],
    ids=["object", "tuple", "key that is no text", "bytes", "set within"],
)
def test_what_json_cannot_hold_is_no_payload(value: Any) -> None:
    assert refusal({"function": "f", "payload": value}).argument == "payload"


def test_a_payload_nested_beyond_all_reason_is_refused() -> None:
    nested: JsonValue = []
    for _ in range(100_000):
        nested = [nested]
    assert refusal({"function": "f", "payload": nested}).argument == "payload"


LIMITS: dict[str, tuple[str, Any, Any, str]] = {
    "shortest function": ("function", "f", "", "at least 1 character"),
    "shortest timeout": ("timeout_seconds", 1, 0, "greater than or equal to 1"),
    "longest timeout": ("timeout_seconds", 5460, 5461, "less than or equal to 5460"),
    "timeout of any size": ("timeout_seconds", 5460, 10**400, "less than or equal to 5460"),
    "longest tenant": ("tenant_id", "t" * 256, "t" * 257, "at most 256 characters"),
    "longest durable execution name": ("durable_execution_name", "d" * 64, "d" * 65, "at most 64 characters"),
    "longest idempotency key": ("idempotency_key", "k" * 128, "k" * 129, "at most 128 characters"),
}


@pytest.mark.parametrize(("argument", "allowed", "refused", "expected"), LIMITS.values(), ids=LIMITS.keys())
def test_a_limit_is_allowed_and_one_beyond_is_refused(argument: str, allowed: Any, refused: Any, expected: str) -> None:
    parsed = parse_arguments(InvokeArguments, {"function": "f"} | {argument: allowed})
    assert getattr(parsed, argument) == allowed
    error = refusal({"function": "f"} | {argument: refused})
    assert error.argument == argument
    assert expected in error.expected


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("tenant_id", "tenant\n"),
        ("tenant_id", "tenant!"),
        ("tenant_id", " tenant"),
        ("tenant_id", "tenant "),
        ("tenant_id", "t\u00e9nant"),
        ("tenant_id", "a\r\nX-Header: 1"),
        ("durable_execution_name", "order 7"),
        ("durable_execution_name", "order-7\n"),
        ("durable_execution_name", "order.7"),
        ("function", "\ud800"),
    ],
)
def test_characters_that_aws_does_not_take_are_refused(argument: str, value: str) -> None:
    error = refusal({"function": "f"} | {argument: value})
    assert error.argument == argument
    assert str(error).isascii()


@pytest.mark.parametrize(
    ("argument", "allowed", "refused", "expected"),
    [
        ("limit", 1, 0, "greater than or equal to 1"),
        ("limit", 50, 51, "less than or equal to 50"),
        ("limit", 20, "20", "an integer"),
        ("limit", 20, True, "an integer"),
        ("effect", "destructive", "Destructive", "'read', 'write' or 'destructive'"),
        ("name_contains", "n" * 64, "n" * 65, "at most 64 characters"),
        ("account", "123456789012", 123456789012, "a string"),
        ("account", "000000000000", "12345678901", "[0-9]{12}"),
        ("region", "us-gov-east-1", ["us-gov-east-1"], "a string"),
        ("region", "us-east-1", "us-east-1\n", "[0-9]+$"),
        ("cursor", "c", 1, "a string"),
    ],
)
def test_the_arguments_of_a_listing_have_their_limits_too(
    argument: str, allowed: Any, refused: Any, expected: str
) -> None:
    assert getattr(parse_arguments(ListArguments, {argument: allowed}), argument) == allowed
    error = refusal({argument: refused}, ListArguments)
    assert error.argument == argument
    assert expected in error.expected
