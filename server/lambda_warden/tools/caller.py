"""Who makes a request, as far as its context tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NamedTuple

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_REQUEST
from opentelemetry.trace import format_trace_id, get_current_span

from lambda_warden.model.caller import Caller

_SHOWN: Final = 100
"""Characters that are taken of what a client says of itself."""


class VerifiedToken(AccessToken):
    """What is kept of an access token that was verified: whom it names. `token` is empty, so that none is passed on."""

    caller: Caller


class Identity(NamedTuple):
    """How access tokens are verified.

    Attributes:
        auth: what clients are told of the issuer and of this resource.
        verifier: tells whose a token is: a `VerifiedToken`.
    """

    auth: AuthSettings
    verifier: TokenVerifier


def caller_of(context: Context[Any, Any] | ServerRequestContext[Any, Any], principal: str | None) -> Caller:
    """The caller of one request. Clients name themselves in the handshake, or from 2026-07-28 on in each request.

    Args:
        context: of the request.
        principal: whom it is made for; None where the request's access token says so.

    Raises:
        MCPError: if the access token has to say so, and the request has none that was verified.
    """
    caller = _authenticated() if principal is None else Caller(principal)
    parameters = context.session.client_params
    span = get_current_span().get_span_context()
    return replace(
        caller,
        client_name=_printable(parameters.client_info.name) if parameters else None,
        client_version=_printable(parameters.client_info.version) if parameters else None,
        trace_id=format_trace_id(span.trace_id) if span.is_valid else None,
        request_id=(context.request_context if isinstance(context, Context) else context).request_id,
    )


def _authenticated() -> Caller:
    token = get_access_token()
    if not isinstance(token, VerifiedToken):
        raise MCPError(INVALID_REQUEST, "The request has no access token that says who makes it")
    return token.caller


def _printable(text: str) -> str | None:
    """Its first printable characters, or None if it has none."""
    return "".join(character for character in text[: 4 * _SHOWN] if character.isprintable())[:_SHOWN] or None
