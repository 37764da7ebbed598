"""The claims of a verified access token → the caller. What is not named here is not read, and so goes nowhere.

What identity providers write differs: RFC 9068 (JWT access tokens) has `client_id` and `scope`; OpenID Connect `azp`;
Okta `cid` and `scp`; Entra `appid`, `scp` and `idtyp`; Auth0 `gty` and, of a client's own token, `sub` ID@clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_warden.model.caller import Caller
from lambda_warden.model.principal import SCOPE, SUBJECT, is_group
from lambda_warden.model.tenant import is_tenant_id

_CLIENT: Final = ("client_id", "azp", "cid", "appid")
_GROUPS: Final = 1000
"""How many groups are taken of a token. Who is in more may be denied what one of the others would allow."""


def caller_from(
    claims: Mapping[str, Any], subject_claim: str = "sub", groups_claim: str = "groups", tenant_claim: str | None = None
) -> Caller:
    """Who makes a request, by the claims of its token.

    A token has no user behind it only where it says so: its `sub` is its client, or a claim that the provider alone
    writes tells. A token that names neither a user nor says that is of nobody.

    Args:
        claims: of a token whose signature, issuer, audience and times were checked.
        subject_claim: that names a user.
        groups_claim: that lists a user's groups.
        tenant_claim: that names their tenant, if one does.

    Raises:
        ValueError: if it is not clear who it is. The message quotes nothing.

    >>> caller_from({"sub": "ann", "azp": "ide", "scope": "run", "act": {"sub": "ops-bot"}}).name
    'user:ann, through the agent ops-bot'
    >>> caller_from({"sub": "nightly", "client_id": "nightly"}).principal
    'client:nightly'
    """
    client_id = next((_named(claims, name) for name in _CLIENT if name in claims), None)
    act = claims.get("act")
    if act is not None and not isinstance(act, Mapping):
        raise ValueError("act: is no object")
    # The actors before this one, nested in it, play no part in decisions (RFC 8693, section 4.1).
    actor = None if act is None else _named(act, "sub")
    subject = None
    if not _has_no_user(claims, client_id):
        subject = _named(claims, subject_claim)
    elif client_id is None:
        raise ValueError("the token names neither a user nor a client")
    return Caller(
        f"client:{client_id}" if subject is None else f"user:{subject}",
        subject=subject,
        actor=actor,
        client_id=client_id,
        groups=tuple(dict.fromkeys(filter(is_group, _texts(claims.get(groups_claim)))))[:_GROUPS],
        tenant=next(filter(is_tenant_id, _texts(tenant_claim and claims.get(tenant_claim))), None),
        scopes=frozenset(filter(SCOPE.fullmatch, _scopes(claims))),
    )


def _has_no_user(claims: Mapping[str, Any], client_id: str | None) -> bool:
    if client_id is not None and claims.get("sub") in (client_id, f"{client_id}@clients"):
        return True
    return claims.get("gty") == "client-credentials" or claims.get("idtyp") == "app"


def _named(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not SUBJECT.fullmatch(value):
        raise ValueError(f"{name}: no name of 1 to 255 characters without space")
    return value


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    said = claims.get("scope", claims.get("scp"))
    return said.split(" ") if isinstance(said, str) else _texts(said)
