"""Whether a server over HTTP keeps its memory: requests of every kind, and what the process has after each part.

    python benchmarks/http_memory.py [--requests 100000] [--parts 10]

The requests are those of `tests/support/http_load.py`: calls and lists of both revisions, sessions that are opened and
ended, and what is refused, over connections that are kept and others that are not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from harness import ROOT, endpoint, warden_server, write_manifest

sys.path.insert(0, str(ROOT / "tests"))
from support.http_load import load
from support.servers import SERVING, HttpServer, over_http, token_in


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="Memory of lambda-warden over HTTP, by requests.")
    parser.add_argument("--requests", type=int, default=100_000, help="in all (default 100,000)")
    parser.add_argument("--parts", type=int, default=10, help="between which it is measured (default 10)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, endpoint() as url:
        folder = Path(name)
        command = warden_server(folder, url, write_manifest(folder, url, ["f"]), *over_http(folder))
        process = subprocess.Popen(
            [command.command, *command.args],
            env=(command.env or {}) | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        try:
            found = next(filter(None, map(SERVING.search, process.stderr)))
            _measure(HttpServer(found["url"], token_in(folder), psutil.Process(process.pid)), options)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _measure(server: HttpServer, options: argparse.Namespace) -> None:
    assert server.process is not None
    made, started = 0, time.monotonic()
    print(f"{'requests':>10}{'RSS MB':>10}{'files':>8}{'threads':>9}{'seconds':>9}")
    for part in range(options.parts + 1):
        memory, files = server.process.memory_info().rss / 1e6, server.process.num_fds()
        threads, seconds = server.process.num_threads(), time.monotonic() - started
        print(f"{made:>10,}{memory:>10.1f}{files:>8}{threads:>9}{seconds:>9.0f}", flush=True)
        if part < options.parts:
            made += load(server, options.requests // options.parts)


if __name__ == "__main__":
    main()
