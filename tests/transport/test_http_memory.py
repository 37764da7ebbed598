"""A server over HTTP keeps nothing of its requests. `benchmarks/http_memory.py` does that at length."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.http_load import load
from support.scripted_endpoint import ScriptedEndpoint
from support.servers import serve_http
from support.warden import allow, write_manifest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WARM_UP = 3_000
REQUESTS = 6_000
GROWTH = 4 * 1024 * 1024
"""Bytes; a session that stayed would be 33 KB, and there are 600."""


def test_memory_does_not_grow_with_requests(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, endpoint.url, [allow("f", effect="read")])
    with serve_http(manifest, tmp_path, "--records", str(tmp_path / "records.sqlite3")) as server:
        assert server.process is not None
        load(server, WARM_UP)
        before = server.process.memory_info().rss
        load(server, REQUESTS)
        grown = server.process.memory_info().rss - before
        assert server.process.num_fds() < 100
    assert grown < GROWTH
