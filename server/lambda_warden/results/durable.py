"""`read_result` of a call that started a durable execution: how that is doing, and what came of it in the end.

AWS keeps what an execution returned, so nothing of it is kept here: it is asked for, redacted and cut each time.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio.to_thread
from anyio import CapacityLimiter

from lambda_warden.answers.durable import RedactedExecution, redact_execution
from lambda_warden.answers.gate import redact_outcome
from lambda_warden.defects import log_defect
from lambda_warden.guard.decide import denied
from lambda_warden.guard.durable import decide_execution
from lambda_warden.guard.resolve import resolve
from lambda_warden.jsontools.query import QUERY_BYTES
from lambda_warden.memory import turn_for
from lambda_warden.model.caller import Caller
from lambda_warden.model.decision import Decision
from lambda_warden.model.durable_execution import DurableExecution
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import Refused
from lambda_warden.model.payload_rule import ResultRule
from lambda_warden.model.request import ReadResultArguments
from lambda_warden.model.result import ReadResult
from lambda_warden.policy import Policy
from lambda_warden.redaction.text import redact_text
from lambda_warden.report.durable import (
    report_denied_execution,
    report_refused_execution,
    report_running,
    with_brief_error,
    with_execution,
)
from lambda_warden.report.fit import fit
from lambda_warden.report.text import read_result_text
from lambda_warden.results.kept import encoded, page_of, queried
from lambda_warden.store.audit_log import AuditLog, Field, RecordError
from lambda_warden.store.own_calls import OwnCall, own_call
from lambda_warden.store.results import About, Part, PartName, ResultError

logger = logging.getLogger(__name__)

READS_AT_ONCE: Final = 4
_WHOLE: Final = "The operator gets the whole from AWS (GetDurableExecution): for more than a part, ask them."
_UNREADABLE: Final = "the records can't be read, so nothing is shown"
_UNDECIDED: Final = "lambda-warden could not decide, so nothing was read"


class DurableExecutions:
    """Follows durable executions. Every read is decided on by the rules in force, and recorded before it is made.

    Args:
        policy: gives what is in force when a read begins.
        records: where calls are looked up, and every read goes before it is made.
        output_bytes: of a result and its text together.
    """

    def __init__(self, policy: Callable[[], Policy], records: AuditLog, output_bytes: int) -> None:
        self._policy = policy
        self._records = records
        self._output_bytes = output_bytes
        self._threads = CapacityLimiter(READS_AT_ONCE)

    async def follow(self, wanted: ReadResultArguments, caller: Caller) -> ReadResult | None:
        """How the durable execution that a call started is doing, or a page of what it gave.

        Returns:
            None if this caller made no such call, or it started none that is on record.

        Raises:
            ArgumentError: for a cursor or query that can't be applied.
            ResultError: if the records can't be read or written.
        """
        if wanted.part != "payload":
            return None
        work = partial(self._follow, wanted, caller)
        return await anyio.to_thread.run_sync(work, limiter=self._threads, abandon_on_cancel=True)

    def _follow(self, wanted: ReadResultArguments, caller: Caller) -> ReadResult | None:
        try:
            call = own_call(self._records, wanted.invocation_id, caller.principal)
        except RecordError as error:
            logger.error("%s", error)
            raise ResultError(_UNREADABLE) from error
        if call is None or not (arn := call.outcome.get("durable_execution_arn")):
            return None
        policy = self._policy()
        try:
            ref = resolve(str(call.intent.get("function")), None, policy.rules.targets)
            decided = decide_execution(ref, str(arn), policy.rules, caller)
        except Exception as error:  # noqa: BLE001 - a defect of ours is a doubt, and any doubt is a denial
            log_defect("deciding on a read", error)
            return self._deny(wanted.invocation_id, caller, call, denied("internal", _UNDECIDED, ()), policy)
        if decided.rule is None or not decided.decision.allowed:
            return self._deny(wanted.invocation_id, caller, call, decided.decision, policy)
        self._record(wanted.invocation_id, caller, call, decided.decision, policy)
        read = policy.aws.read_execution(ref, str(arn))
        if isinstance(read, Refused):
            ended = redact_outcome(read, detectors=policy.rules.detectors)
            return report_refused_execution(wanted.invocation_id, ended)
        if read.status == "running":
            return report_running(wanted.invocation_id, ref.qualified_arn, read)
        return self._ended(wanted, ref, read, decided.rule.spec.result, policy)

    def _ended(
        self, wanted: ReadResultArguments, ref: FunctionRef, read: DurableExecution, rule: ResultRule, policy: Policy
    ) -> ReadResult:
        size = len(read.result) + len(read.error_data)
        with turn_for(size if wanted.query is None else QUERY_BYTES):
            ended = redact_execution(read, rule.pointers, policy.rules.detectors)
            entry = _entry(wanted.invocation_id, ref.qualified_arn, read, ended)
            part = entry.about.parts["payload"]
            if wanted.query is not None:
                page = queried(entry, part, wanted, wanted.query, self._output_bytes)
            else:
                page = partial(page_of, entry, part, wanted, self._output_bytes, _WHOLE)

            def make(max_bytes: int) -> ReadResult:
                return with_execution(page(max_bytes), ended)

            return fit(make, read_result_text, wanted.max_bytes, self._output_bytes, last_resort=with_brief_error)

    def _record(self, invocation_id: str, caller: Caller, call: OwnCall, decision: Decision, policy: Policy) -> None:
        body = {"part": "payload", "rule": decision.rule_source, **_about(caller, call, policy)}
        try:
            self._records.append("read_result", invocation_id, body)
        except RecordError as error:
            logger.error("the execution that %s started is not read: %s", invocation_id, error)
            raise ResultError("the read could not be recorded, so nothing is shown") from error

    def _deny(
        self, invocation_id: str, caller: Caller, call: OwnCall, decision: Decision, policy: Policy
    ) -> ReadResult:
        failed = decision.failed
        reason = redact_text(failed.reason, detectors=policy.rules.detectors).text if failed else None
        body: dict[str, Field] = {
            "tool": "read_result",
            "check": failed.name if failed else None,
            "reason": reason,
            "rule": decision.rule_source,
            **_about(caller, call, policy),
        }
        try:
            self._records.append("denial", invocation_id, body)
        except RecordError as error:
            # A denial needs no record to be safe: it stands, and the operator is told.
            logger.error("%s", error)
        return report_denied_execution(invocation_id, decision)


def _about(caller: Caller, call: OwnCall, policy: Policy) -> Mapping[str, Field]:
    return {
        **caller.fields(),
        "manifest_sha256": policy.rules.digest or None,
        "function": call.intent.get("function"),
        "durable_execution_arn": call.outcome.get("durable_execution_arn"),
    }


@dataclass(frozen=True, slots=True)
class _Given:
    """What an execution gave, redacted, in the form in which kept results are read."""

    id: str
    about: About
    data: bytes
    expires_at: float = 0.0

    def read(self, name: PartName, start: int, length: int) -> bytes:  # noqa: ARG002 - there is one part
        return self.data[start : start + length]

    def chunks(self, name: PartName) -> Iterator[bytes]:  # noqa: ARG002
        yield self.data


def _entry(invocation_id: str, function: str, read: DurableExecution, ended: RedactedExecution) -> _Given:
    payload = ended.payload
    exact = read.error is None and not (payload.redacted or payload.streamed)
    data = read.result if exact else encoded(payload)
    part = Part(
        format=payload.format or "text",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        original_bytes=payload.total + len(read.error_data),
        redacted=payload.redacted,
    )
    return _Given(invocation_id, About(function=function, created_at=0.0, parts={"payload": part}), data)
