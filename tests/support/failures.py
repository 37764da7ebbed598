"""What can befall a call between this machine and AWS: each one brought about for real, on sockets of this machine."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import trustme

from lambda_warden.aws import tracked_connections
from lambda_warden.aws.invocation_handle import Reason, Sent
from lambda_warden.model.outcome import RawOutcome
from support.builders import ACCOUNT, request
from support.calls import LARGE, LIMIT_SECONDS, Call, clients_at
from support.event_stream import CONTENT_TYPE, chunk, complete, error, exception
from support.raw_server import Script, answer, answering, hold, raw_server, read_request, reset

PAGE: Final = answer(200, b"<html>Login</html>", {"x-amzn-RequestId": "", "Content-Type": "text/html"})
STREAM = replace(request(), response_stream=True)


@dataclass(frozen=True, slots=True)
class Seen:
    """How a call ended, and how much of its request had left."""

    raw: RawOutcome
    sent: Sent


Failure = Callable[[Path], Seen]
"""Brings it about. Takes a folder of its own."""


@cache
def authority() -> trustme.CA:
    """Whoever signs the certificates of servers in tests."""
    return trustme.CA()


@cache
def certificate(name: str = "127.0.0.1") -> ssl.SSLContext:
    """What a server shows that says it is `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(name).configure_cert(context)
    return context


def trusted(folder: Path) -> Path:
    """A file with the authority in it."""
    path = folder / "authority.pem"
    authority().cert_pem.write_to_path(str(path))
    return path


@contextmanager
def nobody_listens() -> Iterator[str]:
    """A URL at which there is nobody."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def ended(call: Call) -> Seen:
    return Seen(call.outcome(), call.handle.sent)


def served(
    *scripts: Script, sent: Any = None, tls: ssl.SSLContext | None = None, url: str | None = None, **settings: Any
) -> Seen:
    """A call to a server that does as it is told."""
    with raw_server(*scripts, tls=tls) as server:
        return ended(Call(clients_at(url or server.url, **settings), sent))


def stream(*messages: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """An answer of InvokeWithResponseStream, in chunks as AWS sends it."""
    headers = {"Content-Length": "", "Transfer-Encoding": "chunked", "Content-Type": CONTENT_TYPE}
    return answer(headers=headers) + b"".join(b"%x\r\n%s\r\n" % (len(m), m) for m in messages) + end


def given_up(reason: Reason, *, arrives: bool) -> Failure:
    """A call that is given up: before anything of it left, or when all of it has arrived."""

    def failure(folder: Path) -> Seen:
        arrived = threading.Event()

        def script(connection: socket.socket) -> None:
            read_request(connection)
            arrived.set()
            hold(connection)

        with raw_server(script if arrives else hold) as server:
            url = server.url if arrives else server.url.replace("http:", "https:")
            call = Call(clients_at(url, ca_bundle=trusted(folder)))
            if arrives:
                assert arrived.wait(LIMIT_SECONDS)
            else:
                server.wait_for_connection()
            call.handle.give_up(reason)
            return ended(call)

    return failure


def _refused(_: Path) -> Seen:
    with nobody_listens() as url:
        return ended(Call(clients_at(url)))


def _no_such_name(_: Path) -> Seen:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", fail)
        return ended(Call(clients_at("http://lambda.invalid")))


def _no_connection_in_time(_: Path) -> Seen:
    with socket.socket() as busy, ExitStack() as waiting:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        # As many as wait to be accepted, and more: what comes then is not answered.
        for _number in range(4):
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(busy.getsockname())
        return ended(Call(clients_at(f"http://127.0.0.1:{busy.getsockname()[1]}", connect_timeout=0.3)))


def _no_tls(folder: Path) -> Seen:
    with raw_server(lambda connection: connection.sendall(b"HTTP/1.1 400 No\r\n\r\n")) as server:
        return ended(Call(clients_at(server.url.replace("http:", "https:"), ca_bundle=trusted(folder))))


def _no_handshake_in_time(folder: Path) -> Seen:
    with raw_server(hold) as server:
        clients = clients_at(server.url.replace("http:", "https:"), ca_bundle=trusted(folder), connect_timeout=0.3)
        return ended(Call(clients))


def _not_trusted(_: Path) -> Seen:
    return served(answering(answer()), tls=certificate())


def _of_another_name(folder: Path) -> Seen:
    return served(answering(answer()), tls=certificate("lambda.example"), ca_bundle=trusted(folder))


def _no_proxy(_: Path) -> Seen:
    with nobody_listens() as proxy, environment(HTTP_PROXY=proxy):
        return ended(Call(clients_at("http://127.0.0.1:9")))


def _no_tunnel(status: int) -> Failure:
    def failure(_: Path) -> Seen:
        with raw_server(answering(answer(status))) as proxy, environment(HTTPS_PROXY=proxy.url):
            return ended(Call(clients_at("https://127.0.0.1:9")))

    return failure


def _no_authorities(folder: Path) -> Seen:
    return served(answering(answer()), tls=certificate(), ca_bundle=folder / "missing.pem")


def _mfa(folder: Path) -> Seen:
    role = f"role_arn = arn:aws:iam::{ACCOUNT}:role/invoker\nsource_profile = source\n"
    device = f"mfa_serial = arn:aws:iam::{ACCOUNT}:mfa/me\n"
    (folder / "config").write_text(f"[profile mfa]\n{role}{device}")
    (folder / "credentials").write_text("[source]\naws_access_key_id = testing\naws_secret_access_key = testing\n")
    files = {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}
    with nobody_listens() as url, environment(**files), pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getpass", _prompted)
        patch.setattr("builtins.input", _prompted)
        return ended(Call(clients_at(url, target={"profile": "mfa"}, sign_requests=True)))


def _prompted(*_: object) -> str:
    pytest.fail("somebody was asked")


def _no_credentials(_: Path) -> Seen:
    with nobody_listens() as url, pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        return ended(Call(clients_at(url, sign_requests=True)))


def _role_not_assumed(_: Path) -> Seen:
    denied = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    role = {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/invoker"}
    sts = raw_server(answering(answer(403, denied)))
    with nobody_listens() as url, sts as running, environment(AWS_ENDPOINT_URL_STS=running.url):
        return ended(Call(clients_at(url, target=role, sign_requests=True)))


def _reset_while_it_left(_: Path) -> Seen:
    def script(connection: socket.socket) -> None:
        connection.recv(1000)
        reset(connection)

    return served(script, sent=request(LARGE))


def _nothing_taken(_: Path) -> Seen:
    return served(hold, sent=request(LARGE), connect_timeout=0.3)


def _answered_early(_: Path) -> Seen:
    def script(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(answer(503, b"busy"))
        connection.shutdown(socket.SHUT_RDWR)
        hold(connection)

    return served(script, sent=request(LARGE))


def _then(what: Callable[[socket.socket], object], sent: Any = None) -> Failure:
    """The request arrives whole, and then this."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        what(connection)

    return lambda _: served(script, sent=sent)


def _no_answer_at_all(_: Path) -> Seen:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracked_connections, "_LONGEST_SECONDS", 0.3)
        return _then(hold)(Path())


def _lost_behind_a_proxy(_: Path) -> Seen:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        reset(connection)

    with raw_server(script) as proxy, environment(HTTP_PROXY=proxy.url):
        return ended(Call(clients_at("http://127.0.0.1:9")))


def _says(data: bytes) -> Failure:
    return _then(lambda connection: connection.sendall(data))


def _streams(data: bytes) -> Failure:
    return _then(lambda connection: connection.sendall(data), STREAM)


BEFORE: Final[dict[str, Failure]] = {
    "nobody listens at the endpoint": _refused,
    "the endpoint's name is not known (DNS)": _no_such_name,
    "no connection within `--connect-timeout`": _no_connection_in_time,
    "the endpoint speaks no TLS": _no_tls,
    "the TLS handshake takes longer than `--connect-timeout`": _no_handshake_in_time,
    "the certificate is not trusted": _not_trusted,
    "the certificate has another name": _of_another_name,
    "the proxy can't be reached": _no_proxy,
    "the proxy opens no tunnel (502)": _no_tunnel(502),
    "the proxy asks for credentials (407)": _no_tunnel(407),
    "the proxy refuses the tunnel (403)": _no_tunnel(403),
    "the file of trusted certificates is missing": _no_authorities,
    "there are no credentials": _no_credentials,
    "the profile asks for an MFA code": _mfa,
    "the role can't be assumed": _role_not_assumed,
    "the connection breaks while the request leaves": _reset_while_it_left,
    "the endpoint takes no more of the request for `--connect-timeout`": _nothing_taken,
    "the client cancels a dry run before it has left": given_up("cancelled", arrives=False),
    "its time is up before it has left": given_up("deadline", arrives=False),
    "the server is stopped before it has left": given_up("shutdown", arrives=False),
}
"""Before the last byte of the request left this machine."""

AFTER: Final[dict[str, Failure]] = {
    "the connection is reset": _then(reset),
    "the connection is closed without an answer": _then(lambda _: None),
    "a proxy drops the connection": _lost_behind_a_proxy,
    "what comes is not HTTP": _says(b"220 mail.example ESMTP\r\n"),
    "nothing comes, and nobody gives the call up": _no_answer_at_all,
    "the client cancels a dry run": given_up("cancelled", arrives=True),
    "its time is up": given_up("deadline", arrives=True),
    "the server is stopped": given_up("shutdown", arrives=True),
    "a web page comes with status 200": _says(PAGE),
    "an answer comes with status 204": _says(answer(204)),
    "an Event is answered with 200": _then(
        lambda connection: connection.sendall(answer(200)), request(invocation_type="Event")
    ),
    "the answer breaks off": _says(answer(body=b"half", headers={"Content-Length": "8"})),
    "the stream breaks off": _streams(stream(chunk(b"half"), end=b"")),
    "the stream ends without its end": _streams(stream(chunk(b"half"))),
    "the stream is damaged": _streams(stream(chunk(b"half")[:-1] + b"?", complete())),
    "an exception comes in the middle of the stream": _streams(
        stream(chunk(b"half"), exception("TooManyRequestsException", "no"))
    ),
    "an error comes in the middle of the stream": _streams(
        stream(chunk(b"half"), error("TooManyRequestsException", "no"))
    ),
}
"""When all of it had left."""

EARLY_ANSWER: Final = _answered_early
"""AWS answers with an error before it has read the request whole."""
