"""The caller of one request: who asks, through which client, and the trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

LOCAL: Final = "local"
"""The principal of a server that was told of no other: whoever can start it."""
_GROUPS_CHARACTERS: Final = 1000
"""Of all groups together, in a record: a token may name hundreds."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request. Made once for each request, in `tools/`, and carried with the call.

    Attributes:
        principal: the name that rules, limits, idempotency keys and kept results go by: that of the settings, or, by
            the request's access token, `user:SUBJECT`, or `client:ID` where no user stands behind the token.
        subject: the person whom the token names; None where it names none.
        actor: the agent that acts for the principal, as the token says (RFC 8693, `act`). It never adds to what the
            principal may do.
        client_id: the OAuth client that the token was issued to.
        groups: those of the principal, as the token says.
        scopes: what the token is good for.
        tenant: the id of the principal's own tenant, as the token says.
        client_name: what the MCP client calls itself. It can claim anything: for the records, never for a decision.
        client_version: of that client, as it says.
        trace_id: of the request's trace, if it has one.
        request_id: of the request, as its client numbers them. It says nothing to others.
    """

    principal: str = LOCAL
    subject: str | None = None
    actor: str | None = None
    client_id: str | None = None
    groups: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    tenant: str | None = None
    client_name: str | None = None
    client_version: str | None = None
    trace_id: str | None = None
    request_id: str | int | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The principal, and the agent that acts for it: requests of two agents for one person are not the same.

        >>> Caller("user:ann").name, Caller("user:ann", actor="ops-bot").name
        ('user:ann', 'user:ann, through the agent ops-bot')
        """
        return self.principal if self.actor is None else f"{self.principal}, through the agent {self.actor}"

    @property
    def is_authenticated(self) -> bool:
        """Whether an access token says who it is."""
        return ":" in self.principal

    @property
    def answers_for_a_person(self) -> bool:
        """Whether it is known to be a person, not an agent, whose client asks."""
        return self.subject is not None and self.actor is None

    def fields(self) -> dict[str, str | None]:
        """What the records say of the caller."""
        client = " ".join(part for part in (self.client_name, self.client_version) if part) or None
        return {
            "principal": self.principal,
            "subject": self.subject,
            "actor": self.actor,
            "client_id": self.client_id,
            "groups": ",".join(self.groups)[:_GROUPS_CHARACTERS] or None,
            "client": client,
            "trace_id": self.trace_id,
        }


LOCAL_CALLER: Final = Caller()
"""Whoever can start a server that was told of no principal."""
CURRENT: Final[ContextVar[Caller]] = ContextVar("caller", default=LOCAL_CALLER)
"""For whom a request is handled in this context, which goes into worker threads: for those who sign what AWS is asked.
Whoever decides is given the caller."""


@contextmanager
def acting_for(caller: Caller) -> Iterator[None]:
    """Have AWS be asked for a caller."""
    token = CURRENT.set(caller)
    try:
        yield
    finally:
        CURRENT.reset(token)
