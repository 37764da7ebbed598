"""Answers: of any size, streamed or not, whole or broken off."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.aws import invoke as module
from lambda_warden.aws.clients import Clients
from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.aws.invoke import HELD_BYTES, START_BYTES, invoke
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.request import EncodedRequest
from support.builders import ACCOUNT, OTHER_ACCOUNT, REGION, function_arn, ref, request
from support.calls import LIMIT_SECONDS, Call, clients_at
from support.event_stream import chunk, complete, error, event, exception
from support.failures import STREAM, stream
from support.raw_server import answer, answering, hold, raw_server, read_request
from support.scripted_endpoint import Reply, ScriptedEndpoint

LENGTH = {"Content-Length": ""}


def said(data: bytes, sent: EncodedRequest | None = None) -> RawOutcome:
    """What becomes of a call that is answered with this, before the connection is closed."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(data)

    with raw_server(script) as server:
        return invoke(clients_at(server.url), ref(), sent or request(), InvocationHandle())


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def streamed(*messages: bytes) -> RawOutcome:
    return said(stream(*messages), STREAM)


# Buffered answers


@pytest.mark.parametrize(
    "size", [0, 1, 65536, START_BYTES, HELD_BYTES - 1, HELD_BYTES, HELD_BYTES + 1, HELD_BYTES + 200_000]
)
@pytest.mark.parametrize("framing", ["length", "chunks", "end of connection"])
def test_an_answer_of_any_size_is_taken_and_so_much_of_it_is_held(size: int, framing: str) -> None:
    body = bytes(range(251)) * (size // 251 + 1)
    body = body[:size]
    data = {
        "length": answer(body=body),
        "chunks": answer(headers={**LENGTH, "Transfer-Encoding": "chunked"})
        + (b"%x\r\n%s\r\n" % (size, body) if size else b"")
        + b"0\r\n\r\n",
        "end of connection": answer(headers={**LENGTH, "Connection": "close"}) + body,
    }[framing]
    outcome = said(data)
    assert isinstance(outcome, Returned)
    assert outcome.payload == (body if size <= HELD_BYTES else body[:START_BYTES])
    assert (outcome.payload_bytes, outcome.payload_sha256) == (size, sha256(body))


@given(st.lists(st.binary(max_size=20), max_size=12), st.integers(1, 40), st.integers(1, 40))
def test_what_is_held_is_the_whole_or_the_start_of_what_came(parts: list[bytes], start: int, more: int) -> None:
    whole, held = b"".join(parts), start + more
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "HELD_BYTES", held)
        patch.setattr(module, "START_BYTES", start)
        arrived = module._ArrivedAnswer()
        for part in parts:
            arrived.add(part)
    assert arrived.payload() == {
        "payload": whole if len(whole) <= held else whole[:start],
        "payload_bytes": len(whole),
        "payload_sha256": sha256(whole),
    }


def test_everything_that_aws_says_of_a_call_is_known() -> None:
    headers = {
        "X-Amz-Function-Error": "Unhandled",
        "X-Amz-Executed-Version": "7",
        "X-Amz-Log-Result": base64.b64encode(b"START\n").decode(),
        "X-Amz-Durable-Execution-Arn": function_arn() + ":7/durable-execution/order-1/abc",
    }
    assert said(answer(body=b"null", headers=headers)) == Returned(
        200,
        b"null",
        "Unhandled",
        b"START\n",
        "7",
        function_arn() + ":7/durable-execution/order-1/abc",
        "r-1",
        payload_bytes=4,
        payload_sha256=sha256(b"null"),
    )


def test_an_answer_that_breaks_off_is_unknown_although_aws_began_it_with_200() -> None:
    outcome = said(answer(body=b"half", headers={"Content-Length": str(HELD_BYTES + 1)}))
    assert isinstance(outcome, Unknown)
    assert (outcome.status_code, outcome.request_id) == (200, "r-1")
    assert outcome.message == "the function ran, and its answer broke off after 4 bytes"


def test_an_event_is_known_to_be_queued_once_the_status_says_so() -> None:
    broken = answer(202, b"half", {"Content-Length": "100"})
    outcome = said(broken, request(invocation_type="Event"))
    assert isinstance(outcome, Returned)
    assert (outcome.status_code, outcome.payload, outcome.request_id) == (202, b"", "r-1")
    assert isinstance(said(broken), Unknown), "nobody asked for an Event"


def test_a_place_that_no_target_names_is_refused() -> None:
    outcome = invoke(clients_at("http://127.0.0.1:9"), ref(account=OTHER_ACCOUNT), request(), InvocationHandle())
    assert isinstance(outcome, Refused)
    assert outcome.code == "KeyError"


def test_a_client_that_can_not_be_made_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = clients_at("http://127.0.0.1:9")

    def fail(*_: object, **__: object) -> None:
        raise OSError("no config")

    monkeypatch.setattr(Clients, "_build", fail)
    outcome = invoke(clients, ref(), request(), InvocationHandle())
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.message, outcome.retry_sensible) == ("OSError", "no config", False)
    assert (outcome.advice or "").startswith("Tell the operator: ")


# Streams


def test_a_stream_is_put_together() -> None:
    log = base64.b64encode(b"END\n").decode()
    outcome = streamed(chunk(b'{"a"'), chunk(b""), chunk(b":1}"), complete(log=log))
    whole = b'{"a":1}'
    expected = Returned(200, whole, payload_bytes=7, payload_sha256=sha256(whole), log_tail=b"END\n", request_id="r-1")
    assert outcome == expected


def test_a_stream_of_nothing_is_an_empty_answer() -> None:
    assert streamed(complete()) == Returned(200, b"", payload_bytes=0, payload_sha256=sha256(b""), request_id="r-1")


def test_of_a_large_stream_the_start_is_held() -> None:
    pieces = [bytes([number]) * 1_000_000 for number in range(18)]
    outcome = streamed(*map(chunk, pieces), complete())
    assert isinstance(outcome, Returned)
    assert outcome.payload == b"".join(pieces)[:START_BYTES]
    assert (outcome.payload_bytes, outcome.payload_sha256) == (18_000_000, sha256(b"".join(pieces)))


def test_a_stream_that_ends_with_an_error_is_that_of_a_function_that_failed() -> None:
    outcome = streamed(chunk(b"half"), complete(code="Unhandled", details='{"errorType":"E"}'))
    assert isinstance(outcome, Returned)
    assert (outcome.payload, outcome.function_error) == (b"half", "Unhandled")
    assert outcome.stream_error == ("Unhandled", '{"errorType":"E"}')


def test_an_error_code_of_any_form_still_means_that_the_function_failed() -> None:
    outcome = streamed(complete(code="no such\ncode"))
    assert isinstance(outcome, Returned)
    assert (outcome.function_error, outcome.stream_error) == ("Unhandled", ("unknown", ""))


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ResourceNotFoundException", "ServiceException", "X"])
@pytest.mark.parametrize("make", [exception, error], ids=["exception", "error"])
def test_whatever_an_error_in_a_stream_is_called_the_function_ran(code: str, make: Any) -> None:
    """AWS gives 429 and 404 before it runs anything. In a stream the same names prove nothing."""
    outcome = streamed(chunk(b"half"), make(code, "slow down"))
    assert isinstance(outcome, Unknown)
    assert (outcome.status_code, outcome.request_id) == (200, "r-1")
    assert outcome.message.endswith("the function ran, and its answer broke off after 4 bytes")
    assert not outcome.message.startswith(";")


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ServiceException"])
def test_also_an_exception_that_the_model_names_is_unknown_in_a_stream(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw_server(answering(stream(exception(code, "slow down")))) as server:
        clients = clients_at(server.url)
        client: Any = clients.for_invoking(ACCOUNT, REGION)
        model = client.meta.service_model
        members = model.operation_model("InvokeWithResponseStream").get_event_stream_output().members
        monkeypatch.setitem(members, code, model.shape_for(code))
        outcome = invoke(clients, ref(), STREAM, InvocationHandle())
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("cut", [1, 4, 12, 20, -1])
@pytest.mark.parametrize("chunked", [True, False], ids=["end of chunks", "no end"])
def test_a_stream_that_is_cut_is_unknown(cut: int, chunked: bool) -> None:
    data = stream(chunk(b"whole"), chunk(b"cut here")[:cut], end=b"0\r\n\r\n" if chunked else b"")
    outcome = said(data, STREAM)
    assert isinstance(outcome, Unknown)
    assert "after 5 bytes" in outcome.message


def test_a_stream_without_its_end_is_unknown() -> None:
    assert streamed(chunk(b"all of it?")) == Unknown(
        "IncompleteStream", "the answer ended after 10 bytes without its end", 200, "r-1"
    )


def test_an_event_of_another_kind_is_passed_over() -> None:
    outcome = streamed(event("Something", b"x"), chunk(b"1"), complete())
    assert isinstance(outcome, Returned)
    assert outcome.payload == b"1"


def test_what_comes_after_the_end_is_not_read() -> None:
    outcome = streamed(chunk(b"1"), complete(), chunk(b"2"), exception("ServiceException", "late"))
    assert isinstance(outcome, Returned)
    assert outcome.payload == b"1"


@pytest.mark.parametrize("chunked", [True, False], ids=["chunks", "end of connection"])
def test_a_stream_that_is_given_up_while_it_is_read_is_unknown_and_says_why(
    chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = threading.Event()
    add = module._ArrivedAnswer.add

    def add_part(self: Any, part: bytes) -> None:
        add(self, part)
        taken.set()

    monkeypatch.setattr(module._ArrivedAnswer, "add", add_part)
    headers = {"Content-Length": "", "Connection": "close"}
    begun = stream(chunk(b"half"), end=b"") if chunked else answer(headers=headers) + chunk(b"half")

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(begun)
        if not chunked:
            taken.set()  # pieces of it are taken when they are large enough
        hold(connection)

    with raw_server(script) as server:
        call = Call(clients_at(server.url), STREAM)
        assert taken.wait(LIMIT_SECONDS)
        call.handle.give_up("deadline")
        outcome = call.outcome()
    assert isinstance(outcome, Unknown)
    assert outcome.code == "DeadlineExceeded"
    assert outcome.message.startswith("there was no answer in time; the function ran, and its answer broke off")


def test_a_stream_is_refused_as_any_other_call_is() -> None:
    body = json.dumps({"message": "slow down"}).encode()
    headers = {"x-amzn-ErrorType": "TooManyRequestsException", "Retry-After": "3"}
    outcome = said(answer(429, body, headers), STREAM)
    assert outcome == Refused("TooManyRequestsException", "slow down", 429, "r-1", True, 3.0)


# What is sent


@pytest.mark.parametrize("streams", [False, True], ids=["buffered", "stream"])
def test_every_parameter_is_sent_as_it_is(streams: bool, endpoint: ScriptedEndpoint) -> None:
    endpoint.behaviours[ref().name] = lambda _: Reply(body=b"")
    whole = request(b'{"a":1}', client_context="e30=", log_tail=True, tenant_id="t", durable_execution_name="order-1")
    invoke(clients_at(endpoint.url), ref(), replace(whole, response_stream=streams), InvocationHandle())
    (received,) = endpoint.received
    assert received.path.endswith("/response-streaming-invocations" if streams else "/invocations")
    assert (received.qualifier, received.body) == ("live", b'{"a":1}')
    assert received.headers["x-amz-client-context"] == "e30="
    assert received.headers["x-amz-log-type"] == "Tail"
    assert received.headers["x-amz-tenant-id"] == "t"
    # InvokeWithResponseStream knows no durable executions.
    assert received.headers.get("x-amz-durable-execution-name") == (None if streams else "order-1")


def test_a_dry_run_carries_no_payload(endpoint: ScriptedEndpoint) -> None:
    outcome = invoke(clients_at(endpoint.url), ref(), request(invocation_type="DryRun"), InvocationHandle())
    assert isinstance(outcome, Returned)
    assert (outcome.status_code, endpoint.invocations[0].body) == (204, b"")
