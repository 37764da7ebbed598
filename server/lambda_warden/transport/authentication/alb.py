"""Whose a request is that an Application Load Balancer has authenticated: its own JWT, in `x-amzn-oidc-data`.

It is signed with a key of the load balancer's region, as the JWT of every other load balancer there: what tells them
apart is `signer`. Its issuer and expiry stand in its header, and its parts are padded, as no other JWT's are.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

import anyio
import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from lambda_warden.guard.claims import caller_from
from lambda_warden.model.caller import Caller
from lambda_warden.settings import ALB_ARN, Settings
from lambda_warden.transport.authentication.keys import FETCH_SECONDS, UnusableKeysError, read_bytes

HEADER: Final = "x-amzn-oidc-data"
KEPT_SECONDS: Final = 3600.0
"""How long a key is good before it is fetched again."""
PAUSE_SECONDS: Final = 1.0
"""Between two fetches, since anybody can name a key."""
_KEYS: Final = 16
_CHARACTERS: Final = 16 * 1024
_KID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class AlbTokens:
    """Verifies the JWT of one load balancer.

    Args:
        settings: its ARN, and how the identity provider names people.
        url: of the region's public keys, which an id is added to; None for AWS's own.
        clock: seconds since the epoch.
    """

    def __init__(self, settings: Settings, url: str | None = None, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._url = url or keys_url(settings.approvals_alb or "")
        self._clock = clock
        self._lock = anyio.Lock()
        self._keys: dict[str, tuple[float, EllipticCurvePublicKey]] = {}
        self._tried_at = float("-inf")

    async def verified(self, token: str) -> Caller:
        """Whose a JWT is.

        Raises:
            ValueError, jwt.PyJWTError: if it is not taken. The message quotes nothing of it.
        """
        if len(token) > _CHARACTERS or not token.isascii():
            raise ValueError("it is too long, or not ASCII")
        header = jwt.get_unverified_header(token)
        self._check(header)
        key = await self._key(header["kid"])
        if key is None:
            raise ValueError("the load balancer's region has no such key, or can't be asked")
        options: Any = {"verify_aud": False, "verify_iss": False}
        claims = jwt.decode(token, key, ["ES256"], leeway=self._settings.auth_leeway, options=options)
        return caller_from(claims, self._settings.auth_subject_claim, self._settings.auth_groups_claim)

    def _check(self, header: dict[str, Any]) -> None:
        """Check what the header says, which the signature covers, too."""
        kid, expires = header.get("kid"), header.get("exp")
        if header.get("alg") != "ES256" or not isinstance(kid, str) or not _KID.fullmatch(kid):
            raise ValueError("it is not signed as a load balancer signs")
        if header.get("signer") != self._settings.approvals_alb:
            raise ValueError("another load balancer signed it")
        if header.get("iss") != self._settings.auth_issuer:
            raise ValueError("its person is another issuer's")
        if not isinstance(expires, int) or expires <= self._clock() - self._settings.auth_leeway:
            raise ValueError("it has expired")

    async def _key(self, kid: str) -> EllipticCurvePublicKey | None:
        # Who has a key that is good waits for nobody's fetch.
        if (key := self._good(kid)) is not None:
            return key
        async with self._lock:
            now = self._clock()
            if (key := self._good(kid)) is not None or now - self._tried_at < PAUSE_SECONDS:
                return key
            self._tried_at = now
            found = await self._fetch(kid)
            if found is not None:
                self._keys = {**dict(list(self._keys.items())[1 - _KEYS :]), kid: (now, found)}
            return found

    def _good(self, kid: str) -> EllipticCurvePublicKey | None:
        fetched_at, key = self._keys.get(kid, (float("-inf"), None))
        return key if self._clock() - fetched_at < KEPT_SECONDS else None

    async def _fetch(self, kid: str) -> EllipticCurvePublicKey | None:
        try:
            with anyio.fail_after(FETCH_SECONDS):
                async with httpx2.AsyncClient(follow_redirects=False, timeout=FETCH_SECONDS) as client:
                    key = load_pem_public_key(await read_bytes(client, f"{self._url}/{kid}", "text/plain"))
        except (TimeoutError, UnusableKeysError, httpx2.HTTPError, ValueError):
            return None
        return key if isinstance(key, EllipticCurvePublicKey) else None


def keys_url(arn: str) -> str:
    """Where the public keys of a load balancer's region are.

    >>> keys_url("arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/w/50dc6c495c0c9188")
    'https://public-keys.auth.elb.eu-west-1.amazonaws.com'
    """
    found = ALB_ARN.fullmatch(arn)
    partition, region = (found["partition"], found["region"]) if found else ("", "")
    if partition == "aws-us-gov":
        return f"https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}"
    return f"https://public-keys.auth.elb.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"
