"""lambda-warden as its users meet it: a manifest in a folder, a server, an MCP client, structured results."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import yaml
from mcp import Client, StdioServerParameters
from mcp.client.extension import ClientExtension
from mcp.client.session import ClientRequestContext, ElicitationFnT
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent

from lambda_warden import app
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings
from support import loopback_only

ACCOUNT = "123456789012"
REGION = "us-east-1"

Rule = Mapping[str, Any]

_VALIDATORS: dict[str, Any] = {}
"""Of the tools' results. A client takes 60 ms to make them, and each test's would make the same."""


def arn(name: str, region: str = REGION) -> str:
    return f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}"


def allow(name: str, *qualifiers: str, **keys: Any) -> Rule:
    """A rule of a manifest."""
    return {"arn": arn(name), "qualifiers": list(qualifiers or ["live"]), **keys}


def write_manifest(
    folder: Path, url: str, rules: Sequence[Rule], regions: Sequence[str] = (REGION,), **keys: Any
) -> Path:
    """A manifest with one target. `target` are further keys of it, and `keys` further keys of the manifest."""
    target = {"account": ACCOUNT, "regions": list(regions), "endpoint_url": url, **keys.pop("target", {})}
    path = folder / "manifest.yaml"
    functions = [dict(rule) for rule in rules]
    path.write_text(yaml.safe_dump({"version": 1, "targets": [target], "functions": functions, **keys}))
    return path


@dataclass(frozen=True)
class Warden:
    """A server with a client connected to it."""

    client: Client
    records_file: Path
    inside: app.Warden | None = None

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        return await self.client.call_tool(tool, arguments)

    async def invoke(self, function: str, **arguments: Any) -> dict[str, Any]:
        return structured(await self.call("invoke_function", function=function, **arguments))

    async def dry_run(self, function: str, **arguments: Any) -> dict[str, Any]:
        return structured(await self.call("dry_run", function=function, **arguments))

    async def list_functions(self, **arguments: Any) -> dict[str, Any]:
        return structured(await self.call("list_functions", **arguments))

    async def read_logs(self, **arguments: Any) -> dict[str, Any]:
        return structured(await self.call("read_logs", **arguments))

    def records(self) -> list[tuple[str, str, str]]:
        """Kind, invocation id and body of every record."""
        with closing(sqlite3.connect(self.records_file)) as db:
            return db.execute(
                "SELECT kind, invocation_id, body FROM events WHERE kind != 'start' ORDER BY position"
            ).fetchall()

    def kinds(self) -> list[str]:
        """Kind of every record."""
        return [kind for kind, _, _ in self.records()]

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """What the records of one kind say."""
        return [json.loads(body) for found, _, body in self.records() if found == kind]

    async def until_recorded(self, *kinds: str) -> None:
        """Wait until these are the records."""
        with anyio.fail_after(30):
            while self.kinds() != list(kinds):
                await anyio.sleep(0.01)

    async def until_left(self) -> None:
        """Wait until the server knows that the caller of a call under way has gone."""
        assert self.inside is not None
        with anyio.fail_after(30):
            while not self.inside._pipeline._dispatcher._left:
                await anyio.sleep(0.01)

    async def until_free(self) -> None:
        """Wait until no call has a slot."""
        assert self.inside is not None
        dispatcher = self.inside._pipeline._dispatcher
        with anyio.fail_after(30):
            while dispatcher.under_way or dispatcher._slots.under_way or dispatcher._slots.queued:
                await anyio.sleep(0.01)


@asynccontextmanager
async def warden(
    folder: Path,
    url: str,
    *rules: Rule,
    regions: Sequence[str] = (REGION,),
    person: ElicitationFnT | None = None,
    extensions: Sequence[ClientExtension] = (),
    mode: str = "auto",
    keys: Mapping[str, Any] | None = None,
    target: Mapping[str, Any] | None = None,
    authentic: bool = True,
    **settings: Any,
) -> AsyncIterator[Warden]:
    """A server in this process, and a client connected to it without a transport between them.

    `person` answers what the server asks; without one the client can't ask anybody. `extensions` are those that the
    client declares. `authentic`: it is known who the client is. `keys` are further keys of the
    manifest, and `target` of its target.
    """
    loaded = load_manifests([write_manifest(folder, url, rules, regions, target=target or {}, **(keys or {}))])
    records = folder / "records.sqlite3"
    inside = app.Warden(
        Settings(**{"records": records, "sign_requests": False, **settings}), loaded, authentic=authentic
    )
    async with Client(inside.server, elicitation_callback=person, extensions=extensions, mode=mode) as client:
        client.session._tool_output_validators = _VALIDATORS
        yield Warden(client, records, inside)


async def always_yes(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """A person who approves everything."""
    return ElicitResult(action="accept", content={"approve": True})


def stdio(manifest: Path, home: Path, *arguments: str) -> StdioServerParameters:
    """How a host starts the server over stdio."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "lambda_warden", "serve", "--manifest", str(manifest), "--no-sign-request", *arguments],
        env=loopback_only.environment(str(home)),
    )


def structured(result: CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict), text_of(result)
    return result.structured_content


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def check_of(result: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One of a result's checks."""
    return next(check for check in result["checks"] if check["name"] == name)
