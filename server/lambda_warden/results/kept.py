"""Kept results: what calls returned and logged, redacted and whole, for the principal who made them.

Only what was redacted is kept. A read is recorded before anything is shown.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import anyio.to_thread
from pydantic import JsonValue

from lambda_warden.answers.decode_body import decode_body
from lambda_warden.answers.log import RedactedLog
from lambda_warden.answers.payload import Payload
from lambda_warden.errors import ArgumentError
from lambda_warden.jsontools.query import QUERY_BYTES, QueryError, apply, compile_query
from lambda_warden.jsontools.strict_json import json_bytes, parse_json
from lambda_warden.memory import turn_for
from lambda_warden.model.caller import Caller
from lambda_warden.model.decision import Decision
from lambda_warden.model.request import ReadResultArguments
from lambda_warden.model.result import OUTSIDE_DATA, Failure, InvokeResult, PayloadFormat, ReadResult
from lambda_warden.report.fit import fit
from lambda_warden.report.invocation import next_after_denial
from lambda_warden.report.payload_view import preview
from lambda_warden.report.text import read_result_text
from lambda_warden.report.whole import PAGES, whole_to_a_file
from lambda_warden.settings import OUTPUT_TOKENS, TOKEN_BYTES
from lambda_warden.store.audit_log import AuditLog, RecordError
from lambda_warden.store.results import KeptResult, NewPart, Owner, Part, PartName, ResultError, ResultStore
from lambda_warden.store.seal import Seal, read_key

logger = logging.getLogger(__name__)

MEDIA_TYPES: Final[Mapping[PayloadFormat, str]] = {
    "json": "application/json",
    "text": "text/plain",
    "base64": "application/octet-stream",
}
UNKNOWN: Final = "no such result, or it has expired"
_NEXT_AFTER_FAILURE: Final = {
    "not_found": "Nothing was run. Use the invocation_id of an answer with kept_until; without one, read_logs may show "
    "the log, and calling the function again runs it again.",
    "refused": "Nothing was run. Tell the operator. Calling the function again runs it again.",
}
_CURSOR: Final = re.compile(r"(payload|log)/([0-9]{1,15})/(.+)")


@dataclass(frozen=True, slots=True)
class Contents:
    """A kept part, or its head: text, or bytes where it is neither JSON nor text."""

    data: str | bytes
    format: PayloadFormat
    total_bytes: int
    complete: bool


class KeptResults:
    """Keeps the results of calls, and reads them.

    Args:
        store: where they are.
        records: where every read goes before it is made.
        output_bytes: of what is read at once and its text together.
    """

    def __init__(self, store: ResultStore, records: AuditLog, output_bytes: int = OUTPUT_TOKENS * TOKEN_BYTES) -> None:
        self._output_bytes = output_bytes
        self._store = store
        self._records = records

    def keep(
        self,
        invocation_id: str,
        caller: Caller,
        function: str,
        *,
        returned: bytes,
        payload: Payload,
        log: RedactedLog | None = None,
        log_bytes: int = 0,
    ) -> str | None:
        """Keep what a call gave. Nobody waits for it.

        Args:
            invocation_id: of the call.
            caller: who made it, and may read what is kept.
            function: its ARN, with the qualifier.
            returned: what the function returned. It is kept only where `payload` says that nothing was redacted.
            payload: the same, decoded and redacted.
            log: the redacted end of its log.
            log_bytes: the size of that before redaction.

        Returns:
            Until when it is kept at the most, in UTC; None if it is not kept, since there is nothing to keep or no
            room for it.
        """
        # Encoded now: what waits to be written are bytes, which take a fraction of the memory that a value does.
        parts: dict[PartName, NewPart] = {}
        if payload.format is not None:
            data = encoded(payload) if payload.redacted or payload.streamed else returned
            parts["payload"] = NewPart(data, payload.format, len(returned), payload.redacted)
        if log is not None:
            parts["log"] = NewPart(log.whole.encode(), "text", log_bytes, log.redacted)
        if not any(part.data for part in parts.values()):
            return None
        expires_at = self._store.keep(invocation_id, Owner(caller.principal, function), parts)
        return None if expires_at is None else utc(expires_at)

    async def read(self, wanted: ReadResultArguments, caller: Caller) -> ReadResult:
        """A page of a kept result, or what a query finds in it.

        Raises:
            ArgumentError: for a query that can't be applied, and for a cursor that is not one.
            ResultError: if there is no such result for this caller, or it can't be read.
        """
        return await anyio.to_thread.run_sync(self._read, wanted, caller)

    async def contents(self, invocation_id: str, name: PartName, limit: int, caller: Caller) -> Contents:
        """A part as it is kept or, of more than `limit` bytes, its head.

        Raises:
            ResultError: as `read`. `UnknownResultError` if there is no such result for this caller.
        """
        return await anyio.to_thread.run_sync(self._contents, invocation_id, name, limit, caller)

    def close(self) -> None:
        """Write what waits to be written, within a bound, and close the store."""
        self._store.close()

    def _read(self, wanted: ReadResultArguments, caller: Caller) -> ReadResult:
        # Before it is opened, nobody knows how large it is; and while it is open, others wait for it.
        turn = turn_for(0 if wanted.query is None else QUERY_BYTES)
        with turn, self._part(wanted.invocation_id, wanted.part, caller) as (entry, part):
            if wanted.query is not None:
                make = queried(entry, part, wanted, wanted.query, self._output_bytes)
            else:
                make = partial(page_of, entry, part, wanted, self._output_bytes, whole_to_a_file(entry.id))
            return fit(make, read_result_text, wanted.max_bytes, self._output_bytes)

    def _contents(self, invocation_id: str, name: PartName, limit: int, caller: Caller) -> Contents:
        with self._part(invocation_id, name, caller) as (entry, part):
            data, end = _range(entry, name, part, 0, limit)
            return Contents(data, part.format, part.size, end == part.size)

    @contextmanager
    def _part(self, invocation_id: str, name: PartName, caller: Caller) -> Iterator[tuple[KeptResult, Part]]:
        with self._store.reading(invocation_id, caller.principal) as entry:
            if entry is None:
                raise UnknownResultError(UNKNOWN)
            part = entry.about.parts.get(name)
            if part is None:
                raise UnknownResultError(f"this call left no {name}")
            body = {**caller.fields(), "function": entry.about.function, "part": name}
            try:
                self._records.append("read_result", invocation_id, body)
            except RecordError as error:
                logger.error("the %s of %s is not read: %s", name, invocation_id, error)
                raise ResultError("the read could not be recorded, so nothing is shown") from error
            yield entry, part


class UnknownResultError(ResultError):
    """There is no such result or part, or it is somebody else's."""


def report_denied_read(decision: Decision) -> ReadResult:
    """A read that was not made."""
    return ReadResult(outcome="denied", next_step=next_after_denial(decision), checks=list(decision.checks))


def report_whole(told: InvokeResult) -> ReadResult:
    """The whole result of a call that went on without its caller."""
    return ReadResult(
        outcome="running" if told.outcome == "running" else "found",
        next_step=told.next_step,
        invocation_id=told.invocation_id,
        function=f"{told.function}:{told.qualifier}" if told.function else "",
        invocation=told.model_dump(mode="json", exclude_defaults=True),
        outside_data=told.outside_data,
    )


def report_failed_read(error: ResultError) -> ReadResult:
    """A read that found nothing, or nothing that can be shown."""
    outcome: Literal["not_found", "refused"] = "not_found" if isinstance(error, UnknownResultError) else "refused"
    failure = Failure(code=type(error).__name__, message=str(error))
    return ReadResult(outcome=outcome, next_step=_NEXT_AFTER_FAILURE[outcome], error=failure)


def seal_from(key_file: Path | None) -> Seal | None:
    """What encrypts kept results, where the operator gives a key.

    Raises:
        ResultError: if the file holds none.
    """
    if key_file is None:
        return None
    return Seal(read_key(key_file))


def utc(seconds: float) -> str:
    """A time, for people and programs."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def query_value(entry: KeptResult, expression: str) -> JsonValue:
    """What a JMESPath expression finds in a kept payload. Evaluation is bounded in time and size.

    Raises:
        ArgumentError: if the payload is not JSON or too large, or the expression can't be applied.
        ResultError: if the payload can't be read.
    """
    part = entry.about.parts["payload"]
    if part.format != "json":
        raise ArgumentError("query", "the payload is not JSON", "no query: read it page by page")
    if part.size > QUERY_BYTES:
        problem = f"the payload has {part.size:,} bytes, and at most {QUERY_BYTES:,} are searched"
        raise ArgumentError("query", problem, "no query: read it page by page")
    try:
        value: JsonValue = parse_json(entry.read("payload", 0, part.size))  # type: ignore[assignment]
    except (ValueError, RecursionError):
        raise ResultError("the kept result is damaged, so it is not shown") from None
    # As invoke_function reads it, so that the same query finds the same. It was redacted before it was kept.
    decode_body(value, ())
    return apply_query(value, expression)


def apply_query(value: JsonValue, expression: str) -> JsonValue:
    """What a JMESPath expression finds in a value.

    Raises:
        ArgumentError: if it can't be read or applied.
    """
    query = compile_query(expression)
    try:
        return apply(query, value)
    except QueryError as error:
        raise ArgumentError("query", f"can't be applied ({error})", "one that fits this payload") from None


def queried(
    entry: KeptResult, part: Part, wanted: ReadResultArguments, expression: str, output_bytes: int
) -> Callable[[int], ReadResult]:
    """What makes the result of a query over a payload, within so many bytes.

    Raises:
        ArgumentError: if the query can't be applied, or stands beside what it can't be combined with.
    """
    if wanted.part != "payload" or wanted.cursor is not None:
        raise ArgumentError("query", "can't be combined with `cursor` or a part other than payload", "the query alone")
    value = query_value(entry, expression)

    def make(max_bytes: int) -> ReadResult:
        view = preview(Payload(value, "json"), max_bytes)
        return ReadResult(
            value=view.value,
            truncated=view.truncated,
            omitted=list(view.omitted),
            next_step=_next_after_query(value, view.truncated, output_bytes if max_bytes < wanted.max_bytes else None),
            **_common(entry, wanted.part, part),
        )

    return make


def page_of(
    entry: KeptResult, part: Part, wanted: ReadResultArguments, output_bytes: int, whole: str, max_bytes: int
) -> ReadResult:
    """A page of a part.

    Args:
        entry: what is read.
        part: which part of it.
        wanted: which page.
        output_bytes: that a result and its text may have.
        whole: how the operator gets all of it.
        max_bytes: of the page.

    Raises:
        ArgumentError: for a cursor that is not of this part.
    """
    start = 0 if wanted.cursor is None else _read_cursor(wanted.cursor, wanted, part)
    length = max_bytes // 4 * 3 if part.format == "base64" else max_bytes
    data, end = _range(entry, wanted.part, part, start, length)
    cursor = _write_cursor(wanted, end) if end < part.size else None
    shortened = output_bytes if max_bytes < wanted.max_bytes else None
    return ReadResult(
        content=data if isinstance(data, str) else base64.b64encode(data).decode("ascii"),
        offset=start,
        next_cursor=cursor,
        next_step=" ".join(_next_after_page(part.size - end, end - start, shortened, whole)),
        **_common(entry, wanted.part, part),
    )


def _range(entry: KeptResult, name: PartName, part: Part, start: int, length: int) -> tuple[str | bytes, int]:
    """Up to `length` bytes of a part, and where they end. Text never ends within a character."""
    data = entry.read(name, start, length)
    if part.format == "base64":
        return data, start + len(data)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(data, final=start + len(data) == part.size)
    except UnicodeDecodeError as error:
        if start and error.start == 0:
            raise _bad_cursor() from None
        raise ResultError("the kept result is damaged, so it is not shown") from None
    return text, start + len(data) - len(decoder.getstate()[0])


def _common(entry: KeptResult, name: PartName, part: Part) -> dict[str, Any]:
    return {
        "invocation_id": entry.id,
        "function": entry.about.function,
        "part": name,
        "format": part.format,
        "media_type": MEDIA_TYPES[part.format],
        "total_bytes": part.size,
        "redacted": part.redacted,
        "original_bytes": part.original_bytes,
        "sha256": part.sha256,
        "kept_until": utc(entry.expires_at),
        "outside_data": OUTSIDE_DATA,
    }


def _bound(output_bytes: int) -> str:
    return f"a result and its text have at most {output_bytes:,} bytes together (--output-tokens)."


def _next_after_page(left: int, size: int, shortened: int | None, whole: str) -> Iterator[str]:
    """What is sensible after a page.

    Args:
        left: bytes behind it.
        size: its bytes.
        shortened: bytes that a result may have, if the page had to be made smaller for that.
        whole: how the operator gets all of it.
    """
    if not left:
        yield "This is the end. Use it."
        return
    if shortened is not None:
        yield f"The page is smaller than max_bytes: {_bound(shortened)}"
    yield "Pass next_cursor as cursor for more."
    if (pages := -(-left // size)) > PAGES:
        yield f"Some {pages:,} pages are left: {whole}"


def _next_after_query(value: JsonValue, truncated: bool, shortened: int | None) -> str:
    if truncated and shortened is not None:
        return f"`omitted` says what was cut. Narrow the query: {_bound(shortened)}"
    if truncated:
        return "`omitted` says what was cut. Narrow the query, or raise max_bytes."
    return "The query found nothing." if value is None else "Use the value."


def _write_cursor(wanted: ReadResultArguments, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{wanted.part}/{offset}/{wanted.invocation_id}".encode()).decode("ascii")


def _read_cursor(cursor: str, wanted: ReadResultArguments, part: Part) -> int:
    """Where the page after a cursor begins."""
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _bad_cursor() from None
    read = _CURSOR.fullmatch(text)
    if read is None or (read[1], read[3]) != (wanted.part, wanted.invocation_id) or int(read[2]) >= part.size:
        raise _bad_cursor()
    return int(read[2])


def _bad_cursor() -> ArgumentError:
    problem = "is not one that read_result gave for this result and part"
    return ArgumentError("cursor", problem, "next_cursor of the page before, unchanged")


def encoded(payload: Payload) -> bytes:
    """A redacted payload as it is kept: JSON compactly, text as it is."""
    match payload.value:
        case bytes() as data:
            return data
        case str() as text if payload.format == "text":
            return text.encode()
        case value:
            return json_bytes(value)
