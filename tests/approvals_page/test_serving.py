"""A call that is told of by a webhook, approved on the page of `lambda-warden approvals serve`, and then made."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio.to_thread
import pytest

from support.approval_page import Page
from support.approvals import SECRET, approver, found
from support.receiver import WEBHOOK_SECRET, receiving, until
from support.scripted_endpoint import ScriptedEndpoint
from support.warden import allow, warden

pytestmark = pytest.mark.anyio


@contextmanager
def served(records: Path, secret_file: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "lambda_warden", "approvals", "--records", str(records)]
    process = subprocess.Popen(
        [*command, "--approvals-secret-file", str(secret_file), "serve", "--approvals-url", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


async def test_a_call_is_told_of_once_approved_on_the_page_and_made_once(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    secret_file = tmp_path / "webhook"
    secret_file.write_text(WEBHOOK_SECRET)
    page = f"http://127.0.0.1:{free_port()}/{'p' * 20}"
    with receiving(503, 200) as receiver:
        settings: dict[str, Any] = {
            "approvals_secret_file": approver()[0],
            "approvals_url": page,
            "approval_webhook": f"http://127.0.0.1:{receiver.port}/",
            "approval_webhook_secret_file": secret_file,
        }
        async with warden(tmp_path, endpoint.url, allow("f", "7", effect="destructive"), **settings) as running:
            for _ in range(3):
                result = await running.invoke("f:7", payload={}, wait_seconds=0, reason="Because.")
                assert result["outcome"] == "approval_pending"
            approval_id = result["approval_id"]
            with served(running.records_file, approver()[0], page) as process:
                await anyio.to_thread.run_sync(_approve, process, page, approval_id)
            ruling = found(running.records_file, approval_id).ruling
            assert ruling is not None
            assert (ruling.verdict, ruling.how, ruling.note) == ("approved", "page", "fine")
            result = await running.invoke("f:7", payload={}, wait_seconds=60)
            assert result["outcome"] == "succeeded"
        until(lambda: len(receiver.got) == 2)
    assert {headers["webhook-id"] for _, headers, _ in receiver.got} == {approval_id}
    assert json.loads(receiver.got[0][2])["data"]["url"] == f"{page}/requests/{approval_id}"
    assert len(endpoint.started) == 1


def _approve(process: subprocess.Popen[str], page: str, approval_id: str) -> None:
    """Open the link that is printed, as a browser would, and approve a request."""
    assert process.stdout is not None
    opened = process.stdout.readline().split()[-1]
    assert opened.startswith(f"{page}/login?token=")
    link = urlsplit(opened)
    base, token = link.path.removesuffix("/login"), link.query.removeprefix("token=")
    assert link.port is not None
    browser = Page(link.port, base, [token]).browser()
    assert "Because." in browser.get(f"/requests/{approval_id}").html
    assert browser.decide(approval_id, note="fine", secret="guess").status == 403
    assert browser.decide(approval_id, note="fine", secret=SECRET).status == 303
    another = urlsplit(process.stdout.readline().split()[-1])
    assert (another.port, another.path) == (link.port, link.path)
    assert another.query != link.query


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8766/approvals", "http://0.0.0.0:8766/" + "p" * 20, "https://warden.example.com/" + "p" * 20],
    ids=["a path that can be guessed", "another address", "another machine"],
)
def test_no_page_is_served_at_any_other_url(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lambda_warden", "approvals", "--approvals-secret-file", str(approver()[0])]
    ended = subprocess.run(
        [*command, "serve", "--approvals-url", url], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"--approvals-url {url} can't be served: expected a URL of this machine" in ended.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_no_page_is_served_where_nobody_can_approve(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lambda_warden", "approvals", "--approvals-secret-file", str(tmp_path / "none")]
    ended = subprocess.run([*command, "serve"], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "`lambda-warden approvals init` does that" in ended.stderr
