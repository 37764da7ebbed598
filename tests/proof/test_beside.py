"""What stands beside the chains is as the records imply, whatever servers do: only a reset is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.proof.beside import hold_to_chains
from lambda_warden.store.approvals import ApprovalAsk, ApprovalRuling, PendingApproval
from lambda_warden.store.audit_log import AuditLog, IdempotencyClaim, Limit
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from support.clock import Clock

LIMITS = [Limit("rule:f live", per_day=1000), Limit("principal:local", concurrent=1000)]
ASK = ApprovalAsk("", "", "local", None, "f", "write", "m:1", "7", "manifest", "?", None, expires_seconds=900)
RULINGS = {verdict: ApprovalRuling(verdict, "ada", "terminal", None, "s") for verdict in ("approved", "denied")}


def problems(log: AuditLog, clock: Clock) -> list[str]:
    return hold_to_chains(log.events(), log.state, datetime.fromtimestamp(clock.time_of_day(), UTC))


class Servers:
    """One server after another, and what is done on them."""

    def __init__(self, log: AuditLog, clock: Clock, data: st.DataObject, number: Iterator[int]) -> None:
        self.log, self.clock, self.draw = log, clock, data.draw
        self.number = number
        self.under_way: list[str] = []
        self.asked: list[str] = []

    def admit(self, approval: PendingApproval | None = None) -> None:
        name = f"call-{next(self.number)}"
        key = self.draw(st.sampled_from([None, "k1", "k2"]), "key")
        digest = self.draw(st.sampled_from(["d1", "d2"]), "digest")
        claim = IdempotencyClaim("local", key, digest, 7200) if self.draw(st.booleans(), "claim") else None
        lease = self.draw(st.sampled_from([60.0, 5400.0]), "lease")
        body = {
            "counts_in": "\n".join(limit.key for limit in LIMITS),
            "kept_seconds": claim.kept_seconds if claim else None,
            "idempotency_key": claim.key if claim else None,
        }
        if self.log.admit(name, body, LIMITS, lease, claim, approval=approval) is None:
            self.under_way.append(name)

    def finish(self) -> None:
        if self.under_way:
            name = self.under_way.pop(self.draw(st.integers(0, len(self.under_way) - 1), "which"))
            outcome = self.draw(st.sampled_from(["succeeded", "function_error", "refused", "unknown"]), "outcome")
            delivered = self.draw(st.booleans(), "delivered")
            ran = outcome != "refused"
            self.log.finish(
                name,
                {"outcome": outcome},
                ran=ran,
                ended=outcome != "unknown",
                result=lambda: "{}",
                delivered=lambda: delivered,
            )

    def ask(self) -> None:
        name = f"ask-{next(self.number)}"
        version = self.draw(st.sampled_from(["7", "8"]), "version")
        people = {"approvers": ("group:sre",), "count": 2} if self.draw(st.booleans(), "people") else {}
        ask = replace(ASK, approval_id=name, request_digest="d", executed_version=version, **people)  # type: ignore[arg-type]
        self.log.request_approval(ask)
        self.asked.append(name)

    def decide(self) -> None:
        if self.asked:
            ruling = RULINGS[self.draw(st.sampled_from(list(RULINGS)))]
            by, approver = (
                self.draw(st.sampled_from(["user:ann", "user:bob"])),
                self.draw(st.sampled_from([None, "group:sre"])),
            )
            self.log.decide_approval(self.draw(st.sampled_from(self.asked)), replace(ruling, by=by, approver=approver))

    def use(self) -> None:
        if self.asked and (found := self.log.find_approval(self.draw(st.sampled_from(self.asked)))):
            self.admit(found)

    def pause(self) -> None:
        (self.log.pause if self.draw(st.booleans()) else self.log.resume)("ada")

    def wait(self) -> None:
        self.clock.now += self.draw(st.sampled_from([1.0, 1000.0, 40_000.0]), "seconds")


ACTIONS = ["admit", "admit", "finish", "finish", "ask", "decide", "decide", "use", "pause", "wait"]


@given(st.lists(st.sampled_from(ACTIONS), max_size=25), st.data())
def test_what_servers_do_is_never_taken_for_a_reset(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str], data: st.DataObject
) -> None:
    number = count()
    path, clock = tmp_path_factory.mktemp("beside") / "records.sqlite3", Clock()
    for part in (actions[: len(actions) // 2], actions[len(actions) // 2 :]):
        with closing(SqliteAuditLog(path, clock=clock)) as log:
            servers = Servers(log, clock, data, number)
            for action in part:
                getattr(servers, action)()
                assert problems(log, clock) == []
