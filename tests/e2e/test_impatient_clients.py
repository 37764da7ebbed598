"""Real clients with a timeout of their own: what they get in time they get whole, and then they give up.

Clients of `--group clients`, and those that npm brings, skip where they are not installed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from support.impatient import KINDS, Kind, Server, connected
from support.npm import needs_npm
from support.scripted_endpoint import Held, ScriptedEndpoint
from support.servers import serve_http
from support.warden import allow, stdio, write_manifest

pytestmark = pytest.mark.anyio

Transport = Literal["stdio", "http"]
SMALL: set[tuple[Kind, Transport]] = {("python", "http"), ("typescript", "stdio")}
"""What is enough for each change."""


def clients(small: set[tuple[Kind, Transport]]) -> list[Any]:
    """Each client over each transport; those that are not in `small` are slow tests."""
    return [
        pytest.param(
            kind,
            transport,
            id=f"{kind}-{transport}",
            marks=[
                *([needs_npm] if kind.startswith("typescript") else []),
                *([] if (kind, transport) in small else [pytest.mark.slow]),
            ],
        )
        for kind in KINDS
        for transport in ("stdio", "http")
    ]


@pytest.mark.parametrize(("kind", "transport"), clients(SMALL))
async def test_a_client_gets_what_comes_in_time(
    kind: Kind, transport: Transport, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    payload = {"text": "x" * 2_000}
    async with served(transport, tmp_path, endpoint.url) as server:
        async with connected(kind, server, 60) as call:
            got = await call("invoke_function", {"function": "quick:live", "payload": payload})
            assert got.result is not None
            assert (got.result["outcome"], got.result["payload"]) == ("succeeded", payload)
        async with connected(kind, server, 1) as call:
            got = await call("invoke_function", {"function": "f:live"})
            assert got.result is None
            assert "timed out" in got.error


@asynccontextmanager
async def served(transport: Transport, folder: Path, url: str) -> AsyncIterator[Server]:
    manifest = write_manifest(folder, url, [allow("f"), allow("quick")])
    records = "--records", str(folder / "records.sqlite3")
    if transport == "stdio":
        yield stdio(manifest, folder, *records)
    else:
        with serve_http(manifest, folder, *records) as address:
            yield address
