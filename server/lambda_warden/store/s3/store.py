"""An S3 bucket as a store: of results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lambda_warden.errors import SettingsError
from lambda_warden.store.audit_log import AuditLog, AuditReader
from lambda_warden.store.aws_url import AwsStoreUrl
from lambda_warden.store.clock import Clock
from lambda_warden.store.object_results import ObjectResultStore
from lambda_warden.store.objects import ObjectResultReader
from lambda_warden.store.results import ResultReader, ResultStore
from lambda_warden.store.s3.objects import BucketObjects

if TYPE_CHECKING:
    from lambda_warden.store.seal import Seal

_NO_RECORDS: Final = "records can't be kept in S3, which knows no transactions: only results can (--results)"


class S3Store:
    """A bucket, or what is below a prefix of it; see `Store`. Raises `SettingsError` as `BucketObjects` does."""

    def __init__(self, url: AwsStoreUrl) -> None:
        self._objects = BucketObjects(url)

    def audit_log(self, **_: object) -> AuditLog:
        """Raises `SettingsError`."""
        raise SettingsError(_NO_RECORDS)

    def audit_reader(self, **_: object) -> AuditReader:
        """Raises `SettingsError`."""
        raise SettingsError(_NO_RECORDS)

    def result_store(
        self, *, ttl_seconds: float, max_bytes: int, seal: Seal | None = None, clock: Clock | None = None
    ) -> ResultStore:
        """Open it for keeping results; see `Store.result_store`."""
        return ObjectResultStore(self._objects, ttl_seconds=ttl_seconds, max_bytes=max_bytes, seal=seal, clock=clock)

    def result_reader(self, *, seal: Seal | None = None, clock: Clock | None = None) -> ResultReader:
        """Open kept results for reading; see `Store.result_reader`."""
        return ObjectResultReader(self._objects, seal, clock)
