"""Tells the cause of a function's error in one word, by what Lambda, a runtime or a library says of it.

What libraries and services say stands in `causes`, line by line; what Lambda and its runtimes say, here.

The error types of Lambda and its runtimes: "Troubleshoot invocation issues in Lambda", "Understanding the Lambda
execution environment lifecycle" (failures), "Using the Lambda runtime API for custom runtimes", the pages on errors of
each language ("Lambda function errors in …") and its runtime interface client.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from lambda_warden.model.result import ErrorCause, Log, LogError
from lambda_warden.report.causes import BY_NAME, BY_WORDS


class Said(NamedTuple):
    """What is said of one error: its type, message and code, each empty where nothing is."""

    type: str
    message: str
    code: str = ""


_LAMBDA_TYPES: Final[dict[str, ErrorCause]] = {
    "Sandbox.Timedout": "timeout",
    "Sandbox.TimeoutResponseTrailer": "timeout",
    "Runtime.InvokeTimeout": "timeout",
    "Runtime.OutOfMemory": "out_of_memory",
    "Runtime.ExitError": "exit",
    "Runtime.NodeJsExit": "exit",
    "Runtime.InitError": "init_failure",
    "Runtime.BadFunctionCode": "init_failure",
    "Runtime.BeforeSnapshotError": "restore_failure",
    "Runtime.AfterRestoreError": "restore_failure",
    "Runtime.RestoreError": "restore_failure",
    "Extension.InitError": "init_failure",
    "Extension.LaunchError": "init_failure",
    "Extension.Crash": "extension_failure",
    "Extension.ExitError": "extension_failure",
    "TooManyExtensions": "init_failure",
    "Runtime.ImportModuleError": "import_failure",
    "Runtime.UserCodeSyntaxError": "import_failure",
    "Runtime.BuiltInModuleConflict": "import_failure",
    "Runtime.HandlerNotFound": "handler_missing",
    "Runtime.MalformedHandlerName": "handler_missing",
    "Runtime.MalformedStreamingHandler": "handler_missing",
    "Runtime.CallbackHandlerDeprecated": "handler_missing",
    "Runtime.InvalidEntrypoint": "invalid_entrypoint",
    "Runtime.InvalidWorkingDir": "invalid_entrypoint",
    "Runtime.UnmarshalError": "invalid_input",
    "Runtime.LambdaContextUnmarshalError": "invalid_input",
    "Runtime.MarshalError": "invalid_response",
    "Runtime.TruncatedResponse": "invalid_response",
    "Runtime.InvalidResponseModeHeader": "invalid_response",
    "Function.ResponseSizeTooLarge": "response_too_large",
}
"""Types that only Lambda and its runtimes give."""

_LAMBDA_MESSAGES: Final[tuple[tuple[re.Pattern[str], ErrorCause], ...]] = (
    (
        re.compile(r"(?:\S{1,64} ){0,2}(?:RequestId: \S{1,64} )?(?:Error: )?Task timed out after [0-9.]+ seconds"),
        "timeout",
    ),
    (re.compile(r"RequestId: \S{1,64} Process exited before completing request"), "exit"),
    (re.compile(r"Response payload size .{0,60}exceeded maximum allowed payload size.*"), "response_too_large"),
)
"""Whole messages that Lambda gives, with or without a type."""

_RUNTIME_MESSAGES: Final[tuple[tuple[re.Pattern[str], ErrorCause], ...]] = (
    # .NET
    (re.compile(r"Invalid lambda function handler:|Unable to (?:load type|find method) "), "handler_missing"),
    (re.compile(r"Could not (?:load file or assembly|find the specified handler assembly)"), "import_failure"),
    (re.compile(r"Error converting the Lambda event "), "invalid_input"),
    (re.compile(r"Error converting the response object "), "invalid_response"),
    # Java
    (re.compile(r"Class not found: "), "import_failure"),
    (re.compile(r"No public method named "), "handler_missing"),
    (re.compile(r"An error occurred during JSON parsing"), "invalid_input"),
    (re.compile(r"An error occurred during JSON serialization"), "invalid_response"),
    # Node.js
    (re.compile(r"(?:Error(?: \[ERR_MODULE_NOT_FOUND\])?: )?Cannot find (?:module|package) ['\"]"), "import_failure"),
    (re.compile(r"Unable to stringify response body"), "invalid_response"),
    # Ruby
    (re.compile(r"cannot load such file -- "), "import_failure"),
    # Go
    (re.compile(r"json: cannot unmarshal "), "invalid_input"),
    (re.compile(r"handler (?:is nil|kind \w{1,20} is not func)"), "handler_missing"),
    (re.compile(r"json: (?:unsupported type|unsupported value|error calling MarshalJSON)"), "invalid_response"),
    # Rust
    (re.compile(r"failed to deserialize the incoming data into the function's payload type"), "invalid_input"),
)
"""How messages of the runtimes begin, where the type says too little."""

_CODES: Final = (
    re.compile(r"An error occurred \((\w{1,100})\) when calling the \w+ operation"),  # botocore
    re.compile(r"\bapi error (\w{1,100}): "),  # AWS SDK for Go
    re.compile(r"\bError Code: (\w{1,100})[;)]"),  # AWS SDK for Java 1
    re.compile(r"\b[Cc]ode: '(\w{1,100})'"),  # AWS SDK for JavaScript 2, Prisma
    re.compile(r'"code": ?"(\w{1,100})"'),  # errors in JSON: Neptune
)
"""Where messages name a service's error code."""

_TYPE_BEFORE: Final = re.compile(r"(?:Uncaught )?(?:[\w.$:\\]{1,150}[.$:\\])?(\w{1,100}): ")
"""The type of an error before its message: logs, Node.js's Runtime.UnhandledPromiseRejection, and Rust's Display."""

_KILLED: Final = re.compile(
    r"\bsignal: killed\b|\bSIGKILL\b|\bsignal \"?9\b|\b(?:exit status|exit code|exited with(?: code)?) (?:137|-9)\b"
    r"|^Killed\s*\Z|\bprocess pool was terminated abruptly\b",
    re.IGNORECASE | re.MULTILINE,
)

_NO_START: Final = re.compile(
    r"\bCouldn't find valid bootstrap|\bfork/exec /\S+: |\bversion `GLIBC\S+' not found\b|\b[Ee]xec format error\b"
    r"|\bcannot execute binary file\b|\berror while loading shared libraries: "
)
_BOOTSTRAP_SAYS: Final = re.compile(r"/(?:var/task|opt)/bootstrap: (?!line )")
"""The loader, of the program that Lambda starts. A program that this one starts, while it handles an event, says the
same of itself, and a shell script names the line that it has come to."""
_EXIT_REASONS: Final[tuple[tuple[re.Pattern[str], ErrorCause], ...]] = (
    (re.compile(r"\bJavaScript heap out of memory\b|\bjava\.lang\.OutOfMemoryError\b"), "out_of_memory"),
    (re.compile(r"\bfatal error: runtime: out of memory\b|\bmemory allocation of \d+ bytes failed\b"), "out_of_memory"),
    (re.compile(r"\bERR_MODULE_NOT_FOUND\b|\bCannot find (?:module|package) '"), "import_failure"),
)
"""What a log tells of why a process ended, which the error itself does not know."""

_OF_PROCESS: Final = re.compile(r"\bRuntime exited\b|\bProcess exited before\b|\ATask timed out after ")
_OF_LAMBDA: Final = re.compile(r"(?:START|END|REPORT) RequestId: |RequestId: |INIT_|EXTENSION\t|Runtime\.\w+\s*\Z")
_LAST_LINES: Final = 4
_WRAPPED: Final = re.compile(r"(?P<where>Function|Init)<(?P<type>.*)>")
_OWN: Final = re.compile(r"(?:Runtime|Sandbox|Extension|Function)\.\w+")
_NAME: Final = re.compile(r"\w+\Z")
_PERMISSION: Final = re.compile(
    r"\bnot authorized to perform:? (?P<action>[A-Za-z0-9-]{1,60}:[A-Za-z]{1,100})\b"
    r"""(?: on (?:the )?resource:? ["']?(?P<resource>arn:[A-Za-z0-9-]+:[A-Za-z0-9._:/+=@*$~-]{1,300}))?"""
)


def cause_of(said: Iterable[Said], log: Log | None) -> ErrorCause:
    """Tell the cause of a function's error.

    Args:
        said: what the payload says: the error, then those behind it, the nearest first.
        log: the log, which is asked only where the payload says too little.
    """
    errors = [error for error in said if error.type or error.message or error.code]
    if any(_KILLED.search(error.message) for error in errors) and _memory_is_used_up(log):
        return "out_of_memory"
    specific = next((cause for error in errors if (cause := _specific(error))), None)
    cause = specific or ("code" if _is_of_code(errors) else _of_log(log)) or "unknown"
    if cause == "exit":
        return _of_exit(errors, log)
    if cause == "timeout" and _init_ended(log, "timeout"):
        return "init_failure"
    if cause == "unknown":
        cause = _of_last_logged(log) or cause
    if cause in ("code", "unknown") and _init_ended(log, "error"):
        return "init_failure"
    return cause


def said_in_log(error: LogError) -> list[Said]:
    """What the log says of an error and of those behind it, the nearest first."""
    behind = [Said(each.type or "", each.message or "", each.code or "") for each in error.caused_by]
    return [Said("", error.message, error.code or ""), *behind]


def denied_action(message: str) -> tuple[str | None, str | None]:
    """The action and the resource that a message says the function may not use, as IAM writes them."""
    found = _PERMISSION.search(message)
    return (found["action"], (found["resource"] or "").rstrip(".:") or None) if found else (None, None)


def _specific(error: Said) -> ErrorCause | None:
    """The cause where the error says one; None for an ordinary exception, and for what says nothing."""
    if error.type in _LAMBDA_TYPES:
        return _LAMBDA_TYPES[error.type]
    message = error.message
    # A timeout of Lambda's own has no type but Lambda's; code may raise anything with the same words.
    if not error.type or _OWN.fullmatch(error.type):
        for pattern, cause in _LAMBDA_MESSAGES:
            if pattern.fullmatch(message.strip()):
                return cause
    in_init = (wrapped := _WRAPPED.fullmatch(error.type)) and wrapped["where"] == "Init"
    for pattern, cause in _RUNTIME_MESSAGES:
        if pattern.match(message):
            return cause
    codes = [error.code, *(found[1] for code in _CODES if (found := code.search(message)))]
    known = (
        next((BY_NAME[code] for code in codes if code in BY_NAME), None)
        or next((cause for pattern, cause in BY_WORDS if pattern.search(message)), None)
        or next((BY_NAME[name] for name in _names(error, wrapped) if name in BY_NAME), None)
    )
    return known or ("init_failure" if in_init else None)


def _names(error: Said, wrapped: re.Match[str] | None) -> Iterator[str]:
    """The last name of the error's type, and of the type that stands before its message."""
    if name := _NAME.search(wrapped["type"] if wrapped else error.type):
        yield name[0]
    if found := _TYPE_BEFORE.match(error.message):
        yield found[1]


def _is_of_code(errors: list[Said]) -> bool:
    return any(
        error.type in ("Runtime.UnhandledPromiseRejection", "Runtime.UserException")
        or (error.type and not _OWN.fullmatch(error.type) and error.type != "Unknown")
        or (not error.type and error.message)
        for error in errors
    )


def _of_log(log: Log | None) -> ErrorCause | None:
    if log is None or log.report is None:
        return None
    if log.report.status == "timeout":
        return "timeout"
    return _LAMBDA_TYPES.get(log.report.error_type or "")


def _init_ended(log: Log | None, status: str) -> bool:
    """Whether Lambda says that the function's last start, which the call waited for, ended so."""
    reports = [
        re.sub(r'["\s]', "", line.lower())
        for line in (log.text.splitlines() if log else ())
        if line.startswith("INIT_REPORT ") or (line.startswith("{") and '"platform.initReport"' in line)
    ]
    return bool(reports) and "phase:invoke" in reports[-1] and f"status:{status}" in reports[-1]


def _of_exit(errors: list[Said], log: Log | None) -> ErrorCause:
    """Why a process ended: some say themselves why they end, and to others an error happened just before."""
    if _never_started(errors, log):
        return "invalid_entrypoint"
    texts = [*(error.message for error in errors), *_texts(log)]
    reason = next((cause for pattern, cause in _EXIT_REASONS if any(map(pattern.search, texts))), None)
    return reason or _of_last_logged(log) or _of_last_lines(log) or "exit"


def _never_started(errors: list[Said], log: Log | None) -> bool:
    """Whether it is the function's own program that could not be started: Lambda says so, or the program's loader."""
    of_lambda = (error for error in errors if _OWN.fullmatch(error.type) or error.message.startswith("RequestId: "))
    if any(_NO_START.search(error.message) for error in of_lambda):
        return True
    lines = log.text.splitlines() if log else []
    init = _init_ended(log, "error")
    return any(_NO_START.search(line) and (init or _BOOTSTRAP_SAYS.match(line)) for line in lines)


def _of_last_lines(log: Log | None) -> ErrorCause | None:
    """What a process wrote last, which no logger marked as an error: Go's log.Fatal, a panic of Rust."""
    lines = [line for line in (log.text.splitlines() if log else ()) if line.strip() and not _OF_LAMBDA.match(line)]
    causes = (_specific(Said("", line)) for line in reversed(lines[-_LAST_LINES:]))
    return next(filter(None, causes), None)


def _of_last_logged(log: Log | None) -> ErrorCause | None:
    errors = [error for error in log.errors if not _OF_PROCESS.search(error.message)] if log else []
    causes = (_specific(said) for error in errors[-1:] for said in said_in_log(error))
    return next(filter(None, causes), None)


def _texts(log: Log | None) -> Iterator[str]:
    if log is not None:
        yield log.text
        for error in log.errors:
            yield error.message
            yield from error.stack


def _memory_is_used_up(log: Log | None) -> bool:
    report = log.report if log else None
    return bool(report and report.memory_size_mb and (report.max_memory_used_mb or 0) >= report.memory_size_mb)
