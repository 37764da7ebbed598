"""One message, read: what can't be served is told apart from what is owed an answer, and by whose id."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from lambda_warden.transport.messages import MESSAGE_BYTES, UnreadableError, read_message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
IDS = st.integers(-(2**63), 2**63) | st.text(max_size=12)


def read(message: object) -> JSONRPCMessage:
    return read_message(json.dumps(message).encode())


def refused(data: bytes) -> UnreadableError:
    with pytest.raises(UnreadableError) as caught:
        read_message(data)
    return caught.value


@given(IDS, st.text(max_size=20), st.dictionaries(st.text(max_size=8), JSON, max_size=3))
def test_a_request_is_read_as_it_was_written(request_id: int | str, method: str, params: dict[str, Any]) -> None:
    message = read({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
    assert message == JSONRPCRequest(jsonrpc="2.0", id=request_id, method=method, params=params)


def outcome(data: bytes) -> JSONRPCMessage | UnreadableError:
    try:
        return read_message(data)
    except UnreadableError as error:
        return error


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    read_as = outcome(data)
    if isinstance(read_as, UnreadableError):
        assert json.loads(read_as.answer.model_dump_json(by_alias=True, exclude_unset=True))["error"]["message"]


@given(st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error"]), JSON))
def test_what_bears_an_id_and_a_method_is_never_a_notification(message: dict[str, Any]) -> None:
    read_as = outcome(json.dumps(message).encode())
    if not isinstance(read_as, UnreadableError):
        assert isinstance(read_as, JSONRPCRequest) == ("id" in message and "method" in message)
        return
    response = "method" not in message and ("result" in message or "error" in message)
    notification = isinstance(message.get("method"), str) and "id" not in message
    assert read_as.is_due or response or notification
    usable = isinstance(message.get("id"), str | int) and not isinstance(message.get("id"), bool)
    if read_as.is_due:
        assert read_as.answer.id == (message["id"] if usable else None)


@pytest.mark.parametrize("request_id", [None, True, False, 1.0, 1.5, [], {}, [1]])
def test_an_id_of_another_kind_is_an_error_without_id(request_id: object) -> None:
    error = refused(json.dumps({"jsonrpc": "2.0", "id": request_id, "method": "ping"}).encode())
    assert (error.answer.id, error.answer.error.code, error.is_due) == (None, -32600, True)


@pytest.mark.parametrize(
    ("message", "code", "due"),
    [
        ([], -32600, True),
        ([{"jsonrpc": "2.0", "id": 1, "method": "ping"}], -32600, True),
        ({}, -32600, True),
        (None, -32600, True),
        ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, -32600, True),
        ({"jsonrpc": "2.0", "id": 1, "method": None}, -32600, True),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}, -32602, True),
        ({"jsonrpc": "2.0", "method": "ping", "params": []}, -32602, False),
        ({"jsonrpc": "2.0", "id": [], "result": {}}, -32600, False),
        ({"jsonrpc": "2.0", "id": 1, "result": []}, -32600, False),
    ],
)
def test_what_is_no_message_of_mcp_is_refused(message: object, code: int, due: bool) -> None:
    error = refused(json.dumps(message).encode())
    assert (error.answer.error.code, error.is_due) == (code, due)


CALL = b'{"jsonrpc":"2.0","id":%b,"method":"ping","params":%b}'
LATE = b'{"params":%b,"method":"ping","jsonrpc":"2.0","id":%b}'
HOSTILE = {
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "too large a number": b'{"a":1e999}',
    "a key twice": b'{"a":1,"a":2}',
    "a lone surrogate": rb'{"a":"\ud800"}',
    "a surrogate as key": rb'{"\udfff":1}',
    "no UTF-8": b'{"a":"\xff"}',
    "NUL": b'{"a":"\x00"}',
    "an id inside": b'{"id":1,"a":[{"id":2},"\\"id\\":3",NaN]}',
    "500 lists": b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
    "500 objects": b'{"a":' * 500 + b"1" + b"}" * 500,
    "20,000 lists": b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
}


@pytest.mark.parametrize("params", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("request_id", ["7", '"seven"', r'"\"id\":8"', "-1"])
def test_the_id_of_what_is_no_strict_json_is_found_all_the_same(params: bytes, request_id: str) -> None:
    for data in (CALL % (request_id.encode(), params), LATE % (params, request_id.encode())):
        error = refused(data)
        assert (error.answer.id, error.answer.error.code, error.is_due) == (json.loads(request_id), -32700, True)


@pytest.mark.parametrize(
    "data",
    [
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
        b'[{"jsonrpc":"2.0","id":1,"method":"ping"}',
        b'"x"{"id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","method":"ping","params":{"id":1,',
        b'{"jsonrpc":"2.0","id":1.5,"method":"ping",',
        rb'{"jsonrpc":"2.0","id":"\ud800","method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}',
        b'{"a":"id","method":"ping",1}',
        b"\x00",
        '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16"),
    ],
)
def test_an_id_that_is_not_certain_is_none(data: bytes) -> None:
    assert refused(data).answer.id is None


@pytest.mark.parametrize("depth", [1, 2, 100, 190])
def test_nesting_that_is_usual_is_read(depth: int) -> None:
    assert isinstance(read_message(CALL % (b"1", b'{"a":' + b"[" * depth + b"]" * depth + b"}")), JSONRPCRequest)


def test_a_byte_order_mark_and_windows_line_ends_are_no_doubt() -> None:
    assert isinstance(read_message(b"\xef\xbb\xbf" + CALL % (b"1", b"{}") + b"\r\n"), JSONRPCRequest)


def test_a_message_is_bounded() -> None:
    error = refused(CALL % (b"1", b'{"a":"' + b"x" * MESSAGE_BYTES + b'"}'))
    assert "33,554,432 bytes" in error.answer.error.message
    assert error.answer.id == 1


def test_notifications_and_responses_are_read() -> None:
    assert isinstance(read({"jsonrpc": "2.0", "method": "notifications/x"}), JSONRPCNotification)
    assert isinstance(read({"jsonrpc": "2.0", "id": 1, "result": {}}), JSONRPCResponse)
