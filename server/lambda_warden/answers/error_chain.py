"""Reads an error, from JSON or a stack trace, and the errors behind it, the nearest first.

Traces: "Built-in Exceptions" and "traceback" (Python: the oldest stands first), `Throwable.printStackTrace` (Java),
`util.inspect` of an error (Node.js), `Exception.ToString` (.NET), `Throwable::__toString` (PHP: the oldest stands
first), and `anyhow::Error` (Rust).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

TRACEBACK: Final = "Traceback (most recent call last):"
POINTERS: Final = re.compile(r"[\s^~]*")
"""The lines of a Python traceback that point into the line above."""

_BEHIND: Final = ("cause", "reason", "causes", "errors", "innerException", "inner", "originalError", "parent")
"""Members that hold the error behind an error. Java, .NET and Node.js's runtimes: cause, causes, reason; Node.js's
AggregateError: errors; then what loggers and libraries write."""
_TYPES: Final = ("errorType", "exception_name", "name", "type")
_MESSAGES: Final = ("errorMessage", "message", "value")
_STACKS: Final = ("stackTrace", "trace", "stack", "stack_trace", "exception", "exc_info")
_CODES: Final = ("code", "sqlState", "errorCode", "Code")
_HOSTS: Final = ("host", "hostname", "address", "server")

_FROM_OLDEST: Final = re.compile(
    r"The above exception was the direct cause of the following exception:"
    r"|During handling of the above exception, another exception occurred:|Next (?=[\w\\]+: )"
)
_CAUSE: Final = re.compile(r"\s*(?:Caused by: |\[cause\]: | ?---> )(?P<headline>.*)")
_LIST: Final = re.compile(r"\s*(?:Caused by:|\[errors\]: \[)\s*")
_LISTED: Final = re.compile(r"\s+(?:\d{1,3}: )?(?P<headline>\S.*)")
_INNER_ENDS: Final = re.compile(r"\s*--- End of inner exception stack trace ---\s*")
_FIELD: Final = re.compile(r"\s*(?P<name>code|host|hostname|address|port): '?(?P<value>[^',\s]{1,200})'?,?(?: \}+)?\s*")
_HEADLINE: Final = re.compile(
    r"(?P<type>[A-Za-z_][\w.$:\\]{0,150})(?: \[(?P<code>\w{1,60})\])?(?:: (?P<message>.*))?", re.DOTALL
)
_BRACES: Final = re.compile(r"[\s{}\[\],]*")


@dataclass(slots=True)
class ToldError:
    """What is told of one error; None where nothing is."""

    type: str | None = None
    message: str | None = None
    code: str | None = None
    host: str | None = None
    stack: list[str] = field(default_factory=list)


def read_json_chain(error: dict[str, Any]) -> Iterator[ToldError]:
    """An error as a runtime or a logger writes it into JSON, then those behind it."""
    while True:
        told = _read_json(error)
        own, behind = split_trace(told.stack)
        told.stack, told.code, told.host = own.stack, told.code or own.code, told.host or own.host
        yield told
        nearest = next((found for key in _BEHIND if (found := _an_error(error.get(key)))), None)
        if nearest is None:
            yield from behind
            return
        error = nearest


def split_trace(lines: Sequence[str]) -> tuple[ToldError, list[ToldError]]:
    """Part the lines of a trace into those of the error itself, with its code and host where they are told, and the
    errors behind it, the nearest first.

    Args:
        lines: below the message of the error. Of Python's and PHP's chains, which begin with the oldest error, all.
    """
    own = ToldError()
    older: list[ToldError] = []
    behind: list[ToldError] = []
    path = [own]
    listing = False
    for line in lines:
        if found := _FROM_OLDEST.match(line):
            older = [each for each in (_finished(own),) if each.type or each.message] + older
            own = ToldError(stack=[line[found.end() :]] if found.end() < len(line) else [])  # PHP's "Next X: …"
            path = [own]
        elif match := _CAUSE.fullmatch(line):
            behind.append(read_headline(match["headline"].removesuffix(" {")))
            path.append(behind[-1])
        elif _LIST.fullmatch(line):
            listing = True
        elif listing and (match := _LISTED.fullmatch(line)) and not line.lstrip().startswith(("at ", "]", "}")):
            behind.append(read_headline(match["headline"].removesuffix(" {")))
            path.append(behind[-1])
            listing = match["headline"] != line.strip()  # anyhow numbers what it lists
        elif _INNER_ENDS.fullmatch(line):
            path = path[:-1] or path
        elif match := _FIELD.fullmatch(line):
            _add_field(path[-1], match["name"], match["value"])
        elif not (len(path) > 1 and _BRACES.fullmatch(line)):
            path[-1].stack.append(line)
    while own.stack and not own.stack[-1].strip():
        own.stack.pop()
    return own, [*behind, *older]


def without_stacks(value: Any) -> Any:
    """A JSON error, or an event that holds one, without its stacks."""
    if not isinstance(value, dict):
        return value
    return {key: without_stacks(item) for key, item in value.items() if key not in _STACKS or not _is_stack(item)}


def frame_text(frame: object) -> str:
    """A frame of a stack as text. Go writes `path`, `line` and `label`, Powertools `file`, `line` and `function`."""
    match frame:
        case {"path": str() as path, "line": int() as line, "label": str() as label}:
            return f"{label} ({path}:{line})"
        case {"file": str() as path, "line": int() as line, "function": str() as label}:
            return f"{label} ({path}:{line})"
        case _:
            return str(frame).rstrip("\n")


def read_stack(error: dict[str, Any]) -> list[str]:
    """The stack that an error in JSON has, without lines that only point into the line above."""
    for key in _STACKS:
        match error.get(key):
            case list() as frames if frames:
                return [frame_text(frame) for frame in frames]
            case {"frames": list() as frames}:  # Powertools
                return [frame_text(frame) for frame in frames]
            case str() as text if text.strip():
                return [line for line in text.splitlines() if not POINTERS.fullmatch(line)]
    return []


def _read_json(error: dict[str, Any]) -> ToldError:
    return ToldError(
        _first_text(error, _TYPES),
        _first_text(error, _MESSAGES),
        _first_text(error, _CODES),
        _address(_first_text(error, _HOSTS), error.get("port")),
        read_stack(error),
    )


def _an_error(value: object) -> dict[str, Any] | None:
    nearest = value[0] if isinstance(value, list) and value else value
    if isinstance(nearest, dict) and {"errorType", "errorMessage", "message", "code"} & nearest.keys():
        return nearest
    return None


def _first_text(error: dict[str, Any], keys: Sequence[str]) -> str | None:
    return next((text for key in keys if isinstance(text := error.get(key), str) and text), None)


def _address(host: str | None, port: object) -> str | None:
    return f"{host}:{port}" if host and isinstance(port, int) and not isinstance(port, bool) else host


def read_headline(text: str) -> ToldError:
    """An error as one line says it: `Type: message`, `Type [code]: message`, or a message alone."""
    text = text.strip().removeprefix("Uncaught ")
    match = _HEADLINE.fullmatch(text)
    if not match or (match["message"] is None and " " in text):
        return ToldError(message=text)
    return ToldError(match["type"], match["message"], match["code"])


def split_raised(stack: list[str]) -> tuple[str | None, list[str]]:
    """What a Python traceback ends with, the exception, and the lines above it."""
    begin = next((i for i, line in enumerate(stack) if line.startswith(TRACEBACK)), None)
    if begin is None:
        return None, stack
    end = next((i for i, line in enumerate(stack) if i > begin and line and not line[0].isspace()), None)
    return (None, stack) if end is None else ("\n".join(stack[end:]).rstrip(), stack[:end])


def _finished(error: ToldError) -> ToldError:
    """An error of a chain that begins with the oldest: its headline stands below its stack (Python) or above (PHP)."""
    raised, stack = split_raised([line for line in error.stack if line.strip()])
    if raised is None and stack and not stack[0].startswith(TRACEBACK):  # of which the end, with the error, is missing
        raised, *stack = stack
    return replace(read_headline(raised or ""), stack=stack)


def _add_field(error: ToldError, name: str, value: str) -> None:
    if name == "code":
        error.code = error.code or value
    elif name == "port":
        error.host = f"{error.host}:{value}" if error.host and ":" not in error.host else error.host
    else:
        error.host = error.host or value


def _is_stack(value: object) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and "frames" in value) or "\n" in str(value)
