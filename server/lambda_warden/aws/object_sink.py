"""S3 as a sink: an object for each batch, which Object Lock can keep from being changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambda_warden.aws.sink_client import problems
from lambda_warden.errors import SinkError
from lambda_warden.model.sink_entry import SinkEntry

_NAME: Final = re.compile(r"([0-9]{12})-([0-9]{12})\.jsonl")


class ObjectSink:
    """A bucket, with objects PREFIX/WRITER/FIRST-LAST.jsonl, and checkpoint-SEQ.jsonl; see `Sink`.

    Args:
        client: of S3.
        bucket: its name.
        prefix: of the keys, without a slash at its end.
        retain_days: for how long no one can change or remove an object (Object Lock, compliance mode); 0: as the
            bucket has it.
    """

    def __init__(self, client: Any, bucket: str, prefix: str, retain_days: int = 0) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._retain_days = retain_days

    def write(self, entries: Sequence[SinkEntry]) -> None:
        """Put one object, with its digest, which S3 checks; see `Sink.write`."""
        first, last = entries[0], entries[-1]
        name = f"checkpoint-{last.seq:012}" if first.is_checkpoint else f"{first.seq:012}-{last.seq:012}"
        lock: dict[str, Any] = {}
        if self._retain_days:
            until = datetime.now(UTC) + timedelta(days=self._retain_days)
            lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        with problems():
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=f"{self._prefix}{first.writer}/{name}.jsonl",
                Body="".join(f"{entry.line}\n" for entry in entries).encode(),
                ContentType="application/x-ndjson",
                ChecksumAlgorithm="SHA256",
                **lock,
            )
        if not answer.get("ETag"):
            raise SinkError("what answered is not S3")  # but a proxy, say

    def last_seq(self, writer: str) -> int:
        """By the names of its objects; see `Sink.last_seq`."""
        names = (_NAME.fullmatch(key.rpartition("/")[2]) for key in self._keys(f"{self._prefix}{writer}/"))
        return max((int(name[2]) for name in names if name), default=0)

    def lines(self) -> Iterator[str]:
        """The lines of all versions of all objects below the prefix: what Object Lock keeps stays below a newer one.

        See `Sink.lines`.
        """
        with problems():
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for version in (each for page in pages for each in page.get("Versions", ())):
                if version["Key"].endswith(".jsonl"):
                    which = {"Key": version["Key"], "VersionId": version["VersionId"]}
                    body = self._client.get_object(Bucket=self._bucket, **which)["Body"].read()
                    yield from body.decode("utf-8", "replace").splitlines()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _keys(self, prefix: str) -> Iterator[str]:
        with problems():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                yield from (each["Key"] for each in page.get("Contents", ()))
