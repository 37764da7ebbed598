"""Many calls at once: how long they take, what they cost the server, and whether slow ones hold up a fast one.

    python benchmarks/parallel.py [--peer COMMAND …]

Three measurements over stdio: 50 calls of 1 s; 1,000 calls of 5 s with 256 slots; and a fast function while 200 calls
of a slow one are under way.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import psutil
from harness import (
    Peer,
    add_peer_options,
    boto_client,
    endpoint,
    invoke,
    median,
    p95,
    peer_of,
    warden_server,
    write_manifest,
)
from mcp import Client

FUNCTIONS = ["echo", "sleep-1000", "sleep-5000", "sleep-10000"]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="lambda-warden under many calls at once.")
    add_peer_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, endpoint() as url:
        anyio.run(_measure, Path(name), url, peer_of(options))


async def _measure(folder: Path, url: str, peer: Peer | None) -> None:
    manifest = write_manifest(folder, url, FUNCTIONS)
    async with Client(warden_server(folder, url, manifest)) as client:
        await _warm_up(client)
        print("50 calls at once of a function that takes 1 s (wall time, s)")
        print(f"  lambda-warden                    {await _at_once(client, 'sleep-1000:live', 50):8.2f}")
    boto = boto_client(url)
    started = time.perf_counter()
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda _: invoke(boto, "sleep-1000"), range(50)))
    print(f"  raw boto3, 50 threads            {time.perf_counter() - started:8.2f}")
    if peer:
        async with Client(peer.server(url, folder)) as client:
            started = time.perf_counter()
            async with anyio.create_task_group() as group:
                for _ in range(50):
                    group.start_soon(_of_peer, client, peer)
            print(f"  peer                             {time.perf_counter() - started:8.2f}")
    async with Client(warden_server(folder, url, manifest, "--concurrency", "256")) as client:
        await _warm_up(client)
        await _thousand(client)
        await _fast_among_slow(client)


async def _of_peer(client: Client, peer: Peer) -> None:
    result = await client.call_tool(peer.tool, peer.with_payload({}))
    assert not result.is_error, result.content


async def _warm_up(client: Client) -> None:
    await client.list_tools()
    await client.call_tool("invoke_function", {"function": "echo:live", "payload": 1})


async def _at_once(client: Client, function: str, calls: int) -> float:
    async def call() -> None:
        result = await client.call_tool("invoke_function", {"function": function})
        assert not result.is_error, result.content

    started = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(calls):
            group.start_soon(call)
    return time.perf_counter() - started


async def _thousand(client: Client) -> None:
    server = psutil.Process().children()[-1]
    before = server.memory_info().rss / 1e6
    most = {"threads": 0, "memory": 0.0}

    async def watch() -> None:
        while True:
            most["threads"] = max(most["threads"], server.num_threads())
            most["memory"] = max(most["memory"], server.memory_info().rss / 1e6)
            await anyio.sleep(0.25)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        seconds = await _at_once(client, "sleep-5000:live", 1000)
        group.cancel_scope.cancel()
    print("\n1,000 calls at once of a function that takes 5 s, 256 slots")
    print(f"  wall time {seconds:.2f} s (four turns of 5 s are the least)")
    print(f"  memory {before:.0f} → {most['memory']:.0f} MB, threads at most {most['threads']:.0f}")


async def _fast_among_slow(client: Client) -> None:
    async def fast(calls: int) -> list[float]:
        samples = []
        for _ in range(calls):
            started = time.perf_counter()
            await client.call_tool("invoke_function", {"function": "echo:live", "payload": 1})
            samples.append((time.perf_counter() - started) * 1000)
        return samples

    alone = await fast(200)
    async with anyio.create_task_group() as group:
        group.start_soon(_at_once, client, "sleep-10000:live", 200)
        await anyio.sleep(2)
        among = await fast(200)
    print("\nA fast function, alone and while 200 calls of a slow one are under way (ms)")
    print(f"  alone  median {median(alone):6.2f}  p95 {p95(alone):6.2f}")
    print(f"  among  median {median(among):6.2f}  p95 {p95(among):6.2f}  ratio {median(among) / median(alone):.2f}")


if __name__ == "__main__":
    main()
