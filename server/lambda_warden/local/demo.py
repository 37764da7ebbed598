"""`lambda-warden demo`: a real endpoint, a real server and a real client, step by step."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from lambda_warden.local.console import Stage
from lambda_warden.local.deploy import FUNCTIONS, deploy
from lambda_warden.local.endpoint import ACCOUNT, REGION, embedded_endpoint
from lambda_warden.model.manifest import Target
from lambda_warden.settings import Settings


@dataclass(frozen=True, slots=True)
class DemoEnvironment:
    """A running endpoint with the sample functions, and a manifest that allows them."""

    folder: Path
    manifest: Path
    endpoint_url: str


@contextmanager
def demo_environment() -> Iterator[DemoEnvironment]:
    """Start the endpoint, deploy the functions and write the manifest. All of it goes when the context ends.

    Raises:
        EndpointError: if the endpoint is not installed or does not start.
    """
    with (
        _terminating_cleanly(),
        tempfile.TemporaryDirectory(prefix="lambda-warden-", ignore_cleanup_errors=True) as name,
    ):
        folder = Path(name)
        run = folder / "endpoint"
        run.mkdir()
        with embedded_endpoint(run) as url:
            target = Target(account=ACCOUNT, regions=[REGION], endpoint_url=url)
            settings = Settings(records=folder / "records.sqlite3", sign_requests=False)
            from lambda_warden.aws.clients import Clients  # loads boto3

            deploy(Clients(settings, [target]).for_reading(ACCOUNT, REGION), ACCOUNT)
            yield DemoEnvironment(folder, _write_manifest(folder, url), url)


async def run_demo() -> None:
    """Walk an MCP client through the guard, over stdio, and print what a model would read."""
    stage = Stage()
    stage.say("Starting a Lambda endpoint on this machine …", dim=True)
    with demo_environment() as environment:
        stage.say(f"Endpoint {environment.endpoint_url}, with {', '.join(FUNCTIONS)}.", dim=True)
        arguments = ["-m", "lambda_warden", "serve", "--no-sign-request", "--manifest", str(environment.manifest)]
        server = StdioServerParameters(
            command=sys.executable,
            args=[*arguments, "--records", str(environment.folder / "records.sqlite3")],
        )
        async with Client(server, elicitation_callback=stage.person) as client:
            stage.say(f"Connected over stdio, MCP revision {client.protocol_version}.", dim=True)
            await _walk(client, stage)
    stage.say("\nThe endpoint and the server are stopped. To point an MCP host at them: lambda-warden serve --demo")


async def _walk(client: Client, stage: Stage) -> None:
    async def call(title: str, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        stage.step(title, tool, arguments)
        result = await client.call_tool(tool, dict(arguments))
        stage.result(result)
        return result

    refund = {"function": "order-refund", "qualifier": "live", "payload": {"orderId": "A-1001", "amount": 12.5}}
    await call("What may be invoked?", "list_functions", {})
    await call("Would this refund go through?", "dry_run", refund)
    await call("Refund it, which a person has to approve", "invoke_function", refund)
    await call(
        "A pinned version instead of the alias",
        "invoke_function",
        {"function": "order-lookup:1", "payload": {"orderId": "A-1002"}},
    )
    await call(
        "Queue a call, without waiting for an answer",
        "invoke_function",
        {"function": "inventory-sync:live", "invocation_type": "Event", "payload": {"skus": []}},
    )
    await call("A function that fails", "invoke_function", {"function": "inventory-sync:live", "payload": {}})
    await call("Unpublished code, which is not allowed", "invoke_function", {"function": "order-refund", "payload": {}})
    await call(
        "A payload that its schema forbids",
        "invoke_function",
        {**refund, "payload": {"orderId": "A-1001", "amount": 9000}},
    )
    await call(
        "A large answer, cut to what a model can read",
        "invoke_function",
        {"function": "sales-report:live", "payload": {"year": 2025}},
    )
    export = {"function": "nightly-export:live", "payload": {"seconds": 2}}
    slow = await call("A slow call, which outlives the wait", "invoke_function", {**export, "wait_seconds": 0})
    invocation_id = (slow.structured_content or {}).get("invocation_id")
    await call("The same call, made again by a host that gave up", "invoke_function", {**export, "wait_seconds": 0})
    await call("Its answer, when it has ended", "read_result", {"invocation_id": invocation_id})


def _write_manifest(folder: Path, url: str) -> Path:
    source = resources.files("lambda_warden.local")
    schemas = folder / "schemas"
    schemas.mkdir()
    (schemas / "order-refund.json").write_text(source.joinpath("schemas/order-refund.json").read_text("utf-8"), "utf-8")
    manifest = folder / "manifest.yaml"
    manifest.write_text(source.joinpath("manifest.yaml").read_text("utf-8").replace("ENDPOINT_URL", url), "utf-8")
    return manifest


@contextmanager
def _terminating_cleanly() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, so that the endpoint is stopped and its folder removed."""

    def stop(signum: int, _: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
