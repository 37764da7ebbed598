"""Explanations: what a cause means in plain words, and what is sensible after it."""

from __future__ import annotations

import re
from typing import Final

from lambda_warden.model.result import ErrorCause, Log
from lambda_warden.report.error_cause import Said

_TIMEOUT = re.compile(r"Task timed out after ([0-9]{1,6}(?:\.[0-9]{1,3})?) seconds")
_EXIT_STATUS = re.compile(r"exit status ([0-9]{1,3})\b")

EXPLANATIONS: Final[dict[ErrorCause, str]] = {
    "timeout": "Lambda stopped the function because it ran longer than its timeout.",
    "out_of_memory": "The function ran out of memory.",
    "exit": "The function's process ended before it answered.",
    "init_failure": "The function failed while it started, before its handler could run.",
    "restore_failure": "A runtime hook of SnapStart failed, before the handler could run.",
    "extension_failure": "An extension that runs beside the function ended unexpectedly.",
    "import_failure": "The function's code, or a module that it needs, could not be loaded.",
    "handler_missing": "The function's code has no handler under the configured name.",
    "invalid_entrypoint": "Lambda could not start the function's program: it is missing, or built for another system.",
    "permission_denied": "A service refused what the function asked: its role lacks a permission.",
    "throttled": "A service that the function calls was throttling.",
    "network": "The function could not reach or trust something that it calls, or got no answer in time.",
    "capacity": "Something that the function calls has no room for one more connection or request now.",
    "storage": "The function could not write: its disk is full or read-only. Under /tmp, files of earlier calls stay.",
    "credentials": "Credentials that the function used for a call of its own were refused, missing or expired.",
    "configuration": "The function is not set up as its code expects, or something that it names is not there.",
    "database": "A database refused or broke off what the function asked of it.",
    "invalid_input": "The function could not read the payload that it was sent.",
    "invalid_response": "The function ran, but its answer could not be written as JSON or arrived incomplete.",
    "response_too_large": "The function ran, but its answer is larger than the 6 MB that Lambda passes on.",
    "code": "The function's code ended with an error of its own.",
    "unknown": "What kind of failure this is, is not known: see what the function and its log say.",
}

_NOT_UNDONE: Final = "What the function did before it failed is not undone."
_NOT_RUN: Final = "Its handler seems not to have run."
_RAN: Final = "The function ran, and calling it again runs it again."
_TWICE: Final = "Call again only if it may run twice."
_WHY: Final = (
    "Read function_error and log for why, and tell the user. Change the payload only if they say that it is at fault."
)
_LESS: Final = "Ask for less at a time, where its payload allows"

NEXT_STEPS: Final[dict[ErrorCause, str]] = {
    "timeout": (
        f"{_NOT_UNDONE} Tell the user what it was waiting for: see the log for a network error, or else for the last "
        "line that it logged. Only the operator can give it more time."
    ),
    "out_of_memory": f"{_NOT_UNDONE} {_LESS}; only the operator can give it more memory.",
    "exit": f"{_NOT_UNDONE} Read the log for why its process ended, and tell the operator.",
    "init_failure": f"{_NOT_RUN} Read function_error and log, and tell the operator: it may fail each time.",
    "restore_failure": f"{_NOT_RUN} Read function_error and log, and tell the operator: the hook needs a look.",
    "extension_failure": f"{_NOT_UNDONE} Tell the operator: an extension of the function needs a look.",
    "import_failure": f"{_NOT_UNDONE} Calling again will not help: tell the operator what could not be loaded.",
    "handler_missing": f"{_NOT_RUN} Calling again will not help: tell the operator which handler is missing.",
    "invalid_entrypoint": f"{_NOT_RUN} Calling again will not help: tell the operator what could not be started.",
    "permission_denied": f"{_NOT_UNDONE} Calling again will not help: tell the operator which permission is missing.",
    "throttled": f"{_NOT_UNDONE} The throttling passes: wait some seconds, and call again only if it may run twice.",
    "network": f"{_NOT_UNDONE} Tell the user what could not be reached, and call again only if it may run twice.",
    "capacity": f"{_NOT_UNDONE} Wait, make fewer calls at once, and tell the operator if it stays. {_TWICE}",
    "storage": f"{_NOT_UNDONE} {_LESS}; tell the operator that its storage is full or read-only.",
    "credentials": f"{_NOT_UNDONE} Calling again will not help: tell the operator which credentials were refused.",
    "configuration": f"{_NOT_UNDONE} Calling again will not help: tell the operator what the function lacks.",
    "database": f"{_NOT_UNDONE} Read function_error for what the database says, and tell the user. {_TWICE}",
    "invalid_input": "Correct the payload to what the function reads; list_functions shows its schema and examples.",
    "invalid_response": f"{_RAN} Tell the operator: the code that writes its answer needs a look.",
    "response_too_large": f"{_RAN} {_LESS}.",
    "code": f"{_NOT_UNDONE} {_WHY}",
    "unknown": f"{_NOT_UNDONE} Read the payload and log for why, and tell the user.",
}
"""What is sensible after a function's error, by its cause."""


def explain(cause: ErrorCause, said: Said, log: Log | None) -> str:
    """The cause in one line of our own words: of what comes from outside, it holds numbers only.

    Args:
        cause: as `cause_of` tells it.
        said: what the payload says of the error.
        log: the log, for the memory that was used.
    """
    report = log.report if log else None
    match cause:
        case "timeout" if found := _TIMEOUT.search(said.message):
            return f"Lambda stopped the function after {float(found[1]):g} s, because it ran longer than its timeout."
        case "out_of_memory" if report and report.memory_size_mb and report.max_memory_used_mb:
            return (
                f"The function ran out of memory: it used {report.max_memory_used_mb} of its "
                f"{report.memory_size_mb} MB."
            )
        case "exit" if found := _EXIT_STATUS.search(said.message):
            return f"The function's process ended with exit status {found[1]} before it answered."
        case "init_failure" if _TIMEOUT.search(said.message):
            return "The function took too long to start: its initialization ran into Lambda's time limit."
        case _:
            return EXPLANATIONS[cause]
