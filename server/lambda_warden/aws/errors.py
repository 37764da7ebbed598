"""What an error says of whether the function ran: `Refused` only on evidence that it did not.

The names are the exceptions of Lambda's Invoke in botocore's model; a test walks that model, so that one which
a later botocore brings fails the test until somebody has decided on it.
"""

from __future__ import annotations

from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    InvalidConfigError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from urllib3.exceptions import ConnectTimeoutError as UrllibConnectTimeoutError
from urllib3.exceptions import NewConnectionError

from lambda_warden.aws.answer import text, token
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

_NOT_SENT: Final = (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    InvalidConfigError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
"""Raised before a byte of the request leaves: no connection, no credentials, or parameters botocore rejects."""


def classify(error: Exception) -> Refused | Unknown:
    """Tell from an exception of `client.invoke` whether the function may have run.

    Args:
        error: what was raised.

    Returns:
        Refused if it certainly did not run, Unknown in every other case.
    """
    if isinstance(error, ClientError):
        return _classify_answer(error)
    code, message = type(error).__name__, text(error)
    if isinstance(error, ProxyConnectionError) and _proxy_was_not_passed(error):
        return Refused(code, message, retry_sensible=True)
    if isinstance(error, _NOT_SENT) or (isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in message):
        transient = isinstance(error, ConnectTimeoutError | EndpointConnectionError)
        return Refused(code, message, retry_sensible=transient)
    return Unknown(code, message if isinstance(error, BotoCoreError) else f"unexpected {code}")


def _proxy_was_not_passed(error: ProxyConnectionError) -> bool:
    """Whether a proxy was not reached or refused the tunnel. The same error stands for a connection lost later on."""
    original = getattr(error.kwargs.get("error"), "original_error", None)
    if isinstance(original, NewConnectionError | UrllibConnectTimeoutError):
        return True
    return isinstance(original, OSError) and str(original).startswith("Tunnel connection failed")


def _classify_answer(error: ClientError) -> Refused | Unknown:
    details, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    # botocore passes on what stands in the body, whatever it is.
    code, message = token(details.get("Code")) or "unknown", text(details.get("Message") or "")
    status, request_id = metadata.get("HTTPStatusCode"), token(metadata.get("RequestId"))
    if error.operation_name != "Invoke":
        # A call for credentials (AssumeRole, GetRoleCredentials) failed, so Invoke was never sent.
        return Refused(code, f"{error.operation_name}: {message}", status, request_id)
    if code in MAY_HAVE_RUN:
        return Unknown(code, message, status, request_id)
    if code in LATER or code in NEVER_AS_IS or status in _REFUSED_STATUS:
        return Refused(code, message, status, request_id, retry_sensible=code in LATER or status == 429)
    return Unknown(code, message, status, request_id)
