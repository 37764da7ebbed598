"""The MCP conformance suite against the server over HTTP, and against the least that the SDK can serve.

`conformance.yaml` has every check that fails, with the reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
import yaml
from mcp.server.mcpserver import MCPServer

from support.npm import CONFORMANCE, NODE, needs_npm
from support.servers import serve_http
from support.warden import allow, write_manifest

pytestmark = [needs_npm, pytest.mark.slow, pytest.mark.timeout(900)]

Checks = set[tuple[str, str]]
"""Scenario and check."""
KNOWN: Checks = {
    (scenario, check)
    for group in yaml.safe_load((Path(__file__).parent / "conformance.yaml").read_text())
    for scenario, checks in group["fails"].items()
    for check in checks
}
SCENARIO = re.compile(r"^[✓✗] (\S+): ", re.M)
REVISIONS = ["2025-11-25", "2026-07-28"]


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_fails_is_known_and_fails_on_a_bare_server_too(revision: str, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    with serve_http(manifest, tmp_path) as url:
        failed, passed = run_suite(url, revision, tmp_path / "warden")
    with serve_bare() as url:
        failed_bare, passed_bare = run_suite(url, revision, tmp_path / "bare")
    assert failed == KNOWN & (failed | passed)
    assert failed <= failed_bare
    assert {scenario for scenario, _ in failed | passed} == {scenario for scenario, _ in failed_bare | passed_bare}


def test_what_is_known_to_fail_is_in_the_suite() -> None:
    listed = subprocess.run([NODE, CONFORMANCE, "list", "--server"], capture_output=True, text=True, check=True).stdout
    assert {scenario for scenario, _ in KNOWN} <= set(re.findall(r"^ +- (\S+)", listed, re.M))


def run_suite(url: str, revision: str, folder: Path) -> tuple[Checks, Checks]:
    """Run all scenarios that a revision of the protocol requires or has pending: what failed, and what did not."""
    command = [NODE, CONFORMANCE, "server", "--url", url, "--requirements", revision, "--output-dir", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False).stdout
    failed: Checks = set()
    passed: Checks = set()
    for path in folder.glob("*/checks.json"):
        (scenario,) = re.findall(r"^server-(.+)-\d{4}-\d\d-\d\dT", path.parent.name)
        for check in json.loads(path.read_text()):
            (failed if check["status"] == "FAILURE" else passed).add((scenario, check["id"]))
    assert set(SCENARIO.findall(ran)) == {scenario for scenario, _ in failed | passed}, ran
    return failed, passed - failed


@contextmanager
def serve_bare() -> Iterator[str]:
    """Serve one tool that does nothing, over HTTP."""
    bare = MCPServer[None]("bare")
    bare.tool()(nothing)
    server = uvicorn.Server(uvicorn.Config(bare.streamable_http_app(), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        thread.join()


def nothing() -> str:
    """Do nothing."""
    return "nothing"
