"""Servers in processes of their own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.warden import stdio


@contextmanager
def serve_http(manifest: Path, home: Path, *arguments: str) -> Iterator[str]:
    """Run a server over HTTP, and give its URL."""
    server = stdio(manifest, home, "--transport", "streamable-http", "--port", "0", *arguments)
    process = subprocess.Popen(
        [server.command, *server.args],
        env=os.environ | (server.env or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"serving http://[\d.]+:(?P<port>\d+)/mcp", line):
                yield f"http://127.0.0.1:{found['port']}/mcp"
                break
        else:
            pytest.fail("the server ended before it listened")
    finally:
        process.terminate()
        process.communicate(timeout=30)
