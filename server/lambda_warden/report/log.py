"""Log tails: the bytes of LogResult → text without secrets, and Lambda's REPORT line → numbers with units.

Formats: "Viewing CloudWatch logs for Lambda functions" (text: REPORT) and the Telemetry API's `platform.report`
(JSON log format).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from lambda_warden.guard.redaction.text import redact_cut_text, redact_text
from lambda_warden.model.result import Log, Report

TAIL_LIMIT: Final = 4096
"""Bytes of log that AWS returns: the last 4 KB."""

_REPORT_LINE = re.compile(r"^REPORT RequestId: \S+.*$", re.MULTILINE)
_FIELDS: Final = {
    "duration_ms": re.compile(r"(?<![A-Za-z] )\bDuration: ([0-9.]+) ms"),
    "billed_duration_ms": re.compile(r"\bBilled Duration: ([0-9.]+) ms"),
    "memory_size_mb": re.compile(r"\bMemory Size: ([0-9]+) MB"),
    "max_memory_used_mb": re.compile(r"\bMax Memory Used: ([0-9]+) MB"),
    "init_duration_ms": re.compile(r"\bInit Duration: ([0-9.]+) ms"),
}
_METRICS: Final = {
    "duration_ms": "durationMs",
    "billed_duration_ms": "billedDurationMs",
    "memory_size_mb": "memorySizeMB",
    "max_memory_used_mb": "maxMemoryUsedMB",
    "init_duration_ms": "initDurationMs",
}


class RedactedLog(NamedTuple):
    """A log without its secrets, and how many places were replaced."""

    log: Log
    redacted: int


def read_log(tail: bytes | None) -> RedactedLog | None:
    """Decode and redact a log tail; None where there is none.

    Args:
        tail: the decoded bytes of LogResult. A word cut by AWS's 4 KB limit at its start is dropped, as it may be the
            rest of a secret, and so is what may be the value of a name that was cut.
    """
    if not tail:
        return None
    truncated = len(tail) >= TAIL_LIMIT
    text = tail.decode(errors="replace")
    redacted = redact_cut_text(text) if truncated else redact_text(text)
    return RedactedLog(Log(text=redacted.text, truncated=truncated, report=read_report(text)), redacted.count)


def read_report(text: str) -> Report | None:
    """The last REPORT line of a log, in text or JSON format, or None if there is none."""
    if lines := _REPORT_LINE.findall(text):
        found = {name: pattern.search(lines[-1]) for name, pattern in _FIELDS.items()}
        return _report({name: match[1] for name, match in found.items() if match})
    for line in reversed(text.splitlines()):
        if '"platform.report"' in line and (metrics := _platform_metrics(line)):
            return _report({name: metrics[key] for name, key in _METRICS.items() if key in metrics})
    return None


def _platform_metrics(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
        metrics = event["record"]["metrics"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return metrics if event.get("type") == "platform.report" and isinstance(metrics, dict) else None


def _report(fields: dict[str, Any]) -> Report | None:
    numbers = {name: value for name, value in fields.items() if not isinstance(value, bool)}
    try:
        return Report.model_validate(numbers)
    except ValueError:  # a function may print a line that only looks like a report
        return None
