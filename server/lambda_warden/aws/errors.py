"""What an error says of whether the function ran: `Refused` only on evidence that it did not.

There are two kinds of evidence. AWS answered with an error that it gives before it runs anything; the names are the
exceptions of Lambda's Invoke in botocore's model, and a test walks that model, so that one which a later botocore
brings fails the test until somebody has decided on it. Or the request did not leave this machine whole. The table in
docs/outcomes.md shows both.
"""

from __future__ import annotations

from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, SSLError  # noqa: A004

from lambda_warden.aws.answer import text, token
from lambda_warden.aws.invocation_handle import Reason, Sent
from lambda_warden.model.outcome import Refused, Unknown

LATER: Final = frozenset(
    {
        "TooManyRequestsException",
        "EC2ThrottledException",
        "ENINotReadyException",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "SnapStartNotReadyException",
        "CodeArtifactUserPendingException",
        "EFSMountTimeoutException",
        "EFSMountConnectivityException",
        "S3FilesMountTimeoutException",
        "S3FilesMountConnectivityException",
    }
)
"""Refused before the function ran, for a reason that passes: the same call may go through later."""

NEVER_AS_IS: Final = frozenset(
    {
        "CodeArtifactUserDeletedException",
        "CodeArtifactUserFailedException",
        "DurableExecutionAlreadyStartedException",
        "EC2AccessDeniedException",
        "EC2UnexpectedException",
        "EFSMountFailureException",
        "ENILimitReachedException",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "InvalidRuntimeException",
        "InvalidSecurityGroupIDException",
        "InvalidSubnetIDException",
        "InvalidZipFileException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "ModeNotSupportedException",
        "NoPublishedVersionException",
        "RecursiveInvocationException",
        "RequestTooLargeException",
        "ResourceNotFoundException",
        "RuntimeAliasDeletedException",
        "RuntimeVersionDeletedException",
        "S3FilesMountFailureException",
        "SerializedRequestEntityTooLargeException",
        "ServiceQuotaExceededException",
        "SnapStartRegenerationFailureException",
        "SubnetIPAddressLimitReachedException",
        "UnsupportedMediaTypeException",
    }
)
"""Refused before the function ran, for a reason that stays until somebody changes something."""

MAY_HAVE_RUN: Final = frozenset(
    {
        "EFSIOException",  # reading or writing a mounted file system failed, which running code does
        "ServiceException",  # an internal error, at any point
        "SnapStartException",  # an afterRestore hook failed: code of the function ran
        "SnapStartTimeoutException",  # as above
    }
)

_REFUSED_STATUS: Final = frozenset({400, 401, 402, 403, 404, 405, 409, 413, 415, 429})
"""For error codes that the model does not name (AccessDeniedException, ExpiredTokenException, …): Lambda gives
these statuses before it runs anything."""

_GIVEN_UP: Final[dict[Reason, tuple[str, str]]] = {
    "cancelled": ("Cancelled", "the client cancelled the call"),
    "deadline": ("DeadlineExceeded", "there was no answer in time"),
    "shutdown": ("Shutdown", "the server was stopped"),
}
_OPERATIONS: Final = frozenset({"Invoke", "InvokeWithResponseStream"})
_LONGEST_RETRY_AFTER: Final = 86_400.0


def classify(error: Exception, sent: Sent, reason: Reason | None = None) -> Refused | Unknown:
    """Tell from an exception of `client.invoke` whether the function may have run.

    Args:
        error: what was raised.
        sent: how much of the request had left.
        reason: why the call was given up, if it was.

    Returns:
        Refused if it certainly did not run, Unknown in every other case.
    """
    if isinstance(error, ClientError):
        return _classify_answer(error, sent)
    code, message = type(error).__name__, text(error)
    if reason is not None:
        code, message = _GIVEN_UP[reason]
    elif not isinstance(error, BotoCoreError):
        message = f"unexpected {code}"
    if sent in ("whole", "unwatched"):
        return Unknown(code, message)
    if reason is not None:
        return Refused(code, f"{message}, before the call was sent", retry_sensible=reason != "cancelled")
    # Every failure of the connection is one of these: refused, DNS, TLS, a proxy, a reset while the request left.
    transient = isinstance(error, HTTPClientError | ConnectionError) and not _of_certificate(error)
    return Refused(code, message, retry_sensible=transient)


def _of_certificate(error: Exception) -> bool:
    """Whether the endpoint's certificate was not accepted, as OpenSSL says it, or urllib3 of a name."""
    return isinstance(error, SSLError) and any(
        words in str(error) for words in ("CERTIFICATE_VERIFY_FAILED", "doesn't match", "subjectAltName")
    )


def _classify_answer(error: ClientError, sent: Sent) -> Refused | Unknown:
    details, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    # botocore passes on what stands in the body, whatever it is.
    code, message = token(details.get("Code")) or "unknown", text(details.get("Message") or "")
    status, request_id = metadata.get("HTTPStatusCode"), token(metadata.get("RequestId"))
    if error.operation_name not in _OPERATIONS:
        # A call for credentials (AssumeRole, GetRoleCredentials) failed, so Invoke was never sent.
        return Refused(code, f"{error.operation_name}: {message}", status, request_id)
    later = code in LATER or status == 429
    # An answer that came before the request had left whole says that AWS did not want it, whatever its status.
    unasked = sent == "partly"
    if unasked or (code not in MAY_HAVE_RUN and (later or code in NEVER_AS_IS or status in _REFUSED_STATUS)):
        again = later or (unasked and code not in NEVER_AS_IS and status not in _REFUSED_STATUS)
        wait = _retry_after(metadata.get("HTTPHeaders")) if again else None
        return Refused(code, message, status, request_id, retry_sensible=again, retry_after_seconds=wait)
    return Unknown(code, message, status, request_id)


def _retry_after(headers: object) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3). One that is a date is left alone: Lambda sends none."""
    value = headers.get("retry-after") if isinstance(headers, dict) else None
    if not isinstance(value, str) or not value.isascii() or not value.isdigit():
        return None
    return min(float(value), _LONGEST_RETRY_AFTER)
