"""Tracked connections, on real sockets: what has left is told, and what was given up ends at once."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from lambda_warden.aws import tracked_connections
from lambda_warden.aws.invocation_handle import InvocationHandle, Reason
from lambda_warden.aws.invoke import invoke
from lambda_warden.model.outcome import Refused, Returned, Unknown
from support.builders import ACCOUNT, REGION, ref, request
from support.calls import LARGE, LIMIT_SECONDS, Call, clients_at
from support.failures import (
    AFTER,
    BEFORE,
    EARLY_ANSWER,
    Failure,
    certificate,
    environment,
    nobody_listens,
    served,
    trusted,
)
from support.raw_server import RawServer, answer, answering, hold, raw_server, read_request, reset, shake_hands

OK = answer(body=b'"ok"')


@pytest.mark.parametrize("failure", BEFORE.values(), ids=BEFORE)
def test_what_failed_before_the_request_left_whole_is_refused(failure: Failure, tmp_path: Path) -> None:
    seen = failure(tmp_path)
    assert isinstance(seen.raw, Refused), seen
    assert seen.sent in ("no", "partly")


@pytest.mark.parametrize("failure", AFTER.values(), ids=AFTER)
def test_what_failed_after_the_request_had_left_is_unknown(failure: Failure, tmp_path: Path) -> None:
    seen = failure(tmp_path)
    assert isinstance(seen.raw, Unknown), seen
    assert seen.sent == "whole"


def test_an_answer_that_came_before_the_request_had_left_is_read_and_refused(tmp_path: Path) -> None:
    seen = EARLY_ANSWER(tmp_path)
    assert seen.sent == "partly"
    assert isinstance(seen.raw, Refused)
    assert (seen.raw.status_code, seen.raw.message) == (503, "busy")


def test_a_reset_before_anything_was_read_is_never_said_to_have_run_what_was_not_whole() -> None:
    seen = served(reset, sent=request(LARGE))
    assert (type(seen.raw), seen.sent) == (Refused, "partly")


def test_a_reset_behind_a_large_request_that_arrived_is_unknown() -> None:
    def script(connection: socket.socket) -> None:
        assert read_request(connection).endswith(LARGE)
        reset(connection)

    seen = served(script, sent=request(LARGE))
    assert (type(seen.raw), seen.sent) == (Unknown, "whole")


@pytest.mark.parametrize("sent", [request(b"{}"), request(LARGE), request(None)], ids=["small", "large", "no payload"])
def test_over_tls_a_request_that_arrived_has_left_whole(sent: Any, tmp_path: Path) -> None:
    seen = served(answering(OK), sent=sent, tls=certificate(), ca_bundle=trusted(tmp_path))
    assert (type(seen.raw), seen.sent) == (Returned, "whole")


def test_over_tls_a_reset_in_the_middle_of_the_request_is_refused(tmp_path: Path) -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(1000)
        reset(connection)

    seen = served(script, sent=request(LARGE), tls=certificate(), ca_bundle=trusted(tmp_path))
    assert (type(seen.raw), seen.sent) == (Refused, "partly")


# The hook


def test_the_installed_botocore_can_be_tracked(caplog: pytest.LogCaptureFixture) -> None:
    """If this fails, botocore or urllib3 has renamed what `track` looks for, and calls are `untracked`."""
    seen = served(answering(OK))
    assert isinstance(seen.raw, Returned)
    assert seen.sent == "whole"
    assert caplog.records == []


def test_with_a_botocore_that_can_not_be_tracked_what_is_not_certain_is_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with nobody_listens() as url:
        clients = clients_at(url)
        client: Any = clients.for_reading(ACCOUNT, REGION)
        client._endpoint.http_session = Session(client._endpoint.http_session.send)
        tracked_connections.track(client)
        assert "can't be tracked" in caplog.text
        made: Any = clients
        made._made[ACCOUNT, REGION, True] = client
        call = Call(clients)
        assert isinstance(call.outcome(), Unknown)
        assert call.handle.sent == "untracked"


class Session:
    """An HTTP session of a botocore to come."""

    def __init__(self, send: Callable[[Any], Any]) -> None:
        self.send = send

    def close(self) -> None:
        """As every session has."""


# Giving up


def gives_up_while(server: RawServer, waits: threading.Event, reason: Reason, **settings: Any) -> Call:
    call = Call(clients_at(server.url, **settings))
    assert waits.wait(LIMIT_SECONDS)
    call.handle.give_up(reason)
    call.join(LIMIT_SECONDS)
    assert not call.is_alive()
    return call


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("reason", get_args(Reason))
def test_who_waits_for_an_answer_wakes_up_when_the_call_is_given_up(reason: Reason, tls: bool, tmp_path: Path) -> None:
    arrived = threading.Event()

    def script(connection: socket.socket) -> None:
        read_request(connection)
        arrived.set()
        hold(connection)

    with raw_server(script, tls=certificate() if tls else None) as server:
        call = gives_up_while(server, arrived, reason, ca_bundle=trusted(tmp_path))
        assert isinstance(call.outcome(), Unknown)


@pytest.mark.parametrize("headers", [{"Content-Length": "10"}, {"Content-Length": "", "Connection": "close"}], ids=str)
def test_an_answer_that_was_given_up_while_it_was_read_is_not_taken_for_whole(headers: dict[str, str]) -> None:
    begun = threading.Event()

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(body=b'"half', headers=headers))
        begun.set()
        hold(connection)

    with raw_server(script) as server:
        outcome = gives_up_while(server, begun, "cancelled").outcome()
    assert isinstance(outcome, Unknown)
    assert outcome.code == "Cancelled"


def test_who_sends_wakes_up_when_the_call_is_given_up() -> None:
    begun = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.recv(1000)
        begun.set()
        hold(connection)

    with raw_server(script) as server:
        call = Call(clients_at(server.url), request(LARGE))
        assert begun.wait(LIMIT_SECONDS)
        call.handle.give_up("shutdown")
        assert isinstance(call.outcome(), Refused)
        assert call.handle.sent == "partly"


def test_who_shakes_hands_wakes_up_when_the_call_is_given_up(tmp_path: Path) -> None:
    """The limit of the connection is far off, so it is not that which wakes it up."""
    begun = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.recv(1000)
        begun.set()
        hold(connection)

    with raw_server(script) as server:
        clients = clients_at(server.url.replace("http:", "https:"), ca_bundle=trusted(tmp_path), connect_timeout=3600)
        call = Call(clients)
        assert begun.wait(LIMIT_SECONDS)
        call.handle.give_up("cancelled")
        assert isinstance(call.outcome(), Refused)


def test_a_call_that_was_given_up_before_it_went_out_reaches_nobody() -> None:
    with raw_server(answering(OK)) as server:
        handle = InvocationHandle()
        handle.give_up("deadline")
        outcome = invoke(clients_at(server.url), ref(), request(), handle)
        assert isinstance(outcome, Refused)
        assert (outcome.code, handle.sent, server.connections) == ("DeadlineExceeded", "no", 0)


def test_giving_up_a_call_that_has_its_answer_does_not_break_the_call_that_has_its_connection_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrived, answered_first = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK)
        read_request(connection)
        arrived.set()
        answered_first.wait(LIMIT_SECONDS)
        connection.sendall(answer(body=b'"second"'))

    with raw_server(script) as server:
        clients, others = clients_at(server.url), list[Call]()

        def read(*_: object) -> Returned:
            # The first answer is read, and its thread has not ended yet.
            monkeypatch.undo()
            others.append(Call(clients))
            assert arrived.wait(LIMIT_SECONDS)
            first.give_up("cancelled")
            answered_first.set()
            return Returned(200)

        first = InvocationHandle()
        monkeypatch.setattr("lambda_warden.aws.invoke._returned", read)
        assert isinstance(invoke(clients, ref(), request(), first), Returned)
        second = others[0].outcome()
        assert isinstance(second, Returned)
        assert second.payload == b'"second"'
        assert server.connections == 1


# Connections that are used again


def in_turn(server: RawServer, calls: int, **settings: Any) -> list[Any]:
    clients = clients_at(server.url, **settings)
    return [invoke(clients, ref(), request(), InvocationHandle()) for _ in range(calls)]


def test_a_connection_is_used_again() -> None:
    with raw_server(answering(OK)) as server:
        assert [type(outcome) for outcome in in_turn(server, 3)] == [Returned] * 3
        assert server.connections == 1


def test_a_connection_that_was_idle_for_too_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked_connections, "IDLE_SECONDS", -1.0)
    with raw_server(answering(OK)) as server:
        assert [type(outcome) for outcome in in_turn(server, 3)] == [Returned] * 3
        assert server.connections == 3


def test_a_connection_that_the_endpoint_has_closed_is_not_used_again() -> None:
    closed = threading.Event()

    def once(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with raw_server(once, answering(OK)) as server:
        clients = clients_at(server.url)
        assert isinstance(invoke(clients, ref(), request(), InvocationHandle()), Returned)
        assert closed.wait(LIMIT_SECONDS)
        assert isinstance(invoke(clients, ref(), request(), InvocationHandle()), Returned)
        assert server.connections == 2


@pytest.mark.parametrize("extra", [b"x", OK, OK * 1000], ids=["a byte", "an answer", "answers"])
def test_what_is_left_of_an_answer_never_reaches_the_next_call(extra: bytes) -> None:
    first = answer(body=b'"first"') + extra.replace(b"ok", b"no")
    with raw_server(answering(first, OK), answering(OK)) as server:
        outcomes = in_turn(server, 2)
    assert [outcome.payload for outcome in outcomes] == [b'"first"', b'"ok"']


def test_connections_that_wait_for_slow_functions_are_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, int] = {}
    getresponse = tracked_connections._Connection.getresponse

    def look(self: Any) -> Any:
        options["SO_KEEPALIVE"] = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        for name in ("TCP_NODELAY", "TCP_KEEPIDLE", "TCP_KEEPINTVL"):
            if hasattr(socket, name):
                options[name] = self.sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
        return getresponse(self)

    monkeypatch.setattr(tracked_connections._Connection, "getresponse", look)
    served(answering(OK))
    assert options["SO_KEEPALIVE"]
    assert options["TCP_NODELAY"]
    if "TCP_KEEPIDLE" in options:
        assert options["TCP_KEEPIDLE"] + options["TCP_KEEPINTVL"] < 350


# Proxies


def tunnel(seen: list[bytes], *replies: bytes) -> Callable[[socket.socket], None]:
    """A proxy that is its own destination: what comes through the tunnel is answered here, over TLS."""

    def script(connection: socket.socket) -> None:
        seen.append(read_request(connection).splitlines()[0])
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with shake_hands(connection, certificate()) as inside:
            answering(*replies)(inside)

    return script


def test_through_a_tunnel_what_has_left_is_told_too(tmp_path: Path) -> None:
    seen: list[bytes] = []
    with raw_server(tunnel(seen, OK)) as proxy, environment(HTTPS_PROXY=proxy.url):
        call = Call(clients_at("https://127.0.0.1:9", ca_bundle=trusted(tmp_path)))
        assert isinstance(call.outcome(), Returned)
    assert call.handle.sent == "whole"
    assert seen[0].startswith(b"CONNECT 127.0.0.1:9 ")


def test_through_a_tunnel_too_an_idle_connection_is_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracked_connections, "IDLE_SECONDS", -1.0)
    seen: list[bytes] = []
    with raw_server(tunnel(seen, OK)) as proxy, environment(HTTPS_PROXY=proxy.url):
        clients = clients_at("https://127.0.0.1:9", ca_bundle=trusted(tmp_path))
        outcomes = [invoke(clients, ref(), request(), InvocationHandle()) for _ in range(2)]
    assert [type(outcome) for outcome in outcomes] == [Returned] * 2
    assert len(seen) == 2


def test_a_call_lost_in_a_tunnel_is_unknown(tmp_path: Path) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with shake_hands(connection, certificate()) as inside:
            read_request(inside)
            reset(inside)

    with raw_server(script) as proxy, environment(HTTPS_PROXY=proxy.url):
        call = Call(clients_at("https://127.0.0.1:9", ca_bundle=trusted(tmp_path)))
        assert isinstance(call.outcome(), Unknown)
    assert call.handle.sent == "whole"


def test_through_a_plain_proxy_the_request_is_sent_once_and_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    seen: list[bytes] = []

    def script(connection: socket.socket) -> None:
        seen.append(read_request(connection).splitlines()[0])
        connection.sendall(OK)

    with raw_server(script) as proxy, environment(HTTP_PROXY=proxy.url):
        call = Call(clients_at("http://127.0.0.1:9"))
        assert isinstance(call.outcome(), Returned)
    assert call.handle.sent == "whole"
    assert [line.split(b"/2015")[0] for line in seen] == [b"POST http://127.0.0.1:9"]
