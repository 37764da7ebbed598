"""The shape of API Gateway responses, as "Set up Lambda proxy integrations" and "Lambda function response for format
2.0" (API Gateway) have it."""

from __future__ import annotations

from typing import Final, TypeGuard

BODY: Final = "body"
STATUS: Final = "statusCode"
IS_BASE64: Final = "isBase64Encoded"

_HTTP_STATUSES: Final = range(100, 600)


def is_http_status(value: object) -> TypeGuard[int]:
    """Whether what stands under `statusCode` makes the object around it a response."""
    return type(value) is int and value in _HTTP_STATUSES
