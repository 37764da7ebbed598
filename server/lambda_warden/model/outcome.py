"""What is known of one attempt to invoke a function, before it is shaped for a reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Remedy = Literal["log_type", "credentials"]
"""What was changed after a refusal, so that another attempt may go through: the log is not asked for any more, or the
credentials were read again."""


@dataclass(frozen=True, slots=True)
class Returned:
    """AWS answered with a 2xx status: the fields of `InvocationResponse`, with LogResult decoded to bytes.

    Attributes:
        payload: the answer, or its start where it is larger than what is held in memory.
        payload_bytes: the size of the whole answer; that of `payload`, if not given.
        payload_sha256: the digest of the whole answer, in hexadecimal, if it is known.
        function_error: the X-Amz-Function-Error header, or Unhandled where a stream ended with an error.
        stream_error: the ErrorCode and ErrorDetails that a stream ended with, after what `payload` holds.
    """

    status_code: int
    payload: bytes = b""
    function_error: str | None = None
    log_tail: bytes | None = None
    executed_version: str | None = None
    durable_execution_arn: str | None = None
    request_id: str | None = None
    payload_bytes: int | None = None
    payload_sha256: str | None = None
    stream_error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The function certainly did not run: AWS or this machine refused the request before it could start.

    `retry_sensible` says that the reason passes, and `retry_after_seconds` when, where AWS said so. `remedy` says that
    the reason was removed, so that one more attempt is sensible at once. `advice` says who has to do what.
    """

    code: str
    message: str
    status_code: int | None = None
    request_id: str | None = None
    retry_sensible: bool = False
    retry_after_seconds: float | None = None
    remedy: Remedy | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request may have started the function, and how it ended is not known."""

    code: str
    message: str
    status_code: int | None = None
    request_id: str | None = None


RawOutcome = Returned | Refused | Unknown
