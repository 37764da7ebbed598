"""Payloads that are dear to check: refused by a server over stdio that answers others and keeps its memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from mcp import Client

from support.scripted_endpoint import ScriptedEndpoint, returned
from support.warden import allow, stdio, structured, write_manifest

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

E_MAIL = r"^([a-zA-Z0-9_\.\-])+\@(([a-zA-Z0-9\-])+\.)+([a-zA-Z0-9]{2,4})+$"
MEBIBYTE = 1024 * 1024
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "wrong items": ({"items": {"type": "string"}}, [1] * 250_000),
    "wrong items of an option": ({"anyOf": [{"items": {"type": "string"}}, {"type": "null"}]}, [1] * 250_000),
    "objects that repeat": ({"uniqueItems": True}, [{"id": number} for number in range(5_000)] + [{"id": 1}]),
    "e-mail": ({"pattern": E_MAIL}, "a@" + "a" * 60 + "!"),
}


def peak(server: psutil.Process) -> int:
    """The most memory that a process ever had, in bytes."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def test_dear_payloads_are_denied_while_others_are_answered(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["plain"] = lambda _: returned(b"1")
    rules = [
        allow(f"f{number}", effect="read", payload={"schema": schema, "max_bytes": 2 * MEBIBYTE})
        for number, (schema, _) in enumerate(CASES.values())
    ]
    manifest = write_manifest(tmp_path, endpoint.url, [*rules, allow("plain", effect="read")])
    before = {process.pid for process in psutil.Process().children()}
    async with Client(stdio(manifest, tmp_path, "--records", str(tmp_path / "records.sqlite3"))) as client:
        (server,) = (process for process in psutil.Process().children() if process.pid not in before)
        used, outcomes = peak(server), {}

        async def call(name: str, arguments: dict[str, Any]) -> None:
            outcomes[name] = structured(await client.call_tool("invoke_function", arguments))

        with anyio.fail_after(120):
            async with anyio.create_task_group() as calls:
                for number, (name, (_, payload)) in enumerate(CASES.items()):
                    calls.start_soon(call, name, {"function": f"f{number}:live", "payload": payload})
                    calls.start_soon(call, f"beside {name}", {"function": "plain:live"})
        grown = peak(server) - used
    for name in CASES:
        assert (outcomes[name]["outcome"], outcomes[f"beside {name}"]["outcome"]) == ("denied", "succeeded"), name
        (failed,) = [check for check in outcomes[name]["checks"] if check["passed"] is False]
        assert failed["name"] == "payload_schema", failed
    assert grown < 200 * MEBIBYTE
    assert len(endpoint.started) == len(CASES)
