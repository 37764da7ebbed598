"""What holds on Windows, as far as another system can tell: see `support.windows`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from support.loopback_only import environment
from support.scripted_endpoint import ScriptedEndpoint
from support.warden import allow, structured, write_manifest

TESTS = Path(__file__).parents[1]
BEGIN = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from support.windows import become_windows, modules
become_windows()
"""
COMMAND = """
from lambda_warden.cli import main
main(prog_name="lambda-warden")
"""
PARTS = r"""
import importlib, json
from pathlib import Path
from click.testing import CliRunner

for name in modules():
    importlib.import_module(name)

from lambda_warden.approvals.secret import SecretError, set_secret, unlock
from lambda_warden.approvals.telling import _command
from lambda_warden.cli import main
from lambda_warden.commands.records_file import user_name

said = {}
set_secret(Path("approver.json"), "correct horse battery")
try:
    unlock(Path("approver.json"), "wrong horse battery")
except SecretError as error:
    said["wrong"] = str(error)
unlock(Path("approver.json"), "correct horse battery")
said["user"] = user_name()
said["program"] = _command(rf"'{sys.executable}' --to 'C:\the ops' C:\ops").arguments[1:]
serve = ["serve", "--manifest", "manifest.yaml"]
for arguments in (["check", "manifest.yaml"], ["demo"], ["serve", "--demo"], [*serve, "--http", "127.0.0.1:0"]):
    result = CliRunner().invoke(main, arguments)
    said[arguments[-1]] = result.exit_code, result.stderr.strip().rpartition("\n")[2]
print(json.dumps(said))
"""
NO_ENDPOINT = [1, "the embedded endpoint does not run on Windows: try it in WSL or a container"]


def on_windows(code: str, home: Path, *arguments: str) -> StdioServerParameters:
    """How Python runs some code as on Windows."""
    return StdioServerParameters(
        command=sys.executable, args=["-c", BEGIN + code, *arguments], env=environment(str(home))
    )


@contextmanager
def started(code: str, home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs some code so."""
    how = on_windows(code, home, *arguments)
    with subprocess.Popen(
        [how.command, *how.args],
        env=os.environ | (how.env or {}),
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_every_module_is_imported_and_what_is_not_there_says_so(tmp_path: Path) -> None:
    write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    with started(PARTS, tmp_path) as process:
        out, errors = process.communicate()
    assert process.returncode == 0, errors
    said = json.loads(out)
    assert said.pop("127.0.0.1:0")[1].startswith("--http needs an identity provider on Windows")
    assert said == {
        "wrong": "that is not the approver's secret",
        "user": "user",
        "program": ["--to", r"C:\the ops", r"C:\ops"],
        "manifest.yaml": [0, ""],
        "demo": NO_ENDPOINT,
        "--demo": NO_ENDPOINT,
    }


@pytest.mark.anyio
async def test_a_call_is_made_once_recorded_and_sent_to_sinks(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, endpoint.url, [allow("f", effect="write", approval="never")])
    records, sink = tmp_path / "r.sqlite3", tmp_path / "s.jsonl"
    places = ["--records", str(records), "--sink", f"file:{sink}"]
    server = on_windows(COMMAND, tmp_path, "serve", "--manifest", str(manifest), "--no-sign-request", *places)
    call = {"function": "f", "qualifier": "live", "idempotency_key": "k"}
    # Two servers of the same records: each sees by its lock that the other lives.
    async with Client(server) as first, Client(server) as second:
        made = structured(await first.call_tool("invoke_function", call))
        again = structured(await second.call_tool("invoke_function", call))
    assert (made["outcome"], again["outcome"]) == ("succeeded", "succeeded")
    assert again["invocation_id"] == made["invocation_id"]
    assert len(endpoint.started) == 1
    with started(COMMAND, tmp_path, "records", "--records", str(records), "verify") as process:
        out, errors = process.communicate()
    assert process.returncode == 0, out + errors
    assert [json.loads(line)["kind"] for line in sink.read_text().splitlines()].count("intent") == 1


def test_a_signal_ends_a_server(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    with started(COMMAND, tmp_path, "serve", "--manifest", str(manifest)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write('{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        process.stdin.flush()
        process.stdout.readline()  # so it listens to signals
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
