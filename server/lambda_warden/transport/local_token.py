"""The token by which programs of this machine's user are known over HTTP, where no identity provider says who calls."""

from __future__ import annotations

import errno
import hmac
import os
import re
import secrets
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from mcp.server.auth.provider import AccessToken

from lambda_warden.errors import SettingsError
from lambda_warden.model.caller import LOCAL

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]{32,256}=*")
_READ_BYTES: Final = 1024


class LocalToken:
    """Knows one token; a `TokenVerifier` of the SDK.

    Args:
        token: whoever sends it is this machine's user.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Who sent a token, or None. The token itself is not kept. Takes as long for any token of its length."""
        if not hmac.compare_digest(token.encode(), self._token):
            return None
        return AccessToken(token="", client_id=LOCAL, scopes=[])


def read_or_make_token(path: Path) -> str:
    """The token in a file, which is made if it isn't there, and is this user's alone.

    Raises:
        SettingsError: if it can't be made or read, others can read or write it, or it holds no token.
    """
    if sys.platform == "win32":
        raise SettingsError(
            "--http needs an identity provider on Windows (--auth-issuer), where it can't be told who may read "
            "--http-token-file. Over stdio no token is needed"
        )
    try:
        if not path.exists():
            _make(path)
        # Not by a link: whoever may write to the folder would choose the token.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "Not a regular file")
            if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
                raise OSError(errno.EPERM, "It has to be this user's, and readable by no other: chmod 600")
            token = file.read(_READ_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise SettingsError(f"the token of --http-token-file {path} can't be used: {error.strerror}") from error
    if not _TOKEN.fullmatch(token):
        raise SettingsError(f"--http-token-file {path} holds no token of 32 to 256 letters and digits: delete it")
    return token


def _make(path: Path) -> None:
    """Make the file, whole or not at all: another server may be starting, too, and the first one's token stands."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # readable by its owner alone
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        os.unlink(new)  # noqa: PTH108
