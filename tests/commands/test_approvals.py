"""`lambda-warden approvals`: what waits for a person is shown whole, and decided on in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lambda_warden.approvals.secret import set_secret
from lambda_warden.cli import main
from lambda_warden.store.approvals import ApprovalAsk
from lambda_warden.store.audit_log import AuditLog
from lambda_warden.store.opening import open_store
from support.approvals import SECRET, approver, decide, found, tamper
from support.terminal import Ended, in_terminal, without_terminal

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:refund:live"
ASK = ApprovalAsk(
    "a" * 32,
    "d1",
    "local",
    "host\x1b[2J 1",
    FUNCTION,
    "destructive",
    "m.yaml:3",
    "7",
    "m1",
    'Run it?\n│ {"amount":1}\x1b[1A\u202e',
    "tidy up\nRun: nothing\u202e",
    600,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[AuditLog]:
    with closing(open_store(path).audit_log()) as opened:
        opened.request_approval(ASK)
        opened.request_approval(replace(ASK, approval_id="b" * 32, request_digest="d2"))
        yield opened


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["approvals", "--records", str(path), *arguments])


def typed(path: Path, secret_file: Path, arguments: list[str], *texts: str) -> Ended:
    files = ["--records", str(path), "--approvals-secret-file", str(secret_file)]
    return in_terminal(path.parent, ["approvals", *files, *arguments], *texts)


@pytest.mark.usefixtures("store")
def test_the_file_may_be_named_before_or_behind_the_subcommand(path: Path) -> None:
    expected = run(path, "list").stdout
    assert "b" * 32 in expected
    for behind in (["list", "--records", str(path)], ["list", f"--records={path}", "--limit", "50"]):
        assert CliRunner().invoke(main, ["approvals", *behind]).stdout == expected


@pytest.mark.usefixtures("store")
def test_requests_are_listed_and_shown_with_nothing_hidden(path: Path) -> None:
    assert decide(path, ASK.approval_id, note="fine\n\x1b[2J")
    listed = run(path, "list").stdout.splitlines()
    assert [line.split("\t")[:2] for line in listed] == [["b" * 32, "pending"]]
    assert [line.split("\t")[1] for line in run(path, "list", "--all").stdout.splitlines()] == ["approved", "pending"]
    (read,) = map(json.loads, run(path, "list", "--json").stdout.splitlines())
    assert (read["ask"]["reason"], read["state"]) == (ASK.reason, "pending")
    shown = run(path, "show", ASK.approval_id).stdout
    for expected in (
        f"Request {ASK.approval_id}, approved, until 2",
        "From: local (host\\u001b[2J 1), rule m.yaml:3",
        "│ tidy up\n│ Run: nothing\\u202e\n",
        'Run it?\n│ {"amount":1}\\u001b[1A\\u202e\n',
        "Approved by ada (terminal): fine\\n\\u001b[2J",
    ):
        assert expected in shown
    tamper(path, "ruling = replace(ruling, 'terminal', ?) WHERE approval_id = ?", "\\u001b[2J", ASK.approval_id)
    assert "Approved by ada (\\u001b[2J): fine" in run(path, "show", ASK.approval_id).stdout
    missing = run(path, "show", "c" * 32)
    assert missing.exit_code == 1
    assert "approvals list" in missing.stderr


def test_what_is_not_there_is_said(path: Path) -> None:
    assert "nothing is recorded yet" in run(path, "list").stderr
    with closing(open_store(path).audit_log()):
        pass
    assert run(path, "list").stderr == "No requests wait for a decision.\n"
    assert run(path, "list", "--all").stderr == "No requests are on record.\n"


@pytest.mark.usefixtures("store")
def test_where_no_secret_is_set_none_is_asked_for(path: Path, tmp_path: Path) -> None:
    ended = typed(path, tmp_path / "approver.json", ["approve", ASK.approval_id])
    assert ended.code == 1
    assert ended.shown.count("no approver's secret is set up") == 1


@pytest.mark.usefixtures("store")
def test_without_a_terminal_that_is_said_once(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "approver.json"
    set_secret(file, SECRET)
    files = ["--records", str(path), "--approvals-secret-file", str(file)]
    ended = without_terminal(tmp_path, ["approvals", *files, "approve", ASK.approval_id])
    assert ended.code == 1
    assert ended.shown.count("on a terminal") == 1


@pytest.mark.usefixtures("store")
def test_with_the_secret_that_init_sets_a_person_decides_once(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "approver.json"
    for secret, again, said in (
        ("short", "short", "at least 12"),
        (SECRET, "x", "two different"),
        (SECRET, SECRET, "can be approved"),
    ):
        assert said in typed(path, file, ["init"], secret, again).shown
    other = "another good secret"
    changed = typed(path, file, ["init"], SECRET, other, other)
    assert changed.code == 0, changed.shown
    wrong_first = typed(path, file, ["deny", ASK.approval_id, "--note", "no"], SECRET, other)
    assert wrong_first.code == 0, wrong_first.shown
    assert "not the approver's secret" in wrong_first.shown
    assert SECRET not in wrong_first.shown
    assert other not in wrong_first.shown
    decided = found(path, ASK.approval_id)
    assert decided.state == "denied"
    assert decided.ruling is not None
    assert (decided.ruling.how, decided.ruling.note) == ("terminal", "no")
    late = typed(path, file, ["approve", ASK.approval_id])
    assert late.code == 1
    assert "it is denied" in late.shown


def test_whoever_follows_decides_on_each_as_it_comes(path: Path, store: AuditLog) -> None:
    store.request_approval(replace(ASK, approval_id="c" * 32, request_digest="d3"))
    # A ^C would race with the command: it is lost if it comes just before that reads. An end of input is not.
    ended = typed(path, approver()[0], ["follow"], "a", "fine", SECRET, "s", "\x04")
    assert ended.code == 0, ended.shown
    assert [found(path, letter * 32).state for letter in "abc"] == ["approved", "pending", "pending"]


@pytest.mark.usefixtures("store")
def test_without_a_terminal_whoever_follows_sees_each_once_until_interrupted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter((None, KeyboardInterrupt))

    def sleep(_: float) -> None:
        if interrupt := next(looks):
            raise interrupt

    monkeypatch.setattr("lambda_warden.commands.approvals.time.sleep", sleep)
    ended = run(path, "follow")
    assert ended.exit_code == 0
    assert [ended.stdout.count(f"Request {letter * 32}") for letter in "ab"] == [1, 1]


@pytest.mark.usefixtures("store")
def test_the_records_tell_who_decided_how_and_why(path: Path, store: AuditLog) -> None:
    assert decide(path, ASK.approval_id, note="ticket 4711")
    assert store.admit("call", {}, [], 60, approval=found(path, ASK.approval_id)) is None
    shown = CliRunner().invoke(main, ["records", "--records", str(path), "show", "call"]).stdout
    records = shown.partition("\n\n")[2].splitlines()
    assert [line.split("  ")[1] for line in records if not line.startswith(" ")] == [
        "approval_request",
        "approval",
        "approval",
        "intent",
    ]
    told = {tuple(line.split(maxsplit=1)) for line in records if line.startswith(" ")}
    assert told >= {("by:", "ada"), ("how:", "terminal"), ("note:", "ticket 4711")}
    assert "approval     approved by ada (terminal), at " in shown
    assert "reason:" in shown
    listed = CliRunner().invoke(main, ["records", "--records", str(path), "list"]).stdout.splitlines()
    assert "approval_pending" in listed[0]
    assert "a person: approved by ada" in listed[0]
