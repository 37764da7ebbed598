"""The demo and `serve --demo`, as somebody runs them: what they print, what they open, what they leave behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from mcp import Client, StdioServerParameters

from lambda_warden.local.console import PROMPT
from support import loopback_only
from support.processes import listeners
from support.recording import constant, steps, svg_of, text_of
from support.terminal import in_terminal
from support.warden import structured

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
RECORDING = ROOT / "docs" / "demo.svg"
COMMAND = [sys.executable, "-m", "lambda_warden"]


def test_the_demo_walks_through_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "demo", "--step"],
        env=_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    assert PROMPT not in done.stdout
    at = -1
    for expected in (
        "1. Denied, and why",
        "✗ qualifier: a call without qualifier runs $LATEST",
        "✗ payload_schema: payload does not fit its schema: $.amount: 9000",
        "2. Approved by a person",
        "approval_pending:",
        "Run the Lambda function order-refund:1?",
        '{"orderId":"A-1001","amount":12.5}',
        "succeeded: ",
        "3. Never twice",
        "Next: Nothing was started now",
        "running: ",
        '{"exported":1280,"seconds":2}',
        "Next: Nothing was started now",
        "4. A large answer, and a query",
        "part of 101,019 bytes",
        "/rows: 14 of 1,344 items shown",
        '"days":1344',
        "5. On record, and verified",
        "no problem found; head",
        "the records are not as they were written",
    ):
        at = done.stdout.index(expected, at + 1)
    (refund,) = set(re.findall(r"R-[0-9a-f]{8}", done.stdout))
    assert done.stdout.count(refund) == 2
    assert _left_in(tmp_path) == []


def test_step_waits_for_enter_and_the_readme_has_a_recording_of_it(tmp_path: Path) -> None:
    """After a change of what is shown: `UPDATE_SNAPSHOTS=1 pytest tests/e2e/test_demo.py`."""
    done = in_terminal(tmp_path, ["demo", "--step"], *[""] * 4, asks=PROMPT.encode(), COLUMNS="80")
    assert (done.code, done.shown.count(PROMPT)) == (0, 4)
    frames = [[line for line in step if PROMPT not in line] for step in steps(done.shown)]
    assert len(frames) == 5
    seen = constant("\n".join(line for step in frames for line in step))
    if os.environ.get("UPDATE_SNAPSHOTS") and seen != constant(text_of(RECORDING.read_text())):
        RECORDING.write_text(svg_of(frames))
    assert seen == constant(text_of(RECORDING.read_text()))
    assert f"]({RECORDING.relative_to(ROOT)})" in (ROOT / "README.md").read_text()


async def test_serve_demo_opens_nothing_beyond_this_machine_and_ends_with_its_client(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "lambda_warden", "serve", "--demo"], env=_environment(tmp_path)
    )
    async with Client(server) as client:
        result = await client.call_tool(
            "invoke_function", {"function": "order-lookup:live", "payload": {"orderId": "A-1001"}}
        )
        assert structured(result)["payload"]["customer"] == "Ada"
        started = set(psutil.Process().children(recursive=True)) - before
        opened = {address for process in started for address in listeners(process)}
        assert len(started) >= 2
        assert len(opened) == 1
        assert opened.pop().startswith("127.0.0.1:")
    assert psutil.wait_procs(started, timeout=20)[1] == []
    assert _left_in(tmp_path) == []


@pytest.mark.parametrize(
    "end",
    [
        signal.SIGTERM,
        signal.SIGKILL,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_however_serve_demo_ends_the_endpoint_ends_with_it(end: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "serve", "--demo"],
        env=_environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    family = [psutil.Process(process.pid)]
    try:
        give_up = time.monotonic() + 60
        while not (listeners(family[0]) and list(tmp_path.rglob("records.sqlite3-wal"))):
            assert process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.05)
        family += family[0].children(recursive=True)
        assert len(family) >= 2
        process.send_signal(end)
        assert psutil.wait_procs(family, timeout=20)[1] == []
    finally:
        for member in family:
            if member.is_running():
                member.kill()
        process.communicate(timeout=20)
    if end is not signal.SIGKILL:
        assert _left_in(tmp_path) == []


def test_without_the_embedded_endpoint_the_demo_says_what_to_install(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['ministack'] = None; from lambda_warden.cli import main; main(['demo'])"
    done = subprocess.run(
        [sys.executable, "-c", hide], env=_environment(tmp_path), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "pip install '.[local]'" in done.stderr
    assert "Traceback" not in done.stderr


def _environment(folder: Path) -> dict[str, str]:
    """Everything temporary goes into a folder of the test, so that what is left behind can be seen."""
    temporary = folder / "tmp"
    temporary.mkdir()
    return os.environ | loopback_only.environment(str(folder)) | {"TMPDIR": str(temporary), "COLUMNS": "80"}


def _left_in(folder: Path) -> list[str]:
    return [path.name for path in (folder / "tmp").iterdir()]
