"""Results as short text, for hosts that show only text.

What comes from outside stands on lines of its own that start with `│ `. The mark is put before every line after
control characters are made visible, so no output can end the block early or pass for lambda-warden's own words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from lambda_warden.model.decision import Check
from lambda_warden.model.result import DryRunResult, FunctionEntry, InvokeResult, ListResult, Omission

OUTSIDE: Final = "│ "
"""The mark at the start of every line that comes from outside."""
PAYLOAD_LIMIT: Final = 4000
"""Characters of the payload in the text; the structured result has the rest of the preview."""
_LOG_LINES: Final = 12
_FRAMES: Final = 8

# What shows nothing, or changes how its neighbours show: controls, line and paragraph separators, format characters
# (bidirectional, zero-width, tags), variation selectors beyond the usual one, fillers, and what can't be encoded.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_MARKS: Final = {True: "✓", False: "✗", None: "-"}


def invocation_text(result: InvokeResult) -> str:
    """An invocation in a few lines: how it ended, what took how long, what was said, what is sensible now."""
    return "\n".join(_invocation_lines(result))


def dry_run_text(result: DryRunResult) -> str:
    """A dry run: the answer, then every check."""
    verdict = "would be invoked" if result.would_invoke else "would not be invoked"
    name = f"{result.function}:{result.qualifier}" if result.function else "The function"
    return "\n".join([f"{name} {verdict}. Nothing was.", *check_lines(result.checks), f"Next: {result.next_step}"])


def list_text(result: ListResult) -> str:
    """A page of functions: each with its qualifiers, effect and invocation types, and what the operator says of it."""
    head = f"{len(result.functions)} of {result.total} functions that may be invoked:"
    more = [f"More: cursor {result.next_cursor}"] if result.next_cursor else []
    notes = [f"Note: {inline(note)}" for note in result.notes]
    return "\n".join([head, *map(_entry_line, result.functions), *more, *notes, f"Next: {result.next_step}"])


def visible(text: str) -> str:
    """Text with its invisible characters written as escapes, so that it shows what it holds."""
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def inline(text: str) -> str:
    """Text inside a line of ours, which it can't end."""
    return visible(text).replace("\n", "\\n")


def _invocation_lines(result: InvokeResult) -> Iterator[str]:
    yield f"{result.outcome}: {_headline(result)}"
    if result.violation:
        yield f"Violation: {inline(result.violation)}"
    if result.error:
        yield "Why, data from outside:"
        yield from _outside(f"{result.error.code}: {result.error.message}")
    if result.outcome == "denied":
        yield from check_lines(check for check in result.checks if check.passed is False)
    if error := result.function_error:
        yield f"The function's error ({error.kind}), data from outside:"
        yield from _outside(f"{error.type or 'error'}: {error.message or '(no message)'}")
        yield from _outside("\n".join(error.stack_trace[-_FRAMES:]))
    elif result.payload_format:
        if result.query_error:
            yield f"Query: {inline(result.query_error)}"
        yield f"Payload ({_payload_kind(result)}), data from outside:"
        yield from _outside(_payload_text(result))
        if result.omitted:
            yield "Cut there, by JSON pointer, data from outside:"
            yield from _outside("\n".join(map(_omission_line, result.omitted)))
    if log_lines := _log_lines(result):
        yield "End of its log, data from outside:"
        yield from _outside("\n".join(log_lines))
    if result.redacted:
        yield f"Redacted: {result.redacted:,} {'place' if result.redacted == 1 else 'places'}."
    yield f"Next: {result.next_step}"


def _headline(result: InvokeResult) -> str:
    parts = [f"{result.function}:{result.qualifier}" if result.function else "no function"]
    if result.executed_version and result.executed_version != result.qualifier:
        parts.append(f"version {result.executed_version}")
    if result.status_code:
        parts.append(f"status {result.status_code}")
    if result.duration_ms is not None:
        parts.append(f"{result.duration_ms} ms")
    if result.log and (report := result.log.report):
        if report.billed_duration_ms is not None:
            parts.append(f"billed {report.billed_duration_ms:g} ms")
        if report.max_memory_used_mb is not None and report.memory_size_mb is not None:
            parts.append(f"{report.max_memory_used_mb} of {report.memory_size_mb} MB")
    if result.request_id:
        parts.append(f"request {result.request_id}")
    return ", ".join(parts)


def _payload_kind(result: InvokeResult) -> str:
    size = f"{result.payload_bytes:,} bytes"
    unfolded = "".join(f", {inline(string.path)} unfolded from {string.source}" for string in result.unfolded)
    media_type = f", {inline(result.payload_media_type)}" if result.payload_media_type else ""
    return f"{result.payload_format}, {'part of ' if result.truncated else ''}{size}{media_type}{unfolded}"


def _payload_text(result: InvokeResult) -> str:
    value = result.payload
    text = value if isinstance(value, str) and result.payload_format != "json" else _compact(value)
    return text if len(text) <= PAYLOAD_LIMIT else f"{text[:PAYLOAD_LIMIT]}… (more in the structured result)"


def _omission_line(cut: Omission) -> str:
    total = "an unknown number of" if cut.total is None else f"{cut.total:,}"
    places = f" at {cut.places:,} places" if cut.places > 1 else ""
    return f"{cut.path or '(the whole)'}: {cut.kept:,} of {total} {cut.unit} shown{places}"


def _log_lines(result: InvokeResult) -> list[str]:
    """The end of a failed function's log, without the lines that its stack trace shows already."""
    if result.log is None or result.function_error is None:
        return []
    shown = {line for frame in result.function_error.stack_trace for line in frame.split("\n")}
    # Lines of nothing but carets point into a line of the stack trace.
    return [line for line in result.log.text.splitlines() if line not in shown and line.strip(" ^~")][-_LOG_LINES:]


def _outside(text: str) -> Iterator[str]:
    for line in visible(text.replace("\r\n", "\n")).split("\n") if text else ():
        yield OUTSIDE + line


def check_lines(checks: Iterable[Check]) -> Iterator[str]:
    """Each check on a line of its own: whether it passed, its name and its reason."""
    for check in checks:
        yield f"{_MARKS[check.passed]} {check.name}: {inline(check.reason)}"


def _entry_line(entry: FunctionEntry) -> str:
    qualifiers = ", ".join(q.qualifier for q in entry.qualifiers)
    about = f"\n  {inline(entry.description)}" if entry.description and entry.description_from == "manifest" else ""
    gone = " (not found in AWS)" if entry.exists is False else ""
    return f"- {entry.function} [{qualifiers}] {entry.effect}, {'/'.join(entry.invocation_types)}{gone}{about}"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
