"""What the commands print where stdout's encoding has not every character: escapes, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.report.visible import is_hidden
from support.warden import allow, write_manifest

ENCODINGS = pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
ENVIRONMENTS = pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    ],
    ids=["cp1252", "ascii", "C"],
)


def run(encoding: str, *arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner(charset=encoding).invoke(main, [*map(str, arguments)])
    assert done.exit_code == code, done.output
    return done


def run_alone(environment: dict[str, str], *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[bytes]:
    """In a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "lambda_warden", *map(str, arguments)],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert done.returncode == code, done.stderr.decode()
    return done


def write(folder: Path) -> Path:
    """A manifest with characters that the encodings do not have."""
    rule = allow(
        "f", description="Größe → ∑ 😀", examples=[{"größe 😀": 1}], payload={"schema": {"required": ["größe 😀"]}}
    )
    path = write_manifest(folder, "http://127.0.0.1:9", [rule])
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()), allow_unicode=True), "utf-8")
    return path


@ENCODINGS
def test_no_command_ends_in_a_traceback(encoding: str, tmp_path: Path) -> None:
    path = write(tmp_path)
    assert "is valid: 1 rule" in run(encoding, "check", path).stdout
    assert "would be denied" in run(encoding, "explain", "--manifest", path, "größe-∑", code=1).stdout
    run(encoding, "iam-policy", "--manifest", path)
    run(encoding, "schema")
    missing = tmp_path / "∑.sqlite3"
    assert "Nothing is recorded yet" in run(encoding, "records", "--records", missing, "list").stderr
    run(encoding, "records", "--records", missing, "verify", code=1)


@ENVIRONMENTS
def test_nor_does_one_in_a_process_of_such_an_environment(environment: dict[str, str], tmp_path: Path) -> None:
    explain = run_alone(environment, "explain", "--manifest", write(tmp_path), "f:live", "--payload", "{}", code=1)
    assert b"would be denied" in explain.stdout
    broken = tmp_path / "größe-😀.yaml"
    broken.write_text("größe: 1", "utf-8")
    assert b"unknown key" in run_alone(environment, "check", broken, code=1).stderr


@pytest.mark.parametrize("command", [["check"], ["explain", "f:live", "--manifest"], ["lock"], ["serve", "--manifest"]])
def test_problems_of_a_manifest_hide_nothing_and_move_no_cursor(command: list[str], tmp_path: Path) -> None:
    key = "k\x1b]0;title\x07\x9b2J\u202e\u200b\nmanifest.yaml: valid"
    path = write_manifest(tmp_path, "http://127.0.0.1:9", [{**allow("f"), key: 1}]).rename(tmp_path / "m\x1b\n.yaml")
    said = CliRunner().invoke(main, [*command, str(path)]).output
    assert "unknown key" in said
    assert not [each for each in said if is_hidden(each)]
    assert not [line for line in said.splitlines() if line.startswith("manifest.yaml")]


@ENCODINGS
def test_no_help_ends_in_a_traceback(encoding: str) -> None:
    for names in ([], *([name] for name in main.list_commands(click.Context(main)))):
        assert "Usage" in run(encoding, *names, "--help").stdout


def test_the_demo_runs_in_ascii() -> None:
    done = run_alone({"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}, "demo")
    assert done.stdout.isascii()
    assert b"order-refund" in done.stdout


@pytest.mark.parametrize("size", [None, 0])
def test_before_the_first_record_the_list_says_so(size: int | None, tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    if size is not None:
        path.touch()
    for options in ([], ["--json"]):
        done = run("utf-8", "records", "--records", path, "list", *options)
        assert (done.stdout, "Nothing is recorded yet" in done.stderr) == ("", True)
