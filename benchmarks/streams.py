"""What it costs to redact an answer that is streamed, piece by piece, and how much memory it takes.

    python benchmarks/streams.py [--megabytes 100]

Prints megabytes a second of processor time, and the memory taken at the peak by Python's own count (tracemalloc, on a
tenth of the runs' size, since it is slow). Absolute figures are this machine's.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from typing import Any

from lambda_warden.jsontools.pointer import Pointer
from lambda_warden.redaction.stream import StreamRedactor

SECRET = "hunter2" * 2
PIECE = 64 * 1024
_LINE = b"2026-11-25T07:00:00Z INFO request 4711 took 17 ms, path /orders/A-1001, status 200\n"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="The cost of redacting a streamed answer.")
    parser.add_argument("--megabytes", type=float, default=100, help="size of each answer (default 100)")
    size = int(parser.parse_args().megabytes * 1_000_000)
    for label, redact in ANSWERS.items():
        started = time.process_time()
        length, count = _run(label, size, redact)
        seconds = time.process_time() - started
        tracemalloc.start()
        _run(label, size // 10, redact)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"  {label:<28} {length / 1e6 / seconds:6.1f} MB/s   peak {peak / 1e6:5.1f} MB   {count:,} redacted")


ANSWERS: dict[str, list[Pointer]] = {
    "rows": [],
    "rows, 0.1 % with a secret": [],
    "rows, each with a secret": [],
    "rows, a place in each": [("*", "email")],
    "numbers": [],
    "one large string": [],
    "lines of JSON": [],
    "log": [],
    "API Gateway, JSON body": [],
}


def _pieces(label: str) -> Iterator[bytes]:
    """An answer without an end."""
    match label:
        case "numbers":
            yield b"[0"
            while True:
                yield b",123456" * 8192
        case "one large string":
            yield b'{"name":"report.pdf","data":"'
            blob = base64.b64encode(bytes(range(256)) * 192)
            while True:
                yield blob
        case "log":
            while True:
                yield _LINE * 800
        case "lines of JSON":
            while True:
                yield b"".join(json.dumps(row).encode() + b"\n" for row in _rows("rows"))
        case "API Gateway, JSON body":
            yield b'{"statusCode":200,"body":"[0'
            inside = json.dumps("," + json.dumps(_rows(label))[1:-1])[1:-1].encode()
            while True:
                yield inside
        case _:
            yield b"[0"
            rows = b"," + json.dumps(_rows(label), separators=(",", ":")).encode()[1:-1]
            while True:
                yield rows


def _rows(label: str) -> list[dict[str, Any]]:
    every = {"rows, 0.1 % with a secret": 1000, "rows, each with a secret": 1}.get(label)
    rows: list[dict[str, Any]] = [
        {"id": i, "name": f"customer {i}", "email": f"user{i}@example.com", "total": i * 1.25, "tags": ["a", "b"]}
        for i in range(4000)
    ]
    for row in rows[::every] if every else []:
        row["password"] = SECRET
    return rows


def _run(label: str, size: int, redact: list[Pointer]) -> tuple[int, int]:
    """Redact so much of an answer that breaks off then; how much it was, and how many places were replaced."""
    redactor, length = StreamRedactor(redact), 0
    for data in _cut(_pieces(label), size):
        length += len(data)
        for _ in redactor.redact(data):
            pass
    return length, redactor.count


def _cut(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Pieces of the size in which they arrive."""
    first = list(islice(pieces, 2))
    yield first[0]
    left = size
    while left > 0:  # one piece after the other is the same
        for start in range(0, len(first[1]), PIECE):
            yield first[1][start : start + PIECE]
        left -= len(first[1])


if __name__ == "__main__":
    main()
