"""Encryption at rest: AES-256-GCM, each chunk with a nonce of its own and bound to its place.

What a chunk belongs to is authenticated with it, and so is the list of a result's chunks and sizes: none can be
altered, swapped, cut off or moved to another result without notice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lambda_warden.store.results import ResultError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
SEAL_BYTES: Final = _NONCE_BYTES + 16
"""What sealed data has more than plain data: the nonce and the tag."""


class Seal:
    """Encrypts and decrypts under one key.

    Args:
        key: 32 random bytes.

    Attributes:
        key_id: tells which key a result was sealed with, and nothing else about the key.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.key_id = hashlib.sha256(b"lambda-warden key id" + key).hexdigest()[:16]

    def close(self, data: bytes, place: bytes) -> bytes:
        """Encrypt what belongs to a place."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Decrypt what has to belong to a place.

        Raises:
            ResultError: if it is not what was written there.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
        except (InvalidTag, ValueError):
            raise ResultError("the kept result was changed after it was written, so it is not shown") from None


def read_key(path: Path) -> bytes:
    """The key in a file: 32 bytes, as base64 or as 64 hexadecimal digits.

    Raises:
        ResultError: if there is none, or more than one.
    """
    keys = read_keys(path)
    if len(keys) > 1:
        raise ResultError(f"the key file {path} must hold one key: it holds {len(keys)}")
    return keys[0]


def read_keys(path: Path) -> list[bytes]:
    """The keys in a file, one a line, each as `read_key` has it.

    Raises:
        ResultError: if there is none, or a line that is none.
    """
    try:
        lines = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(f"the key file {path} can't be read: {error}") from error
    keys = [_key_in(line) for line in lines]
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ResultError(
            f"the key file {path} must hold {KEY_BYTES} random bytes, as base64 or as {2 * KEY_BYTES} hexadecimal "
            f"digits: openssl rand -base64 {KEY_BYTES} prints some"
        )
    return keys


def _key_in(text: str) -> bytes:
    try:
        return bytes.fromhex(text) if re.fullmatch(r"[0-9a-fA-F]{64}", text) else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
