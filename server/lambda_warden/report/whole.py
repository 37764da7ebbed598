"""When a model had better not read all of an answer, and who gets it otherwise."""

from __future__ import annotations

from typing import Final

PAGES: Final = 20
"""How many pages of a result a model reads one after another, at the most."""
PAGED_BYTES: Final = PAGES * 16_384
"""What so many pages hold, of the size that a page has if none is asked for."""


def whole_to_a_file(invocation_id: str) -> str:
    """How the operator gets the whole answer of a call."""
    return (
        f"The operator gets the whole by `lambda-warden result {invocation_id} > FILE`: for more than a part, ask them."
    )
