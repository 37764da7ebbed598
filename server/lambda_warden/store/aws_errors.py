"""Which errors of AWS pass by themselves."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own

_PASSING: Final = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestTimeout", "ThrottlingException"}
)


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed a moment later. This one may have been done, all the same."""
    if not isinstance(error, ClientError):
        return isinstance(error, ConnectionError | HTTPClientError)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or status == 429 or error.response.get("Error", {}).get("Code") in _PASSING
