"""What the guard, the records and the report cost beside raw boto3 and a bare SDK server, in one run.

    python benchmarks/overhead.py [--calls 500] [--starts 9]

Prints medians and 95th percentiles in milliseconds. The endpoint is the tests' scripted one, in a process of its own.
Absolute figures are this machine's; the differences and ratios are what to compare.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import boto3
from botocore import UNSIGNED
from botocore.config import Config
from mcp import Client, StdioServerParameters

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

ROOT = Path(__file__).parents[1]
PREFIX = "arn:aws:lambda:us-east-1:123456789012:function:"
PAYLOAD = {"orderId": "A-1001", "amount": 12.5}
PARALLEL = 50
ROUNDS = 5

MANIFEST = """\
version: 1
targets: [{account: "123456789012", regions: [us-east-1], endpoint_url: "URL"}]
functions:
  - {arn: "PREFIXecho", qualifiers: [live], payload: {schema: {type: object, required: [orderId, amount]}}}
  - {arn: "PREFIXsleep-1000", qualifiers: [live]}
"""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="Overhead of lambda-warden beside raw boto3 and a bare SDK server.")
    parser.add_argument("--calls", type=int, default=500, help="invocations of each kind (default 500)")
    parser.add_argument("--starts", type=int, default=9, help="process starts of each kind (default 9)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _endpoint() as url:
        anyio.run(_measure, Path(name), url, options.calls, options.starts)


async def _measure(folder: Path, url: str, calls: int, starts: int) -> None:
    manifest = folder / "manifest.yaml"
    manifest.write_text(MANIFEST.replace("URL", url).replace("PREFIX", PREFIX))
    serve = ["-m", "lambda_warden", "serve", "--no-sign-request", "--manifest", str(manifest)]
    warden = StdioServerParameters(command=sys.executable, args=[*serve, "--records", str(folder / "records.sqlite3")])
    bare = StdioServerParameters(command=sys.executable, args=[str(ROOT / "benchmarks" / "bare_server.py")])
    boto = _boto_client(url)
    async with Client(warden) as guarded, Client(bare) as unguarded:
        await _calls(guarded, unguarded, boto, calls)
        await _parallel(guarded, boto)
    await _starts(warden, bare, starts)


async def _calls(guarded: Client, unguarded: Client, boto: LambdaClient, calls: int) -> None:
    async def through_warden() -> None:
        result = await guarded.call_tool("invoke_function", {"function": "echo:live", "payload": PAYLOAD})
        assert not result.is_error, result

    async def through_bare_server() -> None:
        await unguarded.call_tool("nothing", {})

    async def raw() -> None:
        _invoke(boto, "echo")

    samples = await _alternate({"warden": through_warden, "bare": through_bare_server, "boto3": raw}, calls)
    print(f"One call of a function that answers at once, {calls} of each, in turn (ms)")
    for name, label in (
        ("warden", "invoke_function over stdio"),
        ("boto3", "raw boto3 invoke"),
        ("bare", "bare SDK server, tool that does nothing"),
    ):
        _print_row(label, samples[name])
    own = {
        quantile: of(samples["warden"]) - of(samples["boto3"]) for quantile, of in (("median", _median), ("p95", _p95))
    }
    ratio = _median(samples["warden"]) / _median(samples["boto3"])
    floor = _median(samples["boto3"]) + _median(samples["bare"])
    print(f"  over raw boto3: {own['median']:+.2f} median, {own['p95']:+.2f} p95, ratio {ratio:.2f}")
    print(f"  over boto3 + bare server: {_median(samples['warden']) - floor:+.2f} median\n")


async def _parallel(guarded: Client, boto: LambdaClient) -> None:
    async def call() -> None:
        result = await guarded.call_tool("invoke_function", {"function": "sleep-1000:live"})
        assert not result.is_error, result

    started = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(PARALLEL):
            group.start_soon(call)
    through_warden = time.perf_counter() - started
    started = time.perf_counter()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda _: _invoke(boto, "sleep-1000"), range(PARALLEL)))
    raw = time.perf_counter() - started
    print(f"{PARALLEL} calls at once of a function that takes 1 s (s)")
    print(
        f"  through lambda-warden {through_warden:.2f}, raw boto3 in threads {raw:.2f}, one after another {PARALLEL}\n"
    )


async def _starts(warden: StdioServerParameters, bare: StdioServerParameters, starts: int) -> None:
    async def first_list(server: StdioServerParameters) -> None:
        async with Client(server) as client:
            await client.list_tools()
            finished.append(time.perf_counter())

    samples: dict[str, list[float]] = {"warden": [], "bare": []}
    for _ in range(starts):
        for name, server in (("warden", warden), ("bare", bare)):
            finished: list[float] = []
            started = time.perf_counter()
            await first_list(server)
            samples[name].append((finished[0] - started) * 1000)
    print(f"First tools/list after the process was started, {starts} of each, in turn (ms)")
    _print_row("lambda-warden", samples["warden"])
    _print_row("bare SDK server", samples["bare"])
    difference = _median(samples["warden"]) - _median(samples["bare"])
    print(f"  difference {difference:+.0f}, ratio {_median(samples['warden']) / _median(samples['bare']):.2f}")


async def _alternate(kinds: dict[str, Callable[[], Awaitable[None]]], calls: int) -> dict[str, list[float]]:
    """Time each kind in several rounds, so that what the machine does besides falls on all alike."""
    samples: dict[str, list[float]] = {name: [] for name in kinds}
    for round_number in range(ROUNDS + 1):
        for name, call in kinds.items():
            for _ in range(calls // ROUNDS):
                started = time.perf_counter()
                await call()
                elapsed = (time.perf_counter() - started) * 1000
                if round_number:  # the first round warms up
                    samples[name].append(elapsed)
    return samples


def _boto_client(url: str) -> LambdaClient:
    return boto3.Session().client(
        "lambda",
        region_name="us-east-1",
        endpoint_url=url,
        config=Config(signature_version=UNSIGNED, max_pool_connections=PARALLEL, retries={"total_max_attempts": 1}),
    )


def _invoke(boto: LambdaClient, name: str) -> None:
    body = b'{"orderId":"A-1001","amount":12.5}'
    boto.invoke(FunctionName=PREFIX + name, Qualifier="live", LogType="Tail", Payload=body)["Payload"].read()


@contextlib.contextmanager
def _endpoint() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "support.scripted_endpoint"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate()


def _median(samples: list[float]) -> float:
    return statistics.median(samples)


def _p95(samples: list[float]) -> float:
    return statistics.quantiles(samples, n=20)[-1]


def _print_row(label: str, samples: list[float]) -> None:
    print(f"  {label:<42} median {_median(samples):8.2f}   p95 {_p95(samples):8.2f}")


if __name__ == "__main__":
    main()
