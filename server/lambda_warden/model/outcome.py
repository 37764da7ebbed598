"""What is known of one attempt to invoke a function, before it is shaped for a reader."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Returned:
    """AWS answered with a 2xx status: the fields of `InvocationResponse`, with LogResult decoded to bytes."""

    status_code: int
    payload: bytes = b""
    function_error: str | None = None
    log_tail: bytes | None = None
    executed_version: str | None = None
    durable_execution_arn: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The function certainly did not run: AWS or this machine refused the request before it could start."""

    code: str
    message: str
    status_code: int | None = None
    request_id: str | None = None
    retry_sensible: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request may have started the function, and how it ended is not known."""

    code: str
    message: str
    status_code: int | None = None
    request_id: str | None = None


RawOutcome = Returned | Refused | Unknown
