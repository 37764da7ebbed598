"""Makes a result no larger than a host passes on to its model.

Hosts cut or refuse what is larger (`response exceeds maximum allowed tokens`), so what reaches the model is bounded as
a whole: the structured result and its text together, whatever a rule or a caller allows for a part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from pydantic_core import to_json

from lambda_warden.model.result import ToolResult
from lambda_warden.report.outgoing import outgoing

LEAST_BYTES: Final = 256

_Result = TypeVar("_Result", bound=ToolResult)


def fit(
    make: Callable[[int], _Result],
    text_of: Callable[[_Result], str],
    wanted: int,
    budget: int,
    *,
    least: int = LEAST_BYTES,
    last_resort: Callable[[_Result], _Result] | None = None,
) -> _Result:
    """Make a result as large as is wanted, or smaller, until all of it fits.

    Args:
        make: makes it with so much in its largest part.
        text_of: its text.
        wanted: how much of that part, in bytes or entries, if nothing speaks against it.
        budget: bytes of the structured result and the text together.
        least: what that part can't be made smaller than.
        last_resort: takes away what can be spared of a result whose other parts alone are larger than the budget.
    """
    while True:
        made = make(wanted)
        # A part of some size stands twice in a result, and escapes make it longer. Most are far from the budget.
        size = _size(made, text_of)
        if size <= budget:
            return made
        if wanted <= least:
            return made if last_resort is None else last_resort(made)
        wanted = max(least, min(wanted * budget * 9 // (size * 10), wanted - 1))


def _size(result: _Result, text_of: Callable[[_Result], str]) -> int:
    said, structured = outgoing(result)
    return len(to_json(structured)) + len(text_of(said).encode())
