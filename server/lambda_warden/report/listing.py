"""The list of functions: the manifest's rules joined with what AWS says, in a stable order, page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence

from lambda_warden.errors import ArgumentError
from lambda_warden.model.decision import Decision
from lambda_warden.model.result import ListResult
from lambda_warden.report.invocation import next_after_denial

_CURSOR_PREFIX = "after:"


def page_of(keys: Sequence[str], limit: int, after: str | None) -> tuple[list[int], str | None]:
    """Cut one page out of sorted keys.

    Args:
        keys: in ascending order, each once.
        limit: keys a page.
        after: the last key of the page before (see `read_cursor`), or None for the first page.

    Returns:
        The indexes of the page's keys, and the cursor of the next page, or None. A cursor names the last key shown
        and not a position, so that a page neither repeats nor skips what was there all along.
    """
    remaining = [i for i, key in enumerate(keys) if after is None or key > after]
    page, rest = remaining[:limit], remaining[limit:]
    return page, _write_cursor(keys[page[-1]]) if rest else None


def read_cursor(cursor: str) -> str:
    """The key that a cursor stands behind.

    Raises:
        ArgumentError: if it is not a cursor that `page_of` gave.
    """
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith(_CURSOR_PREFIX):
        raise ArgumentError(
            "cursor", "is not one that list_functions gave", "next_cursor of the page before, unchanged"
        )
    return text.removeprefix(_CURSOR_PREFIX)


def report_list_denial(decision: Decision) -> ListResult:
    """A list that was not made."""
    return ListResult(
        outcome="denied", functions=[], total=0, next_step=next_after_denial(decision), checks=list(decision.checks)
    )


def distinct(notes: Iterable[str]) -> list[str]:
    """Each note once, in the order of their first appearance."""
    return list(dict.fromkeys(notes))


def _write_cursor(key: str) -> str:
    return base64.urlsafe_b64encode((_CURSOR_PREFIX + key).encode()).decode("ascii")
