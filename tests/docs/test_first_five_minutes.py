"""The pages that lead through something, as somebody goes through them, on the embedded endpoint."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from mcp import Client, StdioServerParameters

from lambda_warden.cli import main
from lambda_warden.local.demo import DemoEnvironment, demo_environment
from lambda_warden.local.endpoint import REGION
from support import loopback_only
from support.scripted_endpoint import returned, scripted_endpoint
from support.snippets import commands, snippets, warden_arguments
from support.terminal import in_terminal
from support.warden import allow, structured, write_manifest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoEnvironment]:
    with demo_environment() as environment:
        yield environment


async def test_the_first_five_minutes(demo: DemoEnvironment, tmp_path: Path) -> None:
    """Each command of the page, in its order; the demo and `approvals` have tests of their own."""
    page = [block for block in snippets("console") if block.page.name == "first-five-minutes.md"]
    every = [words for block in page for words in map(warden_arguments, commands(block)) if words]
    init, check, explain, doctor, iam_policy, install, *records = [
        [each.replace("~", str(tmp_path)) for each in words] for words in every if words[0] not in ("demo", "approvals")
    ]
    environment = _home(tmp_path, demo.endpoint_url)

    chosen = in_terminal(tmp_path, init, "order-lookup ", asks=b"type to filter)", **environment)
    assert chosen.code == 0, chosen.shown
    for words in (check, explain, iam_policy):
        assert "order-lookup" in _run(tmp_path, environment, words)
    for words in (doctor, install):
        _run(tmp_path, environment, words)

    entry = json.loads((tmp_path / ".claude.json").read_text())["mcpServers"]["lambda-warden"]
    server = StdioServerParameters(
        command=entry["command"], args=entry["args"], env=loopback_only.environment(str(tmp_path)) | environment
    )
    async with Client(server) as client:
        call = {"function": "order-lookup:live", "payload": {"orderId": "A-1001"}}
        assert structured(await client.call_tool("invoke_function", call))["payload"]["customer"] == "Ada"
    listed, verified = (_run(tmp_path, environment, words) for words in records)
    assert "order-lookup:live" in listed
    assert "no problem found" in verified


def test_the_nightly_job_begins_anew_and_runs_nothing_twice(tmp_path: Path) -> None:
    (program,) = [block for block in snippets("python") if block.page.name == "recipes.md"]
    (tmp_path / "job.py").write_text(program.text)
    with scripted_endpoint() as endpoint:
        folder = tmp_path / ".config" / "lambda-warden"
        folder.mkdir(parents=True)
        write_manifest(folder, endpoint.url, [allow("invoice-close", "12")]).rename(folder / "nightly.yaml")
        endpoint.behaviours["invoice-close"] = lambda _: returned({"closed": True})
        variables = os.environ | loopback_only.environment(str(tmp_path)) | _home(tmp_path, endpoint.url)
        for ids in ("i1 i2", "i1 i2 i3"):
            done = subprocess.run(
                [sys.executable, tmp_path / "job.py"],
                env=variables,
                input=ids,
                capture_output=True,
                text=True,
                timeout=100,
                check=True,
            )
            assert done.stdout.count("succeeded") == len(ids.split()), done.stdout + done.stderr
        assert len(endpoint.started) == 3


def _home(home: Path, endpoint_url: str) -> dict[str, str]:
    """A person's: a profile of the AWS files, and the command on the PATH."""
    (home / ".aws").mkdir(exist_ok=True)
    keys = "aws_access_key_id = testing\naws_secret_access_key = testing\n"
    (home / ".aws" / "credentials").write_text(f"[default]\n{keys}[ops]\n{keys}")
    (home / ".aws" / "config").write_text(f"[profile ops]\nregion = {REGION}\nendpoint_url = {endpoint_url}\n")
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/bin:/bin",
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
    }


def _run(home: Path, variables: dict[str, str], words: Sequence[str]) -> str:
    result = CliRunner().invoke(main, words, env=loopback_only.environment(str(home)) | variables)
    assert result.exit_code == 0, f"{shlex.join(words)}\n{result.output}"
    return result.output
