"""A DynamoDB table as a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lambda_warden.store.audit_log import AuditLog, AuditReader, Field, RecordError
from lambda_warden.store.aws_url import AwsStoreUrl
from lambda_warden.store.clock import Clock
from lambda_warden.store.dynamodb.audit_log import DynamoDbAuditLog
from lambda_warden.store.dynamodb.client import make_client
from lambda_warden.store.dynamodb.reading import DynamoDbAuditReader
from lambda_warden.store.dynamodb.requests import Table
from lambda_warden.store.dynamodb.results import TableObjects
from lambda_warden.store.dynamodb.table import TableError, check_table
from lambda_warden.store.object_results import ObjectResultStore
from lambda_warden.store.objects import ObjectResultReader
from lambda_warden.store.results import ResultReader, ResultStore

if TYPE_CHECKING:
    from lambda_warden.store.seal import Seal


class DynamoDbStore:
    """A table; see `Store`. Raises `SettingsError` if the AWS configuration does not fit.

    Args:
        url: which table, and how it is reached.
    """

    def __init__(self, url: AwsStoreUrl) -> None:
        self._table = url.name
        self._client = make_client(url)

    def audit_log(
        self, *, about: Mapping[str, Field] | None = None, seal: Seal | None = None, clock: Clock | None = None
    ) -> AuditLog:
        """Open it for writing; see `Store.audit_log`."""
        return DynamoDbAuditLog(self._opened(clock), about=about, seal=seal)

    def audit_reader(self, *, clock: Clock | None = None) -> AuditReader:
        """Open it for reading; see `Store.audit_reader`."""
        return DynamoDbAuditReader(self._opened(clock))

    def result_store(
        self, *, ttl_seconds: float, max_bytes: int, seal: Seal | None = None, clock: Clock | None = None
    ) -> ResultStore:
        """Open it for keeping results; see `Store.result_store`."""
        objects = TableObjects(self._client, self._table)
        return ObjectResultStore(objects, ttl_seconds=ttl_seconds, max_bytes=max_bytes, seal=seal, clock=clock)

    def result_reader(self, *, seal: Seal | None = None, clock: Clock | None = None) -> ResultReader:
        """Open kept results for reading; see `Store.result_reader`."""
        return ObjectResultReader(TableObjects(self._client, self._table), seal, clock)

    def _opened(self, clock: Clock | None) -> Table:
        try:
            check_table(self._client, self._table)
        except TableError as error:
            raise RecordError(str(error)) from error
        return Table(self._client, self._table, clock)
