"""What the guard, the records and the report cost beside raw boto3 and a bare SDK server, in one run.

    python benchmarks/overhead.py [--calls 500] [--starts 9] [--peer COMMAND …]

Milliseconds: of a call at 1 KB and at 6 MB, in process and over stdio, and of the first tools/list after a start; and
the memory that 20 calls of 6 MB at once take. `--peer` names any other MCP server over stdio to measure beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import psutil
from harness import (
    Call,
    Peer,
    add_peer_options,
    bare_server,
    boto_client,
    endpoint,
    environment,
    in_turn,
    invoke,
    median,
    peer_of,
    print_table,
    unguarded_server,
    warden_server,
    write_manifest,
)
from mcp import Client, StdioServerParameters

from lambda_warden.app import Warden
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

SCHEMA = {"schema": {"type": "object", "required": ["orderId", "amount"]}}
SIZES = {"1 KB": 1_000, "6 MB": 6_000_000}
LARGE_AT_ONCE = 20


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="Overhead of lambda-warden beside raw boto3 and a bare SDK server.")
    parser.add_argument("--calls", type=int, default=500, help="invocations of each kind at 1 KB (default 500)")
    parser.add_argument("--starts", type=int, default=9, help="process starts of each kind (default 9)")
    add_peer_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, endpoint() as url:
        os.environ.update(environment(url, Path(name)))  # for the server in this process
        anyio.run(_measure, Path(name), url, options.calls, options.starts, peer_of(options))


def _payload(size: int) -> dict[str, object]:
    return {"orderId": "A-1001", "amount": 12.5, "note": "x" * (size - 50)}


async def _measure(folder: Path, url: str, calls: int, starts: int, peer: Peer | None) -> None:
    manifest = write_manifest(folder, url, ["echo"], payload=SCHEMA)
    warden, bare = warden_server(folder, url, manifest), bare_server(folder, url)
    for label, size in SIZES.items():
        await _calls(folder, url, manifest, label, size, calls if size < 1_000_000 else 20, peer)
    await _memory(warden, peer.server(url, folder) if peer else None, peer)
    (folder / "plain").mkdir()
    plain = warden_server(folder, url, write_manifest(folder / "plain", url, ["echo"]))
    await _starts(
        {"bare SDK server": bare, "lambda-warden": plain, "lambda-warden, a rule with a schema": warden}, starts
    )


async def _calls(folder: Path, url: str, manifest: Path, label: str, size: int, calls: int, peer: Peer | None) -> None:
    payload, boto = _payload(size), boto_client(url)
    body = json.dumps(payload).encode()
    arguments: dict[str, Any] = {"function": "echo:live", "payload": payload}
    inside = Warden(Settings(records=folder / f"inside-{size}.sqlite3"), load_manifests([manifest]))
    async with (
        Client(inside.server) as in_process,
        Client(warden_server(folder, url, manifest)) as over_stdio,
        Client(bare_server(folder, url)) as bare,
        Client(unguarded_server(folder, url)) as unguarded,
    ):
        kinds: dict[str, Call] = {
            "raw boto3": lambda: _raw(boto, body),
            "bare SDK server, tool that does nothing": lambda: _nothing(bare),
            "boto3 in a thread of an SDK server, no guard": lambda: _through(unguarded, "invoke", {"payload": payload}),
            "lambda-warden, in process": lambda: _through(in_process, "invoke_function", arguments),
            "lambda-warden, stdio": lambda: _through(over_stdio, "invoke_function", arguments),
        }
        if peer:
            async with Client(peer.server(url, folder)) as other:
                kinds["peer, stdio"] = lambda: _through(other, peer.tool, peer.with_payload(payload))
                samples = await in_turn(kinds, calls)
        else:
            samples = await in_turn(kinds, calls)
    print_table(f"One call with a payload and an answer of {label} (ms)", samples, "raw boto3")
    floor = median(samples["raw boto3"]) + median(samples["bare SDK server, tool that does nothing"])
    ours = median(samples["lambda-warden, stdio"])
    print(f"  over raw boto3 and a bare server together, stdio: {ours - floor:+.2f}")
    unguarded_ms = median(samples["boto3 in a thread of an SDK server, no guard"])
    print(f"  over boto3 in a thread of an SDK server, stdio: {ours - unguarded_ms:+.2f}")


async def _raw(boto: LambdaClient, body: bytes) -> None:
    invoke(boto, "echo", body)


async def _nothing(bare: Client) -> None:
    await bare.call_tool("nothing", {})


async def _through(client: Client, tool: str, arguments: dict[str, Any]) -> None:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content


async def _memory(warden: StdioServerParameters, other: StdioServerParameters | None, peer: Peer | None) -> None:
    payload = _payload(SIZES["6 MB"])
    print(f"\n{LARGE_AT_ONCE} calls of 6 MB at once: the server's memory, idle → peak (MB), and the wall time (s)")
    servers: list[tuple[str, StdioServerParameters, str, dict[str, Any]]] = [
        ("lambda-warden", warden, "invoke_function", {"function": "echo:live", "payload": payload})
    ]
    if other and peer:
        servers.append(("peer", other, peer.tool, peer.with_payload(payload)))
    for name, server, tool, arguments in servers:
        async with Client(server) as client:
            await client.list_tools()
            await anyio.sleep(1)
            process = psutil.Process().children()[-1]
            before, started = process.memory_info().rss, time.perf_counter()
            async with anyio.create_task_group() as group:
                for _ in range(LARGE_AT_ONCE):
                    group.start_soon(_through, client, tool, arguments)
            seconds = time.perf_counter() - started
            peak = _peak_kb(process.pid) / 1000
        print(f"  {name:<46}{before / 1e6:>6.0f} → {peak:.0f}, {seconds:.2f} s")


def _peak_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


async def _starts(servers: dict[str, StdioServerParameters], starts: int) -> None:
    samples: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(starts):
        for name, server in servers.items():
            started = time.perf_counter()
            async with Client(server) as client:
                await client.list_tools()
                samples[name].append((time.perf_counter() - started) * 1000)
    print_table("IdempotencyHit tools/list after the process was started (ms)", samples, "bare SDK server")


if __name__ == "__main__":
    main()
