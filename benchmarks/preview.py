"""What it costs to read, redact and preview an answer, beside json.loads alone.

    python benchmarks/preview.py [--megabytes 6] [--runs 7]

Prints medians of time, and the memory taken at the peak as a multiple of the payload's size: by Python's own count
(tracemalloc), and as the growth of the process (ru_maxrss) in a process of its own. Of an answer of 200 MB, as it is
streamed, only the first 8 MB are given. Absolute figures are this machine's; the ratios are what to compare.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from lambda_warden.report.payload import PayloadView, preview, read_payload

BUDGET = 16_384
STREAMED_BYTES, HEAD_BYTES = 200_000_000, 8_000_000
SECRET = "hunter2" * 2


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="The cost of a preview, beside json.loads alone.")
    parser.add_argument("--megabytes", type=float, default=6, help="size of each answer (default 6)")
    parser.add_argument("--runs", type=int, default=7, help="runs of each (default 7)")
    options = parser.parse_args()
    size = int(options.megabytes * 1_000_000)

    print(f"Read, redact and preview in {BUDGET:,} bytes; medians of {options.runs}")
    for label, value in answers(size).items():
        data = json.dumps(value, separators=(",", ":")).encode()
        del value
        _print_row(label, data, None, options.runs)
    head = json.dumps(rows(HEAD_BYTES * 2), separators=(",", ":")).encode()[:HEAD_BYTES]
    _print_row("200 MB streamed, 8 given", head, STREAMED_BYTES, options.runs)


def answers(size: int) -> dict[str, Any]:
    """Answers of about `size` bytes, of the kinds that cost most."""
    secret_rows = [row | {"password": SECRET} for row in rows(size)]
    return {
        "rows": rows(size),
        "rows, 1 % with a secret": [
            row | {"password": SECRET} if i % 100 == 0 else row for i, row in enumerate(rows(size))
        ],
        "rows, each with a secret": secret_rows[: len(secret_rows) * 5 // 6],
        "one deep object": deep(size),
        "one large string": {"status": "ok", "log": "a line of a log, such as any function writes\n" * (size // 45)},
        "numbers": list(range(size // 7)),
        "API Gateway, JSON body": {"statusCode": 200, "body": json.dumps(rows(size * 4 // 5))},
    }


def rows(size: int) -> list[dict[str, Any]]:
    """Row objects, as a query of a table gives them."""
    return [
        {"id": i, "name": f"customer {i}", "email": f"user{i}@example.com", "total": i * 1.25, "tags": ["a", "b"]}
        for i in range(size // 95)
    ]


def deep(size: int) -> dict[str, Any]:
    """Objects in objects, sixty levels of them, each with rows of its own."""
    value: dict[str, Any] = {}
    for _ in range(60):
        value = {"rows": rows(size // 60), "in": value}
    return value


def _view(data: bytes, total: int | None) -> PayloadView:
    return preview(read_payload(data, total=total), BUDGET)


def _print_row(label: str, data: bytes, total: int | None, runs: int) -> None:
    ours = lambda: _view(data, total)  # noqa: E731
    alone, own = _medians(((lambda: _loads(data)), ours), runs)
    tracemalloc.start()
    view = ours()
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    grown = multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1)
    with grown:
        resident = grown.apply(_growth, (data, total))
    shown = len(json.dumps(view.value, ensure_ascii=False, separators=(",", ":")).encode())
    assert shown <= BUDGET
    print(
        f"  {label:<26} {len(data) / 1e6:5.1f} MB   json.loads {alone * 1000:7.1f} ms   ours {own * 1000:7.1f} ms   "
        f"ratio {own / alone:5.2f}   peak {traced / len(data):4.1f}x traced, {resident / len(data):4.1f}x resident   "
        f"{shown / BUDGET:4.0%} of the budget used"
    )


def _loads(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:  # the beginning of an answer
        return json.loads(data[: data.rindex(b"},{") + 1] + b"]")


def _medians(works: tuple[Callable[[], object], ...], runs: int) -> list[float]:
    samples: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, taken in zip(works, samples, strict=True):  # in turn, so that what else runs falls on all alike
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in samples]


def _growth(data: bytes, total: int | None) -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    _view(b'{"a": ["password", "b"], "password": "x"}', None)  # what the first call of all takes
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _view(data, total)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit


if __name__ == "__main__":
    main()
