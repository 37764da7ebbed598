"""`read_logs`: the log of one invocation, or the newest failures of a function, for those whose rule allows it.

A rule gives a principal the logs of its own invocations, unless it says otherwise. Which these are, the records know:
so such a read names an invocation of theirs, and can't reach into what others ran.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread
from anyio import CapacityLimiter

from lambda_warden.answers.gate import RedactedText, redact_lines, redact_outcome
from lambda_warden.answers.log import read_redacted_log, read_report
from lambda_warden.defects import log_defect
from lambda_warden.errors import ArgumentError
from lambda_warden.guard.arguments import parse_arguments
from lambda_warden.guard.decide import PolicyDecision
from lambda_warden.guard.logs import check_log_group, decide_logs, denied_logs, streams_of
from lambda_warden.guard.resolve import resolve
from lambda_warden.model.caller import Caller
from lambda_warden.model.decision import CheckName, Decision
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.log_event import BYTES_LIMIT, LogEvent, Span
from lambda_warden.model.outcome import Refused
from lambda_warden.model.payload_rule import LogsRule
from lambda_warden.model.quotas import FUNCTION_TIMEOUT_LIMIT, MANAGED_TIMEOUT_LIMIT
from lambda_warden.model.request import ReadLogsArguments, RequestedInvocationType, is_request_id
from lambda_warden.model.result import Log, LogsResult
from lambda_warden.policy import Policy
from lambda_warden.redaction.text import redact_text
from lambda_warden.report.failures import FailedInvocation, Position, group_failures, is_failure, read_position
from lambda_warden.report.fit import fit
from lambda_warden.report.logs import (
    NO_REQUEST_ID,
    LogFound,
    LogRead,
    report_failures,
    report_logs,
    report_logs_denial,
    report_logs_refusal,
    report_no_log,
    without_errors,
)
from lambda_warden.report.request_log import Selection, ended_after, naming, request_id_of, select
from lambda_warden.report.text import logs_text
from lambda_warden.report.way_to_log import way_by_time
from lambda_warden.store.audit_log import AuditLog, Field, Kind, RecordError
from lambda_warden.store.own_calls import own_call
from lambda_warden.telemetry.logs import new_call

logger = logging.getLogger(__name__)

READS_AT_ONCE: Final = 4
"""AWS takes about five of these requests a second for an account and region ("CloudWatch Logs quotas")."""
_SEARCH_SECONDS: Final = 20.0
"""How long one look at the log takes at the most, but for the last answer."""
_SEARCHES: Final = 10
"""For one page of failures, as long as nothing is found."""
_STREAMS: Final = 8
"""How many are read for one page."""
_TOLD_CHARACTERS: Final = 1_000_000
"""Of the end of a log, that errors are looked for in: a second's work at the most."""
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 8.0
_CLOCKS = timedelta(minutes=5)
"""How far this machine's clock and AWS's may be apart."""
_EVENT_AGE = timedelta(hours=6)
"""How long an Event may be queued, retries included (Lambda Developer Guide, "Error handling for asynchronous
invocation")."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The invocation whose log is asked for.

    Attributes:
        function: as the caller wrote it, or as it is on record.
        span: when it may have logged, in milliseconds since the epoch.
        own: whether the records say that this principal made it.
    """

    function: str
    qualifier: str | None
    request_id: str | None
    span: Span
    own: bool = False
    invocation_type: RequestedInvocationType | None = None


@dataclass(frozen=True, slots=True)
class _FunctionLog:
    """The log of one function, and how it is read: `concurrent` environments run several invocations at a time."""

    policy: Policy
    ref: FunctionRef
    group: str
    concurrent: bool


class Logs:
    """Reads logs. Every ending is a result; nothing is raised for a request.

    Args:
        policy: gives what is in force when a read begins.
        records: where every read goes before it is made, and where invocations are looked up.
        output_bytes: of a result and its text together.
    """

    def __init__(self, policy: Callable[[], Policy], records: AuditLog, output_bytes: int) -> None:
        self._policy = policy
        self._records = records
        self._output_bytes = output_bytes
        self._threads = CapacityLimiter(READS_AT_ONCE)

    async def read(self, arguments: Mapping[str, Any], caller: Caller) -> LogsResult:
        """Read one page of the log of one invocation, if the manifest allows it."""
        read, policy = LogRead(new_call(), caller=caller), self._policy()
        reached: CheckName = "arguments"
        try:
            asked = parse_arguments(ReadLogsArguments, arguments)
            wanted = await self._wanted(asked, caller)
            reached = "resolve"
            known = partial(policy.rules.exact_arns, caller)
            ref = resolve(wanted.function, wanted.qualifier, policy.rules.targets, policy.default_region, known)
            decided = decide_logs(ref, policy.rules, caller, own=wanted.own)
        except ArgumentError as error:
            return await self._deny(read, denied_logs(reached, str(error)))
        except RecordError as error:
            logger.error("%s: %s", read.read_id, error)
            return await self._deny(read, denied_logs("record", "the records can't be read"))
        except Exception as error:  # noqa: BLE001 - a defect of ours is a doubt, and any doubt is a denial
            log_defect("deciding on a read", error)
            return await self._deny(
                read, denied_logs("internal", "lambda-warden could not decide, so nothing was read")
            )
        read = replace(read, ref=ref, request_id=wanted.request_id, invocation_type=wanted.invocation_type)
        if decided.rule is None or decided.rule.spec.logs is None or not decided.decision.allowed:
            return await self._deny(read, decided.decision)
        if wanted.request_id is None and wanted.own:
            sent = datetime.fromtimestamp(wanted.span.first / 1000, UTC) + _CLOCKS
            way = way_by_time(ref.qualified_arn, sent, datetime.now(UTC), decided.rule.spec.logs)
            return report_no_log(read, NO_REQUEST_ID, way=way)
        return await self._read_allowed(read, asked, wanted, ref, decided, decided.rule.spec.logs, policy)

    async def _read_allowed(
        self,
        read: LogRead,
        asked: ReadLogsArguments,
        wanted: _Wanted,
        ref: FunctionRef,
        decided: PolicyDecision,
        logs: LogsRule,
        policy: Policy,
    ) -> LogsResult:
        group = logs.group_of(ref.name)
        read = replace(read, log_group=group)
        body: dict[str, Field] = {"rule": decided.decision.rule_source}
        try:
            begin = read_position(ref.qualified_arn, asked.cursor) if wanted.request_id is None else Position()
            await self._append("read", read, body if wanted.request_id else {**body, "hours_back": asked.hours_back})
        except ArgumentError as error:
            return await self._deny(read, denied_logs("arguments", str(error)))
        except RecordError as error:
            logger.error("%s not read: %s", read.read_id, error)
            return report_logs_denial(read, denied_logs("record", "the read could not be recorded"))
        configuration = await self._in_thread(partial(policy.aws.read_configuration, ref))
        if isinstance(configuration, Refused):
            return report_logs_refusal(read, redact_outcome(configuration, detectors=policy.rules.detectors))
        checked = decided.decision.with_check(check_log_group(group, configuration.log_group))
        if not checked.allowed:
            return await self._deny(read, checked)
        max_bytes = min(asked.max_bytes or logs.max_bytes, logs.max_bytes)
        source = _FunctionLog(policy, ref, group, configuration.concurrent)
        if wanted.request_id is None:
            return await self._failures(source, read, Span(wanted.span.first, begin.last), begin, max_bytes)
        if configuration.concurrent:
            wanted = replace(wanted, span=_of_managed(wanted.span))
        look = partial(self._look, source, wanted)
        found = await _until_complete(look, 0 if asked.cursor else asked.wait_seconds)
        if isinstance(found, Refused):
            return _report_not_read(read, found, policy)
        if not found.selections:
            return report_no_log(read, cut=found.cut)
        try:
            messages = [message for _, selection in found.selections for message in selection.messages]
            whole = await self._in_thread(partial(redact_lines, messages, policy.rules.detectors))
            log = None if asked.cursor else await self._in_thread(partial(_told, read, whole, policy))
            make = partial(report_logs, read, found, whole, log, cursor=asked.cursor)
            return await self._in_thread(
                partial(fit, make, logs_text, max_bytes, self._output_bytes, last_resort=without_errors)
            )
        except ArgumentError as error:
            return await self._deny(read, denied_logs("arguments", str(error)))

    async def _wanted(self, asked: ReadLogsArguments, caller: Caller) -> _Wanted:
        """Which invocation is meant.

        Raises:
            ArgumentError: if it is named in two ways, without its function or in no way, or is not on record.
            RecordError: if the records can't be read.
        """
        if asked.invocation_id is not None:
            if (asked.function, asked.qualifier, asked.request_id) != (None, None, None):
                raise ArgumentError(
                    "invocation_id", "is given beside other names of an invocation", "invocation_id alone"
                )
            return await self._in_thread(partial(_recorded, self._records, asked.invocation_id, caller))
        if asked.function is None:
            raise ArgumentError("invocation_id", "is missing", "invocation_id, or else function")
        first = time.time() - timedelta(hours=asked.hours_back).total_seconds()
        return _Wanted(asked.function, asked.qualifier, asked.request_id, Span(round(first * 1000), None))

    async def _look(self, source: _FunctionLog, wanted: _Wanted) -> LogFound | Refused:
        """What is in the log now."""
        aws, ref, group = source.policy.aws, source.ref, source.group
        request_id, deadline = wanted.request_id or "", time.monotonic() + _SEARCH_SECONDS
        named = await self._in_thread(partial(aws.find_request, ref, group, request_id, wanted.span, deadline))
        if isinstance(named, Refused):
            return named
        by_stream = naming(named.events, request_id)
        streams = sorted(streams_of(ref, group, by_stream), key=lambda stream: by_stream[stream][0].timestamp)
        selections: list[tuple[str, Selection]] = []
        size, cut = 0, named.cut
        for stream in streams:
            if size > BYTES_LIMIT or len(selections) == _STREAMS:
                cut = True
                break
            marks = select(by_stream[stream], request_id)
            span = _span_of(by_stream[stream], marks.complete, wanted.span)
            events = await self._in_thread(partial(aws.read_stream, ref, group, stream, span, deadline))
            if isinstance(events, Refused):
                return events
            selection = await self._in_thread(partial(select, events.events, request_id, concurrent=source.concurrent))
            if events.cut and not selection.complete:
                # How it ended is known from the search, also where the lines before its end are too many.
                cut, selection = True, replace(selection, attempts=marks.attempts, reports=marks.reports)
            size += sum(map(len, selection.messages))
            selections.append((stream, selection))
        return LogFound(tuple(selections), cut)

    async def _failures(
        self, source: _FunctionLog, read: LogRead, span: Span, begin: Position, max_bytes: int
    ) -> LogsResult:
        """A page of the invocations that failed, the newest first."""
        policy, ref, group = source.policy, source.ref, source.group
        deadline = time.monotonic() + _SEARCH_SECONDS
        failed: list[FailedInvocation] = []
        searched: int | None = None
        for _ in range(_SEARCHES):
            found = await self._in_thread(partial(policy.aws.find_failures, ref, group, span, deadline))
            if isinstance(found, Refused):
                return _report_not_read(read, found, policy)
            streams = set(streams_of(ref, group, {event.stream for event in found.events}))
            signs = await self._in_thread(partial(_signs, found.events, streams))
            request_ids = {} if source.concurrent else await self._invocations_of(source, signs, deadline)
            failed = [each for each in group_failures(signs, request_ids) if each.key not in begin.shown]
            if not found.cut:
                searched = None
                break
            if not found.events:
                return report_no_log(read, cut=True)
            # More events than one search gives: go on behind them, and by a millisecond at the least.
            searched = min(event.timestamp for event in found.events)
            searched -= searched == span.last
            span = Span(span.first, searched)
            if failed or time.monotonic() >= deadline:
                break
        redact = partial(redact_lines, detectors=policy.rules.detectors)
        make = partial(report_failures, read, failed, begin=begin, searched=searched, redact=redact)
        return await self._in_thread(partial(fit, make, logs_text, max_bytes, self._output_bytes))

    async def _invocations_of(
        self, source: _FunctionLog, signs: Sequence[LogEvent], deadline: float
    ) -> dict[LogEvent, str]:
        """The request ids of events that do not name them, such as an uncaught exception: what ends next in its stream
        tells. What can't be read stays unknown."""
        nameless: dict[str, list[LogEvent]] = {}
        for event in sorted(signs, key=lambda event: -event.timestamp):
            if request_id_of(event.message) is None:
                nameless.setdefault(event.stream, []).append(event)
        found: dict[LogEvent, str] = {}
        for stream, events in list(nameless.items())[:_STREAMS]:
            span = Span(events[-1].timestamp, events[0].timestamp + FUNCTION_TIMEOUT_LIMIT * 1000)
            read = partial(source.policy.aws.read_stream, source.ref, source.group, stream, span, deadline)
            after = await self._in_thread(read)
            if not isinstance(after, Refused):
                found |= await self._in_thread(partial(ended_after, after.events, events))
        return found

    async def _deny(self, read: LogRead, decision: Decision) -> LogsResult:
        failed = decision.failed
        reason = redact_text(failed.reason, detectors=self._policy().rules.detectors).text if failed else None
        body = {"check": failed.name if failed else None, "reason": reason, "rule": decision.rule_source}
        try:
            await self._append("denial", read, body)
        except RecordError as error:
            # A denial needs no record to be safe: it stands, and the operator is told.
            logger.error("%s", error)
        return report_logs_denial(read, decision)

    async def _append(self, kind: Kind, read: LogRead, body: Mapping[str, Field]) -> None:
        about: dict[str, Field] = {
            "tool": "read_logs",
            **read.caller.fields(),
            "manifest_sha256": self._policy().rules.digest or None,
            "function": read.ref.qualified_arn if read.ref else None,
            "request_id": read.request_id,
            "log_group": read.log_group,
        }
        await anyio.to_thread.run_sync(self._records.append, kind, read.read_id, {**about, **body})

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        """Run work that blocks. A caller that gives up does not wait for it, and nothing follows it then."""
        return await anyio.to_thread.run_sync(work, limiter=self._threads, abandon_on_cancel=True)


async def _until_complete(look: Callable[[], Awaitable[LogFound | Refused]], wait_seconds: float) -> LogFound | Refused:
    """Look again, with growing pauses, until the log is complete or the time is over."""
    deadline, pause = time.monotonic() + wait_seconds, _FIRST_PAUSE_SECONDS
    while True:
        found = await look()
        rest = deadline - time.monotonic()
        if rest <= 0 or _is_final(found):
            return found
        await anyio.sleep(min(pause, rest))
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _is_final(found: LogFound | Refused) -> bool:
    """Whether looking again would give the same."""
    return found.complete or found.cut if isinstance(found, LogFound) else not _is_missing(found)


def _told(read: LogRead, whole: RedactedText, policy: Policy) -> Log:
    """What the end of the log of one invocation tells."""
    text = whole.text
    if len(text) > _TOLD_CHARACTERS:
        text = text[-_TOLD_CHARACTERS:].partition("\n")[2]
    report = read_report(text, read.request_id)
    return read_redacted_log(text, report, read.request_id, policy.rules.detectors).log


def _signs(events: Sequence[LogEvent], streams: Collection[str]) -> list[LogEvent]:
    """The events of some streams that tell of a failure."""
    return [event for event in events if event.stream in streams and is_failure(event.message)]


def _report_not_read(read: LogRead, refused: Refused, policy: Policy) -> LogsResult:
    """What AWS refused to show. A log group is made when the function logs for the first time."""
    if _is_missing(refused):
        return report_no_log(read)
    return report_logs_refusal(read, redact_outcome(refused, detectors=policy.rules.detectors))


def _is_missing(refused: Refused) -> bool:
    return refused.code == "ResourceNotFoundException"


def _span_of(named: Sequence[LogEvent], ended: bool, asked: Span) -> Span:
    """When a stream has lines of an invocation: from the first event that names it, to the last if that is its end."""
    times = [event.timestamp for event in named]
    return Span(min(times), max(times) if ended else asked.last)


def _of_managed(span: Span) -> Span:
    """When an invocation on Lambda Managed Instances may have logged: it may run for longer than others."""
    longer = 1000 * (MANAGED_TIMEOUT_LIMIT - FUNCTION_TIMEOUT_LIMIT)
    return span if span.last is None else Span(span.first, span.last + longer)


def _recorded(records: AuditLog, invocation_id: str, caller: Caller) -> _Wanted:
    """The invocation with this id, if the principal made it.

    Raises:
        ArgumentError: if there is none, or it is another principal's: which of these is not told.
        RecordError: if the records can't be read.
    """
    call = own_call(records, invocation_id, caller.principal)
    if call is None:
        raise ArgumentError(
            "invocation_id",
            "is not that of a call made here",
            "the invocation_id that invoke_function gave, or a request_id with its function",
        )
    intent = call.intent
    if intent.get("invocation_type") == "DryRun":
        raise ArgumentError("invocation_id", "is that of a DryRun, which runs nothing", "that of another call")
    request_id = call.outcome.get("request_id")
    queued = intent.get("invocation_type") == "Event"
    began = datetime.fromisoformat(call.began)
    longest = timedelta(seconds=FUNCTION_TIMEOUT_LIMIT) + (_EVENT_AGE if queued else timedelta())
    return _Wanted(
        function=str(intent.get("function")),
        qualifier=None,
        request_id=request_id if isinstance(request_id, str) and is_request_id(request_id) else None,
        span=Span(_milliseconds(began - _CLOCKS), _milliseconds(began + longest + _CLOCKS)),
        own=True,
        invocation_type="Event" if queued else "RequestResponse",
    )


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
