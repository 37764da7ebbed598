"""Records: what was decided and what came of it, kept before anybody acts on it.

Limits and approvals are kept beside them, since they are taken in the same transactions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["denial", "intent", "retry", "outcome", "approval", "violation", "reload", "read"]
"""denial: not sent. intent: about to be sent. retry: an attempt that certainly started nothing, and another will be
made. outcome: what came of an intent; without one, it is unknown. approval: what a person answered. violation: what
happened although it was not allowed. reload: another manifest. read: a log is about to be read."""

Field = str | int | float | bool | None

Limit = Literal["per_minute", "per_day", "concurrent"]

FirstState = Literal["ended", "in_progress", "lost", "another_request"]
"""ended: it has a result. in_progress: it is under way. lost: it is under way no longer, and nobody knows how it ended.
another_request: it was a call of something else."""

Answer = Literal["valid", "unknown", "used", "expired", "changed"]


class RecordError(Exception):
    """A record could not be written or read, so what it speaks of must not happen."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted together, and how much of it is allowed. None: no such limit.

    Attributes:
        key: names what is counted, such as `rule:ARN` or `principal:NAME`.
        per_minute: calls admitted within any 60 seconds.
        per_day: calls admitted within any 86,400 seconds.
        concurrent: calls under way at once.
    """

    key: str
    per_minute: int | None = None
    per_day: int | None = None
    concurrent: int | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """A call was not admitted: a limit has no room.

    Attributes:
        key: of the bucket. Where several have no room, the one that is to be waited for longest.
        limit: which of its limits.
        allowed: what that limit allows.
        retry_after_seconds: when there is room again if no other call is admitted before. None where nobody can say:
            for `concurrent`, a call must end first, and a limit of 0 never has room.
    """

    key: str
    limit: Limit
    allowed: int
    retry_after_seconds: float | None


@dataclass(frozen=True, slots=True)
class Reservation:
    """An idempotency key that a call wants.

    Attributes:
        principal: who asks; each has keys of its own.
        key: as the caller named it.
        binding: a digest of the request; the same key is good for nothing else.
        kept_seconds: how long the key belongs to the call.
    """

    principal: str
    key: str
    binding: str
    kept_seconds: float


@dataclass(frozen=True, slots=True)
class First:
    """The call that has a key already; `result` is what was kept of it when it ended."""

    invocation_id: str
    state: FirstState
    result: str | None = None


class Records(Protocol):
    """An append-only list of records, with the limits and approvals that go with it. Safe to use from any thread.

    Every method but `finish` returns only once what it wrote would survive a loss of power. What `finish` wrote
    survives a crash of the process; where it is lost, the call shows as unknown. Each one raises `RecordError` if it
    could not do its work, and then it has done nothing.
    """

    def append(self, kind: Kind, invocation_id: str, body: Mapping[str, Field]) -> None:
        """Write one record. Fields that are None are left out."""

    def admit(
        self,
        invocation_id: str,
        body: Mapping[str, Field],
        buckets: Sequence[Bucket],
        lease_seconds: float,
        reservation: Reservation | None = None,
    ) -> Busy | First | None:
        """Take a unit of every limit and the idempotency key, and write the intent: all of it or nothing.

        Args:
            invocation_id: of a call that was not admitted before.
            body: of the intent. `lease_seconds` is added to it.
            buckets: what the call counts in. All of them must have room.
            lease_seconds: how long the call can be under way at the most. Its concurrent slots come back when it is
                finished, or after this time: a call goes on when the server that made it is killed.
            reservation: the key that it wants, if any.

        Returns:
            None if admitted, else what had no room, or who has the key: then nothing was taken, and no intent written.
        """

    def find_first(self, reservation: Reservation) -> First | None:
        """The call that has a key, if there is one."""

    def finish(
        self,
        invocation_id: str,
        body: Mapping[str, Field],
        *,
        ran: bool,
        ended: bool = True,
        result: str | None = None,
    ) -> None:
        """Write the outcome, free the concurrent slots and keep the result under the call's key: all or nothing.

        Args:
            invocation_id: of a call that was admitted.
            body: of the outcome.
            ran: False only if the function certainly did not run: then the units of per_minute and per_day are given
                back too, and so is the key.
            ended: False if it may still be running: then its slots stay taken until the end of its lease.
            result: what the next call with the same key gets.
        """

    def ask(self, approval_id: str, binding: str, expires_at: float) -> None:
        """Keep a question to a person until it is answered.

        Args:
            approval_id: of a question that was not asked before.
            binding: what exactly is asked for, such as a digest of the call: an answer is valid for nothing else.
            expires_at: when an answer comes too late, in seconds since the epoch.
        """

    def answer(self, approval_id: str, binding: str) -> Answer:
        """Use up a question, whatever comes of it. Only one answer ever finds it.

        Returns:
            valid: asked for exactly this, in time, and answered for the first time.
            unknown: never asked, or long expired.
            used: answered before, also where that answer was expired or changed.
            expired: it comes too late.
            changed: something else was asked for.
        """

    def close(self) -> None:
        """Release the store. It may be closed twice."""
