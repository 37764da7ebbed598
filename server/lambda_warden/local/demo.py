"""`lambda-warden demo`: a real endpoint, a real server and a real client, step by step."""

from __future__ import annotations

import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from lambda_warden.approvals.secret import set_secret, unlock
from lambda_warden.local.console import Stage
from lambda_warden.local.deploy import FUNCTIONS, deploy
from lambda_warden.local.endpoint import ACCOUNT, REGION, EndpointError, embedded_endpoint
from lambda_warden.model.manifest import Target
from lambda_warden.settings import Settings
from lambda_warden.store.approvals import PendingApproval
from lambda_warden.store.opening import open_store


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
        operator = _Operator(environment.folder)
        server = StdioServerParameters(command=sys.executable, args=[*arguments, *operator.options])
        async with Client(server, elicitation_callback=stage.person) as client:
            stage.say(f"Connected over stdio, MCP revision {client.protocol_version}.", dim=True)
            await _walk(client, stage, operator)
    stage.say("\nThe endpoint and the server are stopped. To point an MCP host at them: lambda-warden serve --demo")


class _Operator:
    """Stands in for a person at another terminal, who decides with the approver's secret."""

    def __init__(self, folder: Path) -> None:
        self._secret = secrets.token_urlsafe()
        self._secret_file, self._records = folder / "approver.json", folder / "records.sqlite3"
        self.options = ["--records", str(self._records), "--approvals-secret-file", str(self._secret_file)]
        set_secret(self._secret_file, self._secret)

    def approve(self, approval_id: str) -> PendingApproval:
        """Do what `lambda-warden approvals approve ID` does, and give what was approved."""
        with closing(open_store(self._records).audit_log(about={"command": "approvals"})) as store:
            pending = store.find_approval(approval_id)
            if pending is None:
                raise EndpointError(f"the demo's request for approval {approval_id} is gone")
            key = unlock(self._secret_file, self._secret)
            key.decide(store, pending, "approved", by="operator", how="terminal", note="seen in the demo")
            return pending


async def _walk(client: Client, stage: Stage, operator: _Operator) -> None:
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
    export = {"function": "nightly-export:1", "payload": {"seconds": 2}, "reason": "the month is over"}
    asked = await call("A call that the operator approves, at another terminal", "invoke_function", export)
    approval_id = str((asked.structured_content or {}).get("approval_id"))
    stage.approved(approval_id, operator.approve(approval_id).ask.question)
    slow = await call("The same call again: a slow one", "invoke_function", {**export, "wait_seconds": 1})
    invocation_id = (slow.structured_content or {}).get("invocation_id")
    await call("And again, by a host that gave up", "invoke_function", {**export, "wait_seconds": 0})
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
