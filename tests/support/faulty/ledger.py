"""What the endpoint knows of each call: whether it came in whole, whether the function started, what was answered."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TypedDict

PENDING = "pending"
NOTHING = "nothing"
CLIENT_LEFT = "client left"


class EntryDocument(TypedDict):
    """An entry as the control API gives it."""

    call: str
    function: str
    qualifier: str | None
    invocation_type: str
    attempts: int
    received: int
    started: int
    fault: str
    answered: str
    version: str | None


@dataclass(slots=True)
class Entry:
    """One call, over all its attempts; what is not a number is that of the last.

    Attributes:
        call: its id.
        function: its name, without ARN and qualifier.
        qualifier: what was asked for.
        invocation_type: RequestResponse, Event, DryRun or ResponseStream.
        attempts: requests of this call whose headers arrived.
        received: requests that arrived whole, to the last byte of their body, and were taken in.
        started: how often the endpoint ran the function, or queued it.
        fault: what was told or drawn.
        answered: the status that was answered whole; "part of STATUS"; "nothing"; "client left" before its answer;
            "STATUS after the client left"; "pending" until then.
        version: the version that ran.
    """

    call: str
    function: str
    qualifier: str | None
    invocation_type: str
    attempts: int = 0
    received: int = 0
    started: int = 0
    fault: str = "ok"
    answered: str = PENDING
    version: str | None = None


class Ledger:
    """Entries by call."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def open(self, call: str, function: str, qualifier: str | None, invocation_type: str) -> Entry:
        """The entry of a call that has just brought a request, with this attempt counted."""
        entry = self._entries.get(call)
        if entry is None:
            entry = self._entries[call] = Entry(call, function, qualifier, invocation_type)
        entry.function, entry.qualifier, entry.invocation_type = function, qualifier, invocation_type
        entry.attempts += 1
        entry.answered, entry.version = PENDING, None
        return entry

    def document(self) -> dict[str, dict[str, object]]:
        """All entries as JSON can hold them."""
        return {call: asdict(entry) for call, entry in self._entries.items()}
