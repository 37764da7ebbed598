"""The ids of tenants, of functions with tenant isolation."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from lambda_warden.errors import ArgumentError, shown

TENANT_ID_PATTERN = r"^[a-zA-Z0-9._:/=+\-@]+( +[a-zA-Z0-9._:/=+\-@]+)*$"
TENANT_ID_LIMIT = 256
"""What a tenant id may be (Lambda API reference, Invoke: TenantId), but for spaces at its ends, which HTTP drops."""
ANY_TENANT = "*"
"""In `tenants`: whichever is named. It is no tenant id itself."""


def is_tenant_id(text: str) -> bool:
    """Whether a tenant may have this id."""
    return len(text) <= TENANT_ID_LIMIT and re.fullmatch(TENANT_ID_PATTERN[1:-1], text) is not None


def _check_tenant(text: str) -> str:
    if text != ANY_TENANT and not is_tenant_id(text):
        expected = f"1 to {TENANT_ID_LIMIT} letters, digits, spaces and . _ : / = + - @, or * alone for any"
        raise ArgumentError("tenants", f"{shown(text)} is not a tenant id", expected)
    return text


Tenant = Annotated[str, AfterValidator(_check_tenant)]
"""A tenant id, or * for any."""
