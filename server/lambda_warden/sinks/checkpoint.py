"""Checkpoints: signed statements of how far a chain was, and with which hash.

Who can change the store can compute new hashes, but not sign: a checkpoint proves what stood there when it was made,
wherever it is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from lambda_warden.errors import SettingsError
from lambda_warden.model.sink_entry import SinkEntry
from lambda_warden.store.hash_chain import AuditEvent

_PURPOSE: Final = b"lambda-warden checkpoint 1\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a chain was.

    Attributes:
        writer: whose chain.
        seq: of its last record, which is also how many it had.
        head: the hash of that one.
        count: how many records the store had of all writers, at least.
        at: when, by the clock of the server that signed it: ISO 8601, UTC.
        key_id: of the key that signed it.
        signature: Ed25519, in hexadecimal.
    """

    writer: str
    seq: int
    head: str
    count: int
    at: str
    key_id: str = ""
    signature: str = ""

    def entry(self) -> SinkEntry:
        """It as a line for a sink."""
        line = json.dumps({"type": "checkpoint", **asdict(self)}, separators=(",", ":"))
        return SinkEntry(self.writer, self.seq, self.at, line, is_checkpoint=True)

    def is_signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether every word of it is as the holder of the key signed it."""
        try:
            key.verify(bytes.fromhex(self.signature), self.statement())
        except (InvalidSignature, ValueError):
            return False
        return True

    def statement(self) -> bytes:
        """What is signed."""
        signed = {name: value for name, value in asdict(self).items() if name not in ("key_id", "signature")}
        return _PURPOSE + json.dumps(signed, separators=(",", ":"), sort_keys=True).encode()


class Signer:
    """Signs checkpoints.

    Args:
        key: the operator's.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._key_id = key_id(key.public_key())

    def sign(self, last: AuditEvent, count: int) -> Checkpoint:
        """A checkpoint of a chain whose last record this is, in a store with so many records at least."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        stated = Checkpoint(last.writer, last.seq, last.hash, count, at, self._key_id)
        return Checkpoint(**asdict(stated) | {"signature": self._key.sign(stated.statement()).hex()})


def read_checkpoint(fields: dict[str, Any]) -> Checkpoint | None:
    """The checkpoint that a line of a sink says, if all of it is there and of the right kind."""
    values = {name: fields.get(name) for name in Checkpoint.__slots__}
    numbers = ("seq", "count")
    fits = all(type(value) is (int if name in numbers else str) for name, value in values.items())
    return Checkpoint(**values) if fits else None  # type: ignore[arg-type]


def key_id(key: Ed25519PublicKey) -> str:
    """Tells one key from another."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def write_new_key(path: Path) -> str:
    """Make a key and write it to a new file, readable by its owner alone.

    Returns:
        The public key, in PEM.

    Raises:
        OSError: if the file can't be written, or is there already.
    """
    key = Ed25519PrivateKey.generate()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_signer(path: Path) -> Signer:
    """Signs with the key in a file, in PEM. Raises `SettingsError` if there is none."""
    key = _read(path, lambda data: load_pem_private_key(data, None))
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path} holds no Ed25519 private key: `lambda-warden records keygen FILE` makes one")
    return Signer(key)


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The public key in a file, in PEM. Raises `SettingsError` if there is none."""
    key = _read(path, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{path} holds no Ed25519 public key, as `lambda-warden records keygen` prints it")
    return key


def _read(path: Path, load: Any) -> Any:
    try:
        return load(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"the key file {path} can't be used: {error}") from None
