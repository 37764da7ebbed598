"""The server's key, by which it answers for who decided: it saw their access token, as no reader of the store has.

One file serves all servers on one store: what one signed, another takes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lambda_warden.approvals.secret import ApproverKey
from lambda_warden.errors import SettingsError
from lambda_warden.settings import Settings
from lambda_warden.store.approvals import PendingApproval
from lambda_warden.store.results import ResultError
from lambda_warden.store.seal import read_key

PATH: Final = "/approvals"
"""Where the pages lie that people decide on whom rules name."""
_PURPOSES: Final = (b"lambda-warden approvals: rulings", b"lambda-warden approvals: forms")


@dataclass(frozen=True, slots=True)
class ServerKey:
    """What follows from the key.

    Attributes:
        rulings: signs what approvers decide.
        forms: the key that the tokens of forms are made with.
    """

    rulings: ApproverKey
    forms: bytes

    def form_token(self, person: str, pending: PendingApproval) -> str:
        """What a decision has to come with: it shows that this person was shown exactly this request, by one of us."""
        shown = json.dumps([person, astuple(pending.ask), pending.expires_at]).encode()
        return hmac.new(self.forms, shown, hashlib.sha256).hexdigest()


def server_key(path: Path | None) -> ServerKey | None:
    """The key in a file; None if there is no file.

    Raises:
        SettingsError: if it can't be read, or holds none.
    """
    if path is None:
        return None
    try:
        key = read_key(path)
    except ResultError as error:
        raise SettingsError(f"--approvals-key-file: {error}") from error
    rulings, forms = (hmac.new(key, purpose, hashlib.sha256).digest() for purpose in _PURPOSES)
    return ServerKey(ApproverKey(Ed25519PrivateKey.from_private_bytes(rulings)), forms)


def team_url(settings: Settings) -> str | None:
    """The URL where people decide whom rules name, as browsers call it; None if it is not known.

    Raises:
        SettingsError: if the one that is set can't be served.
    """
    if settings.approvals_url is not None:
        if urlsplit(settings.approvals_url).path.rstrip("/") != PATH:
            raise SettingsError(f"--approvals-url: with --approvals-key-file, expected https://HOST{PATH}")
        return settings.approvals_url.rstrip("/")
    return settings.public_url and f"{_origin(settings.public_url)}{PATH}"


def team_origin(settings: Settings) -> str:
    """What browsers say that a form of these pages was sent from: `https://HOST`."""
    return _origin(team_url(settings) or "")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
