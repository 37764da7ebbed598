"""`lambda-warden records`: what people and programs read of the records."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.cli import main
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.audit import verify
from support.clock import Clock
from support.scripted_endpoint import ScriptedEndpoint, echo
from support.warden import allow, always_yes, arn, warden

REFUND = "arn:aws:lambda:us-east-1:123456789012:function:orders-refund:live"
REPORT = "arn:aws:lambda:eu-west-1:123456789012:function:report-daily:$LATEST"
HOUR, DAY = 3600, 86_400


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite3"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[SqliteAuditLog]:
    with closing(SqliteAuditLog(path, clock=clock)) as opened:
        yield opened


@pytest.fixture
def calls(store: SqliteAuditLog, clock: Clock) -> SqliteAuditLog:
    """Four calls: one three days old and lost, one that succeeded an hour ago, one denied, one under way."""
    start = clock.now
    clock.now = start - 3 * DAY
    store.admit("lost", {"tool": "invoke_function", "function": REPORT}, [], 60)
    clock.now = start - HOUR
    store.admit("done", {"tool": "invoke_function", "function": REFUND, "principal": "local"}, [], 60)
    store.append("approval", "done", {"tool": "invoke_function", "function": REFUND, "answer": "approved"})
    store.finish("done", {"outcome": "succeeded", "duration_ms": 1234, "request_id": "6f1c"}, ran=True)
    clock.now = start - 60
    denied = {"tool": "dry_run", "function": "arn:aws:lambda:us-east-1:1:function:f:1", "reason": "no rule allows it"}
    store.append("denial", "no", {**denied, "principal": "local", "client": "Claude Code"})
    clock.now = start
    store.admit("now", {"tool": "invoke_function", "function": REFUND}, [], HOUR)
    return store


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["records", "--records", str(path), *arguments])


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("subcommand", ["list", "show now", "export", "verify"])
def test_the_file_may_be_named_behind_the_subcommand(subcommand: str, path: Path, tmp_path: Path) -> None:
    before = run(path, *subcommand.split())
    behind = run(tmp_path / "another", *subcommand.split(), "--records", str(path))
    assert (behind.exit_code, behind.output) == (0, before.output)


def lines(path: Path, *arguments: str) -> list[str]:
    result = run(path, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def listed(path: Path, *arguments: str) -> list[str]:
    """The invocation ids that are listed."""
    return [json.loads(line)["invocation_id"] for line in lines(path, "list", "--json", *arguments)]


@pytest.mark.usefixtures("calls")
def test_list_has_a_row_for_each_call_with_the_newest_last(path: Path) -> None:
    rows = [line.split("\t") for line in lines(path, "list")]
    assert [row[1:] for row in rows] == [
        ["lost", "-", "invoke_function", "report-daily:$LATEST", "unknown", "-", "-", "-"],
        ["done", "local", "invoke_function", "orders-refund:live", "succeeded", "1,234 ms", "6f1c", "approved"],
        ["no", "local (Claude Code)", "dry_run", "f:1", "denied", "-", "-", "no rule allows it"],
        ["now", "-", "invoke_function", "orders-refund:live", "running", "-", "-", "-"],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[0]) for row in rows)


def test_a_replay_is_listed_with_the_call_whose_result_it_gave(calls: SqliteAuditLog, path: Path) -> None:
    calls.append("replay", "again", {"tool": "invoke_function", "function": REFUND, "first": "done"})
    assert lines(path, "list")[-1].split("\t")[1:] == [
        *("again", "-", "invoke_function", "orders-refund:live", "replay", "-", "-", "result of done"),
    ]
    assert listed(path, "--outcome", "replay") == ["again"]


def test_a_reload_is_listed_with_the_rules_that_changed(calls: SqliteAuditLog, path: Path) -> None:
    calls.append("reload", "r", {"rules": 2, "added": "arn:a, arn:b", "removed": None, "no_longer_denied": "arn:c"})
    (line,) = lines(path, "list", "--kind", "reload")
    assert line.endswith("\tadded: arn:a, arn:b; no longer denied: arn:c")


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--limit", "3"], "3 of 4 shown, the newest; --limit 4 shows all.\n"),
        (["--limit", "1", "--function", "refund", "--json"], "1 of 2 shown, the newest; --limit 2 shows all.\n"),
        (["--limit", "4"], ""),
        (["--limit", "1", "--outcome", "denied"], ""),
    ],
)
def test_what_the_limit_left_out_is_said(path: Path, arguments: list[str], told: str) -> None:
    assert run(path, "list", *arguments).stderr == told


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], ["lost", "done", "no", "now"]),
        (["--since", "2h"], ["done", "no", "now"]),
        (["--since", "90s"], ["no", "now"]),
        (["--since", "15m"], ["no", "now"]),
        (["--since", "2d"], ["done", "no", "now"]),
        (["--since", "2020-01-01"], ["lost", "done", "no", "now"]),
        (["--since", "2999-01-01T00:00+02:00"], []),
        (["--function", "refund"], ["done", "now"]),
        (["--function", "eu-west-1"], ["lost"]),
        (["--function", "$LATEST"], ["lost"]),
        (["--outcome", "succeeded"], ["done"]),
        (["--outcome", "denied"], ["no"]),
        (["--outcome", "running"], ["now"]),
        (["--outcome", "unknown"], ["lost"]),
        (["--kind", "denial"], ["no"]),
        (["--kind", "approval"], ["done"]),
        (["--kind", "denial", "--kind", "approval"], ["done", "no"]),
        (["--kind", "violation"], []),
        (["--invocation", "done"], ["done"]),
        (["--invocation", "don"], []),
        (["--limit", "2"], ["no", "now"]),
        (["--limit", "1", "--function", "refund", "--since", "2h"], ["now"]),
    ],
    ids=" ".join,
)
def test_list_filters(path: Path, filters: list[str], expected: list[str]) -> None:
    assert listed(path, *filters) == expected


@pytest.mark.usefixtures("calls")
def test_a_time_without_offset_is_utc(path: Path) -> None:
    since = json.loads(lines(path, "list", "--json", "--invocation", "done")[0])["at"]
    assert listed(path, "--since", since) == ["done", "no", "now"]
    assert listed(path, "--since", since.removesuffix("+00:00")) == ["done", "no", "now"]


@pytest.mark.usefixtures("calls")
def test_list_as_json_has_what_the_row_has_and_the_ids(path: Path) -> None:
    (line,) = lines(path, "list", "--json", "--invocation", "done")
    row: dict[str, Any] = json.loads(line)
    assert row.pop("at")
    assert row == {
        "position": 3,
        "kind": "intent",
        "invocation_id": "done",
        "tool": "invoke_function",
        "function": REFUND,
        "outcome": "succeeded",
        "duration_ms": 1234,
        "request_id": "6f1c",
        "principal": "local",
        "client": None,
        "approval": "approved",
        "why": None,
    }


def test_an_intent_that_names_no_lease_is_running_for_as_long_as_a_call_can_be(
    store: SqliteAuditLog, clock: Clock, path: Path
) -> None:
    clock.now -= 1000
    store.append("intent", "old", {})
    clock.now += 500
    store.append("intent", "new", {})
    assert listed(path, "--outcome", "unknown") == ["old"]
    assert listed(path, "--outcome", "running") == ["new"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["list", "--since", "yesterday"], "is not a time such as"),
        (["list", "--since", "99999999999d"], "is not a time such as"),
        (["list", "--limit", "0"], "x>=1"),
        (["list", "--kind", "outcome"], "'denial'"),
        (["verify", "--head", "abc"], "64 hexadecimal digits"),
    ],
)
@pytest.mark.usefixtures("store")
def test_bad_options_are_one_clear_error(path: Path, arguments: list[str], expected: str) -> None:
    result = run(path, *arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("subcommand", ["export", "verify"])
def test_a_file_that_is_not_there_is_named_and_not_made(path: Path, subcommand: str) -> None:
    result = run(path, subcommand)
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert not path.exists()


@pytest.mark.parametrize("subcommand", ["list", "follow", "export", "verify"])
def test_a_file_that_holds_something_else_is_named(path: Path, subcommand: str) -> None:
    path.write_bytes(b"not a database\n" * 100)
    result = run(path, subcommand)
    assert result.exit_code == 1
    assert str(path) in result.stderr


@pytest.mark.usefixtures("store")
def test_a_file_without_records_is_listed_as_nothing(path: Path) -> None:
    assert lines(path, "list") == lines(path, "list", "--json") == []
    assert len(lines(path, "export")) == 1
    assert lines(path, "verify")[0].startswith("1 record, no problem found; head ")


def test_the_file_may_be_named_by_a_variable(calls: SqliteAuditLog, path: Path) -> None:
    result = CliRunner().invoke(main, ["records", "list"], env={"LAMBDA_WARDEN_RECORDS": str(path)})
    assert len(result.stdout.splitlines()) == 4


@pytest.mark.usefixtures("calls")
def test_reading_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    for subcommand in ("list", "export", "verify"):
        lines(path, subcommand)
    assert path.read_bytes() == before


def test_a_file_whose_server_has_ended_is_read(path: Path) -> None:
    with closing(SqliteAuditLog(path)) as store:
        store.append("denial", "no", {})
    assert listed(path) == ["no"]
    with closing(SqliteAuditLog(path)) as store:
        store.append("denial", "again", {})
    assert listed(path) == ["no", "again"]


@pytest.mark.usefixtures("calls")
def test_export_has_all_that_is_needed_to_follow_the_chain(path: Path) -> None:
    head = "0" * 64
    exported = [json.loads(line) for line in lines(path, "export")]
    for record in exported:
        array = [head, *(record[key] for key in ("writer", "seq", "at", "kind", "invocation_id", "body"))]
        head = hashlib.sha256(json.dumps(array, separators=(",", ":"), sort_keys=True).encode()).hexdigest()
        assert record["hash"] == head
    assert len(exported) == 7
    assert (head,) == verify(path).heads


def test_verify_says_how_many_and_the_head_and_takes_it_back(calls: SqliteAuditLog, path: Path) -> None:
    (line,) = lines(path, "verify")
    match = re.fullmatch(r"7 records, no problem found; head ([0-9a-f]{64})", line)
    assert match is not None
    calls.append("denial", "another", {})
    assert lines(path, "verify", "--head", match[1].upper())[0].startswith("8 records")


@pytest.mark.usefixtures("calls")
def test_verify_fails_with_the_problems(path: Path) -> None:
    result = run(path, "verify", "--head", "f" * 64)
    assert result.exit_code == 1
    assert "no record has the hash " + "f" * 64 in result.stderr

    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TRIGGER events_no_update")
        db.execute("UPDATE events SET body = '{' WHERE position = 3")
    result = run(path, "verify")
    assert result.exit_code == 1
    assert "record 3 does not fit its hash" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("subcommand", [["list"], ["list", "--json"], ["export"]])
@given(texts=st.lists(st.text(st.characters(exclude_categories=[])), min_size=4, max_size=4))
def test_recorded_text_reaches_no_terminal_raw(
    tmp_path_factory: pytest.TempPathFactory, subcommand: list[str], texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("records") / "records.sqlite3"
    tool, function, outcome, request_id = (f"{text}\x1b]0;\x07\x7f\x9b31m\u202e\r\n\t" for text in texts)
    outcome = outcome.encode(errors="replace").decode()  # our own word, which no half of a character comes into
    with closing(SqliteAuditLog(path)) as store:
        store.admit("call-1", {"tool": tool, "function": function}, [], 1)
        store.finish("call-1", {"outcome": outcome, "request_id": request_id}, ran=True)
    shown = lines(path, *subcommand)
    assert len(shown) == (3 if subcommand == ["export"] else 1)
    if subcommand == ["list"]:
        assert shown[0].count("\t") == 8
        shown = [shown[0].replace("\t", "")]
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\ud800-\udfff]", "".join(shown))


@pytest.mark.usefixtures("calls")
def test_what_somebody_wrote_into_the_file_is_shown_escaped(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TRIGGER events_no_update")
        db.execute("UPDATE events SET at = CAST(x'1bff' AS TEXT), body = CAST(x'1bff' AS TEXT) WHERE position = 3")
        db.execute("UPDATE events SET body = '[1]' WHERE position = 2")
    assert "\\u001b\\udcffZ" in lines(path, "list")[1]
    assert json.loads(lines(path, "export")[1])["body"] == "[1]"
    assert json.loads(lines(path, "export")[2])["body"] == "\x1b\udcff"
    assert listed(path, "--outcome", "unknown") == ["lost"]
    for call in ("lost", "done", "now"):
        assert "\x1b" not in "".join(lines(path, "show", call))
        assert json.loads(run(path, "show", call, "--json").stdout)["invocation_id"] == call


@pytest.mark.parametrize("as_json", [False, True])
def test_follow_prints_what_comes_while_a_server_writes(calls: SqliteAuditLog, path: Path, as_json: bool) -> None:
    arguments = ["--records", str(path), "follow", "--lines", "1", *(["--json"] if as_json else [])]
    script = "from lambda_warden.commands.records import records; records()"
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "running" in process.stdout.readline()  # the last that was there: it is reading now
        calls.finish("now", {"outcome": "function_error", "duration_ms": 7}, ran=True)
        calls.append("denial", "later", {"tool": "dry_run", "function": "x\x1b[2J"})
        calls.append("reload", "", {})
        ended, denied, reload = (process.stdout.readline() for _ in range(3))
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "")
    assert process.returncode == 0
    assert "function_error" in ended
    assert "orders-refund:live" in ended
    assert "denied" in denied
    assert "\x1b" not in denied
    assert "reload" in reload


@pytest.mark.parametrize("empty", [False, True], ids=["no file", "empty file"])
def test_follow_waits_for_the_first_server(path: Path, empty: bool) -> None:
    if empty:
        path.touch()
    script = "from lambda_warden.commands.records import records; records()"
    with subprocess.Popen(
        [sys.executable, "-c", script, "--records", str(path), "follow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert str(path) in process.stderr.readline()  # it is waiting now
        with closing(SqliteAuditLog(path)) as store:
            store.append("denial", "first", {"tool": "dry_run", "function": "f"})
            assert ["start" in process.stdout.readline(), "denied" in process.stdout.readline()] == [True, True]
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "")
    assert process.returncode == 0


@pytest.mark.usefixtures("calls")
def test_show_tells_the_whole_story_of_a_call(path: Path) -> None:
    shown = lines(path, "show", "done")
    records = shown[shown.index("") + 1 :]
    assert [line.split("  ")[1] for line in records if not line.startswith(" ")] == ["intent", "approval", "outcome"]
    assert "    answer:    approved" in records
    assert [event["kind"] for event in json.loads(run(path, "show", "done", "--json").stdout)["records"]] == [
        *("intent", "approval", "outcome"),
    ]
    missing = run(path, "show", "nobody")
    assert missing.exit_code == 1
    assert "nothing is on record of nobody" in missing.stderr


@pytest.mark.anyio
@pytest.mark.parametrize("kept", [False, True])
async def test_show_answers_a_security_review(kept: bool, tmp_path: Path, endpoint: ScriptedEndpoint) -> None:
    endpoint.behaviours["f"] = echo
    rules = [allow("f", effect="destructive"), allow("g")]
    async with warden(tmp_path, endpoint.url, *rules, person=always_yes, record_payloads=kept) as running:
        done = await running.invoke("f:live", payload={"order": "A-1", "password": "hunter22hunter22"})
        denied = await running.invoke("g:other", payload=1)
    path, manifest = running.records_file, f"{tmp_path / 'manifest.yaml'}"
    told = json.loads(run(path, "show", done["invocation_id"], "--json").stdout)
    assert (told["outcome"], told["function"], told["who"]["principal"]) == ("succeeded", f"{arn('f')}:live", "local")
    assert told["decided"]["rule"].startswith(f"{manifest}:")
    assert told["decided"]["manifest_sha256"] == hashlib.sha256(Path(manifest).read_bytes()).hexdigest()
    assert [each["answer"] for each in told["approvals"]] == ["approved"]
    assert "who approved at the client, which does not say" in told["not_kept"]
    assert told["sent"]["payload_hmac"]
    assert told["returned"]["answer_bytes"] > 0
    for data, name in ((told["sent"], "payload"), (told["returned"], "answer")):
        assert any(text.startswith(f"the {name}: ") for text in told["not_kept"]) is not kept
        assert ("A-1" in str(data[name])) is kept
    assert "hunter22" not in json.dumps(told)
    people = dict(
        line.split("  ", 1) for line in lines(path, "show", done["invocation_id"]) if re.match(r"\w+  ", line)
    )
    assert people["approval"].strip().startswith("approved by a person at the client, at 20")
    assert people["returned"].strip().startswith("succeeded; ")
    told = json.loads(run(path, "show", denied["invocation_id"], "--json").stdout)
    assert (told["outcome"], told["decided"]["check"], told["returned"]["request_id"]) == ("denied", "qualifier", None)
    assert "denied by    qualifier: " in run(path, "show", denied["invocation_id"]).stdout
