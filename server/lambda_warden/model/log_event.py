"""One event of a log stream, as CloudWatch Logs gives it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line or more that were logged at once.

    Attributes:
        stream: the log stream that it stands in.
        timestamp: milliseconds since the epoch.
        message: not redacted.
    """

    stream: str
    timestamp: int
    message: str
