"""Requests over HTTP that are refused: each asks for a call that is allowed, and none starts anything."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import httpx2
import pytest
from click.testing import CliRunner

from lambda_warden.cli import main
from lambda_warden.errors import SettingsError
from lambda_warden.settings import Settings
from lambda_warden.transport.http import listen
from lambda_warden.transport.local_token import read_or_make_token
from support import wire
from support.raw_http import WAIT, answer_to, connect, post, status_of, until_closed
from support.scripted_endpoint import ScriptedEndpoint
from support.servers import SERVING, HttpServer, over_http, serve_http, token_in
from support.warden import allow, stdio, write_manifest

MESSAGE = wire.invoke(1, function="f:live", payload=1)
MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "invoke_function"}
LENGTH = f"content-length: {len(MESSAGE)}"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(MESSAGE), MESSAGE)
EVIL = "evil.example"
SIX_MEGABYTES = 6 * 1024 * 1024

Changes = dict[str, str | None]


@pytest.fixture(scope="module")
def server(_endpoint: ScriptedEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    folder = tmp_path_factory.mktemp("hostile")
    manifest = write_manifest(folder, _endpoint.url, [allow("f")])
    with serve_http(manifest, folder, "--records", str(folder / "r.sqlite3"), "--log-level", "ERROR") as running:
        yield running


def headers_of(server: HttpServer, changes: Changes | None = None) -> dict[str, str]:
    """Of a request that is served, changed; None takes a header out."""
    host = server.origin.removeprefix("http://")
    headers = {"host": host, "connection": "close", **server.headers, **MODERN, **(changes or {})}
    return {name: value for name, value in headers.items() if value is not None}


REFUSED: dict[str, tuple[Changes, set[int]]] = {
    "no token": ({"authorization": None}, {401}),
    "another token": ({"authorization": "Bearer " + "x" * 43}, {401}),
    "a part of the token": ({"authorization": "Bearer {token:.42}"}, {401}),
    "the token and more": ({"authorization": "Bearer {token}x"}, {401}),
    "no characters of a token": ({"authorization": "Bearer é\xff"}, {401}),
    "an empty token": ({"authorization": "Bearer "}, {401}),
    "another scheme": ({"authorization": "Basic {token}"}, {401}),
    "the token in the path": ({"authorization": None, "path": "/mcp?access_token={token}"}, {401}),
    "a page of another site": ({"origin": f"https://{EVIL}"}, {403}),
    "a page without a site": ({"origin": "null"}, {403}),
    "a page of a site with a name like ours": ({"origin": f"http://localhost.{EVIL}"}, {403}),
    "a name that was pointed here": ({"host": EVIL}, {421}),
    "a name like ours": ({"host": f"localhost.{EVIL}:80"}, {421}),
    "no name": ({"host": None}, {400}),
    "a form of a page": ({"content-type": "text/plain"}, {400}),
    "headers that are too long": ({"x-long": "x" * 40_000}, {400, 431}),
    "a header that is far too long": ({"x-long": "x" * 1_000_000}, {0, 400, 431}),
    "too many headers": ({f"x-{number}": "x" for number in range(4_000)}, {400, 431}),
}
BROKEN: dict[str, tuple[list[str], bytes, set[int]]] = {
    "two lengths": ([LENGTH, "content-length: 3"], MESSAGE, {400}),
    "two lengths in one": (["content-length: 3, 4"], MESSAGE, {400}),
    "a negative length": (["content-length: -1"], MESSAGE, {400}),
    "no number": (["content-length: +5"], MESSAGE, {400}),
    "a length and chunks": ([LENGTH, "transfer-encoding: chunked"], CHUNKS, {400}),
    "another encoding": (["transfer-encoding: gzip, chunked"], CHUNKS, {400, 501}),
    "no size of a chunk": (["transfer-encoding: chunked"], b"zz\r\n" + MESSAGE, {0, 400}),
    "a negative size of a chunk": (["transfer-encoding: chunked"], b"-1\r\n" + MESSAGE, {0, 400}),
    "a size of a chunk with too many digits": (["transfer-encoding: chunked"], b"f" * 40 + b"\r\n", {0, 400}),
    "a size of a chunk that never ends": (["transfer-encoding: chunked"], b"1;" + b"x" * 1_000_000, {0, 400}),
    "a chunk that goes on": (["transfer-encoding: chunked"], b"3\r\n" + MESSAGE, {0, 400}),
    "two hosts": ([LENGTH, f"host: {EVIL}"], MESSAGE, {400}),
    "a header that goes on in another line": ([LENGTH, "x-a: 1", " authorization: x", "no colon"], MESSAGE, {400}),
    "a line feed alone and NUL": ([LENGTH, "x-a: 1\nx-b: \0"], MESSAGE, {400}),
}


def test_the_request_is_served_if_nothing_is_wrong_with_it(server: HttpServer, endpoint: ScriptedEndpoint) -> None:
    answer = answer_to(server, post(headers_of(server), LENGTH, body=MESSAGE))
    assert (status_of(answer), len(endpoint.started)) == (200, 1)
    assert b'"outcome":"succeeded"' in answer


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_with_another_header_is_refused(name: str, server: HttpServer, endpoint: ScriptedEndpoint) -> None:
    changes, expected = REFUSED[name]
    changes = {key: value and re.sub(r"\{token[^}]*\}", lambda at: at[0].format(token=server.token), value)
               for key, value in changes.items()}  # fmt: skip
    path = changes.pop("path", None) or "/mcp"
    answer = answer_to(server, post(headers_of(server, changes), LENGTH, body=MESSAGE, path=path))
    assert status_of(answer) in expected, answer[:300]
    assert_it_is_served_on(server, endpoint)


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_proxy_could_read_in_another_way_is_refused(
    name: str, server: HttpServer, endpoint: ScriptedEndpoint
) -> None:
    lines, body, expected = BROKEN[name]
    answer = answer_to(server, post(headers_of(server), *lines, body=body))
    assert status_of(answer) in expected, answer[:300]
    assert_it_is_served_on(server, endpoint)


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\xfc", b"PRI * HTTP/2.0\r\n\r\nSM", b"\0" * 99_999])
def test_what_is_no_http_is_refused(sent: bytes, server: HttpServer, endpoint: ScriptedEndpoint) -> None:
    with closing(connect(server)) as client:
        client.sendall(sent + b"\r\n\r\n")
        assert status_of(until_closed(client)) in (0, 400, 404)
    assert_it_is_served_on(server, endpoint)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_answered_and_not_broken_off(
    chunked: bool, server: HttpServer, endpoint: ScriptedEndpoint
) -> None:
    body = b" " * 64_000_000
    line = "transfer-encoding: chunked" if chunked else f"content-length: {len(body)}"
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    answer = answer_to(server, post(headers_of(server), line, body=sent))
    assert status_of(answer) == 413
    said = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert said["error"] == {"code": -32600, "message": "The message is over 33,554,432 bytes."}
    assert_it_is_served_on(server, endpoint)


def test_who_has_no_token_is_refused_before_the_body_is_read(server: HttpServer, endpoint: ScriptedEndpoint) -> None:
    without = headers_of(server, {"authorization": None})
    assert status_of(answer_to(server, post(without, "content-length: 1000000000000"))) == 401
    assert_it_is_served_on(server, endpoint)


@pytest.mark.parametrize("name", ["escaped", "Base64", "as text"])
def test_the_largest_payload_passes_whole(name: str, server: HttpServer, endpoint: ScriptedEndpoint) -> None:
    """However a client writes it: these are the longest ways."""
    text = "é" * ((SIX_MEGABYTES - 2) // 2)
    sent = json.dumps(text, ensure_ascii=False).encode()
    arguments: dict[str, Any] = {
        "escaped": {"payload": text},
        "Base64": {"payload_base64": base64.b64encode(sent).decode()},
        "as text": {"payload_json": sent.decode()},
    }[name]
    content = wire.invoke(1, function="f:live", **arguments)
    answer = httpx2.post(server.url, headers={**server.headers, **MODERN}, content=content, timeout=WAIT)
    assert '"outcome":"succeeded"' in answer.text, answer.text[:1000]
    (received,) = endpoint.started
    assert len(received.body) == SIX_MEGABYTES
    assert received.body == sent


def assert_it_is_served_on(server: HttpServer, endpoint: ScriptedEndpoint) -> None:
    """The server lives, and what was refused started nothing."""
    assert endpoint.started == []
    assert httpx2.get(f"{server.origin}/ready", timeout=WAIT).status_code == 200


# Who else may reach it, and how its user's programs do.


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "localhost.evil.example:80", "127.1:80"])
def test_another_address_than_this_machines_is_refused_without_an_identity_provider(address: str) -> None:
    with pytest.raises(SettingsError, match="identity provider"), listen(Settings(http=address)):
        pass


def test_serve_says_why_an_address_is_refused_and_nothing_starts(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    assert "identity provider" in refusal(manifest, tmp_path, "--http", "192.0.2.1:80")
    with listen(Settings(http="127.0.0.1:0")) as taken:
        port = taken.getsockname()[1]
        assert "in use" in refusal(manifest, tmp_path, "--http", f"localhost:{port}")
    assert "can't be served" in refusal(manifest, tmp_path, "--http", "127.0.0.1:99999")
    assert not (tmp_path / "records.sqlite3").exists()


def test_the_token_is_made_for_its_user_alone_kept_and_not_written_to_stderr(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    folder, log, tokens = tmp_path / "state" / "of the user", tmp_path / "log", []
    file = folder / "http-token"
    for _ in range(2):
        with log.open("ab") as stderr, started(manifest, folder, stderr) as server:
            tokens.append(server.token)
    assert tokens[0] == tokens[1]
    assert (len(tokens[0]), file.stat().st_mode & 0o777) == (43, 0o600)
    said = log.read_text()
    assert tokens[0] not in said
    assert f"\"Authorization: Bearer $(cat '{file}')\"" in said
    assert [path.name for path in folder.glob("*token*")] == ["http-token"]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda file: (file.write_text("t" * 43), file.chmod(0o640)), "this user's"),
        (lambda file: (file.write_text("t" * 43), file.chmod(0o602)), "this user's"),
        (lambda file: (file.write_text("short"), file.chmod(0o600)), "no token"),
        (lambda file: (file.write_text("é" * 43), file.chmod(0o600)), "no token"),
        (lambda file: file.symlink_to(__file__), "symbolic link"),
        (lambda file: os.mkfifo(file, 0o600), "regular file"),
        (lambda file: file.parent.chmod(0o500), "Permission denied"),
    ],
)  # fmt: skip
def test_a_file_that_others_could_know_or_choose_the_token_of_is_refused(
    make: Callable[[Path], object], problem: str, tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    make(folder / "token")
    if problem == "Permission denied" and os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    manifest = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    said = refusal(manifest, tmp_path, "--http", "127.0.0.1:0", "--http-token-file", str(folder / "token"))
    assert "--http-token-file" in said
    assert problem in said


def test_servers_that_start_at_once_have_one_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)  # as each of them finds it
    assert len({read_or_make_token(tmp_path / "state" / "token") for _ in range(3)}) == 1


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_neither_tokens_nor_queries_nor_claims_of_proxies_are_logged(
    level: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path, endpoint.url, [allow("f")])
    log = tmp_path / "log"
    with log.open("wb") as stderr, started(manifest, tmp_path, stderr, "--log-level", level) as server:
        for path in (f"/mcp?access_token={server.token}", f"/ready?{server.token}"):
            forwarded = headers_of(server, {"x-forwarded-for": "192.0.2.9"})
            answer_to(server, post(forwarded, LENGTH, body=MESSAGE, path=path))
    said = log.read_text()
    assert '"POST /mcp HTTP/1.1" 200' in said
    assert server.token not in said
    assert "192.0.2.9" not in said, "any client can claim that"


@contextmanager
def started(manifest: Path, folder: Path, stderr: IO[bytes], *options: str) -> Iterator[HttpServer]:
    """A server whose stderr goes to the end of a file."""
    log = Path(stderr.name)
    before = log.read_text()
    command = stdio(manifest, folder, *over_http(folder), "--records", str(folder / "r.sqlite3"), *options)
    process = subprocess.Popen(
        [command.command, *command.args], env=os.environ | (command.env or {}), stderr=stderr, stdout=stderr
    )
    try:
        end = time.monotonic() + WAIT
        while not (found := SERVING.findall(log.read_text()[len(before) :])):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.02)
        yield HttpServer(found[0], token_in(folder))
    finally:
        process.terminate()
        process.wait(WAIT)


def refusal(manifest: Path, folder: Path, *options: str) -> str:
    """What `serve` says that refuses to."""
    arguments = ["serve", "--manifest", str(manifest), "--records", str(folder / "records.sqlite3"), *options]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    return result.stderr
