"""Classifies errors by whether the function ran: `Refused` only on evidence that it did not.

There are two kinds of evidence. AWS answered with an error that it gives before it runs anything; the names are the
exceptions of Lambda's Invoke in botocore's model, and a test walks that model, so that one which a later botocore
brings fails the test until somebody has decided on it. Or the request did not leave this machine whole. The table in
docs/outcomes.md shows both.
"""

from __future__ import annotations

import re
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004
    HTTPClientError,
    ProxyConnectionError,
    SSLError,
)

from lambda_warden.aws.advice import FAILED_STATE, advice_for, for_credentials, for_machine, of_throttling
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

_REFUSED_STATUS: Final = frozenset({400, 401, 402, 403, 404, 405, 407, 409, 413, 415, 429, 501})
"""For error codes that the model does not name (AccessDeniedException, ExpiredTokenException, …): Lambda gives
these statuses before it runs anything, a proxy 407 before it passes anything on, and SAM's local service 501 for what
it does not know."""
_THROTTLED: Final = frozenset({"RequestLimitExceeded", "RequestThrottled", "Throttling", "ThrottlingException"})
"""What services of AWS say instead of a 429, most of them with a 400 ("Common Errors" of their API references)."""
_TUNNEL: Final = re.compile(r"Tunnel connection failed: ([1-5][0-9]{2})")
_NO_CERTIFICATE: Final = "NO_CERTIFICATE_OR_CRL_FOUND"
_PROXY_AUTHENTICATION: Final = 407
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_PASSING_PROXY_STATUS: Final = frozenset({408, _TOO_MANY})

_GIVEN_UP: Final[dict[Reason, tuple[str, str]]] = {
    "cancelled": ("Cancelled", "the client cancelled the call"),
    "deadline": ("DeadlineExceeded", "there was no answer in time"),
    "shutdown": ("Shutdown", "the server was stopped"),
}
_IF_IT_STAYS: Final = (
    "If it stays, tell the operator: lambda-warden can't reach the endpoint (its region or endpoint_url, the network, "
    "or a proxy)."
)
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
    if sent in ("whole", "untracked"):
        return Unknown(code, message)
    if reason is not None:
        return Refused(code, f"{message}, before the call was sent", retry_sensible=reason != "cancelled")
    status = _proxy_status(error)
    if status is not None:
        message = f"{message} (the proxy answered {status})"
    if advice := _advice_of_connection(error, status):
        return Refused(code, message, status, advice=advice)
    if not isinstance(error, BotoCoreError):
        return Refused(code, message, advice=for_machine(code, message))
    # Every failure of the connection is one of these: refused, DNS, TLS, a proxy, a reset while the request left.
    transient = isinstance(error, HTTPClientError | ConnectionError)
    return Refused(
        code, message, status, retry_sensible=transient, advice=_IF_IT_STAYS if transient else advice_for(code, message)
    )


def _proxy_status(error: Exception) -> int | None:
    """The status that a proxy gave instead of a tunnel."""
    found = _TUNNEL.search(str(error.kwargs.get("error"))) if isinstance(error, ProxyConnectionError) else None
    return int(found[1]) if found else None


def _advice_of_connection(error: Exception, status: int | None) -> str | None:
    """What helps where a connection fails for a reason that stays."""
    if isinstance(error, SSLError) and _of_file(error):
        return (
            "Tell the operator: the file of trusted certificates can't be read (--ca-bundle, AWS_CA_BUNDLE, "
            "`ca_bundle` of the profile)."
        )
    if _of_certificate(error):
        return (
            "Tell the operator: the endpoint's certificate is not trusted. Where a proxy reads what is sent, its "
            "authority has to be named (--ca-bundle, AWS_CA_BUNDLE)."
        )
    if status is None or status >= _SERVER_ERROR or status in _PASSING_PROXY_STATUS:
        return None
    if status == _PROXY_AUTHENTICATION:
        return "Tell the operator: the proxy (HTTPS_PROXY) asks for credentials, and got none or wrong ones."
    return f"Tell the operator: the proxy (HTTPS_PROXY) refuses connections to this endpoint with status {status}."


def _of_file(error: SSLError) -> bool:
    """Whether TLS failed since a file could not be read, or holds no certificate."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, FileNotFoundError | PermissionError | IsADirectoryError) or _NO_CERTIFICATE in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


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
        again = code in _THROTTLED or status == _TOO_MANY or (isinstance(status, int) and status >= _SERVER_ERROR)
        advice = None if again else for_credentials(code, message)
        message = f"{error.operation_name}: {message}"
        return Refused(code, message, status, request_id, retry_sensible=again, advice=advice)
    reason = token(error.response.get("Reason"))
    if reason is not None:
        message = f"{message} (Reason: {reason})".lstrip()
    throttled = status == _TOO_MANY or (code in _THROTTLED and status in _REFUSED_STATUS)
    later = (code in LATER or throttled) and not FAILED_STATE.search(message)
    # An answer that came before the request had left whole says that AWS did not want it, whatever its status.
    unasked = sent == "partly"
    if unasked or (code not in MAY_HAVE_RUN and (later or code in LATER | NEVER_AS_IS or status in _REFUSED_STATUS)):
        again = later or (unasked and code not in NEVER_AS_IS and status not in _REFUSED_STATUS)
        wait = _retry_after(metadata.get("HTTPHeaders")) if again else None
        advice = of_throttling(reason) if again else advice_for(code, message)
        return Refused(code, message, status, request_id, retry_sensible=again, retry_after_seconds=wait, advice=advice)
    return Unknown(code, message, status, request_id)


def _retry_after(headers: object) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3). One that is a date is left alone: Lambda sends none."""
    value = headers.get("retry-after") if isinstance(headers, dict) else None
    if not isinstance(value, str) or not value.isascii() or not value.isdigit():
        return None
    return min(float(value), _LONGEST_RETRY_AFTER)
