"""Records: what was decided and what came of it, kept before anybody acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

Kind = Literal["denial", "intent", "outcome"]
"""denial: not sent. intent: about to be sent. outcome: what came of an intent; without one, it is unknown."""

Field = str | int | float | bool | None


class RecordError(Exception):
    """A record could not be written, so what it speaks of must not happen."""


class Records(Protocol):
    """An append-only list of records. Safe to use from any thread."""

    def append(self, kind: Kind, invocation_id: str, body: Mapping[str, Field]) -> None:
        """Write one record, and return only once it would survive a crash.

        Raises:
            RecordError: if it was not written.
        """

    def close(self) -> None:
        """Release the store."""
