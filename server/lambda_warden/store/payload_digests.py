"""Keyed digests of payloads for the records: who has the key can find a payload, and nobody else can guess a short one.

A digest is HMAC-SHA-256, with the key, of the 64 hexadecimal digits of the SHA-256 of the bytes as they were sent or
came back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from lambda_warden.errors import SettingsError
from lambda_warden.store.audit_log import AuditLog, Field, Kind, NotAdmitted
from lambda_warden.store.results import ResultError
from lambda_warden.store.seal import KEY_BYTES, read_key

_KEYED: Final = {
    "payload_sha256": "payload_hmac",
    "client_context_sha256": "client_context_hmac",
    "answer_sha256": "answer_hmac",
    "request_digest": "request_hmac",
}
"""What a record has instead of a digest that anybody could compute."""


class PayloadDigests:
    """Makes digests with one key.

    Args:
        key: 32 random bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of_digest(self, sha256: str) -> str:
        """The keyed digest of what has this SHA-256, in hexadecimal."""
        return hmac.new(self._key, sha256.encode(), hashlib.sha256).hexdigest()

    def of(self, data: bytes) -> str:
        """The keyed digest of bytes."""
        return self.of_digest(hashlib.sha256(data).hexdigest())

    def keyed(self, body: Mapping[str, Field]) -> dict[str, Field]:
        """A record's fields without a digest that has no key."""
        return {
            _KEYED.get(name, name): self.of_digest(value) if name in _KEYED and isinstance(value, str) else value
            for name, value in body.items()
        }


def read_digests(path: Path, *, make: bool) -> PayloadDigests:
    """The digests by the key in a file.

    Args:
        path: of the file: 32 bytes, as base64 or hexadecimal digits.
        make: whether to make one, readable by its owner alone, where it isn't there.

    Raises:
        SettingsError: if there is no such key.
    """
    try:
        if make and not path.exists():
            _make(path)
        return PayloadDigests(read_key(path))
    except (OSError, ResultError) as error:
        raise SettingsError(f"the key of payload digests: {error}") from None


def _make(path: Path) -> None:
    """Write a new key, whole or not at all: another server may be doing the same."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            os.link(written, path)
    finally:
        written.unlink()


class _WithKeyedDigests:
    """A store's log, in whose records each digest of a payload is keyed. All else is the store's own."""

    def __init__(self, log: AuditLog, digests: PayloadDigests) -> None:
        self._log = log
        self._digests = digests

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def append(self, kind: Kind, invocation_id: str, body: Mapping[str, Field]) -> None:
        self._log.append(kind, invocation_id, self._digests.keyed(body))

    def admit(self, invocation_id: str, body: Mapping[str, Field], *args: Any, **keys: Any) -> NotAdmitted | None:
        return self._log.admit(invocation_id, self._digests.keyed(body), *args, **keys)

    def finish(self, invocation_id: str, body: Mapping[str, Field], **keys: Any) -> None:
        self._log.finish(invocation_id, self._digests.keyed(body), **keys)


def with_keyed_digests(log: AuditLog, digests: PayloadDigests) -> AuditLog:
    """A log whose records hold keyed digests alone."""
    return cast("AuditLog", _WithKeyedDigests(log, digests))
