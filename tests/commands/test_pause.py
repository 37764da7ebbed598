"""`lambda-warden pause` and `resume`, and what `check` and `explain` say of them."""

from __future__ import annotations

import os
import pwd
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.store.audit_log import CircuitBreaker
from lambda_warden.store.opening import open_store
from support.approvals import SECRET, approver
from support.audit import recorded
from support.builders import function_arn
from support.terminal import in_terminal, without_terminal
from support.warden import allow, write_manifest

ME = pwd.getpwuid(os.getuid()).pw_name
LIVE = f"{function_arn('f')}:live"


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Records in which `f:live` has failed twice."""
    path, breaker = tmp_path / "records.sqlite3", CircuitBreaker(LIVE, 2, 900)
    with closing(open_store(path).audit_log()) as log:
        for number in range(2):
            log.admit(f"call-{number}", {}, [], 60, None, breaker)
            log.finish(f"call-{number}", {"outcome": "function_error"}, ran=True)
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    rule = allow("f", "live", "7", stop_after_failures={"count": 2}, tenants=["blue"])
    return str(write_manifest(tmp_path, "http://127.0.0.1:9", [rule]))


def run(records: Path, command: str, *arguments: str) -> Result:
    env = {"USER": "mallory", "LOGNAME": "mallory", "COLUMNS": "300"}
    return CliRunner().invoke(main, [command, *arguments, "--records", str(records)], env=env)


def test_a_pause_is_said_everywhere_until_it_is_resumed(records: Path, manifest: str) -> None:
    call = ("f:7", "--tenant-id", "blue", "--manifest", manifest)
    assert run(records, "explain", *call).exit_code == 0
    paused = run(records, "pause", "--reason", "incident\n7")
    assert (paused.exit_code, paused.stdout) == (
        0,
        "Paused: no call is admitted.\n`lambda-warden resume` lets them through again.\n",
    )
    again = run(records, "pause")
    assert again.exit_code == 0
    assert f"paused already: {ME} paused them at 20" in again.stdout
    assert ": incident\\n7\n" in again.stdout
    assert f"Warning: no call is admitted: {ME} paused them at 20" in run(records, "check", manifest).stderr
    explained = run(records, "explain", *call)
    assert explained.exit_code == 1
    assert f"✗ paused: {ME} has paused all calls since 20" in explained.stdout
    assert run(records, "resume", "--reason", "over").exit_code == 0
    assert run(records, "explain", *call).exit_code == 0
    assert "no call is admitted" not in run(records, "check", manifest).stderr
    nothing = run(records, "resume")
    assert (nothing.exit_code, nothing.stderr) == (1, "Error: calls are not paused\n")
    told = [(event.kind, event.fields()) for event in recorded(records) if event.kind in ("pause", "resume")]
    assert told == [("pause", {"by": ME, "reason": "incident\n7"}), ("resume", {"by": ME, "reason": "over"})]
    listed = CliRunner().invoke(main, ["records", "--records", str(records), "list", "--kind", "pause"]).stdout
    assert f"\t{ME}\t" in listed
    assert "incident" in listed


@pytest.mark.parametrize("given", ["f", "f:live", function_arn("f"), LIVE])
def test_a_function_that_is_stopped_is_resumed_by_any_of_its_names(given: str, records: Path, manifest: str) -> None:
    call = ("f:live", "--tenant-id", "blue", "--manifest", manifest)
    assert f"Warning: {LIVE} failed 2 times in a row" in run(records, "check", manifest).stderr
    assert f"resume --function {LIVE}`" in run(records, "explain", *call).stdout
    assert run(records, "explain", *call[1:], "f:7").exit_code == 0
    resumed = run(records, "resume", "--function", given)
    assert resumed.exit_code == 0
    assert resumed.stdout.startswith(f"Calls are admitted again: {LIVE} failed 2 times in a row")
    assert run(records, "explain", *call).exit_code == 0
    assert recorded(records)[-1].fields() == {"by": ME, "function": LIVE}
    assert run(records, "resume", "--function", given).exit_code == 1


@pytest.mark.parametrize("given", ["g", "f:7", "F", "ff", "", function_arn("f", account="210987654321")])
def test_another_function_is_not_resumed(given: str, records: Path) -> None:
    before = len(recorded(records))
    result = run(records, "resume", "--function", given)
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(recorded(records)) == before


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_records_that_no_server_writes_to_are_not_made(command: str, tmp_path: Path, manifest: str) -> None:
    path = tmp_path / "elsewhere.sqlite3"
    result = run(path, command)
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert not path.exists()
    assert run(path, "check", manifest).stderr == ""


def test_what_can_not_be_read_is_said(tmp_path: Path, manifest: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database, and longer than its header would be " * 10)
    assert "Warning: whether calls are paused can't be told" in run(path, "check", manifest).stderr
    explained = run(path, "explain", "f:live", "--tenant-id", "blue", "--manifest", manifest)
    assert (explained.exit_code, explained.stdout) == (2, "")
    assert run(path, "pause").exit_code == 1


def test_a_reason_has_an_end(records: Path) -> None:
    assert run(records, "pause", "--reason", "x" * 301).exit_code == 2


def test_the_iam_policies_are_the_same_with_tenants_and_stops(tmp_path: Path, manifest: str) -> None:
    """Neither can be said in IAM."""
    with_them = CliRunner().invoke(main, ["iam-policy", "--manifest", manifest]).stdout
    without = str(write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f", "live", "7")]))
    assert CliRunner().invoke(main, ["iam-policy", "--manifest", without]).stdout == with_them


def test_where_an_approver_s_secret_is_set_resuming_asks_for_it_on_the_terminal(records: Path, tmp_path: Path) -> None:
    secret_file = Path(shutil.copy(approver()[0], tmp_path))
    command = ["resume", "--records", str(records), "--approvals-secret-file", str(secret_file)]
    assert run(records, "pause").exit_code == 0
    for given in ([], ["--function", "f"]):
        assert without_terminal(tmp_path, [*command, *given], piped=f"{SECRET}\n" * 3).code == 1
    assert in_terminal(tmp_path, command, *["a wrong secret"] * 3).code == 1
    assert "resume" not in {event.kind for event in recorded(records)}
    secret_file.with_name("approver.json.tries").unlink()
    right = in_terminal(tmp_path, command, SECRET)
    assert (right.code, "Calls are admitted again." in right.shown) == (0, True)
