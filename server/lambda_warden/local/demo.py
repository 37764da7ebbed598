"""`lambda-warden demo`: a real endpoint, a real server and a real client, step by step."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any

from mcp import Client, StdioServerParameters

from lambda_warden.approvals.secret import set_secret, unlock
from lambda_warden.local.console import Stage
from lambda_warden.local.deploy import FUNCTIONS, deploy
from lambda_warden.local.endpoint import ACCOUNT, REGION, EndpointError, embedded_endpoint
from lambda_warden.model.target import Target
from lambda_warden.settings import Settings
from lambda_warden.store.approvals import PendingApproval
from lambda_warden.store.opening import open_store

_FORGERY = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("DROP TRIGGER events_no_update")
database.execute("UPDATE events SET body = replace(body, '\\"operator\\"', '\\"director\\"') WHERE kind = 'approval'")
database.commit()
"""
"""A program of a thief: the trigger goes, since it only keeps programs from mistakes, and a record is rewritten."""


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
        folder = Path(name) / "demo"
        folder.mkdir()
        # All is within the endpoint's folder, which it removes where a signal ends this process at once.
        with embedded_endpoint(Path(name)) as url:
            target = Target(account=ACCOUNT, regions=[REGION], endpoint_url=url)
            settings = Settings(records=folder / "records.sqlite3", sign_requests=False)
            from lambda_warden.aws.clients import Clients  # loads boto3

            deploy(Clients(settings, [target]).for_reading(ACCOUNT, REGION), ACCOUNT)
            yield DemoEnvironment(folder, _write_manifest(folder, url), url)


async def run_demo(*, wait: bool = False) -> None:
    """Walk an MCP client through the guard, over stdio, and print what a model would read.

    Args:
        wait: whether to wait for a key between the steps.
    """
    stage = Stage(wait=wait)
    stage.say("Starting a Lambda endpoint on this machine …")
    with demo_environment() as environment:
        stage.say(f"Endpoint {environment.endpoint_url}, with {', '.join(FUNCTIONS)}.")
        arguments = ["-m", "lambda_warden", "serve", "--no-sign-request", "--manifest", str(environment.manifest)]
        operator = _Operator(environment.folder)
        server = StdioServerParameters(command=sys.executable, args=[*arguments, *operator.options])
        async with Client(server) as client:
            stage.say(f"Connected over stdio, MCP revision {client.protocol_version}.")
            await _walk(client, stage, operator)
        _check_records(stage, operator.records)
    stage.say("")
    stage.say("The endpoint and the server are stopped. To point an MCP host at them: lambda-warden serve --demo")


class _Operator:
    """Stands in for a person at another terminal, who decides with the approver's secret."""

    def __init__(self, folder: Path) -> None:
        self._secret = secrets.token_urlsafe()
        self._secret_file, self.records = folder / "approver.json", folder / "records.sqlite3"
        self.options = ["--records", str(self.records), "--approvals-secret-file", str(self._secret_file)]
        set_secret(self._secret_file, self._secret)

    def approve(self, approval_id: str) -> PendingApproval:
        """Do what `lambda-warden approvals approve ID` does, and give what was approved."""
        with closing(open_store(self.records).audit_log(about={"command": "approvals"})) as store:
            pending = store.find_approval(approval_id)
            if pending is None:
                raise EndpointError(f"the demo's request for approval {approval_id} is gone")
            key = unlock(self._secret_file, self._secret)
            key.decide(store, pending, "approved", by="operator", how="terminal", note="seen in the demo")
            return pending


async def _walk(client: Client, stage: Stage, operator: _Operator) -> None:
    async def call(tool: str, **arguments: Any) -> Mapping[str, Any]:
        stage.call(tool, arguments)
        result = await client.call_tool(tool, arguments)
        stage.result(result)
        return result.structured_content or {}

    order = {"orderId": "A-1001", "amount": 12.5}
    stage.step("Denied, and why", "What the manifest does not allow is not sent: unpublished code, or a wrong payload.")
    await call("invoke_function", function="order-refund", payload=order)
    await call("invoke_function", function="order-refund:1", payload=order | {"amount": 9000})

    stage.step("Approved by a person", "This refund has to be approved, and the host can't ask: so it waits.")
    refund = {"function": "order-refund:1", "payload": order, "idempotency_key": "refund-A-1001"}
    approval_id = str((await call("invoke_function", **refund)).get("approval_id"))
    stage.approved(approval_id, operator.approve(approval_id).ask.question)
    await call("invoke_function", **refund)

    stage.step("Never twice", "The same refund again, as by a host that lost the answer: the first one's is given.")
    await call("invoke_function", **refund)
    export = {"function": "nightly-export:live", "payload": {"seconds": 2}}
    stage.remark("A function that takes longer than its host waits; the same call again starts nothing:")
    await call("invoke_function", **export, wait_seconds=0)
    await call("invoke_function", **export)

    stage.step("A large answer, and a query", "101 KB are cut to what a model can read; a query searches all of it.")
    report = await call("invoke_function", function="sales-report:live", payload={"year": 2025})
    north = "{total: total, days: length(rows), north: sum(rows[?region=='north'].revenue)}"
    await call("read_result", invocation_id=report.get("invocation_id"), query=north)


def _check_records(stage: Stage, records: Path) -> None:
    """Show that all of it is on record, and that a record which somebody alters is found."""
    stage.step("On record, and verified", "Each decision was on disk before it acted, chained to the one before.")
    stage.command(f"lambda-warden records --records {records.name} verify", _verify(records))
    _python(["-c", _FORGERY, str(records)], records.parent)
    stage.remark("Somebody who can write that file has another person approve the refund, afterwards:")
    stage.command(f"lambda-warden records --records {records.name} verify", _verify(records), failed=True)


def _verify(records: Path) -> str:
    """What `lambda-warden records verify` prints, also on stderr."""
    return _python(["-m", "lambda_warden", "records", "--records", records.name, "verify"], records.parent)


def _python(arguments: Sequence[str], folder: Path) -> str:
    ended = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return ended.stdout


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

    ending = {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}  # Windows has none
    before = {number: signal.signal(number, stop) for number in ending}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
