"""What the commands print where stdout's encoding has not every character: escapes, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from lambda_warden.cli import main
from support.warden import allow, write_manifest

ENCODINGS = pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    ],
    ids=["cp1252", "ascii", "C"],
)


def run(environment: dict[str, str], *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[bytes]:
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


@ENCODINGS
def test_no_command_ends_in_a_traceback(environment: dict[str, str], tmp_path: Path) -> None:
    rule = allow(
        "f", description="Größe → ∑ 😀", examples=[{"größe": "∑"}], payload={"schema": {"required": ["größe 😀"]}}
    )
    path = write_manifest(tmp_path, "http://127.0.0.1:9", [{**rule, "examples": [{"größe 😀": 1}]}])
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()), allow_unicode=True), "utf-8")
    assert b"is valid: 1 rules" in run(environment, "check", path).stdout
    assert b"would be denied" in run(environment, "explain", "--manifest", path, "größe-∑", code=1).stdout
    denied = run(environment, "explain", "--manifest", path, "f:live", "--payload", "{}", code=1)
    assert b"would be denied" in denied.stdout
    run(environment, "iam-policy", "--manifest", path)
    run(environment, "schema")
    broken = tmp_path / "größe-😀.yaml"
    broken.write_text("größe: 1", "utf-8")
    assert b"unknown key" in run(environment, "check", broken, code=1).stderr
    missing = tmp_path / "∑.sqlite3"
    assert b"Nothing is recorded yet" in run(environment, "records", "--records", missing, "list").stderr
    run(environment, "records", "--records", missing, "verify", code=1)


@ENCODINGS
def test_no_help_ends_in_a_traceback(environment: dict[str, str]) -> None:
    assert b"Usage" in run(environment, "--help").stdout
    for name in ("serve", "check", "records", "explain"):
        assert name in main.list_commands(click.Context(main))
        assert b"Usage" in run(environment, name, "--help").stdout


def test_the_demo_runs_in_ascii() -> None:
    done = run({"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}, "demo")
    assert done.stdout.isascii()
    assert b"order-refund" in done.stdout


@pytest.mark.parametrize("size", [None, 0])
def test_before_the_first_record_the_list_says_so(size: int | None, tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    if size is not None:
        path.touch()
    for options in ([], ["--json"]):
        done = run({}, "records", "--records", path, "list", *options)
        assert (done.stdout, b"Nothing is recorded yet" in done.stderr) == (b"", True)
