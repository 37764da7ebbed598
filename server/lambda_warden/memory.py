"""Memory for work on large payloads, bounded by how many of them are worked on at once.

A payload that is decoded takes up to some thirty times its bytes, and many calls may end together.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LARGE_BYTES: Final = 1024 * 1024
"""Up to so many bytes, a payload is worked on at once."""
_AT_ONCE: Final = 2
_turns: Final = threading.BoundedSemaphore(_AT_ONCE)


@contextmanager
def turn_for(size: int) -> Iterator[None]:
    """Wait, if a payload is large, until few others are worked on; its value must be gone in the end.

    For worker threads, and for work that waits for nothing else: never within another turn, while a call is under way
    or while the event loop waits.

    Args:
        size: of the payload, in bytes.
    """
    if size <= LARGE_BYTES:
        yield
    else:
        with _turns:
            yield
