"""When a model had better not read all of an answer, and who gets it otherwise."""

from __future__ import annotations

from typing import Final

PAGES: Final = 20
"""That a model reads one after another, and no more."""
PAGED_BYTES: Final = PAGES * 16_384
"""What these hold, if nothing is said of their size."""


def whole_to_a_file(invocation_id: str) -> str:
    """How the operator gets the whole answer of a call."""
    return (
        f"The operator gets the whole by `lambda-warden result {invocation_id} > FILE`: for more than a part, ask them."
    )
