"""Events of log streams, as CloudWatch Logs gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

BYTES_LIMIT: Final = 4 * 1024 * 1024
"""Of the messages that one search or one stream gives."""


class Span(NamedTuple):
    """When events may have happened: milliseconds since the epoch, the last one included. None: until now."""

    first: int
    last: int | None


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
