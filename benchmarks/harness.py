"""What the benchmarks share: the endpoint, the servers that are compared, samples taken in turn, and their table.

Absolute figures are this machine's; the ratios within one run are what to compare. The endpoint is the tests' scripted
one, in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from mcp import StdioServerParameters

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

ROOT = Path(__file__).parents[1]
PREFIX = "arn:aws:lambda:us-east-1:123456789012:function:"
_ROUNDS = 5

Call = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Peer:
    """Another MCP server over stdio that invokes functions, to be measured beside lambda-warden.

    In its command and its variables, `{url}` is the endpoint, in its arguments `{payload}` the payload.
    """

    command: tuple[str, ...]
    tool: str
    arguments: str
    variables: Mapping[str, str]

    def server(self, url: str, home: Path) -> StdioServerParameters:
        """How it is started."""
        command, *arguments = (part.replace("{url}", url) for part in self.command)
        variables = {name: value.replace("{url}", url) for name, value in self.variables.items()}
        return StdioServerParameters(command=command, args=arguments, env=environment(url, home) | variables)

    def with_payload(self, payload: object) -> dict[str, Any]:
        """The arguments of its tool."""
        filled: dict[str, Any] = json.loads(self.arguments.replace("{payload}", json.dumps(payload)))
        return filled


def add_peer_options(parser: argparse.ArgumentParser) -> None:
    """Options that name a peer."""
    group = parser.add_argument_group("a peer to measure beside it")
    group.add_argument("--peer", metavar="COMMAND", help="any MCP server over stdio; {url} is the endpoint's")
    group.add_argument("--peer-tool", metavar="NAME", default="echo", help="its tool (default echo)")
    group.add_argument("--peer-arguments", metavar="JSON", default="{payload}", help="{payload} is the payload")
    group.add_argument("--peer-variable", metavar="NAME=VALUE", action="append", default=[], help="for its environment")


def peer_of(options: argparse.Namespace) -> Peer | None:
    """The peer that the options name, if any."""
    if not options.peer:
        return None
    variables = dict(pair.split("=", 1) for pair in options.peer_variable)
    return Peer(tuple(shlex.split(options.peer)), options.peer_tool, options.peer_arguments, variables)


def environment(url: str, home: Path) -> dict[str, str]:
    """Variables of a server: no settings of this machine, keys that open nothing, and the endpoint for whoever asks."""
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = testing\naws_secret_access_key = testing\n"
    )
    return {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }


def write_manifest(folder: Path, url: str, functions: Sequence[str], **keys: object) -> Path:
    """A manifest that allows some functions, which only read: the same calls may run at once. JSON is YAML, too."""
    rules = [{"arn": PREFIX + name, "qualifiers": ["live"], "effect": "read", **keys} for name in functions]
    target = {"account": "123456789012", "regions": ["us-east-1"], "endpoint_url": url}
    path = folder / "manifest.yaml"
    path.write_text(json.dumps({"version": 1, "targets": [target], "functions": rules}))
    return path


def warden_server(folder: Path, url: str, manifest: Path, *options: str) -> StdioServerParameters:
    """How lambda-warden is started over stdio, with everything on."""
    serve = ["-m", "lambda_warden", "serve", "--manifest", str(manifest), "--records", str(folder / "records.sqlite3")]
    return StdioServerParameters(command=sys.executable, args=[*serve, *options], env=environment(url, folder))


def bare_server(folder: Path, url: str) -> StdioServerParameters:
    """The least that the SDK can serve."""
    return _script("bare_server.py", folder, url)


def unguarded_server(folder: Path, url: str) -> StdioServerParameters:
    """The least that invokes."""
    return _script("unguarded_server.py", folder, url)


def _script(name: str, folder: Path, url: str) -> StdioServerParameters:
    script = str(ROOT / "benchmarks" / name)
    return StdioServerParameters(command=sys.executable, args=[script], env=environment(url, folder))


def boto_client(url: str, connections: int = 50) -> LambdaClient:
    """boto3 as it is used directly, with one attempt."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing").client(  # noqa: S106
        "lambda",
        region_name="us-east-1",
        endpoint_url=url,
        config=Config(max_pool_connections=connections, retries={"total_max_attempts": 1}),
    )


def invoke(boto: LambdaClient, name: str, payload: bytes = b"{}") -> bytes:
    """One invocation by boto3 alone."""
    return boto.invoke(FunctionName=PREFIX + name, Qualifier="live", LogType="Tail", Payload=payload)["Payload"].read()


@contextlib.contextmanager
def endpoint() -> Iterator[str]:
    """The scripted endpoint, in a process of its own. Gives its URL."""
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


async def in_turn(kinds: Mapping[str, Call], calls: int) -> dict[str, list[float]]:
    """Milliseconds of each call of each kind, in rounds, so that what the machine does besides falls on all alike."""
    samples: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(_ROUNDS + 1):
        for name, call in kinds.items():
            for _ in range(max(1, calls // _ROUNDS)):
                started = time.perf_counter()
                await call()
                if number:  # the first round warms up
                    samples[name].append((time.perf_counter() - started) * 1000)
    return samples


def median(samples: Sequence[float]) -> float:
    """The median."""
    return statistics.median(samples)


def p95(samples: Sequence[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(samples, n=20)[-1] if len(samples) > 1 else samples[0]


def print_table(title: str, samples: Mapping[str, Sequence[float]], base: str) -> None:
    """Medians, 95th percentiles, and the ratio of each median to that of `base`."""
    print(f"\n{title}")
    print(f"  {'':<46}{'median':>10}{'p95':>10}{'ratio':>8}")
    for name, values in samples.items():
        ratio = median(values) / median(samples[base])
        print(f"  {name:<46}{median(values):>10.2f}{p95(values):>10.2f}{ratio:>8.2f}")
