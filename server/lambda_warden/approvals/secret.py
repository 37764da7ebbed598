"""The approver's secret: what a person knows, and no process of the same user does.

From the secret follows a key (scrypt, a slow hash) that signs decisions (Ed25519). The file holds the salt and the
public half alone, so that whoever can write to the records, and does not know the secret, can't write an approval that
a server takes for one.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lambda_warden.store.approvals import (
    ApprovalRuling,
    ApprovalStore,
    ApprovalVerdict,
    DecidedHow,
    PendingApproval,
    judge,
)
from lambda_warden.store.file_lock import lock

SECRET_CHARACTERS: Final = 12
"""The shortest secret that is taken: the file can be read and guessed at by whoever is the same user."""
FREE_TRIES: Final = 5
"""Wrong secrets in a row after which each next try has to wait."""
LONGEST_WAIT: Final = 300.0
"""Seconds."""
_SCRYPT_N: Final = 2**16
"""With r=8: 64 MB, and a fifth of a second."""
_MAX_MEMORY: Final = 2**27
_PURPOSE: Final = "lambda-warden approval 2"
NOT_SET: Final = "no approver's secret is set up: `lambda-warden approvals init` does that"


class SecretError(Exception):
    """The approver's secret is wrong, not set up, can't be set or may not be tried now."""


@dataclass(frozen=True, slots=True)
class ApproverId:
    """The public half of the key that decides: tells whether a decision was made with it."""

    public_key: bytes

    def signed(self, pending: PendingApproval) -> bool:
        """Whether a request is decided as it says, by rulings on exactly this request, each with the key."""
        return judge(pending.ask, pending.rulings) == pending.state and all(
            self._signed(pending, ruling) for ruling in pending.rulings
        )

    def _signed(self, pending: PendingApproval, ruling: ApprovalRuling) -> bool:
        said = _statement(pending, ruling)
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(bytes.fromhex(ruling.signature), said)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Kept:
    n: int
    salt: bytes
    public_key: bytes


class ApproverKey:
    """The private half, which decides: made of the secret by `unlock`, and never kept on disk, or the server's."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def id(self) -> ApproverId:
        """The public half."""
        return ApproverId(self._key.public_key().public_bytes_raw())

    def decide(
        self,
        store: ApprovalStore,
        pending: PendingApproval,
        verdict: ApprovalVerdict,
        *,
        by: str,
        how: DecidedHow,
        note: str | None = None,
        approver: str | None = None,
    ) -> bool:
        """Decide on a request as it was shown.

        Returns:
            Whether this decision counts: in time, before it was decided, by one of its approvers.

        Raises:
            RecordError: if it is not known to be recorded, also in required sinks. It may stand all the same.
        """
        unsigned = ApprovalRuling(verdict, by, how, note, "", approver)
        ruling = replace(unsigned, signature=self._key.sign(_statement(pending, unsigned)).hex())
        found = store.decide_approval(pending.ask.approval_id, ruling)
        return found is not None and found.ruling == ruling


def set_secret(path: Path, secret: str) -> None:
    """Set the secret up, or another one. Who may do that is the caller's question.

    Raises:
        SecretError: if it is too short, or the file can't be written.
    """
    if len(secret) < SECRET_CHARACTERS:
        raise SecretError(f"the secret is too short: expected at least {SECRET_CHARACTERS} characters")
    salt = os.urandom(16)
    public = _key_of(secret, salt, _SCRYPT_N).public_key().public_bytes_raw()
    text = json.dumps({"version": 1, "n": _SCRYPT_N, "salt": salt.hex(), "public_key": public.hex()})
    new = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
        new.replace(path)
    except OSError as error:
        raise SecretError(f"the approver's secret can't be kept: {error}") from error


def read_approver(path: Path) -> ApproverId | None:
    """Whose decisions count, or None if no secret is set up.

    Raises:
        SecretError: if the file can't be read, or is none of ours.
    """
    kept = _read(path)
    return None if kept is None else ApproverId(kept.public_key)


def unlock(path: Path, secret: str) -> ApproverKey:
    """The key that decides, if the secret is right. Takes a fifth of a second.

    After `FREE_TRIES` wrong ones in a row it has to be waited between two tries, longer each time.

    Raises:
        SecretError: if it is wrong, none is set up, or it can't be tried now; the message says for how long.
    """
    kept = _read(path)
    if kept is None:
        raise SecretError(NOT_SET)
    with _one_try(path) as note_right:
        key = _key_of(secret, kept.salt, kept.n)
        if key.public_key().public_bytes_raw() != kept.public_key:
            raise SecretError("that is not the approver's secret")
        note_right()
        return ApproverKey(key)


@contextmanager
def _one_try(secret_file: Path) -> Iterator[Callable[[], None]]:
    """Make one try at a time, and none while it has to be waited. A try counts as wrong until it is noted as right.

    Yields:
        What notes that the try was right: the count of wrong ones begins anew.

    Raises:
        SecretError: if it has to be waited, or the file that counts the tries can't be used.
    """
    path = secret_file.with_name(secret_file.name + ".tries")
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise SecretError(f"the tries can't be counted: {error}") from error
    with file:
        try:
            lock(file.fileno(), wait=True)
        except OSError as error:
            raise SecretError(f"the tries can't be counted: {error}") from error
        wrong, not_before = _counted(file.read())
        wait = min(not_before - time.time(), LONGEST_WAIT)
        if wait > 0:
            raise SecretError(f"too many wrong secrets: the next try is in {math.ceil(wait)} s")

        def note(count: int) -> None:
            pause = 0.0 if count < FREE_TRIES else min(2.0 ** (count - FREE_TRIES + 1), LONGEST_WAIT)
            file.seek(0)
            file.truncate()
            file.write(json.dumps([count, time.time() + pause]))
            file.flush()

        note(wrong + 1)  # first, so that one that is interrupted counts, too
        yield lambda: note(0)


def _counted(text: str) -> tuple[int, float]:
    try:
        wrong, not_before = json.loads(text)
        return min(int(wrong), 1000), float(not_before)
    except (ValueError, TypeError):
        return 0, 0.0


def _read(path: Path) -> _Kept | None:
    try:
        kept = json.loads(path.read_bytes())
        salt, public = bytes.fromhex(kept["salt"]), bytes.fromhex(kept["public_key"])
        Ed25519PublicKey.from_public_bytes(public)
        if kept["version"] != 1 or not 2**14 <= kept["n"] <= _SCRYPT_N:
            raise ValueError("another version of it")
        return _Kept(kept["n"], salt, public)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SecretError(f"the approver's file {path} can't be read: {error}") from error


def _key_of(secret: str, salt: bytes, n: int) -> Ed25519PrivateKey:
    seed = hashlib.scrypt(secret.encode(), salt=salt, n=n, r=8, p=1, maxmem=_MAX_MEMORY, dklen=32)
    return Ed25519PrivateKey.from_private_bytes(seed)


def _statement(pending: PendingApproval, ruling: ApprovalRuling) -> bytes:
    """What is signed: the whole request as it was shown, and the whole decision."""
    said = astuple(replace(ruling, signature=""))
    return json.dumps([_PURPOSE, astuple(pending.ask), pending.expires_at, said]).encode()
