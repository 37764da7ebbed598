"""Telling of a request for approval by a webhook, signed as Standard Webhooks 1.0 has it (standardwebhooks.com).

The receiver can tell a message that was sent again by its `webhook-id`, which is the request's id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import httpx2

from lambda_warden.errors import SettingsError

ATTEMPT_SECONDS: Final = 10.0
"""How long one attempt may take, from the connection to the last header of the answer."""
PAUSES: Final = (1.0, 5.0, 25.0, 60.0)
"""Seconds between attempts; there is one attempt more than pauses."""
_LATER: Final = frozenset((408, 425, 429))
"""Refusals that may pass, beside all from 500 on. Any other one says that the message is not wanted."""
_PREFIX: Final = "whsec_"


class NotTold(Exception):  # noqa: N818 - what came of it
    """Nobody was told, as far as is known. The message says why, without any part of the URL but its host."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of messages.

    Attributes:
        url: where they are posted to. Redirects are not followed.
        key: signs them.
        pauses: seconds between attempts.
        attempt_seconds: how long one may take.
    """

    url: httpx2.URL
    key: bytes
    pauses: Sequence[float] = PAUSES
    attempt_seconds: float = ATTEMPT_SECONDS

    @property
    def name(self) -> str:
        """What it is called in logs: parts of a URL may be secret, but its host is not."""
        return f"the webhook at {self.url.host}"

    async def tell(self, message_id: str, body: bytes) -> None:
        """Post a message until it is taken. Raises `NotTold` if it is refused, or after the last attempt."""
        problem = ""
        async with httpx2.AsyncClient(follow_redirects=False, timeout=self.attempt_seconds) as client:
            for pause in (0.0, *self.pauses):
                await anyio.sleep(pause)
                status = await self._post(client, message_id, body)
                if isinstance(status, int):
                    if 200 <= status < 300:
                        return
                    problem = f"HTTP {status}"
                    if status < 500 and status not in _LATER:
                        raise NotTold(problem)
                else:
                    problem = status
        raise NotTold(f"{problem}, {len(self.pauses) + 1} times")

    async def _post(self, client: httpx2.AsyncClient, message_id: str, body: bytes) -> int | str:
        """The status of an answer, or why there is none."""
        headers = {"content-type": "application/json", **signed(self.key, message_id, int(time.time()), body)}
        try:
            # The client's own timeout begins anew with each byte.
            with anyio.fail_after(self.attempt_seconds):
                async with client.stream("POST", self.url, content=body, headers=headers) as answer:
                    return answer.status_code
        except TimeoutError:
            return "no answer in time"
        except httpx2.HTTPError as error:
            return type(error).__name__


def signed(key: bytes, message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers that a receiver checks a message by.

    Args:
        key: that both sides know.
        message_id: the same for each attempt.
        at: when this attempt is made, in seconds since 1970: a receiver takes no old ones.
        body: as it is sent.

    >>> key, body = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), b'{"test": 2432232314}'
    >>> signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    mac = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def webhook(url: str, secret_file: Path) -> Webhook:
    """A receiver, as the operator names it.

    Args:
        url: https, or http on this machine.
        secret_file: holds the secret, as the receiver knows it: `whsec_` and 24 to 64 bytes in Base64.

    Raises:
        SettingsError: if one of them can't be used. It holds neither the URL nor the secret.
    """
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        parsed = httpx2.URL()
    if not parsed.host or not (parsed.scheme == "https" or (parsed.scheme == "http" and _is_here(parsed.host))):
        raise SettingsError(
            "the approval webhook is no URL that can be used: expected https://…, or http:// on 127.0.0.1"
        )
    try:
        key = base64.b64decode(secret_file.read_text().strip().removeprefix(_PREFIX), validate=True)
    except OSError as error:
        raise SettingsError(f"the approval webhook's secret can't be read: {error}") from error
    except (ValueError, binascii.Error):
        key = b""
    if not 24 <= len(key) <= 64:
        raise SettingsError(f"{secret_file} holds no webhook secret: expected {_PREFIX} and 24 to 64 bytes in Base64")
    return Webhook(parsed, key)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
