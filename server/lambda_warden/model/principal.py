"""The names that a manifest gives to those who call, approve and act."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from lambda_warden.errors import ArgumentError, shown

PRINCIPAL = re.compile(r"[A-Za-z0-9._@+-]{1,64}", re.ASCII)
"""A name that a server is given. It never is one that a token gives, which holds a `:`."""
SUBJECT = re.compile(r"[!-~]{1,255}", re.ASCII)
"""Names of subjects, agents and clients (OpenID Connect Core 1.0, section 2: `sub`), without space."""
SCOPE = re.compile(r"[!#-\[\]-~]{1,255}", re.ASCII)
"""A scope (RFC 6749, section 3.3)."""
GROUP_LIMIT = 255


def check_principal(text: str) -> str:
    """A principal: a name that a server is given, `user:SUBJECT` or `client:ID`.

    Raises:
        ArgumentError: if it is none.
    """
    kind, colon, name = text.partition(":")
    if not (SUBJECT.fullmatch(name) and kind in ("user", "client") if colon else PRINCIPAL.fullmatch(text)):
        expected = "user:SUBJECT, client:ID, or 1 to 64 letters, digits and . _ @ + -"
        raise ArgumentError("principal", f"{shown(text)} is not a name", expected)
    return text


def is_group(name: str) -> bool:
    """Whether a group may have this name: whatever can be printed, without space at its ends."""
    return 0 < len(name) <= GROUP_LIMIT and name.isprintable() and name.strip() == name


def _check_member(text: str) -> str:
    if text.startswith("group:"):
        if not is_group(text.removeprefix("group:")):
            raise ArgumentError("principals", f"{shown(text)} is not a group", "group: and the name of one")
        return text
    return check_principal(text)


def _check_approver(text: str) -> str:
    if not text.startswith(("group:", "user:")):
        raise ArgumentError("approvers", f"{shown(text)} is no person", "group:NAME or user:SUBJECT")
    return _check_member(text)


def _check_scope(text: str) -> str:
    if not SCOPE.fullmatch(text):
        raise ArgumentError("scopes", f"{shown(text)} is not a scope", "one scope, without space, quote or backslash")
    return text


def _check_client(text: str) -> str:
    if not SUBJECT.fullmatch(text):
        raise ArgumentError("clients", f"{shown(text)} is not the id of a client", "1 to 255 characters without space")
    return text


Member = Annotated[str, AfterValidator(_check_member)]
"""Who may call: a principal, or group:NAME."""
Approver = Annotated[str, AfterValidator(_check_approver)]
"""Who may approve: group:NAME or user:SUBJECT."""
Scope = Annotated[str, AfterValidator(_check_scope)]
"""A scope of an access token."""
ClientId = Annotated[str, AfterValidator(_check_client)]
"""The id of an OAuth client."""
