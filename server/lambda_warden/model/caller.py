"""The caller of one request: principal, client and trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LOCAL: Final = "local"
"""The principal of a server that was told of no other: whoever can start it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request. Made once for each request, in `tools/`, and carried with the call.

    Attributes:
        principal: the name that rules, limits, idempotency keys and kept results go by.
        subject: whom an identity provider names, where there is one.
        groups: the groups that it names.
        client_name: what the MCP client calls itself. It can claim anything: for the records, never for a decision.
        client_version: of that client, as it says.
        trace_id: of the request's trace, if it has one.
        request_id: of the request, as its client numbers them. It says nothing to others.
    """

    principal: str = LOCAL
    subject: str | None = None
    groups: tuple[str, ...] = ()
    client_name: str | None = None
    client_version: str | None = None
    trace_id: str | None = None
    request_id: str | int | None = field(default=None, compare=False)

    def fields(self) -> dict[str, str | None]:
        """What the records say of the caller."""
        client = " ".join(part for part in (self.client_name, self.client_version) if part) or None
        return {
            "principal": self.principal,
            "subject": self.subject,
            "groups": ",".join(self.groups) or None,
            "client": client,
            "trace_id": self.trace_id,
        }
