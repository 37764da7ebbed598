"""Advice after a refusal that no other call can help: who has to do what, by what AWS or botocore said."""

from __future__ import annotations

import re
from typing import Final

_CLOCK: Final = re.compile(r"signature (expired|not yet current)|RequestTimeTooSkewed|RequestExpired", re.IGNORECASE)
_EXPIRED: Final = frozenset({"ExpiredTokenException", "ExpiredToken", "TokenRefreshRequired"})
_NOT_ACCEPTED: Final = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_LOGIN: Final = frozenset(
    {
        "LoginRefreshRequired",
        "LoginTokenLoadError",
        "SSOError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
_OF_FUNCTION: Final = re.compile(
    r"(?:KMS|EC2|EFS|ENI|S3Files|SubnetIPAddress|InvalidSubnetID|InvalidSecurityGroupID|InvalidRuntime|InvalidZipFile)"
    r"[A-Za-z]*Exception|CodeArtifactUser(?:Deleted|Failed)Exception|SnapStartRegenerationFailureException"
    r"|Runtime(?:Alias|Version)DeletedException"
)
"""Codes of Invoke's model that tell of what a function is set up with."""
_MISSING: Final = frozenset({"NoAuthTokenError", "NoCredentialsError", "PartialCredentialsError"})
_SET_UP_WRONGLY: Final = frozenset(
    {
        "ConfigNotFound",
        "ConfigParseError",
        "EndpointProviderError",
        "InfiniteLoopConfigError",
        "InvalidConfigError",
        "InvalidProxiesConfigError",
        "InvalidRegionError",
        "LoginInsufficientPermissions",
        "MissingDependencyException",
        "NoRegionError",
        "ProfileNotFound",
        "UnknownCredentialError",
        "UnknownEndpointError",
    }
)
"""What botocore says of a profile, region or endpoint that it can't use."""
_NO_CODE: Final = re.compile(r"4(?!13)[0-9]{2}|501")
"""What botocore gives as the code of an answer that has none of AWS's. A 413 blames the size, whoever says it."""

FAILED_STATE: Final = re.compile(r"state: '?Failed\b", re.IGNORECASE)
"""Of a function. Pending and InProgress pass, and this does not (Lambda Developer Guide, "Lambda function states")."""

_BY_CODE: Final = {
    "NoPublishedVersionException": "the function has no published version, and the call needs one.",
    "OptInRequired": "AWS has not activated Lambda for this account, or has suspended the account.",
    "RecursiveInvocationException": "Lambda stopped the function, since it starts itself in a loop. "
    "Nothing is wrong with the call.",
    "ServiceQuotaExceededException": "a quota of the AWS account is used up, as the message says.",
    "SubscriptionRequiredException": "AWS has not activated Lambda for this account, or has suspended the account.",
}
_BY_MESSAGE: Final = (
    (
        re.compile(
            r"not authorized to perform: lambda:Invoke.*(?:explicit deny|no (?:permissions boundary|session policy"
            r"|VPC endpoint policy|service control policy|resource control policy) allows)",
            re.IGNORECASE | re.DOTALL,
        ),
        "a policy denies lambda-warden this call, or would have to allow it too (the organization's, a permissions "
        "boundary, a session's, a VPC endpoint's), as the message says. More in its own policy does not help.",
    ),
    (
        re.compile(r"defined for the function cannot be assumed", re.IGNORECASE),
        "Lambda can't assume the function's own role; its trust policy has to allow lambda.amazonaws.com. "
        "Nothing is wrong with the call.",
    ),
    (
        re.compile(r"not authorized to perform: lambda:Invoke", re.IGNORECASE),
        "the identity of lambda-warden may not invoke this function; `lambda-warden iam-policy` prints the policy that "
        "it needs.",
    ),
    (
        FAILED_STATE,
        "the function is in the state Failed, which does not pass by itself; its StateReason says why.",
    ),
    (
        re.compile(r"query parameters are not supported", re.IGNORECASE),
        "this endpoint is SAM's local Lambda service, which knows no qualifiers, and lambda-warden calls nothing "
        "without one; the target needs another endpoint_url.",
    ),
    (
        re.compile(r"access the ECR image|unable to decrypt your code", re.IGNORECASE),
        "Lambda can't read the function's code, as the message says. Nothing is wrong with the call.",
    ),
    (
        re.compile(r"account is currently blocked|account is suspended", re.IGNORECASE),
        "AWS has blocked the account.",
    ),
    (
        re.compile(r"unable to determine service/operation name", re.IGNORECASE),
        "what answers is AWS, but not Lambda: the target's endpoint_url or region is wrong.",
    ),
)
_RESERVED: Final = frozenset(
    {"ReservedFunctionConcurrentInvocationLimitExceeded", "ReservedFunctionInvocationRateLimitExceeded"}
)


def advice_for(code: str, message: str) -> str | None:
    """What to do, and who has to do it; None where nothing more than the message is known.

    Args:
        code: an error's name.
        message: what it says.
    """
    found = _of_credentials(code, message)
    for pattern, words in _BY_MESSAGE:
        if found is None and pattern.search(message):
            found = words
    if found is None and _OF_FUNCTION.fullmatch(code):
        found = (
            "what the function is set up with keeps it from running, as the message says (its key, network, file "
            "system or code). Nothing is wrong with the call."
        )
    found = found or _BY_CODE.get(code) or _of_machine(code)
    return None if found is None else f"Tell the operator: {found}"


def for_credentials(code: str, message: str) -> str:
    """As `advice_for`, where AWS refused a call for credentials, so that nobody else can help."""
    return advice_for(code, message) or (
        "Tell the operator: AWS refused lambda-warden the credentials of its profile or role, as the message says "
        "(the role's trust policy, its assignment, or what the identity of lambda-warden may assume)."
    )


def for_machine(code: str, message: str) -> str:
    """As `advice_for`, of an error on this machine that kept a call from being sent, and that no call can help."""
    return advice_for(code, message) or (
        "Tell the operator: an error on the machine of lambda-warden kept the call from being sent, mostly in what "
        "gives it credentials (a credential process, a token's file)."
    )


def of_throttling(reason: str | None) -> str | None:
    """What a throttling's Reason means, where waiting may not help."""
    if reason not in _RESERVED:
        return None
    return (
        "The limit is the function's own (reserved concurrency): it is used up, or the function is switched off (0), "
        "which only the operator can change."
    )


def may_be_renewed(code: str, message: str) -> bool:
    """Whether credentials that are read again may be accepted where these were not."""
    return code in _EXPIRED | _NOT_ACCEPTED | _LOGIN | _MISSING and not _CLOCK.search(f"{code} {message}")


def _of_machine(code: str) -> str | None:
    """What is wrong with how lambda-warden is set up to reach AWS."""
    if code in _SET_UP_WRONGLY:
        return (
            "how lambda-warden reaches AWS is not set up as botocore needs it (profile, region, endpoint or proxy), as "
            "the message says."
        )
    if _NO_CODE.fullmatch(code):
        return (
            "what answered gave no error of AWS's, so it may be a proxy (HTTPS_PROXY), or another server at the "
            "target's endpoint_url."
        )
    return None


def _of_credentials(code: str, message: str) -> str | None:
    if _CLOCK.search(f"{code} {message}"):
        return "the clock of the machine that lambda-warden runs on is off by minutes, and has to be set."
    if code in _LOGIN:
        return (
            "the login of lambda-warden's profile has ended: `aws sso login` with this profile, as the user that "
            "lambda-warden runs as. A running server reads it again."
        )
    if code in _EXPIRED:
        return (
            "the credentials of lambda-warden have expired, and have to be renewed: `aws sso login`, or new keys in "
            "the credentials file. A running server reads them again; keys in its environment need a restart."
        )
    if code in _NOT_ACCEPTED:
        return (
            "AWS does not accept the credentials of lambda-warden: access key, secret and session token have to belong "
            "together and be active. A running server reads the credentials file again."
        )
    if code in _MISSING:
        return (
            "lambda-warden has no complete AWS credentials. Hosts pass no AWS_* variables on: set `env` in the host's "
            "configuration, or name a profile (--profile, or `profile` of the target)."
        )
    match code:
        case "MfaRequiredError" | "RefreshWithMFAUnsupportedError":
            return (
                "the profile asks for an MFA code, and lambda-warden never prompts: name a profile with temporary "
                "credentials (`aws sts get-session-token`, or IAM Identity Center)."
            )
        case "CredentialRetrievalError":
            return (
                "what the message names gave lambda-warden no credentials. A credential process of a profile has to "
                "work without asking a person."
            )
        case _:
            return None
