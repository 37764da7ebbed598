"""Whose a request to the approvals pages is: by the token that it carries."""

from __future__ import annotations

import logging

import jwt
from mcp.server.auth.provider import TokenVerifier
from starlette.datastructures import Headers

from lambda_warden.model.caller import Caller
from lambda_warden.settings import Settings
from lambda_warden.tools.caller import VerifiedToken
from lambda_warden.transport.authentication.alb import HEADER, AlbTokens

logger = logging.getLogger(__name__)


class ApproverTokens:
    """Reads `Authorization: Bearer`, and, where the settings name a load balancer, what that one adds.

    Args:
        settings: the operator's.
        verifier: tells whose an access token is.
        alb: tells whose a load balancer's is; as the settings say, if not given.
    """

    def __init__(self, settings: Settings, verifier: TokenVerifier, alb: AlbTokens | None = None) -> None:
        own = [] if settings.approvals_scope is None else [settings.approvals_scope]
        self._scopes = frozenset([*settings.auth_required_scopes, *own])
        self._verifier = verifier
        self._alb = alb or (AlbTokens(settings) if settings.approvals_alb else None)

    async def caller_of(self, headers: Headers) -> Caller | None:
        """Whose a request is; None if it has no token that is taken, or more than one."""
        bearers = headers.getlist("authorization")
        added = headers.getlist(HEADER) if self._alb else []
        match bearers, added, self._alb:
            case [sent], [], _:
                return await self._of_bearer(sent)
            case [], [token], AlbTokens() as alb:
                try:
                    return await alb.verified(token)
                except (jwt.PyJWTError, ValueError, RecursionError) as error:
                    reason = str(error) if type(error) is ValueError else type(error).__name__
                    logger.info("a load balancer's token was refused: %s", reason)
        return None

    async def _of_bearer(self, sent: str) -> Caller | None:
        scheme, _, token = sent.partition(" ")
        if scheme.lower() != "bearer":
            return None
        verified = await self._verifier.verify_token(token.strip())
        if not isinstance(verified, VerifiedToken):
            return None
        return verified.caller if self._scopes <= verified.caller.scopes else None
