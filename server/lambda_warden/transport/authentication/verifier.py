"""Access tokens that are JWTs, checked by the issuer's keys: RFC 9068, RFC 8725."""

from __future__ import annotations

import logging
from typing import Any, Final

import jwt
from mcp.server.auth.settings import AuthSettings
from starlette.authentication import AuthenticationError

from lambda_warden.errors import SettingsError
from lambda_warden.guard.claims import caller_from
from lambda_warden.settings import Settings
from lambda_warden.tools.caller import Identity, VerifiedToken
from lambda_warden.transport.authentication.keys import IssuerKeys, is_safe

logger = logging.getLogger(__name__)

TOKEN_CHARACTERS: Final = 16 * 1024
_KID_CHARACTERS: Final = 256
_TYPES: Final = (None, "jwt", "at+jwt", "application/at+jwt")
"""What a token may say that it is. Others, such as a logout token, are good for something else."""


class IssuerUnreachableError(AuthenticationError):
    """The issuer's keys can't be had, so that no token can be checked. A new token would not help."""


class JwtVerifier:
    """The SDK's `TokenVerifier` for one issuer.

    Args:
        settings: the issuer, and what its tokens have to say.
        keys: the issuer's.
    """

    def __init__(self, settings: Settings, keys: IssuerKeys) -> None:
        self._settings = settings
        self._keys = keys
        self._audiences = settings.auth_audience or (settings.public_url or "",)

    async def verify_token(self, token: str) -> VerifiedToken | None:
        """Whose a token is; None if it is not taken, for whatever reason: the log says it, at INFO and without it.

        Raises:
            IssuerUnreachableError: if that can't be told now.
        """
        try:
            return self._accepted(await self._claims(token))
        except (jwt.PyJWTError, RecursionError) as error:
            reason = type(error).__name__  # its message may quote the token
        except ValueError as error:
            reason = str(error)
        logger.info("an access token was refused: %s", reason)
        return None

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > TOKEN_CHARACTERS or not token.isascii():
            raise ValueError("it is too long, or not ASCII")
        # Nothing but these three is taken of a header that nobody has checked: no `jwk`, `jku`, `x5u` or `x5c`.
        header = jwt.get_unverified_header(token)
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if algorithm not in self._settings.auth_algorithms:
            raise ValueError("its algorithm is not among those allowed")
        if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
            raise ValueError("it is another kind of token")
        if not isinstance(kid, str) or len(kid) > _KID_CHARACTERS:
            raise ValueError("it does not say which key it is signed with")
        key = await self._keys.find(kid, algorithm)
        if key is None and not self._keys.usable:
            raise IssuerUnreachableError("the identity provider's keys can't be had")
        if key is None:
            raise ValueError("the issuer has no such key")
        return jwt.decode(
            token,
            key,
            [algorithm],
            audience=self._audiences,
            issuer=self._settings.auth_issuer,
            leeway=self._settings.auth_leeway,
            options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
        )

    def _accepted(self, claims: dict[str, Any]) -> VerifiedToken:
        settings = self._settings
        caller = caller_from(
            claims, settings.auth_subject_claim, settings.auth_groups_claim, settings.auth_tenant_claim
        )
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        return VerifiedToken(
            token="",
            client_id=caller.client_id or "",
            scopes=sorted(caller.scopes),
            resource=settings.public_url if settings.public_url in audiences else None,
            subject=caller.name,  # whose a session is
            claims={"iss": claims["iss"]},
            caller=caller,
        )


def identity_from(settings: Settings) -> Identity | None:
    """How access tokens are verified, and what clients are told of it; None where no issuer is set.

    Raises:
        SettingsError: if what is set can't be meant.
    """
    issuer, public = settings.auth_issuer, settings.public_url
    if issuer is None:
        return None
    if public is None:
        raise SettingsError("--auth-issuer: expected --public-url, too: the URL that clients call this server by")
    for option, url in (("auth-issuer", issuer), ("auth-jwks-url", settings.auth_jwks_url), ("public-url", public)):
        if url is not None and not is_safe(url):
            raise SettingsError(f"--{option}: expected https://…, or http:// on this machine")
    # Of texts, since a URL would have a slash at its end that they don't.
    auth = AuthSettings.model_validate(
        {
            "issuer_url": issuer,
            "resource_server_url": public,
            "required_scopes": list(settings.auth_required_scopes),
            # Other audiences than the resource itself are known to the verifier alone.
            "validate_token_resource": not settings.auth_audience,
        }
    )
    keys = IssuerKeys(issuer, settings.auth_jwks_url, settings.auth_algorithms)
    return Identity(auth, JwtVerifier(settings, keys))
