"""What it costs to read, redact and preview an answer, beside json.loads alone.

    python benchmarks/preview.py [--megabytes 6] [--runs 7]

Prints medians of time, and the memory taken at the peak as a multiple of the payload's size: by Python's own count
(tracemalloc), and as the growth of the resident memory of a process of its own (Linux). Of an answer of 200 MB, as it
is streamed, only the first 8 MB are given. Absolute figures are this machine's; the ratios are what to compare.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lambda_warden.answers.payload import read_payload
from lambda_warden.report.payload_view import PayloadView, preview

BUDGET = 16_384
STREAMED_BYTES, HEAD_BYTES = 200_000_000, 8_000_000
SECRET = "hunter2" * 2
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="The cost of a preview, beside json.loads alone.")
    parser.add_argument("--megabytes", type=float, default=6, help="size of each answer (default 6)")
    parser.add_argument("--runs", type=int, default=7, help="runs of each (default 7)")
    options = parser.parse_args()
    size = int(options.megabytes * 1_000_000)

    print(f"Read, redact and preview in {BUDGET:,} bytes; medians of {options.runs}")
    for label, answer in ANSWERS.items():
        _print_row(label, _encoded(answer(size)), None, options.runs)
    _print_row("200 MB streamed, 8 given", _encoded(rows(HEAD_BYTES * 2))[:HEAD_BYTES], STREAMED_BYTES, options.runs)


def rows(size: int) -> list[dict[str, Any]]:
    """Row objects, as a query of a table gives them."""
    return [
        {"id": i, "name": f"customer {i}", "email": f"user{i}@example.com", "total": i * 1.25, "tags": ["a", "b"]}
        for i in range(size // 95)
    ]


def with_secrets(some: list[dict[str, Any]], every: int) -> list[dict[str, Any]]:
    """Rows of which some have a password."""
    return [row if i % every else row | {"password": SECRET} for i, row in enumerate(some)]


def deep(size: int) -> dict[str, Any]:
    """Objects in objects, sixty levels of them, each with rows of its own."""
    value: dict[str, Any] = {}
    for _ in range(60):
        value = {"rows": rows(size // 60), "in": value}
    return value


ANSWERS: dict[str, Callable[[int], Any]] = {
    "rows": rows,
    "rows, 1 % with a secret": lambda size: with_secrets(rows(size), 100),
    "rows, each with a secret": lambda size: with_secrets(rows(size * 4 // 5), 1),
    "one deep object": deep,
    "one large string": lambda size: {
        "status": "ok",
        "log": "a line of a log, as functions write them\n" * (size // 42),
    },
    "numbers": lambda size: list(range(size // 7)),
    "API Gateway, JSON body": lambda size: {"statusCode": 200, "body": json.dumps(rows(size * 4 // 5))},
}


def _encoded(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _view(data: bytes, total: int | None) -> PayloadView:
    return preview(read_payload(data, total=total), BUDGET)


def _print_row(label: str, data: bytes, total: int | None, runs: int) -> None:
    def ours() -> PayloadView:
        return _view(data, total)

    # Of the beginning of an answer, json.loads gets the rows that are whole.
    readable = data if total is None else data[: data.rindex(b"},{") + 1] + b"]"
    alone, own = _medians((partial(_loads, readable), ours), runs)
    tracemalloc.start()
    view = ours()
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        resident = pool.apply(_growth, (data, total))
    shown = len(json.dumps(view.value, ensure_ascii=False, separators=(",", ":")).encode())
    assert shown <= BUDGET
    print(
        f"  {label:<26} {len(data) / 1e6:5.1f} MB   json.loads {alone * 1000:7.1f} ms   ours {own * 1000:7.1f} ms   "
        f"ratio {own / alone:5.2f}   peak {traced / len(data):4.1f}x traced, {resident / len(data):4.1f}x resident   "
        f"{shown / BUDGET:4.0%} of the budget used"
    )


def _loads(data: bytes) -> object:
    value = json.loads(data)
    if isinstance(value, dict) and isinstance(value.get("body"), str):
        value["body"] = json.loads(value["body"])
    return value


def _medians(works: tuple[Callable[[], object], ...], runs: int) -> list[float]:
    samples: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, taken in zip(works, samples, strict=True):  # in turn, so that what else runs falls on all alike
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in samples]


def _growth(data: bytes, total: int | None) -> int:
    """How far the process grows, which has done nothing of the kind before; 0 where there is no /proc to tell."""
    _view(b'{"a": ["password", "b"], "password": "x"}', None)  # what the first call of all takes
    if not _STATUS.exists():
        return 0
    _CLEAR.write_text("5")  # the peak so far
    before = _resident()
    _view(data, total)
    return _resident() - before


def _resident() -> int:
    """The peak of resident memory, in bytes."""
    return int(_STATUS.read_text().split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
