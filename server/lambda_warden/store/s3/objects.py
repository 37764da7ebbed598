"""Results as objects of a bucket, below a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambda_warden.aws_session import new_session
from lambda_warden.errors import SettingsError
from lambda_warden.store.aws_errors import may_pass
from lambda_warden.store.aws_url import AwsStoreUrl
from lambda_warden.store.objects import ObjectBusyError, ObjectExistsError
from lambda_warden.store.results import ResultError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OBJECT_BYTES: Final = 64 * 1024 * 1024
"""More than any answer that is kept."""
HEAD_BYTES: Final = 64 * 1024
"""What is read of an object at first: of most, all."""
_CONNECT_SECONDS: Final = 2.0
_READ_SECONDS: Final = 10.0
_CONNECTIONS: Final = 32
_NOT_THERE: Final = frozenset({"404", "NoSuchKey"})
_EXISTS: Final = frozenset({"ConditionalRequestConflict", "PreconditionFailed"})


def make_client(url: AwsStoreUrl) -> S3Client:
    """A client that sends each request once. Raises `SettingsError` if the AWS configuration does not fit."""
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        max_pool_connections=_CONNECTIONS,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
        # Virtual hosts are names below AWS's own alone: no emulator's address has them.
        s3={"addressing_style": "path" if url.endpoint_url else "auto"},
    )
    try:
        return new_session(url.profile, url.region).client("s3", endpoint_url=url.endpoint_url, config=config)
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(f"S3 can't be used: {error}") from None


class BucketObjects:
    """The results below a prefix of a bucket; see `Objects`. A lifecycle rule of the bucket removes what has expired.

    Raises:
        SettingsError: if the AWS configuration does not fit.
    """

    object_bytes = OBJECT_BYTES

    def __init__(self, url: AwsStoreUrl) -> None:
        self._client = make_client(url)
        self._bucket = url.name
        self._prefix = f"{url.prefix}/" if url.prefix else ""

    def check(self) -> None:
        """Make sure that the bucket is there, and may be asked for a name that is not."""
        try:
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        except (BotoCoreError, ClientError) as error:
            raise _problem(f"the bucket {self._bucket} can't be used", error) from error

    def removes_expired(self) -> bool:
        """Whether a lifecycle rule of the bucket removes what is old, in whatever time."""
        try:
            rules = self._client.get_bucket_lifecycle_configuration(Bucket=self._bucket)["Rules"]
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "NoSuchLifecycleConfiguration":
                return False
            raise _problem(f"the lifecycle rules of the bucket {self._bucket} can't be read", error) from error
        return any(
            rule["Status"] == "Enabled"
            and "Days" in rule.get("Expiration", {})
            and self._prefix.startswith(rule.get("Filter", {}).get("Prefix", rule.get("Prefix", "")))
            for rule in rules
        )

    def put(self, name: str, data: bytes, expires_at: int) -> None:  # noqa: ARG002 - said in the object itself
        """Write an object; see `Objects.put`."""
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + name,
                Body=data,
                ContentType="application/octet-stream",
                IfNoneMatch="*",
            )
        except (BotoCoreError, ClientError) as error:
            if _code(error) in _EXISTS:
                raise ObjectExistsError("there is one of this call") from None
            raise _problem(f"the bucket {self._bucket} does not take it", error) from error

    def get(self, name: str) -> BucketObject | None:
        """Find an object; see `Objects.get`."""
        try:
            found = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + name, Range=f"bytes=0-{HEAD_BYTES - 1}"
            )
            return BucketObject(self, name, found["Body"].read(), found["ETag"])
        except (BotoCoreError, ClientError) as error:
            if _code(error) in _NOT_THERE:
                return None
            raise _problem("the kept results can't be read", error) from error

    def get_range(self, name: str, etag: str, start: int, length: int) -> bytes:
        """Bytes of an object, if it is still the one that was found."""
        end = start + length - 1
        try:
            found = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + name, Range=f"bytes={start}-{end}", IfMatch=etag
            )
            return found["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise _problem("the kept result can't be read any more", error) from error


class BucketObject:
    """An object whose head was read; see `StoredObject`."""

    def __init__(self, objects: BucketObjects, name: str, head: bytes, etag: str) -> None:
        self._objects = objects
        self._name = name
        self._head = head
        self._etag = etag

    def read(self, start: int, length: int) -> bytes:
        """Some of its bytes."""
        if len(self._head) < HEAD_BYTES or start + length <= HEAD_BYTES:
            return self._head[start : start + length]
        return self._objects.get_range(self._name, self._etag, start, length)


def _code(error: Exception) -> str | None:
    return error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None


def _problem(what: str, error: Exception) -> ResultError:
    return (ObjectBusyError if may_pass(error) else ResultError)(f"{what}: {error}")
