"""What is said where metrics and traces can't be exported."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lambda_warden.cli import main
from support.warden import allow, write_manifest


@pytest.mark.parametrize("option", [["--otel"], ["--metrics-port", "0"]], ids=" ".join)
def test_without_the_extra_it_says_what_to_install(
    option: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lambda_warden.telemetry.sdk", None)
    manifest = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    ended = CliRunner().invoke(main, ["serve", "--manifest", str(manifest), *option])
    assert ended.exit_code == 1
    assert "pip install 'lambda-warden[otel]'" in ended.stderr


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = CliRunner().invoke(main, ["serve", "--manifest", str(manifest), "--metrics-port", port])
    assert ended.exit_code == 1
    assert f"--metrics-port {port} can't be used: Address already in use" in ended.stderr
