"""Which store a name means, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from lambda_warden.errors import SettingsError
from lambda_warden.store.audit_log import AuditLog, AuditReader, Field
from lambda_warden.store.aws_url import read_aws_url
from lambda_warden.store.clock import Clock
from lambda_warden.store.results import ResultReader, ResultStore
from lambda_warden.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from lambda_warden.store.seal import Seal


class Store(Protocol):
    """Where an audit log or results are kept. Nothing is opened before it is asked for."""

    def audit_log(
        self, *, about: Mapping[str, Field] | None = None, seal: Seal | None = None, clock: Clock | None = None
    ) -> AuditLog:
        """Open it for writing, and make it if it isn't there.

        Args:
            about: what the `start` event says of the server that opens it.
            seal: encrypts the results that stand under idempotency keys, if given.
            clock: what time it is; this machine's, if not given.

        Raises:
            RecordError: if it can't be opened, or holds something else.
        """

    def audit_reader(self, *, clock: Clock | None = None) -> AuditReader:
        """Open it for reading alone. Raises `RecordError` if there is nothing that can be read.

        Args:
            clock: what time it is; this machine's, if not given.
        """

    def result_store(
        self, *, ttl_seconds: float, max_bytes: int, seal: Seal | None = None, clock: Clock | None = None
    ) -> ResultStore:
        """Open it for keeping results.

        Args:
            ttl_seconds: how long a result can be read.
            max_bytes: what all results may take together; the oldest make room for new ones.
            seal: encrypts what is kept, if given.
            clock: what time it is; this machine's, if not given.

        Raises:
            ResultError: if it can't be opened, or holds something else.
        """

    def result_reader(self, *, seal: Seal | None = None, clock: Clock | None = None) -> ResultReader:
        """Open kept results for reading alone. Raises `ResultError` if there is nothing that can be read."""


def _dynamodb(place: str) -> Store:
    from lambda_warden.store.dynamodb.store import DynamoDbStore

    return DynamoDbStore(read_aws_url("dynamodb", place))


def _s3(place: str) -> Store:
    from lambda_warden.store.s3.store import S3Store

    return S3Store(read_aws_url("s3", place))


_BACKENDS: Final[Mapping[str, Callable[[str], Store]]] = {
    "sqlite": SqliteStore,
    "dynamodb": _dynamodb,
    "s3": _s3,
}


def open_store(url: str | Path) -> Store:
    """The store that a URL names.

    Args:
        url: `sqlite:///var/lib/warden/records.sqlite3`, `sqlite::memory:`, the path of a SQLite file, or
            `dynamodb://TABLE?region=…`; of results alone, `s3://BUCKET/PREFIX?region=…`, too.

    Raises:
        SettingsError: if it names a kind of store that is not known.

    >>> open_store("redis://localhost")
    Traceback (most recent call last):
    lambda_warden.errors.SettingsError: redis is no kind of store: sqlite, dynamodb, s3, or the path of a file
    """
    scheme, colon, place = str(url).partition(":")
    if colon and (backend := _BACKENDS.get(scheme)):
        return backend(place)
    if colon and place.startswith("//") and isinstance(url, str):
        raise SettingsError(f"{scheme} is no kind of store: {', '.join(_BACKENDS)}, or the path of a file")
    return SqliteStore(str(url))
