"""The issuer's public keys (JWKS), fetched when they are needed and kept for a while.

PyJWT's own client reads answers of any size and forgets its keys when the endpoint is down.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import anyio
import httpx2
from jwt import PyJWK, PyJWTError

from lambda_warden.jsontools.strict_json import parse_json

logger = logging.getLogger(__name__)

FRESH_SECONDS: Final = 600.0
"""After which keys are fetched again: as long, at the most, a key that the issuer took back is good."""
STALE_SECONDS: Final = 3600.0
"""How long keys are good while the issuer can't be asked."""
RETRY_SECONDS: Final = 10.0
"""Between two fetches, whatever asks for them: a key that nobody has, or an issuer that is down."""
FETCH_SECONDS: Final = 5.0
"""How long one fetch may take, with the issuer's metadata."""
ANSWER_BYTES: Final = 256 * 1024
_KEYS: Final = 100


class UnusableKeysError(Exception):
    """What the issuer answered can't be used."""


class IssuerKeys:
    """The keys of one issuer. One fetch at a time, for all who wait for it.

    Args:
        issuer: whose they are.
        url: of the JWKS; None to find it in the issuer's metadata.
        algorithms: that a key may be used with.
        clock: seconds.
    """

    def __init__(
        self, issuer: str, url: str | None, algorithms: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._url = url
        self._algorithms = algorithms
        self._clock = clock
        self._lock = anyio.Lock()
        self._keys: dict[tuple[str, str], PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key with this id, for this algorithm; None if the issuer has none, or can't be asked."""
        wanted = kid, algorithm
        # While one fetches, all others wait, but for who has a key that is good still.
        if not self._good(wanted) if self._lock.locked() else self._is_due(wanted):
            async with self._lock:
                if self._is_due(wanted):
                    self._tried_at = self._clock()
                    # It goes on if its request is given up: others wait for it, and nobody fetches again so soon.
                    with anyio.CancelScope(shield=True):
                        await self._refresh()
        return self._good(wanted)

    @property
    def usable(self) -> bool:
        """Whether there are keys to go by: they were fetched, and not too long ago."""
        return self._clock() - self._fetched_at < STALE_SECONDS

    def _is_due(self, wanted: tuple[str, str]) -> bool:
        if self._clock() - self._tried_at < RETRY_SECONDS:
            return False
        return wanted not in self._keys or self._clock() - self._fetched_at >= FRESH_SECONDS

    def _good(self, wanted: tuple[str, str]) -> PyJWK | None:
        return self._keys.get(wanted) if self.usable else None

    async def _refresh(self) -> None:
        try:
            with anyio.fail_after(FETCH_SECONDS):
                async with httpx2.AsyncClient(follow_redirects=False, timeout=FETCH_SECONDS) as client:
                    url = self._url or await self._find_url(client)
                    self._keys = usable_keys(await _read(client, url), self._algorithms)
                    self._fetched_at = self._clock()
        except (TimeoutError, UnusableKeysError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            logger.error("the keys of %s can't be had: %s", self._issuer, str(error) or type(error).__name__)

    async def _find_url(self, client: httpx2.AsyncClient) -> str:
        """The `jwks_uri` of the issuer's metadata: OpenID Connect Discovery 1.0, else RFC 8414."""
        issuer = httpx2.URL(self._issuer)
        path = issuer.path.rstrip("/")
        try:
            found = await _read(client, str(issuer.copy_with(path=f"{path}/.well-known/openid-configuration")))
        except UnusableKeysError:
            place = f"/.well-known/oauth-authorization-server{path}"
            found = await _read(client, str(issuer.copy_with(path=place)))
        url = found.get("jwks_uri")
        if found.get("issuer") != self._issuer or not isinstance(url, str) or not is_safe(url):
            raise UnusableKeysError("its metadata is another issuer's, or has no jwks_uri over https")
        return url


def usable_keys(jwks: dict[str, Any], algorithms: Sequence[str]) -> dict[tuple[str, str], PyJWK]:
    """The public keys of a JWKS that signatures may be checked with, by id and algorithm. An id that is there twice is
    nobody's.

    Raises:
        UnusableKeysError: if it is no JWKS.
    """
    listed = jwks.get("keys")
    if not isinstance(listed, list) or len(listed) > _KEYS:
        raise UnusableKeysError(f"it is no list of up to {_KEYS} keys")
    keys = [key for key in listed if isinstance(key, dict) and _is_public(key)]
    ids = Counter(key["kid"] for key in keys)
    found: dict[tuple[str, str], PyJWK] = {}
    for key in keys:
        if ids[key["kid"]] == 1:
            for algorithm in algorithms if key.get("alg") is None else {*algorithms} & {key["alg"]}:
                try:
                    found[key["kid"], algorithm] = PyJWK(key, algorithm)
                except (PyJWTError, ValueError, TypeError, KeyError):
                    continue  # of another kind than the algorithm takes
    return found


def is_safe(url: str) -> bool:
    """Whether an issuer may be asked at a URL: over https, or on this machine."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return False
    if not parsed.host or parsed.userinfo:
        return False
    try:
        here = ipaddress.ip_address(parsed.host).is_loopback
    except ValueError:
        here = parsed.host == "localhost"
    return parsed.scheme == "https" or (parsed.scheme == "http" and here)


def _is_public(key: dict[str, Any]) -> bool:
    operations = key.get("key_ops")
    return (
        isinstance(key.get("kid"), str)
        and key.get("use") in (None, "sig")
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
        and isinstance(key.get("alg"), str | None)
        and "d" not in key  # a private key that everybody can read
    )


async def read_bytes(client: httpx2.AsyncClient, url: str, media_type: str) -> bytes:
    """What is at a URL. Redirects are not followed.

    Raises:
        UnusableKeysError: if it is not there, or too long.
        httpx2.HTTPError: if nobody answers.
    """
    body = b""
    headers = {"accept": media_type, "accept-encoding": "identity"}
    async with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code != 200 or "content-encoding" in answer.headers:
            raise UnusableKeysError(f"HTTP {answer.status_code}")
        async for part in answer.aiter_raw():
            body += part
            if len(body) > ANSWER_BYTES:
                raise UnusableKeysError(f"an answer of over {ANSWER_BYTES:,} bytes")
    return body


async def _read(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    """The JSON object at a URL."""
    try:
        found = parse_json(await read_bytes(client, url, "application/json"))
    except ValueError as error:
        raise UnusableKeysError("an answer that is not JSON") from error
    if not isinstance(found, dict):
        raise UnusableKeysError("an answer that is no object")
    return found
