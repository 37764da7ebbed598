"""What each command shows on a wide and a narrow terminal, without colours, and in a pipe; and as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from lambda_warden.cli import main
from lambda_warden.commands import console
from lambda_warden.commands.console import Column, print_table, working
from lambda_warden.store.approvals import ApprovalAsk
from lambda_warden.store.opening import open_store
from support.cloudtrail import deliver, trail_event
from support.kept import CALL, keep, opened
from support.terminal import Ended, shown_at
from support.warden import allow, arn, write_manifest

SHOWN: Final = {
    "check": "check MANIFEST --aws --no-sign-request --records RECORDS",
    "doctor": "doctor --manifest MANIFEST --no-sign-request --records RECORDS",
    "explain": "explain --manifest MANIFEST orders-refund:live --payload {} --records RECORDS",
    "records list": "records --records RECORDS list",
    "records find": "records --records RECORDS find --payload PAYLOAD",
    "records show": "records --records RECORDS show CALL",
    "records verify": "records --records RECORDS verify",
    "records reconcile": "records --records RECORDS reconcile --all --cloudtrail TRAIL",
    "approvals list": "approvals --records RECORDS list",
    "approvals show": "approvals --records RECORDS show ASKED",
    "pause status": "pause --records RECORDS status",
    "result": "result CALL --results RESULTS --principal OWNER",
    "install": "install cursor --manifest MANIFEST --file HOST --dry-run",
    "uninstall": "uninstall cursor --file HOST --dry-run",
    "init": "init --template TEMPLATE --account 123456789012 --region us-east-1 --output NEW --dry-run",
}
"""Each command that shows something, as it is tried here. Words in capitals stand for what the fixture made."""
ELSEWHERE: Final = {"store check", "records follow", "lock"}
"""Which are tried on AWS, or until they are interrupted: see `test_store.py`, `test_records.py` and `test_lock.py`."""
ALWAYS_JSON: Final = {"iam-policy", "schema", "store iam-policy", "records export"}
SHOWS_NOTHING: Final = {
    *("serve", "demo", "resume", "approvals init", "approvals approve", "approvals deny", "approvals follow"),
    *("approvals serve", "records keygen", "records ship", "store create", "completion"),
}
"""Which do something, and say that it is done."""
AS_IT_IS: Final = {"approvals show", "install", "uninstall", "init", "result"}
"""Which show what must not be laid out anew: a question to a person, a difference, a file, an answer."""
HOSTILE: Final = "[red]host[/red]\x1b[2J\x1b]0;x\x07\u202e"
LONG: Final = "no rule allows it, since " + "nobody has written one that does, and " * 6 + "that is all"
CODES: Final = re.compile(r"\x1b\[[0-9;]*m")


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, *path, name)


LEAVES: Final = dict(leaves(main))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A manifest, records with a call, a request and a pause, a kept result, CloudTrail's files, a template."""
    folder = tmp_path_factory.mktemp("console")
    rules = [
        allow("orders-refund", "live", "7", effect="destructive", principals=["user:ann"], description=HOSTILE),
        allow("report-*", "$LATEST", logs={"read": "any"}, result={"redact": ["/card/number"]}),
    ]
    deny = [{"arn": "arn:aws:lambda:*:*:function:*-payroll", "reason": HOSTILE}]
    manifest = write_manifest(folder, "http://127.0.0.1:9", rules, deny=deny)
    records, results, payload = folder / "records.sqlite3", folder / "results.sqlite3", folder / "payload.json"
    payload.write_text('{"id": 1}')
    digest = "payload_sha256", hashlib.sha256(payload.read_bytes()).hexdigest()
    function = f"{arn('orders-refund')}:live"
    who: dict[str, str | int | float | None] = {
        "principal": "user:ann",
        "actor": "ops-bot",
        "client": HOSTILE,
        "function": function,
        digest[0]: digest[1],
    }
    (folder / "payloads.key").write_text("00" * 32)
    asked = "b" * 32
    ask = ApprovalAsk(
        asked, "d", "user:ann", HOSTILE, function, "destructive", "m:3", "7", "d", "Run it?", HOSTILE, 600
    )
    with closing(open_store(records).audit_log()) as log:
        about: dict[str, str | int | float | None] = {
            "tool": "invoke_function",
            "rule": "m.yaml:3",
            "manifest_sha256": "c" * 64,
            "payload_bytes": 9,
        }
        log.admit(CALL, {**who, **about, "invocation_type": "RequestResponse"}, [], 60)
        log.append("approval", CALL, {**who, "answer": "approved", "by": "ada", "how": "terminal", "note": HOSTILE})
        log.finish(
            CALL, {"outcome": "succeeded", "duration_ms": 1234, "request_id": "r-1", "answer_bytes": 5}, ran=True
        )
        log.append("denial", "d" * 32, {**who, "tool": "dry_run", "check": "manifest_rule", "reason": LONG})
        log.request_approval(ask)
        log.pause("ann", HOSTILE)
    with opened(results, None) as store:
        keep(store, CALL, b'{"total": 12}')
    template = folder / "template.yaml"
    template.write_text("Resources: {F: {Type: AWS::Lambda::Function, Properties: {FunctionName: orders-get}}}\n")
    trail = deliver(folder / "trail", [trail_event("r-2", at=datetime.now(UTC))])
    return {
        "MANIFEST": str(manifest),
        "RECORDS": str(records),
        "RESULTS": str(results),
        "PAYLOAD": str(payload),
        "CALL": CALL,
        "ASKED": asked,
        "OWNER": "local",
        "TRAIL": str(trail),
        "TEMPLATE": str(template),
        "HOST": str(folder / "mcp.json"),
        "NEW": str(folder / "new.yaml"),
    }


def arguments(words: dict[str, str], name: str, *more: str) -> list[str]:
    return [*(words.get(word, word) for word in SHOWN[name].split()), *more]


def piped(words: dict[str, str], name: str, *more: str) -> str:
    done = CliRunner().invoke(main, arguments(words, name, *more))
    assert isinstance(done.exception, SystemExit | None), done.output
    return done.stdout


def on_terminal(words: dict[str, str], name: str, columns: int, **variables: str) -> Ended:
    return shown_at(columns, partial(main, arguments(words, name)), variables)


def test_every_command_that_shows_something_can_show_it_as_json() -> None:
    able = {name for name, command in LEAVES.items() if any("--json" in param.opts for param in command.params)}
    assert LEAVES.keys() - able == ALWAYS_JSON | SHOWS_NOTHING
    assert able == SHOWN.keys() | ELSEWHERE


@pytest.mark.parametrize("name", SHOWN)
def test_that_is_json_alone(name: str, words: dict[str, str]) -> None:
    shown = piped(words, name, "--json")
    assert shown.strip()
    assert shown.isascii()
    assert "\x7f" not in shown
    try:
        json.loads(shown)
    except json.JSONDecodeError:
        assert all(isinstance(json.loads(line), dict) for line in shown.splitlines())


@pytest.mark.parametrize("name", SHOWN)
def test_a_pipe_gets_no_colours_and_nothing_cut(name: str, words: dict[str, str]) -> None:
    shown = piped(words, name)
    assert "\x1b" not in shown
    assert "…" not in shown
    if name == "records list":
        assert LONG in shown
        assert all(len(line.split("\t")) == 9 for line in shown.splitlines())


@pytest.mark.parametrize("columns", [60, 120])
@pytest.mark.parametrize("name", SHOWN)
def test_a_terminal_gets_what_fits_it(name: str, columns: int, words: dict[str, str]) -> None:
    shown = on_terminal(words, name, columns).shown
    plain = CODES.sub("", shown)
    assert "\x1b" not in plain
    assert "\u202e" not in plain
    if name not in AS_IT_IS:
        assert [line for line in plain.splitlines() if cell_len(line) > columns] == []
        assert "…" not in plain or name in ("records list", "records find")


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_a_terminal_that_wants_no_colours_gets_none(
    name: str, variables: dict[str, str], words: dict[str, str]
) -> None:
    shown = on_terminal(words, name, 60, **variables).shown
    assert "\x1b" not in shown
    if name not in AS_IT_IS:
        assert [line for line in shown.splitlines() if cell_len(line) > 60] == []


@pytest.mark.parametrize("name", ["check", "doctor", "explain", "records list", "records show", "pause status"])
def test_a_terminal_gets_colours(name: str, words: dict[str, str]) -> None:
    assert CODES.search(on_terminal(words, name, 120).shown)


def test_an_id_stands_whole_at_any_width(words: dict[str, str]) -> None:
    for columns in (60, 120):
        for name in ("records list", "records show", "records find", "approvals list"):
            shown = on_terminal(words, name, columns).shown
            assert any(each in shown for each in (words["CALL"], words["ASKED"])), (columns, name, shown)


def table(columns: int, rows: Sequence[Sequence[str]], **keys: Any) -> list[str]:
    titles = [Column("ID", whole=True), Column("WHY"), Column("MORE", extra=True)]
    ended = shown_at(columns, partial(print_table, titles, rows, **keys), {"NO_COLOR": "1"})
    return [line.rstrip() for line in ended.shown.splitlines()]


def test_a_table_is_fitted_first_by_leaving_out_then_by_wrapping_then_as_blocks() -> None:
    rows = [["a" * 8, "one two three four", "m"], ["b", "[red]日本[/red]", "n"]]
    assert table(40, rows) == [
        "ID        WHY                 MORE",
        "aaaaaaaa  one two three four  m",
        "b         [red]日本[/red]     n",
    ]
    assert table(22, rows) == [
        "ID        WHY",
        "aaaaaaaa  one two",
        "          three four",
        "b         [red]日本[/r",
        "          ed]",
    ]
    assert table(16, rows)[:4] == ["ID    aaaaaaaa", "WHY   one two", "      three four", "MORE  m"]


def test_rows_that_come_later_stand_below_the_first() -> None:
    rows = [["a", "b", "c"]]
    assert table(60, rows, titles=False, widths=(8, 10, 4)) == ["a         b           c"]


def test_progress_is_shown_on_stderr_with_nothing_that_moves_a_cursor_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_PROGRESS_AFTER", 0)
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    shown = b""
    with os.fdopen(theirs, "w", encoding="utf-8") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        with working("Asking") as tell:
            tell("[red]f\x1b[2J")
            while b"[red]f\\u001b[2J" not in shown:
                shown += os.read(ours, 4096)
    os.close(ours)
    assert b"\x1b[2J" not in shown


def test_progress_is_shown_on_a_terminal_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with working("Asking") as tell:
        tell("f\x1b[2J")
    assert capsys.readouterr() == ("", "")
