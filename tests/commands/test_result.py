"""`lambda-warden result`: the bytes of a kept result, as a shell gets them."""

from __future__ import annotations

import hashlib
import io
import os
import pty
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.model.caller import Caller
from lambda_warden.results.kept import KeptResults
from lambda_warden.store.results import CHUNK_BYTES, NewPart
from lambda_warden.store.seal import Seal
from support.clock import Clock
from support.kept import CALL, KEY, OWNER, RECORDS, as_json, keep, keep_returned, opened

LARGE = hashlib.shake_256(b"large").digest(2 * CHUNK_BYTES + 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.sqlite3"


def run(path: Path, *arguments: str, call: str = CALL) -> Result:
    return CliRunner().invoke(main, ["result", call, "--results", str(path), *arguments])


def on_terminal(path: Path, *arguments: str) -> tuple[int, bytes]:
    """Exit code, and what a terminal gets."""
    command = [sys.executable, "-m", "lambda_warden", "result", CALL, "--results", str(path), *arguments]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = io.BytesIO()
        while True:
            try:
                if not (read := os.read(ours, 4096)):
                    break
            except OSError:  # Linux: the other end was closed
                break
            shown.write(read)
        os.close(ours)
    return process.returncode, shown.getvalue()


@pytest.mark.parametrize("payload", [LARGE, b'{"a" : 1}\n\n', b"\xff", "\ufeffé\r\n".encode(), b"\x1b[31m"])
@pytest.mark.parametrize("seal", [None, Seal(KEY)], ids=["plain", "sealed"])
def test_the_functions_exact_bytes_are_written(path: Path, seal: Seal | None, payload: bytes) -> None:
    key = path.with_name("key")
    key.write_text(KEY.hex())
    with opened(path, seal) as store:
        keep_returned(KeptResults(store, RECORDS), CALL, payload, b"a log")
    assert run(path, *(["--results-key-file", str(key)] if seal else [])).stdout_bytes == payload


def test_a_result_is_found_where_the_server_of_the_same_records_keeps_it(path: Path) -> None:
    with opened(path) as store:
        keep(store, CALL, b"kept")
    file = path.with_name("records.sqlite3")
    for records in (str(file), f"sqlite://{file}"):
        by_option = CliRunner().invoke(main, ["result", CALL, "--records", records])
        by_variable = CliRunner().invoke(main, ["result", CALL], env={"LAMBDA_WARDEN_RECORDS": records})
        assert (by_option.stdout, by_variable.stdout) == ("kept", "kept")


def test_a_process_writes_them_into_a_file(path: Path) -> None:
    key = path.with_name("key")
    key.write_text(KEY.hex())
    with opened(path, Seal(KEY)) as store:
        keep(store, CALL, LARGE)
    target = path.with_name("out")
    command = [
        sys.executable,
        "-m",
        "lambda_warden",
        "result",
        CALL,
        "--results",
        str(path),
        "--results-key-file",
        str(key),
    ]
    with target.open("wb") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert target.read_bytes() == LARGE


def test_what_was_redacted_is_said_on_standard_error(path: Path) -> None:
    with opened(path) as store:
        keep_returned(KeptResults(store, RECORDS), CALL, as_json({"password": "hunter2-and-more"}), b"log")
    result = run(path)
    assert result.stdout == '{"password":"[redacted:password]"}'
    assert result.stderr == "Redacted: 1 place.\n"
    assert (run(path, "--part", "log").stdout, run(path, "--part", "log").stderr) == ("log", "")


def test_a_query_prints_what_it_finds_as_json(path: Path) -> None:
    with opened(path) as store:
        keep_returned(KeptResults(store, RECORDS), CALL, as_json({"a": [{"b": "é\x1b\x7f"}]}))
    assert run(path, "--query", "a[].b").stdout == '[\n  "\\u00e9\\u001b\\u007f"\n]\n'
    bad = run(path, "--query", "a[")
    assert (bad.exit_code, bad.stdout) == (1, "")
    assert bad.stderr.startswith("Error: query: ")
    assert run(path, "--query", "a", "--part", "log").exit_code == 2


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        ("f" * 32, [], "no such result, or it has expired"),
        (CALL, ["--principal", "chat-ops"], "no such result, or it has expired"),
        ("../../etc/passwd", [], "no such result, or it has expired"),
        (CALL, ["--part", "log"], "this call left no log"),
        (CALL, ["--results", "/nowhere/results.sqlite3"], "/nowhere/results.sqlite3 can't be read"),
        (CALL, ["--results-key-file", "/nowhere/key"], "/nowhere/key can't be read"),
    ],
)
def test_what_can_not_be_read_is_one_error(path: Path, call: str, arguments: list[str], message: str) -> None:
    with opened(path) as store:
        keep_returned(KeptResults(store, RECORDS), CALL, b"x")
    result = run(path, *arguments, call=call)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_another_principals_result_is_read_with_its_name(path: Path) -> None:
    with opened(path) as store:
        keep_returned(KeptResults(store, RECORDS), CALL, b"x", caller=Caller("chat-ops"))
    assert run(path, "--principal", "chat-ops").stdout == "x"
    environment = {"LAMBDA_WARDEN_PRINCIPAL": "chat-ops", "LAMBDA_WARDEN_RESULTS": str(path)}
    assert CliRunner().invoke(main, ["result", CALL], env=environment).stdout == "x"


def test_an_encrypted_result_needs_its_key(path: Path) -> None:
    with opened(path, Seal(KEY)) as store:
        keep(store, CALL, b"x")
    result = run(path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--results-key-file" in result.stderr


def test_an_expired_result_is_not_written(path: Path) -> None:
    with opened(path, clock=Clock(1_600_000_000.0)) as store:
        keep(store, CALL, b"x")
    assert "no such result, or it has expired" in run(path).stderr


def test_damage_is_noticed(path: Path) -> None:
    with opened(path) as store:
        keep(store, CALL, LARGE)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE chunks SET data = zeroblob(length(data)) WHERE n = 1")
    result = run(path)
    assert result.exit_code == 1
    assert "damaged" in result.stderr


def test_a_terminal_shows_text_and_no_escape_sequence(path: Path) -> None:
    with opened(path) as store:
        keep_returned(KeptResults(store, RECORDS), CALL, "a\x1b]0;\x07\u202eb\nc".encode())
    code, shown = on_terminal(path)
    assert (code, shown) == (0, b"a\\u001b]0;\\u0007\\u202eb\r\nc\r\n")
    code, shown = on_terminal(path, "--force")
    assert (code, shown) == (0, "a\x1b]0;\x07\u202eb\r\nc".encode())


def test_a_terminal_gets_no_binary_unless_forced(path: Path) -> None:
    with opened(path) as store:
        store.keep(CALL, OWNER, {"payload": NewPart(b"\xff\x1b[31m", "base64", 6, 0)})
    code, shown = on_terminal(path)
    assert code == 1
    assert b"\xff" not in shown
    assert b"--force" in shown
    assert on_terminal(path, "--force") == (0, b"\xff\x1b[31m")


def test_a_result_is_read_while_a_server_has_the_file_open(path: Path) -> None:
    with opened(path) as store:
        keep(store, CALL, b"x")
        assert store.flush()
        assert run(path).stdout == "x"
